//! Stock git, run for an upstream: with an environment of nothing but what it needs, within a time
//! and a size.
//!
//! `std::process` starts it without a fork of the server's memory (`posix_spawn`). It gets a
//! process group of its own, which ends with it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use super::address::Protocol;
use super::{Access, GitProgram, Upstream, UpstreamError};
use crate::limits::SAID_MAX;

/// Sets the largest file that may be written, in blocks of 512 bytes, and becomes the rest.
const WITHIN_SIZE: &str = "ulimit -f \"$1\" || exit 125; shift; exec \"$@\"";

/// How one conversation is bounded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) time: Duration,
    pub(super) bytes: u64,
}

/// What git said.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

/// Runs git with `words` in the repository at `directory`, for `upstream`.
pub(super) fn run(
    git: &GitProgram,
    upstream: &Upstream,
    directory: &Path,
    words: &[&str],
    bounds: Bounds,
) -> Result<Said, UpstreamError> {
    let environment = environment(git, upstream)?;
    let program = UpstreamError::Program;
    let mut stdout = tempfile::tempfile().map_err(program)?;
    let mut stderr = tempfile::tempfile().map_err(program)?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WITHIN_SIZE, "sh"]);
    command.arg((bounds.bytes / 512).to_string());
    command
        .arg(&git.program)
        .arg("--git-dir")
        .arg(directory)
        .args(words);
    command.current_dir(directory).env_clear().envs(environment);
    command.stdin(Stdio::null());
    command.stdout(stdout.try_clone().map_err(program)?);
    command.stderr(stderr.try_clone().map_err(program)?);
    let mut child = command.process_group(0).spawn().map_err(program)?;
    let ended = wait(&child, bounds.time);
    // Not reaped yet, so that the number of the group is still its own.
    end_group(&child);
    let status = child.wait().map_err(program)?;
    if !ended.map_err(|errno| program(errno.into()))? {
        return Err(UpstreamError::TimedOut(bounds.time.as_secs()));
    }
    Ok(Said {
        status,
        stdout: said(&mut stdout).map_err(program)?,
        stderr: said(&mut stderr).map_err(program)?,
    })
}

impl Said {
    /// The last line of what was complained about.
    pub(super) fn failure(&self) -> UpstreamError {
        let mut lines = self.stderr.lines().filter(|line| !line.trim().is_empty());
        let first = lines.clone().find(|line| line.starts_with("fatal:"));
        let line = first
            .or_else(|| lines.next_back())
            .unwrap_or("it said nothing");
        UpstreamError::Failed(line.chars().take(300).collect())
    }
}

/// Whether it ended within `time`.
fn wait(child: &Child, time: Duration) -> Result<bool, rustix::io::Errno> {
    let Some(pid) = pid_of(child) else {
        return Ok(true);
    };
    let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
    let until = Instant::now() + time;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(|_| rustix::io::Errno::INVAL)?;
        let mut waited = [PollFd::new(&pidfd, PollFlags::IN)];
        match poll(&mut waited, Some(&left)) {
            Ok(0) => return Ok(false),
            Ok(_) => return Ok(true),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}

fn end_group(child: &Child) {
    if let Some(pid) = pid_of(child) {
        // Gone already is what is wanted.
        let _ = kill_process_group(pid, Signal::KILL);
    }
}

fn pid_of(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

fn said(file: &mut File) -> std::io::Result<String> {
    file.rewind()?;
    let mut bytes = Vec::new();
    file.take(SAID_MAX as u64).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let shown = |it: &char| !it.is_control() || *it == '\n' || *it == '\t';
    Ok(text.replace('\r', "\n").chars().filter(shown).collect())
}

fn environment(
    git: &GitProgram,
    upstream: &Upstream,
) -> Result<Vec<(OsString, OsString)>, UpstreamError> {
    let protocol = match upstream.address.protocol() {
        Protocol::Https => "https",
        Protocol::Ssh => "ssh",
        Protocol::File => "file",
    };
    let mut set: Vec<(OsString, OsString)> = Vec::new();
    let mut add = |name: &str, value: &OsStr| set.push((name.into(), value.to_owned()));
    add("PATH", &git.search);
    add("HOME", git.home.as_os_str());
    add("XDG_CONFIG_HOME", git.home.as_os_str());
    for (name, value) in [
        ("LC_ALL", "C"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ASKPASS", "/bin/false"),
        ("SSH_ASKPASS", "/bin/false"),
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_ATTR_NOSYSTEM", "1"),
        ("GIT_ALLOW_PROTOCOL", protocol),
        ("GIT_PROTOCOL_FROM_USER", "0"),
    ] {
        add(name, OsStr::new(value));
    }
    let mut settings = vec![
        ("core.hooksPath".to_owned(), "/dev/null".to_owned()),
        ("credential.helper".to_owned(), String::new()),
        // Always one pack, however few objects: it is moved as one.
        ("fetch.unpackLimit".to_owned(), "1".to_owned()),
        ("fetch.fsckObjects".to_owned(), "true".to_owned()),
        ("gc.auto".to_owned(), "0".to_owned()),
        ("maintenance.auto".to_owned(), "false".to_owned()),
        ("http.followRedirects".to_owned(), "false".to_owned()),
        // The repository is another user's where the server runs as root and looks into a folder.
        ("safe.directory".to_owned(), "*".to_owned()),
    ];
    match (&upstream.access, upstream.address.protocol()) {
        (Access::Open, Protocol::Https | Protocol::File) => {}
        (Access::Token { user, token }, Protocol::Https) => {
            let basic = STANDARD.encode(format!("{user}:{}", token.expose()));
            let key = format!("http.{}.extraHeader", upstream.address.origin());
            settings.push((key, format!("Authorization: Basic {basic}")));
        }
        (Access::Key { key, known_hosts }, Protocol::Ssh) => {
            add("GIT_SSH_COMMAND", &ssh_command(key, known_hosts));
            add("GIT_SSH_VARIANT", OsStr::new("ssh"));
        }
        (_, Protocol::Ssh) => {
            let why = "an upstream over SSH needs a key and a file of known hosts";
            return Err(UpstreamError::access("url", why));
        }
        (_, Protocol::Https) => {
            let why = "a key is for an upstream over SSH";
            return Err(UpstreamError::access("url", why));
        }
        (_, Protocol::File) => {
            let why = "a folder needs nothing that opens it";
            return Err(UpstreamError::access("url", why));
        }
    }
    add("GIT_CONFIG_COUNT", OsStr::new(&settings.len().to_string()));
    for (number, (key, value)) in settings.iter().enumerate() {
        add(&format!("GIT_CONFIG_KEY_{number}"), OsStr::new(key));
        add(&format!("GIT_CONFIG_VALUE_{number}"), OsStr::new(value));
    }
    Ok(set)
}

/// Git gives this to a shell. No configuration, agent or key of the server's own user is used.
fn ssh_command(key: &Path, known_hosts: &Path) -> OsString {
    let mut text = OsString::from("ssh -F /dev/null -o BatchMode=yes -o IdentitiesOnly=yes");
    text.push(" -o IdentityAgent=none -o StrictHostKeyChecking=yes");
    text.push(" -o GlobalKnownHostsFile=/dev/null -o ConnectTimeout=15 -o UserKnownHostsFile=");
    text.push(quoted(known_hosts));
    text.push(" -i ");
    text.push(quoted(key));
    text
}

fn quoted(path: &Path) -> OsString {
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let mut text = vec![b'\''];
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'\'' => text.extend_from_slice(b"'\\''"),
            byte => text.push(*byte),
        }
    }
    text.push(b'\'');
    OsString::from_vec(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    use crate::upstream::{Address, Branch, Protocols};

    /// A place with a program `ssh` that is this text of sh.
    struct Place {
        folder: tempfile::TempDir,
    }

    impl Place {
        fn new(ssh: &str) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let program = folder.path().join("ssh");
            std::fs::write(&program, format!("#!/bin/sh\n{ssh}\n")).unwrap();
            let mode = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(&program, mode).unwrap();
            crate::git::lay_out(&folder.path().join("repository")).unwrap();
            Self { folder }
        }

        fn run(&self, upstream: &Upstream, words: &[&str], bounds: Bounds) -> Said {
            self.try_run(upstream, words, bounds).unwrap()
        }

        fn try_run(
            &self,
            upstream: &Upstream,
            words: &[&str],
            bounds: Bounds,
        ) -> Result<Said, UpstreamError> {
            let mut search = self.folder.path().as_os_str().to_owned();
            search.push(":/usr/local/bin:/usr/bin:/bin");
            let git = GitProgram {
                program: "git".into(),
                search,
                home: self.folder.path().to_owned(),
            };
            let repository = self.folder.path().join("repository");
            run(&git, upstream, &repository, words, bounds)
        }

        fn read(&self, name: &str) -> String {
            std::fs::read_to_string(self.folder.path().join(name)).unwrap()
        }
    }

    const BOUNDS: Bounds = Bounds {
        time: Duration::from_secs(30),
        bytes: 1024 * 1024,
    };

    fn upstream(address: &str, access: Access) -> Upstream {
        Upstream {
            address: Address::parse(address, Protocols { file: true }).unwrap(),
            branch: Branch::parse("main").unwrap(),
            access,
        }
    }

    fn over_ssh() -> Upstream {
        let access = Access::Key {
            key: "/k'; touch x; '".into(),
            known_hosts: "/known hosts".into(),
        };
        upstream("ssh://git@example.com/x.git", access)
    }

    #[test]
    fn git_and_ssh_get_a_clean_environment_and_no_password() {
        let place =
            Place::new("env > \"$HOME/env\"; printf '%s\\n' \"$@\" > \"$HOME/words\"; exit 1");
        let upstream = over_ssh();
        let said = place.run(&upstream, &["ls-remote", upstream.address.as_str()], BOUNDS);
        assert!(!said.status.success());
        let environment = place.read("env");
        for line in environment.lines() {
            let name = line.split('=').next().unwrap();
            let expected = [
                "PATH",
                "HOME",
                "XDG_CONFIG_HOME",
                "LC_ALL",
                "SSH_ASKPASS",
                "PWD",
                "_",
            ];
            let known = expected.contains(&name) || name.starts_with("GIT_");
            assert!(known, "{line}");
        }
        assert!(environment.contains("GIT_TERMINAL_PROMPT=0\n"));
        let words = place.read("words");
        for word in [
            "/dev/null",
            "BatchMode=yes",
            "StrictHostKeyChecking=yes",
            "/k'; touch x; '",
        ] {
            assert!(words.lines().any(|line| line == word), "{word}");
        }
    }

    #[test]
    fn a_token_is_in_the_environment_and_for_its_host_only() {
        let place = Place::new("exit 1");
        let access = Access::Token {
            user: "ada".to_owned(),
            token: wharf_model::Secret::new("s3cret".to_owned()),
        };
        let upstream = upstream("https://example.com:8443/x.git", access);
        let key = "http.https://example.com:8443/.extraHeader";
        let said = place.run(&upstream, &["config", "--get", key], BOUNDS);
        let wanted = format!("Authorization: Basic {}\n", STANDARD.encode("ada:s3cret"));
        assert_eq!(said.stdout, wanted);
        assert!(!format!("{upstream:?}").contains("s3cret"));
    }

    #[test]
    fn what_takes_too_long_is_ended_with_all_that_it_started() {
        let place = Place::new("echo $$ > \"$HOME/pid\"; echo started >&2; exec sleep 1000");
        let bounds = Bounds {
            time: Duration::from_secs(2),
            ..BOUNDS
        };
        let upstream = over_ssh();
        let ended = place.try_run(&upstream, &["ls-remote", upstream.address.as_str()], bounds);
        assert!(
            matches!(ended, Err(UpstreamError::TimedOut(2))),
            "{ended:?}"
        );
        let pid: i32 = place.read("pid").trim().parse().unwrap();
        // Killed is not gone at once.
        let gone = match pidfd_open(Pid::from_raw(pid).unwrap(), PidfdFlags::empty()) {
            Err(errno) => errno == rustix::io::Errno::SRCH,
            Ok(pidfd) => {
                let generous = Timespec {
                    tv_sec: 20,
                    tv_nsec: 0,
                };
                let mut waited = [PollFd::new(&pidfd, PollFlags::IN)];
                poll(&mut waited, Some(&generous)).unwrap() == 1
            }
        };
        assert!(gone);
    }

    #[test]
    fn what_writes_too_much_fails() {
        let place = Place::new("");
        let large = place.folder.path().join("large");
        let mut state = 1_u64;
        let mut noise = vec![0_u8; 2_000_000];
        for byte in &mut noise {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
        std::fs::write(&large, noise).unwrap();
        let upstream = upstream("file:///x", Access::Open);
        let words = ["hash-object", "-w", large.to_str().unwrap()];
        let said = place.run(&upstream, &words, BOUNDS);
        assert!(!said.status.success());
        let bounds = Bounds {
            bytes: 64 * 1024 * 1024,
            ..BOUNDS
        };
        assert!(place.run(&upstream, &words, bounds).status.success());
    }

    #[test]
    fn the_access_fits_the_address() {
        let place = Place::new("");
        let key = over_ssh().access;
        for wrong in [
            upstream("ssh://git@example.com/x", Access::Open),
            upstream("https://example.com/x", key.clone()),
            upstream("file:///x", key),
        ] {
            let refused = place.try_run(&wrong, &["version"], BOUNDS);
            assert!(matches!(refused, Err(UpstreamError::Access { .. })));
        }
    }

    #[test]
    fn a_path_stays_one_word_of_the_shell() {
        let command = ssh_command(Path::new("/k'; touch x; '"), Path::new("/known hosts"));
        let text = command.into_string().unwrap();
        assert!(text.ends_with(r"UserKnownHostsFile='/known hosts' -i '/k'\''; touch x; '\'''"));
    }
}
