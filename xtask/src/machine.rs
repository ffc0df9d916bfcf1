//! What the machine must have before anything is built or tested.
//!
//! The list is short because nearly everything comes with cargo. On Debian as root (a
//! fresh container) what is missing is installed; anywhere else the exact command is
//! printed, since a tool that calls `sudo` by itself is not welcome on a laptop.

use anyhow::{Result, bail};

use crate::project::Project;
use crate::step::{Outcome, command, succeed, succeeds};

/// A program that a step starts, and the Debian packages that bring it.
struct Tool {
    program: &'static str,
    packages: &'static [&'static str],
    needed_for: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        program: "bash",
        packages: &["bash"],
        needed_for: "every shell that Wharf starts",
    },
    Tool {
        program: "cc",
        packages: &["gcc", "libc6-dev"],
        needed_for: "linking, and SQLite",
    },
    Tool {
        program: "git",
        packages: &["git"],
        needed_for: "tests that work in a repository",
    },
    Tool {
        program: "ps",
        packages: &["procps"],
        needed_for: "tests that look for survivors",
    },
    Tool {
        program: "sshd",
        packages: &["openssh-server"],
        needed_for: "tests against a real SSH server",
    },
    Tool {
        program: "ssh",
        packages: &["openssh-client"],
        needed_for: "tests that compare with OpenSSH, and keys for tests",
    },
    Tool {
        program: "dropbear",
        packages: &["dropbear-bin"],
        needed_for: "tests against another SSH server",
    },
    Tool {
        program: "busybox",
        packages: &["busybox"],
        needed_for: "tests with another shell on the far side",
    },
    Tool {
        program: "fish",
        packages: &["fish"],
        needed_for: "tests with login shells that are no POSIX shell",
    },
    Tool {
        program: "tcsh",
        packages: &["tcsh"],
        needed_for: "tests with login shells that are no POSIX shell",
    },
    Tool {
        program: "perl",
        packages: &["perl-base"],
        needed_for: "tests that listen on a port and hold locks",
    },
    Tool {
        program: "initdb",
        packages: &["postgresql"],
        needed_for: "tests against a real PostgreSQL",
    },
    Tool {
        program: "gnome-keyring-daemon",
        packages: &["gnome-keyring"],
        needed_for: "tests that keep logins in a real keyring",
    },
    Tool {
        program: "dbus-run-session",
        packages: &["dbus"],
        needed_for: "tests with a D-Bus of their own",
    },
    Tool {
        program: "sudo",
        packages: &["sudo"],
        needed_for: "tests that become root by a password",
    },
    Tool {
        program: "newuidmap",
        packages: &["uidmap"],
        needed_for: "sandboxes of an ordinary user",
    },
    Tool {
        program: "slirp4netns",
        packages: &["slirp4netns"],
        needed_for: "sandboxes that reach the network",
    },
    Tool {
        program: "setsid",
        packages: &["util-linux"],
        needed_for: "tests with daemons",
    },
];

/// What some tests start if it is there. A daemon of containers is more than everybody wants on their
/// machine, and not every machine may run one.
const ENGINE: Tool = Tool {
    program: "dockerd",
    packages: &["docker.io"],
    needed_for: "tests against a Docker engine",
};

/// Installs the engine where that can be done; nothing fails without it.
pub(crate) fn engine(project: &Project) -> Outcome {
    let is_there = || is_there(project, &ENGINE);
    if is_there() || (install(project, &[&ENGINE]).is_ok() && is_there()) {
        return Outcome::Passed;
    }
    Outcome::Skipped(format!(
        "{} is not there ({}): {} are left out",
        ENGINE.program,
        ENGINE.packages.join(" "),
        ENGINE.needed_for
    ))
}

/// Checks the tools and the toolchain's parts, and installs what can be installed.
pub(crate) fn prepare(project: &Project) -> Result<Outcome> {
    let absent = || {
        let tools = TOOLS.iter().filter(|tool| !is_there(project, tool));
        tools.collect::<Vec<_>>()
    };
    let missing = absent();
    if !missing.is_empty() {
        install(project, &missing)?;
        if let Some(tool) = absent().first() {
            bail!(
                "`{}` is still not found after its packages were installed",
                tool.program
            );
        }
    }
    toolchain(project, "fmt", "rustfmt")?;
    toolchain(project, "clippy", "clippy")?;
    Ok(Outcome::Passed)
}

fn is_there(project: &Project, tool: &Tool) -> bool {
    // Servers lie where only root looks by default, and Debian keeps each version of PostgreSQL in
    // a folder of its own.
    let script = "PATH=\"$PATH:/usr/local/sbin:/usr/sbin:/sbin\"; \
                  for bin in /usr/lib/postgresql/*/bin; do PATH=\"$PATH:$bin\"; done; \
                  command -v -- \"$1\"";
    let look = ["-c", script, "sh", tool.program];
    succeeds(&mut command(project.root(), "sh", &look))
}

fn install(project: &Project, missing: &[&Tool]) -> Result<()> {
    let packages: Vec<&str> = missing
        .iter()
        .flat_map(|tool| tool.packages)
        .copied()
        .collect();
    let is_root = rustix::process::geteuid().is_root();
    let has_apt = succeeds(&mut command(project.root(), "apt-get", &["--version"]));
    if !(is_root && has_apt) {
        bail!("{}", instructions(missing, &packages));
    }
    let quiet = |arguments: &[&str]| {
        let mut apt = command(project.root(), "apt-get", arguments);
        apt.env("DEBIAN_FRONTEND", "noninteractive");
        succeed(&mut apt)
    };
    quiet(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(&packages);
    quiet(&arguments)
}

fn instructions(missing: &[&Tool], packages: &[&str]) -> String {
    let mut text = String::from("this machine lacks:\n");
    for tool in missing {
        text.push_str(&format!("  {} (for {})\n", tool.program, tool.needed_for));
    }
    text.push_str(&format!(
        "install it: sudo apt-get install -y {}",
        packages.join(" ")
    ));
    text
}

fn toolchain(project: &Project, subcommand: &str, component: &str) -> Result<()> {
    if succeeds(&mut command(
        project.root(),
        "cargo",
        &[subcommand, "--version"],
    )) {
        return Ok(());
    }
    if succeed(&mut command(
        project.root(),
        "rustup",
        &["component", "add", component],
    ))
    .is_ok()
    {
        return Ok(());
    }
    bail!("`cargo {subcommand}` is missing; install it: rustup component add {component}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_instructions_name_the_program_its_use_and_the_command() {
        let tool = Tool {
            program: "cc",
            packages: &["gcc", "libc6-dev"],
            needed_for: "linking",
        };
        let text = instructions(&[&tool], tool.packages);
        assert_eq!(
            text,
            "this machine lacks:\n  cc (for linking)\n\
             install it: sudo apt-get install -y gcc libc6-dev"
        );
    }
}
