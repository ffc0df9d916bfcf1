//! Servers that are not OpenSSH's: dropbear, and one in this process that does as it is told.

use std::borrow::Cow;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use russh::keys::{Algorithm, HashAlg, PrivateKey};
use russh::server::{self, Auth, Response};
use russh::{MethodKind, MethodSet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use wharf_model::Secret;
use wharf_ssh::settings::{FirstUse, IdentityFile};
use wharf_ssh::{Channel, Credentials, RemoteExit, Settings, Start, Step};

use crate::connect::output;
use crate::pool::until;
use crate::sshd::{
    connector, free_port, has_own_files, make_key, own_files, run, signal_all, tree,
};

const DROPBEAR: &str = "/usr/sbin/dropbear";

struct Dropbear {
    child: Child,
    dir: tempfile::TempDir,
    port: u16,
}

impl Drop for Dropbear {
    fn drop(&mut self) {
        signal_all(&tree(self.child.id()), "KILL");
        let _ended = self.child.wait();
    }
}

/// None where it is missing or cannot be given files of its own.
async fn dropbear(options: &[&str]) -> Option<Dropbear> {
    if !Path::new(DROPBEAR).exists() {
        assert!(std::env::var_os("CI").is_none(), "{DROPBEAR} is missing");
        eprintln!("skipped: {DROPBEAR} is missing (apt-get install dropbear-bin)");
        return None;
    }
    if !has_own_files() {
        eprintln!("skipped: dropbear needs an account of its own, which takes root");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    own_files(path);
    make_key(&path.join("client"), "ed25519", "");
    let ssh = path.join("account/.ssh");
    fs::create_dir_all(&ssh).unwrap();
    fs::copy(path.join("client.pub"), ssh.join("authorized_keys")).unwrap();
    for (file, mode) in [("authorized_keys", 0o600), (".", 0o700)] {
        fs::set_permissions(ssh.join(file), fs::Permissions::from_mode(mode)).unwrap();
    }
    let key = path.join("host").display().to_string();
    run("dropbearkey", &["-t", "ed25519", "-f", &key]);
    let port = free_port();
    let script = "mount --make-rprivate / && mount --bind \"$1/passwd\" /etc/passwd && \
                  mount -t tmpfs none /run && shift && exec \"$@\"";
    let child = Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .arg(path)
        .args([DROPBEAR, "-F", "-E", "-s", "-r", &key, "-p"])
        .arg(format!("127.0.0.1:{port}"))
        .args(options)
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .unwrap();
    let started = Dropbear { child, dir, port };
    until("dropbear listens", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    })
    .await;
    Some(started)
}

impl Dropbear {
    fn settings(&self) -> Settings {
        let mut settings = Settings::plain("127.0.0.1", "root");
        settings.port = self.port;
        settings.user_known_hosts = vec![self.dir.path().join("known_hosts")];
        settings.first_use = FirstUse::Record;
        settings.identities = vec![IdentityFile {
            path: self.dir.path().join("client"),
            named: true,
        }];
        settings
    }
}

#[tokio::test]
async fn dropbear_is_a_server_like_another() {
    let Some(server) = dropbear(&[]).await else {
        return;
    };
    let mut settings = server.settings();
    // Asked several times while it sleeps; given up only after what a busy machine may take.
    settings.alive_interval = Some(Duration::from_millis(300));
    settings.alive_count = 30;
    let connector = connector(server.dir.path());
    for _ in 0..2 {
        let connection = connector
            .connect(&settings, &Credentials::default())
            .await
            .unwrap();
        let start = Start::Command("echo out; echo err >&2; sleep 1; exit 3".to_owned());
        let channel = connection.open(start).await.unwrap();
        let (out, err, exit) = output(channel).await;
        assert_eq!((out, err), (b"out\n".to_vec(), b"err\n".to_vec()));
        assert_eq!(exit, RemoteExit::Code(3));
        connection.close().await;
    }
}

#[tokio::test]
async fn a_window_of_one_byte_is_slow_and_exact() {
    let Some(server) = dropbear(&["-W", "1"]).await else {
        return;
    };
    let connector = connector(server.dir.path());
    let connection = connector
        .connect(&server.settings(), &Credentials::default())
        .await
        .unwrap();
    let start = Start::Command("cat".to_owned());
    let Channel {
        mut stdin,
        mut stdout,
        exit,
        ..
    } = connection.open(start).await.unwrap();
    let sent: Vec<u8> = (0..500_u32).map(|n| n.to_le_bytes()[0]).collect();
    let writing = async {
        stdin.write_all(&sent).await.unwrap();
        stdin.shutdown().await.unwrap();
    };
    let mut out = Vec::new();
    let ((), read) = tokio::join!(writing, stdout.read_to_end(&mut out));
    read.unwrap();
    assert_eq!(out, sent);
    assert_eq!(exit.await.unwrap(), RemoteExit::Code(0));
}

/// A server that asks questions, or closes when somebody has got in.
#[derive(Clone, Copy)]
struct Told {
    closes: bool,
    rounds: usize,
}

struct Session {
    told: Told,
    asked: usize,
}

impl server::Handler for Session {
    type Error = russh::Error;

    async fn auth_keyboard_interactive<'a>(
        &'a mut self,
        _: &str,
        _: &str,
        response: Option<Response<'a>>,
    ) -> Result<Auth, Self::Error> {
        let answers: Vec<_> = response.into_iter().flatten().collect();
        if !answers.is_empty() && answers != [b"".as_slice(), b"the password"] {
            return Ok(Auth::reject());
        }
        if self.asked == self.told.rounds {
            return Ok(Auth::Accept);
        }
        self.asked += 1;
        Ok(Auth::Partial {
            name: Cow::Borrowed(""),
            instructions: Cow::Borrowed(""),
            prompts: Cow::Borrowed(&[
                (Cow::Borrowed("Your name: "), true),
                (Cow::Borrowed("Password: "), false),
            ]),
        })
    }

    async fn auth_succeeded(&mut self, _: &mut server::Session) -> Result<(), Self::Error> {
        if self.told.closes {
            return Err(russh::Error::Disconnect);
        }
        Ok(())
    }
}

async fn server(told: Told) -> (tempfile::TempDir, Settings) {
    let dir = tempfile::tempdir().unwrap();
    make_key(&dir.path().join("host"), "ed25519", "");
    let key = russh::keys::load_secret_key(dir.path().join("host"), None).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::new(server::Config {
        methods: MethodSet::from([MethodKind::KeyboardInteractive].as_slice()),
        auth_rejection_time: Duration::from_millis(1),
        auth_rejection_time_initial: Some(Duration::ZERO),
        keys: vec![key],
        ..server::Config::default()
    });
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let session = Session { told, asked: 0 };
            if let Ok(running) = server::run_stream(Arc::clone(&config), stream, session).await {
                tokio::spawn(running);
            }
        }
    });
    let mut settings = Settings::plain("127.0.0.1", "somebody");
    settings.port = port;
    settings.first_use = FirstUse::Record;
    settings.user_known_hosts = vec![dir.path().join("known_hosts")];
    (dir, settings)
}

fn password(text: &str) -> Credentials {
    Credentials {
        password: Some(Secret::new(text.to_owned())),
        ..Credentials::default()
    }
}

#[tokio::test]
async fn questions_are_answered_with_the_password_and_not_without_end() {
    let (dir, settings) = server(Told {
        closes: false,
        rounds: 2,
    })
    .await;
    let connector = connector(dir.path());
    let connect = async |text: &str| connector.connect(&settings, &password(text)).await;
    connect("the password").await.unwrap();
    let text = connect("a-wrong-one").await.unwrap_err().to_string();
    assert!(
        text.contains("keyboard-interactive with the password: refused"),
        "{text}"
    );
    assert!(!text.contains("a-wrong"), "{text}");

    let (dir, settings) = server(Told {
        closes: false,
        rounds: usize::MAX,
    })
    .await;
    let connector = crate::sshd::connector(dir.path());
    let endless = connector
        .connect(&settings, &password("the password"))
        .await;
    let text = endless.unwrap_err().to_string();
    assert!(text.contains("asks without end"), "{text}");
}

#[tokio::test]
async fn a_server_that_closes_after_the_login_is_no_connection() {
    let (dir, settings) = server(Told {
        closes: true,
        rounds: 1,
    })
    .await;
    let connector = connector(dir.path());
    let made = connector
        .connect(&settings, &password("the password"))
        .await;
    let error = match made {
        // The end may be seen a moment later.
        Ok(connection) => {
            let opened = connection.open(Start::Command("true".to_owned())).await;
            opened.unwrap_err()
        }
        Err(error) => error,
    };
    assert!(
        matches!(error.step(), Step::Authentication | Step::Established),
        "{error}"
    );
}

#[test]
fn fingerprints_are_those_of_openssh() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("key");
    make_key(&path, "ecdsa", "");
    let key: PrivateKey = russh::keys::load_secret_key(&path, None).unwrap();
    assert!(matches!(key.algorithm(), Algorithm::Ecdsa { .. }));
    let line = run("ssh-keygen", &["-lf", path.to_str().unwrap()]);
    let ours = wharf_ssh::known_hosts::fingerprint(key.public_key());
    assert_eq!(ours, key.fingerprint(HashAlg::Sha256).to_string());
    assert!(line.contains(&ours), "{line}: {ours}");
}
