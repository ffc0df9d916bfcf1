//! Starting the agent's server in a sandbox, over SSH and as the account that programs run under.
//!
//! Its password and what it is to do first come on standard input and are in no argument; its output
//! goes to a file there. It is a process of the sandbox's: it goes on without this server, and ends
//! with the sandbox.

use std::sync::Arc;

use wharf_gateway::{AgentAt, Agents, BoxFuture};
use wharf_sandbox::Egress;
use wharf_ssh::RemoteExit;

use super::way::Way;
use crate::sandbox::quoted;

/// What the sandbox's shell says where there is no such program.
const NOT_FOUND: u32 = 127;

/// Starts `opencode serve`.
pub(crate) struct OpenCode {
    way: Arc<Way>,
    /// Variables for what sandboxes do not reach: an agent does not try for it at its start.
    unreached: String,
}

impl OpenCode {
    pub(crate) fn new(way: Arc<Way>, egress: &Egress) -> Self {
        let unreached = unreached(egress);
        Self { way, unreached }
    }

    async fn run(&self, at: &AgentAt, command: String, input: String) -> Result<(), String> {
        let user = at.machine.user();
        let done = self.way.run(&at.session, &at.machine, user, command, input);
        match done.await? {
            (RemoteExit::Code(0), _) => Ok(()),
            (RemoteExit::Code(NOT_FOUND), _) => Err(
                "opencode is not in the sandbox. Where it is on the machine that makes sandboxes \
                 (npm install -g opencode-ai) when the server starts, sandboxes have it"
                    .to_owned(),
            ),
            (_, complaint) => Err(format!("it could not be started: {complaint}")),
        }
    }
}

impl Agents for OpenCode {
    fn start<'a>(&'a self, at: &'a AgentAt) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let command = start(at, &self.unreached);
            let input = format!("{}\n", at.password.expose());
            self.run(at, command, input).await
        })
    }

    fn tell<'a>(&'a self, at: &'a AgentAt, prompt: &'a str) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let command = tell(at, &self.unreached);
            let password = at.password.expose();
            let input = format!("{password}\n{}\n{prompt}", prompt.len());
            self.run(at, command, input).await
        })
    }
}

/// What an agent fetches at its start, and the variables without which it would wait for it.
const FETCHED: [(&str, &str); 3] = [
    ("models.dev", "OPENCODE_DISABLE_MODELS_FETCH=1"),
    (
        "registry.npmjs.org",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS=1 npm_config_fetch_retries=0",
    ),
    ("github.com", "OPENCODE_DISABLE_LSP_DOWNLOAD=1"),
];
const HTTPS: u16 = 443;

fn unreached(egress: &Egress) -> String {
    let reached = |host: &str| match egress {
        Egress::Off => false,
        Egress::Only(hosts) => hosts.iter().any(|it| it.covers(host, HTTPS)),
        Egress::On => true,
    };
    let missing = FETCHED.iter().filter(|(host, _)| !reached(host));
    let variables: Vec<&str> = missing.map(|(_, variables)| *variables).collect();
    variables.join(" ")
}

/// What both begin with: the program, its password from the first line of standard input, and the
/// directory of the work.
fn begin(at: &AgentAt, unreached: &str) -> String {
    let workspace = quoted(&at.machine.workspace);
    format!(
        "PATH=\"$HOME/.local/bin:$HOME/.opencode/bin:$PATH\"; \
         command -v opencode >/dev/null || exit {NOT_FOUND}; \
         IFS= read -r OPENCODE_SERVER_PASSWORD || exit 1; export OPENCODE_SERVER_PASSWORD; \
         export OPENCODE_DISABLE_AUTOUPDATE=1 {unreached}; state=\"$HOME/.local/state\"; \
         mkdir -p \"$state\" && cd {workspace} || exit 1; "
    )
}

/// What starts it. `setsid -f` lets it go on when the connection ends, and nothing that it holds is
/// of the connection.
fn start(at: &AgentAt, unreached: &str) -> String {
    let begin = begin(at, unreached);
    let port = at.machine.agent_port;
    let model = match model(at) {
        Some(model) => {
            let config = serde_json::json!({ "model": model }).to_string();
            format!("export OPENCODE_CONFIG_CONTENT={}; ", quoted(&config))
        }
        None => String::new(),
    };
    format!(
        "{begin}{model}setsid -f opencode serve --hostname 127.0.0.1 --port {port} \
         </dev/null >\"$state/opencode-serve.log\" 2>&1"
    )
}

/// What gives it its first words. They come behind their number of bytes: what a broken connection
/// left of them is not taken for them. The directory is there only for whoever made it, so that they
/// are given once, and with the machine it is kept.
fn tell(at: &AgentAt, unreached: &str) -> String {
    let begin = begin(at, unreached);
    let port = at.machine.agent_port;
    let told = quoted(&format!("wharf-told-{}", at.session));
    format!(
        "{begin}umask 077; told=\"$state\"/{told}; ! [ -d \"$told\" ] || exit 0; \
         IFS= read -r bytes && cat >\"$told.new\" && \
         [ \"$(wc -c <\"$told.new\")\" -eq \"$bytes\" ] || exit 1; \
         mkdir \"$told\" 2>/dev/null || exit 0; mv \"$told.new\" \"$told/prompt\" && \
         setsid -f opencode run --attach http://127.0.0.1:{port} \
         <\"$told/prompt\" >\"$told/log\" 2>&1"
    )
}

/// The model as OpenCode knows it. A name without its provider is none that it could ask.
fn model(at: &AgentAt) -> Option<&str> {
    at.model.as_deref().filter(|model| model.contains('/'))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    use wharf_gateway::views::Machine;
    use wharf_model::Secret;

    use super::*;

    /// Says what it is called with, and waits until all of that is written.
    const OPENCODE: &str = "#!/bin/sh\n{ echo \"$@\"; pwd; \
        echo \"$OPENCODE_SERVER_PASSWORD $OPENCODE_CONFIG_CONTENT\"; cat; } >\"$HOME/said.new\"\n\
        mv \"$HOME/said.new\" \"$HOME/said\"\n";

    fn at(home: &Path, model: Option<&str>) -> AgentAt {
        AgentAt {
            session: "gws_1".to_owned(),
            machine: Machine {
                workspace: home.join("it's work").to_str().unwrap().to_owned(),
                agent_port: 4096,
                ..Machine::default()
            },
            password: Secret::new("pass word".to_owned()),
            model: model.map(str::to_owned),
        }
    }

    fn home() -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        let bin = home.path().join(".local/bin");
        std::fs::create_dir_all(&bin).unwrap();
        std::fs::create_dir(home.path().join("it's work")).unwrap();
        let program = bin.join("opencode");
        std::fs::write(&program, OPENCODE).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        home
    }

    /// Runs it; its exit code.
    fn run(home: &Path, command: &str, input: &str) -> Option<i32> {
        let mut child = Command::new("sh")
            .args(["-c", command])
            .env_clear()
            .env("HOME", home)
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        child.wait().unwrap().code()
    }

    /// What the program said. It goes on behind the command that started it.
    fn said(home: &Path) -> String {
        let file = home.join("said");
        loop {
            if let Ok(said) = std::fs::read_to_string(&file) {
                std::fs::remove_file(&file).unwrap();
                return said;
            }
            std::thread::yield_now();
        }
    }

    #[test]
    fn it_is_started_where_the_work_is_with_its_password_and_model() {
        let home = home();
        let work = home.path().join("it's work");
        for (model, config) in [
            (Some("acme/l'arge"), "{\"model\":\"acme/l'arge\"}"),
            (Some("large"), ""),
            (None, ""),
        ] {
            let command = start(&at(home.path(), model), "X=1");
            assert_eq!(run(home.path(), &command, "pass word\n"), Some(0));
            assert_eq!(
                said(home.path()),
                format!(
                    "serve --hostname 127.0.0.1 --port 4096\n{}\npass word {config}\n",
                    work.display()
                )
            );
        }
    }

    #[test]
    fn its_first_words_are_given_once_and_whole() {
        let home = home();
        let command = tell(&at(home.path(), None), "");
        let cut = run(home.path(), &command, "pass word\n12\nmend");
        assert_eq!(cut, Some(1));
        let whole = "pass word\n12\nmend it\nnow\n";
        for _ in 0..2 {
            assert_eq!(run(home.path(), &command, whole), Some(0));
        }
        let work = home.path().join("it's work");
        assert_eq!(
            said(home.path()),
            format!(
                "run --attach http://127.0.0.1:4096\n{}\npass word \nmend it\nnow\n",
                work.display()
            )
        );
        assert!(!home.path().join("said").exists());
        let kept = home.path().join(".local/state/wharf-told-gws_1/prompt");
        let mode = std::fs::metadata(kept).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0);
    }

    #[test]
    fn where_it_is_not_it_is_said() {
        let home = tempfile::tempdir().unwrap();
        let at = at(home.path(), None);
        for command in [start(&at, ""), tell(&at, "")] {
            let code = run(home.path(), &command, "");
            assert_eq!(code, Some(i32::try_from(NOT_FOUND).unwrap()));
        }
    }
}
