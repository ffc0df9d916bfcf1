//! Commands in a sandbox: a real one, of namespaces of this machine.

use std::fs;
use std::future::Future;

use wharf_api::gateway::{CliConfiguration, CreateGatewaySession, SshOptions};
use wharf_client::{Client, Error};
use wharf_model::Secret;

use crate::home::Home;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

/// A session, which ends with the test.
pub(crate) struct Sandbox {
    client: Client,
    pub(crate) id: String,
}

impl Sandbox {
    /// None where this machine can make none, which in CI is a failure.
    fn make(home: &Home) -> Option<Self> {
        Self::make_for(home, KEY)
    }

    /// One that this key opens.
    pub(crate) fn make_for(home: &Home, key: &str) -> Option<Self> {
        home.ok(&["run", "--", "true"]);
        let token = home.ok(&["auth", "token"]);
        let token = Secret::new(token.trim().to_owned());
        let client = Client::new(&home.url(), Some(&token)).unwrap();
        let new = CreateGatewaySession {
            cli_configuration: Some(CliConfiguration {
                local_path_hash: "0123456789abcdef".to_owned(),
                display_name: None,
            }),
            session_type: "cli".to_owned(),
            client_type: "cli".to_owned(),
            ssh_options: Some(SshOptions {
                public_keys: vec![key.to_owned()],
                ..SshOptions::default()
            }),
            ..CreateGatewaySession::default()
        };
        match wait(client.create_sandbox(&new, Some("test"))) {
            Ok(made) => {
                let sandbox = made.sandbox.unwrap();
                assert_eq!(sandbox.ssh_host_keys.len(), 1);
                assert_eq!(sandbox.workspace, "/home/user/workspace");
                let id = made.session_id;
                Some(Self { client, id })
            }
            Err(error) => {
                let status = error.problem().map(|problem| problem.status);
                assert!(matches!(status, Some(502 | 503)), "{error}");
                #[expect(clippy::disallowed_methods, reason = "a test asks where it runs")]
                let must = std::env::var_os("CI").is_some();
                assert!(!must, "{error}");
                #[expect(clippy::print_stderr, reason = "what is left out is said")]
                {
                    eprintln!("skipped: {error}");
                }
                None
            }
        }
    }
}

impl Sandbox {
    /// Where its SSH server is.
    pub(crate) fn port(&self) -> u16 {
        wait(self.client.connect_sandbox(&self.id))
            .unwrap()
            .sandbox
            .ssh_port
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        let _ended = wait(self.client.end_sandbox(&self.id));
    }
}

fn wait<T>(future: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    runtime.unwrap().block_on(future)
}

#[test]
fn commands_sessions_and_files_are_in_it_and_on_record() {
    let home = Home::new();
    let Some(sandbox) = Sandbox::make(&home) else {
        return;
    };
    let id = sandbox.id.as_str();
    let run = |text: &str| home.ok(&["run", "--sandbox", id, "--shell", text]);
    assert_eq!(run("pwd; id -un"), "/home/user/workspace\nuser\n");
    let failed = home.output(&["run", "--sandbox", id, "--", "false"]);
    assert_eq!(failed.status.code(), Some(1));

    fs::write(home.work().join("notes.txt"), "hello\n").unwrap();
    home.ok(&["cp", "--sandbox", id, "notes.txt", ":workspace/"]);
    assert_eq!(run("cat notes.txt"), "hello\n");
    home.ok(&["session", "create", "in", "--sandbox", id]);
    home.ok(&["run", "-s", "in", "--shell", "cd /tmp && X=1"]);
    assert_eq!(
        home.ok(&["run", "-s", "in", "--shell", "pwd; echo $X"]),
        "/tmp\n1\n"
    );
    let sessions = home.ok(&["session", "list"]);
    assert!(sessions.contains(&format!("sandbox:{id}")), "{sessions}");

    // Another device's key is let in once.
    let other = KEY.replace("AAB", "AEC");
    for _ in 0..2 {
        wait(sandbox.client.admit_key(id, &other)).unwrap();
    }
    let keys = run("cat /run/wharf/authorized_keys");
    assert_eq!(keys.matches(&other).count(), 1, "{keys}");

    let record = home.ok(&["audit", "tail", "-n", "100", "--json"]);
    assert!(
        record.contains(&format!("\"target\":\"sandbox:{id}\"")),
        "{record}"
    );
    assert!(record.contains("\"kind\":\"sandbox.created\""), "{record}");

    // It outlives the server, which finds it again.
    home.ok(&["serve", "--stop", "-q"]);
    home.ok(&["run", "--", "true"]);
    assert_eq!(run("cat notes.txt"), "hello\n");
    let token = home.ok(&["auth", "token"]);
    let token = Secret::new(token.trim().to_owned());
    let client = Client::new(&home.url(), Some(&token)).unwrap();
    let shown = wait(client.sandbox(id)).unwrap();
    assert_eq!(shown.status, "running");
    let ended = wait(client.end_sandbox(id)).unwrap();
    assert_eq!(ended.status, "stopped");
    let gone = home.output(&["run", "--sandbox", id, "--", "true"]);
    assert_eq!(gone.status.code(), Some(125), "{}", home.show(&gone));
    let said = String::from_utf8_lossy(&gone.stderr).into_owned();
    assert!(said.contains("ended"), "{said}");
}

#[test]
fn credit_is_shown_and_given() {
    let home = Home::new();
    home.ok(&["config", "set", "sandbox.plans", "small=3600/2,large=*/*"]);
    home.ok(&["run", "--", "true"]);
    insta::assert_snapshot!(home.seen(&["org", "credit"]), @r"
    ACCOUNT  PLAN   USED  LEFT   RUN NOW  AT MOST
    local    small  0s    1h 0m  0        2
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "credit", "--give", "90m"]), @r"
    ACCOUNT  PLAN   USED  LEFT    RUN NOW  AT MOST
    local    small  0s    2h 30m  0        2
    --- stderr
    --- exit 0
    ");
    insta::assert_snapshot!(home.seen(&["org", "credit", "--plan", "large"]), @r"
    ACCOUNT  PLAN   USED  LEFT      RUN NOW  AT MOST
    local    large  0s    no bound  0        no bound
    --- stderr
    --- exit 0
    ");
    let huge = home.seen(&["org", "credit", "--plan", "huge"]);
    assert!(huge.contains("must be one of large, small"), "{huge}");
    let none = home.seen(&["org", "credit", "none", "--give", "1h"]);
    assert!(none.ends_with("exit 5"), "{none}");
}

#[test]
fn what_is_no_sandbox_is_told() {
    let home = Home::new();
    let none = home.output(&["run", "--sandbox", "gws_none", "--", "true"]);
    assert_eq!(none.status.code(), Some(125));
    let said = String::from_utf8_lossy(&none.stderr).into_owned();
    assert!(said.contains("sandbox"), "{said}");
    let both = home.output(&["run", "--sandbox", "x", "--host", "y", "--", "true"]);
    assert_eq!(both.status.code(), Some(2));
}
