//! What surrounds Wharf on this machine: other shells, SSH, sandboxes, agents.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use wharf_localstate::{Places, device_id};

use super::Line;
use crate::context::Context;
use crate::login::ssh_key;
use crate::opencode::{NAMED_BY, Search};

/// Shells whose words people type.
const SHELLS: &[&str] = &["bash", "sh", "zsh", "fish", "dash", "ksh", "tcsh"];
/// A mode that lets others at a private key.
const OTHERS: u32 = 0o077;

/// Which shells there are; bash alone is needed, and has a check of its own.
pub(super) fn shells(cx: &Context) -> Vec<Line> {
    let found: Vec<_> = SHELLS
        .iter()
        .copied()
        .filter(|name| on_path(cx, name).is_some())
        .collect();
    vec![Line::ok("shells", found.join(", "))]
}

/// By what this device is known.
pub(super) fn device(places: &Places) -> Vec<Line> {
    let line = match device_id::load(&places.device_id_file()) {
        Ok(Some(id)) => Line::ok("device", id),
        Ok(None) => Line::skip(
            "device",
            "this device has no id yet; the first login makes it",
        ),
        Err(error) => {
            Line::fail("device", error.to_string()).hint("remove it; the next login makes another")
        }
    };
    vec![line]
}

/// This device's key, the agent, and the directory that other keys are in.
pub(super) fn ssh(cx: &Context) -> Vec<Line> {
    let mut lines = vec![match ssh_key::look(&cx.places) {
        Ok(Some((_, mode))) if mode & OTHERS != 0 => {
            Line::warn("ssh", format!("this device's key has mode {mode:03o}"))
                .hint("wharf doctor --fix")
        }
        Ok(Some((half, _))) => Line::ok("ssh", format!("this device's key {}", half.fingerprint)),
        Ok(None) if cx.places.ssh_key_file().with_extension("pub").exists() => {
            Line::fail("ssh", "this device's private key is lost")
                .hint("wharf doctor --fix makes a new one")
        }
        Ok(None) => Line::skip(
            "ssh",
            "this device has no key yet; the first login makes it",
        ),
        Err(why) => Line::fail("ssh", format!("this device's key cannot be used: {why}"))
            .hint("wharf doctor --fix makes a new one and keeps the file"),
    }];
    if let Some(socket) = cx
        .world
        .variable("SSH_AUTH_SOCK")
        .filter(|it| !it.is_empty())
    {
        lines.push(match UnixStream::connect(&socket) {
            Ok(_) => Line::ok("ssh", "the agent answers"),
            Err(error) => Line::warn("ssh", format!("the agent does not answer: {error}"))
                .hint("unset SSH_AUTH_SOCK, or start ssh-agent"),
        });
    }
    let dir = cx.world.home().map(|home| home.join(".ssh"));
    if let Some(dir) = dir
        && let Ok(found) = fs::metadata(&dir)
        && found.permissions().mode() & 0o022 != 0
    {
        let text = format!("others can write to {}", dir.display());
        lines.push(Line::warn("ssh", text).hint(format!("chmod 700 {}", dir.display())));
    }
    lines
}

/// What a kernel offers for holding a program in.
pub(super) fn sandbox() -> Vec<Line> {
    let number = |file: &str| {
        let text = fs::read_to_string(file).ok()?;
        text.trim().parse::<u64>().ok()
    };
    let mut has = Vec::new();
    let spaces = number("/proc/sys/user/max_user_namespaces").is_some_and(|most| most > 0)
        && number("/proc/sys/kernel/unprivileged_userns_clone").is_none_or(|on| on == 1);
    if spaces {
        has.push("user namespaces");
    }
    let modules = fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    if modules.split(',').any(|module| module.trim() == "landlock") {
        has.push("Landlock");
    }
    if Path::new("/dev/kvm").exists() {
        has.push("KVM");
    }
    let line = if has.is_empty() {
        Line::skip("sandbox", "this kernel offers none that a user can start")
            .hint("needed for sandboxes only")
    } else {
        Line::ok("sandbox", has.join(", "))
    };
    vec![line]
}

/// Where the client of OpenCode is, as the main flow finds it.
pub(super) fn opencode(cx: &Context) -> Vec<Line> {
    let line = match Search::of(&cx.world).find() {
        Ok(file) => Line::ok("opencode", file.display().to_string()),
        Err(error) if cx.world.has(NAMED_BY) => {
            Line::fail("opencode", error.message).hint("put it right, or unset it")
        }
        Err(_) => Line::skip("opencode", "not on PATH").hint("npm install -g opencode-ai"),
    };
    vec![line]
}

/// The configuration of Claude Code.
pub(super) fn claude(cx: &Context) -> Vec<Line> {
    let named = cx.world.variable("CLAUDE_CONFIG_DIR").map(PathBuf::from);
    let Some(dir) = named.or_else(|| Some(cx.world.home()?.join(".claude"))) else {
        return vec![Line::skip("claude", "no home directory is known")];
    };
    let line = match fs::metadata(&dir) {
        Ok(found) if !found.is_dir() => {
            Line::warn("claude", format!("{} is no directory", dir.display())).hint("move it away")
        }
        Ok(found) if found.permissions().mode() & 0o022 != 0 => {
            Line::warn("claude", format!("others can write to {}", dir.display()))
                .hint(format!("chmod go-w {}", dir.display()))
        }
        Ok(_) => match fs::read_dir(&dir) {
            Ok(_) => Line::ok("claude", dir.display().to_string()),
            Err(error) => Line::warn("claude", format!("{}: {error}", dir.display()))
                .hint("make it readable for yourself"),
        },
        Err(_) => Line::skip("claude", format!("no {}", dir.display())),
    };
    vec![line]
}

fn on_path(cx: &Context, program: &str) -> Option<PathBuf> {
    let path = cx.world.variable("PATH")?;
    let dirs = path.split(':').filter(|dir| !dir.is_empty());
    let mut files = dirs.map(|dir| Path::new(dir).join(program));
    files.find(|file| is_program(file))
}

fn is_program(file: &Path) -> bool {
    fs::metadata(file).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}
