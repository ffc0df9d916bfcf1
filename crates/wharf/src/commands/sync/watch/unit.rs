//! The systemd unit that watches whenever somebody is logged in.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::commands::sync::bring;
use crate::commands::{DONE, Outcome};
use crate::config::Origin;
use crate::context::Context;
use crate::error::CommandError;
use crate::ui;

const NAME: &str = "wharf-sync.service";

/// Variables that say which login and which directories; none of them holds a secret.
const VARIABLES: &[&str] = &[
    "WHARF_HOME",
    "WHARF_PROFILE",
    "WHARF_API_URL",
    "WHARF_TOKEN_FILE",
    "WHARF_SYNC_TARGETS",
    "WHARF_CLAUDE_DIR",
    "CLAUDE_CONFIG_DIR",
    "OPENCODE_CONFIG_DIR",
    "CODEX_HOME",
    "WHARF_AGENTS_MD_DIR",
    "XDG_CONFIG_HOME",
    "XDG_STATE_HOME",
    "XDG_DATA_HOME",
];

/// The unit's file, if it is there.
pub(in crate::commands::sync) fn installed(cx: &Context) -> Option<PathBuf> {
    file(cx).ok().filter(|file| file.exists())
}

pub(super) fn install(cx: &Context, push: bool, how: &bring::Args) -> Outcome {
    if cx.world.has("WHARF_TOKEN") {
        return Err(CommandError::usage(
            "WHARF_TOKEN is for this command, and a unit would have to hold it readable",
        )
        .hint("wharf auth login keeps one safely; or name a file: --token-file"));
    }
    let file = file(cx)?;
    let text = text(cx, push, how)?;
    let cannot = |error: std::io::Error| {
        CommandError::failed(format!("cannot write {}", file.display())).because(error)
    };
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(cannot)?;
    }
    fs::write(&file, &text).map_err(cannot)?;
    let started = systemctl(&["daemon-reload"])
        .and_then(|()| systemctl(&["enable", "--now", NAME]))
        .and_then(|()| systemctl(&["restart", NAME]));
    said(cx, &file, "installed", started.is_ok())?;
    match started {
        Ok(()) => {
            cx.ui
                .note("it ends with your last session; loginctl enable-linger keeps it");
            Ok(DONE)
        }
        Err(why) => Err(CommandError::failed(format!(
            "the unit is written and not started: {why}"
        ))
        .hint(format!("systemctl --user enable --now {NAME}"))),
    }
}

pub(super) fn uninstall(cx: &Context) -> Outcome {
    let file = file(cx)?;
    if !file.exists() {
        cx.ui.event(&format!("there is no {}", file.display()));
        return Ok(DONE);
    }
    let stopped = systemctl(&["disable", "--now", NAME]);
    fs::remove_file(&file).map_err(|error| {
        CommandError::failed(format!("cannot remove {}", file.display())).because(error)
    })?;
    let _reloaded = systemctl(&["daemon-reload"]);
    said(cx, &file, "removed", stopped.is_ok())?;
    if let Err(why) = stopped {
        cx.ui.warn_always(&format!("it may still run: {why}"));
    }
    Ok(DONE)
}

fn said(
    cx: &Context,
    file: &std::path::Path,
    what: &str,
    is_done: bool,
) -> Result<(), CommandError> {
    if cx.ui.json {
        let answer = json!({ "unit": file, "action": what, "systemd": is_done });
        ui::data(&format!("{answer}\n"))?;
        return Ok(());
    }
    let done = match (what, is_done) {
        ("installed", true) => ", enabled and started",
        ("removed", true) => ", disabled and ended",
        _ => "",
    };
    cx.ui.event(&format!("{what} {}{done}", file.display()));
    Ok(())
}

fn file(cx: &Context) -> Result<PathBuf, CommandError> {
    let config = cx.world.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|dir| dir.is_absolute());
    let config = config.or_else(|| Some(cx.world.home()?.join(".config")));
    let config = config.ok_or_else(|| CommandError::usage("no home directory is known"))?;
    Ok(config.join("systemd/user").join(NAME))
}

fn text(cx: &Context, push: bool, how: &bring::Args) -> Result<String, CommandError> {
    let program = cx.world.executable().and_then(std::path::Path::to_str);
    let program =
        program.ok_or_else(|| CommandError::failed("this program's own file cannot be found"))?;
    let mut words = vec![program.to_owned(), "sync".to_owned(), "--watch".to_owned()];
    if push {
        words.push("--push".to_owned());
    }
    words.extend(how.words());
    for (name, flag) in [
        ("api_url", "--api-url"),
        ("profile", "--profile"),
        ("token_file", "--token-file"),
    ] {
        if let Some(set) = cx.settings.set_by(name)
            && matches!(set.origin, Origin::Flag(_))
        {
            let value = set.value.to_string();
            let value = match name {
                "token_file" => absolute(cx, &value)?,
                _ => value,
            };
            words.push(format!("{flag}={value}"));
        }
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word, true)).collect();
    let mut text = format!(
        "# Made by wharf sync --watch --install; wharf sync --watch --uninstall takes it away.\n\
         [Unit]\n\
         Description=The configuration of agents, the same on every machine\n\
         \n\
         [Service]\n\
         ExecStart={}\n",
        words.join(" ")
    );
    for name in VARIABLES {
        if let Some(value) = cx.world.variable(name).filter(|value| !value.is_empty()) {
            let value = match *name {
                "WHARF_TOKEN_FILE" => absolute(cx, &value)?,
                _ => value,
            };
            let pair = quoted(&format!("{name}={value}"), false);
            text.push_str(&format!("Environment={pair}\n"));
        }
    }
    text.push_str(
        "Restart=on-failure\n\
         RestartSec=30\n\
         RestartPreventExitStatus=2 4\n\
         SuccessExitStatus=130 143\n\
         UMask=0077\n\
         \n\
         [Install]\n\
         WantedBy=default.target\n",
    );
    Ok(text)
}

/// A file as the unit finds it, which begins in another directory.
fn absolute(cx: &Context, file: &str) -> Result<String, CommandError> {
    if file == "-" {
        return Err(
            CommandError::usage("a unit has no input to read a token from")
                .hint("wharf auth login keeps one safely; or name a file: --token-file"),
        );
    }
    if std::path::Path::new(file).is_absolute() {
        return Ok(file.to_owned());
    }
    let dir = cx.world.cwd().and_then(std::path::Path::to_str);
    let dir = dir.ok_or_else(|| CommandError::usage("name the token's file by its whole path"))?;
    Ok(format!("{}/{file}", dir.trim_end_matches('/')))
}

/// A word as systemd reads it. In a command line `$` begins a variable, too.
fn quoted(word: &str, is_command: bool) -> String {
    let mut text = String::from("\"");
    for c in word.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            '%' => text.push_str("%%"),
            '$' if is_command => text.push_str("$$"),
            '\n' => text.push_str("\\n"),
            c => text.push(c),
        }
    }
    text.push('"');
    text
}

fn systemctl(words: &[&str]) -> Result<(), String> {
    let ran = Command::new("systemctl")
        .arg("--user")
        .args(words)
        .stdin(Stdio::null())
        .output();
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
            Err(format!("systemctl --user {}: {said}", words.join(" ")))
        }
        Err(error) => Err(format!("systemctl: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_what_they_were_for_systemd() {
        assert_eq!(quoted("/opt/a b", true), "\"/opt/a b\"");
        assert_eq!(quoted("50%$\"\\", true), "\"50%%$$\\\"\\\\\"");
        assert_eq!(quoted("A=$x", false), "\"A=$x\"");
    }
}
