//! What a host says of itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_ssh::Opener;

use super::hosts::host_error;
use super::line::broken;
use super::words::ENTRY;
use crate::executor::{Facts, LaunchError};

/// From the question to the whole answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// What a login shell may print before, and the answer, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;
/// The longest value that is believed, in bytes.
const MAX_VALUE: usize = 4096;

const BEGIN: &str = "wharf-facts:";
const END: &str = ":wharf-facts";

/// One line of POSIX sh. Whatever is not there says nothing.
const QUESTION: &str = concat!(
    r#"echo wharf-facts:; echo "home=$HOME"; echo "shell=$SHELL"; "#,
    r#"echo "user=$(id -un 2>/dev/null)"; echo "name=$(uname -n 2>/dev/null)"; "#,
    r#"echo "kernel=$(uname -s 2>/dev/null)"; echo "architecture=$(uname -m 2>/dev/null)"; "#,
    r#"echo "processors=$(getconf _NPROCESSORS_ONLN 2>/dev/null || nproc 2>/dev/null)"; "#,
    r#"if [ -r /proc/meminfo ]; then while read -r k v r; do case $k in MemTotal:) echo "memory=$v";; esac; done </proc/meminfo; fi; "#,
    r#"if [ -r /etc/os-release ]; then while IFS== read -r k v; do case $k in PRETTY_NAME) echo "system=$v";; esac; done </etc/os-release; fi; "#,
    r#"for p in apt-get dnf yum zypper pacman apk pkg brew; do if command -v "$p" >/dev/null 2>&1; then echo "packages=$p"; break; fi; done; "#,
    r#"echo :wharf-facts; exit 0"#,
);

pub(super) async fn ask(opener: &dyn Opener) -> Result<Arc<Facts>, LaunchError> {
    match tokio::time::timeout(PATIENCE, answer(opener)).await {
        Ok(answer) => Ok(Arc::new(read(&answer?))),
        Err(_) => Err(LaunchError::TooSlow {
            what: "the host's login shell",
            within: PATIENCE,
        }),
    }
}

/// What is between the marks.
async fn answer(opener: &dyn Opener) -> Result<String, LaunchError> {
    let mut channel = opener.open(ENTRY).await.map_err(host_error)?;
    let question = format!("{QUESTION}\n");
    let sent = channel.stdin.write_all(question.as_bytes()).await;
    sent.map_err(LaunchError::System)?;
    let mut heard = Vec::new();
    let mut rest = channel.stdout.take(MAX_ANSWER);
    loop {
        let count = rest
            .read_buf(&mut heard)
            .await
            .map_err(LaunchError::System)?;
        let text = String::from_utf8_lossy(&heard);
        let begun = text.find(BEGIN).map(|at| at + BEGIN.len());
        let behind = begun.and_then(|at| text.get(at..)).unwrap_or_default();
        if let Some((said, _)) = behind.split_once(END) {
            return Ok(said.to_owned());
        }
        if count == 0 {
            return Err(broken(
                "the login shell there starts no sh, so that nothing can be run; try `ssh HOST true`",
            ));
        }
    }
}

fn read(answer: &str) -> Facts {
    let value = |name: &str| {
        let mut lines = answer.lines();
        let found = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        let found = found.trim().trim_matches(['"', '\'']);
        let legal = !found.is_empty() && found.len() <= MAX_VALUE;
        (legal && !found.contains(char::is_control)).then(|| found.to_owned())
    };
    Facts {
        home: value("home").filter(|home| home.starts_with('/')),
        user: value("user"),
        name: value("name"),
        kernel: value("kernel"),
        architecture: value("architecture"),
        system: value("system"),
        shell: value("shell"),
        processors: value("processors").and_then(|text| text.parse().ok()),
        memory: value("memory")
            .and_then(|text| text.parse::<u64>().ok())
            .and_then(|kib| kib.checked_mul(1024)),
        packages: value("packages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_read_and_what_is_odd_is_not_believed() {
        let facts = read(
            "\nhome=/home/ada\nshell=/bin/zsh\nuser=ada\nname=web-1\nkernel=Linux\narchitecture=\n\
             processors=8\nmemory=16384\nsystem=\"Debian GNU/Linux 13\"\npackages=apt-get\n",
        );
        assert_eq!(facts.home.as_deref(), Some("/home/ada"));
        assert_eq!(facts.system.as_deref(), Some("Debian GNU/Linux 13"));
        assert_eq!(
            (facts.processors, facts.memory),
            (Some(8), Some(16384 * 1024))
        );
        assert_eq!(facts.architecture, None);
        assert_eq!(read("home=relative\n").home, None);
        assert_eq!(read("user=a\u{7}b\n").user, None);
        assert_eq!(read("processors=many\n").processors, None);
        let long = format!("name={}\n", "a".repeat(MAX_VALUE + 1));
        assert_eq!(read(&long).name, None);
        assert_eq!(read(""), Facts::default());
    }
}
