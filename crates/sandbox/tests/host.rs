//! A host as a sandbox. The host is a sandbox of this machine: a real sshd, a home that may be
//! written to, and our own client with its check of host keys.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use support::{Bench, Real};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_util::task::TaskTracker;
use wharf_model::{Clock, Timestamp};
use wharf_sandbox::{
    Capability, Egress, Error, Provider as _, Sandbox, Source, Spec, SshOptions, SshProvider,
};
use wharf_ssh::settings::Credentials;
use wharf_ssh::{Config, Connector, Destination, Pool, PoolLimits, World};

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1)
    }
}

struct Host {
    bench: Bench,
    host: Sandbox,
    provider: SshProvider,
    _pool: Pool,
    home: tempfile::TempDir,
}

impl Host {
    async fn new() -> Self {
        let bench = Bench::new();
        let host = bench.create("host").await;
        let port = host.ssh_port.unwrap();
        let home = tempfile::tempdir().unwrap();
        let ours = home.path().join(".ssh");
        fs::create_dir(&ours).unwrap();
        let known = format!("[127.0.0.1]:{port} {}\n", host.host_key);
        fs::write(ours.join("known_hosts"), known).unwrap();
        fs::copy(bench.key(), ours.join("id_ed25519")).unwrap();
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(ours.join("id_ed25519"), private).unwrap();
        let world = Arc::new(World {
            clock: Arc::new(Stopped),
            entropy: Arc::new(Real),
            home: home.path().to_owned(),
            user: "user".to_owned(),
            hostname: "test".to_owned(),
            env: BTreeMap::new(),
        });
        let config = Arc::new(Config {
            user: None,
            system: None,
        });
        let connector = Connector::new(world, config, TaskTracker::new());
        let pool = Pool::new(connector, PoolLimits::default());
        let to = Destination::parse(&format!("user@127.0.0.1:{port}")).unwrap();
        let opener = pool.opener(&to, Credentials::default()).await.unwrap();
        let options = SshOptions {
            host: "127.0.0.1".to_owned(),
            port,
            user: "user".to_owned(),
            host_key: host.host_key.clone(),
            fingerprint: host.fingerprint.clone(),
        };
        Self {
            provider: SshProvider::new(options, Arc::new(opener)),
            bench,
            host,
            _pool: pool,
            home,
        }
    }

    async fn there(&self, command: &str) -> String {
        let ran = self.bench.ssh(&self.host, "user", command).await;
        assert!(ran.worked(), "{command}: {ran:?}");
        ran.out
    }

    async fn end(self) {
        drop(self.provider);
        self.bench.end().await;
        drop(self.home);
    }
}

#[tokio::test]
async fn a_host_is_a_directory_and_keys() {
    let host = Host::new().await;
    host.there("mkdir -p .ssh && printf 'ssh-rsa AAAA mine' > .ssh/authorized_keys")
        .await;
    let mut spec = host.bench.spec();
    spec.expires_at = Some(Timestamp::from_millis(10));
    let made = host.provider.create("a", spec.clone()).await.unwrap();
    assert_eq!(host.provider.create("a", spec).await.unwrap(), made);
    let directory = format!("/home/user/.wharf/sandboxes/{}", made.id);
    assert_eq!(made.workspace, format!("{directory}/workspace"));
    let listed = host
        .there(&format!("stat -c %a {directory} {directory}/workspace"))
        .await;
    assert_eq!(listed, "700\n700");
    let keys = host.there("cat .ssh/authorized_keys").await;
    let keys: Vec<_> = keys.lines().collect();
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert_eq!(keys[0], "ssh-rsa AAAA mine");
    assert!(
        keys[1].ends_with(&format!(" wharf:{}", made.id)),
        "{keys:?}"
    );
    let listed = host.provider.list().await.unwrap();
    assert_eq!(listed, std::slice::from_ref(&made));
    assert_eq!(host.provider.connect(&made.id).await.unwrap(), made);

    let until = Some(Timestamp::from_millis(20));
    assert_eq!(
        host.provider
            .extend(&made.id, until)
            .await
            .unwrap()
            .expires_at,
        until
    );
    let swept = host
        .provider
        .sweep(Timestamp::from_millis(19))
        .await
        .unwrap();
    assert_eq!(swept.expired, []);
    host.there(&format!(
        "cd {directory}/workspace; sleep 600 > /dev/null 2>&1 &"
    ))
    .await;
    let swept = host
        .provider
        .sweep(Timestamp::from_millis(20))
        .await
        .unwrap();
    assert_eq!(swept.expired, std::slice::from_ref(&made.id));
    host.provider.terminate(&made.id).await.unwrap();
    let left = host
        .there("ls .wharf/sandboxes; cat .ssh/authorized_keys; pgrep -c sleep || true")
        .await;
    assert_eq!(left, "ssh-rsa AAAA mine\n0");
    let gone = host.provider.connect(&made.id).await.unwrap_err();
    assert!(matches!(gone, Error::NotFound), "{gone:?}");
    host.end().await;
}

#[tokio::test]
async fn the_file_of_keys_is_never_lost() {
    let host = Host::new().await;
    host.there(
        "mkdir -p .ssh dots && printf 'ssh-rsa AAAA mine\\n' > dots/keys && chmod 640 dots/keys && \
         ln -s ../dots/keys .ssh/authorized_keys",
    )
    .await;
    let made = host.provider.create("a", host.bench.spec()).await.unwrap();
    // Where the new one is to be written nothing can be written.
    host.there("ln -s /dev/full dots/keys.wharf; ln -s /dev/full .ssh/authorized_keys.wharf")
        .await;
    let failed = host.provider.terminate(&made.id).await.unwrap_err();
    assert!(failed.to_string().contains("written"), "{failed}");
    let kept = host.there("grep -c . dots/keys").await;
    assert_eq!(kept, "2");
    host.there("rm -f dots/keys.wharf .ssh/authorized_keys.wharf")
        .await;
    host.provider.terminate(&made.id).await.unwrap();
    let kept = host
        .there("cat .ssh/authorized_keys; stat -c %a dots/keys; readlink .ssh/authorized_keys")
        .await;
    assert_eq!(kept, "ssh-rsa AAAA mine\n640\n../dots/keys");
    host.end().await;
}

#[tokio::test]
async fn a_sweep_finds_what_is_half_made() {
    let host = Host::new().await;
    let made = host.provider.create("a", host.bench.spec()).await.unwrap();
    let gone = host.provider.create("b", host.bench.spec()).await.unwrap();
    let new = host.provider.create("c", host.bench.spec()).await.unwrap();
    let directory = |sandbox: &Sandbox| format!(".wharf/sandboxes/{}", sandbox.id);
    host.there(&format!(
        "rm {0}/record.json && touch -d '10 minutes ago' {0} && rm -r {1} && rm {2}/record.json",
        directory(&made),
        directory(&gone),
        directory(&new)
    ))
    .await;
    let swept = host.provider.sweep(Timestamp::from_millis(1)).await;
    let swept = swept.unwrap();
    assert_eq!(swept.stuck, Vec::<String>::new());
    let mut remains = vec![made.id, gone.id];
    remains.sort();
    assert_eq!(swept.remains, remains);
    let left = host
        .there("ls .wharf/sandboxes; cut -d: -f2 .ssh/authorized_keys")
        .await;
    assert_eq!(left, format!("{0}\n{0}", new.id));
    host.end().await;
}

#[tokio::test]
async fn making_one_that_fails_leaves_no_keys() {
    let host = Host::new().await;
    let id = wharf_sandbox::SandboxId::of("a");
    // A directory where the record is to be: the move goes into it and leaves no record.
    host.there(&format!(
        "mkdir -p .ssh .wharf/sandboxes/{id}/record.json/new/x && touch .ssh/authorized_keys"
    ))
    .await;
    let spec = host.bench.spec();
    host.provider.create("a", spec).await.unwrap_err();
    let left = host
        .there("ls .wharf/sandboxes; cat .ssh/authorized_keys")
        .await;
    assert_eq!(left, "");
    host.end().await;
}

#[tokio::test]
async fn a_port_of_the_host_is_dialed() {
    let host = Host::new().await;
    let made = host.provider.create("a", host.bench.spec()).await.unwrap();
    let mut stream = host.provider.dial(&made.id, 22).await.unwrap();
    let mut banner = [0; 8];
    stream.read_exact(&mut banner).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-");
    stream.write_all(b"nonsense\r\n").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    drop(stream);
    let refused = host.provider.dial(&made.id, 4096).await.err();
    assert!(matches!(refused, Some(Error::Refused(4096))), "{refused:?}");
    host.end().await;
}

#[tokio::test]
async fn what_a_host_cannot_do_is_said() {
    let host = Host::new().await;
    let capabilities = host.provider.capabilities();
    assert!(!capabilities.has(Capability::Isolation));
    let made = host.provider.create("a", host.bench.spec()).await.unwrap();
    let notes = made.notes.join("\n");
    assert!(notes.contains("though it was to have none"), "{notes}");
    let mut closed = host.bench.spec();
    closed.egress = Egress::Only(Vec::new());
    let closed = host.provider.create("c", closed).await.unwrap_err();
    assert!(matches!(closed, Error::Unsupported { .. }), "{closed:?}");
    let paused = host.provider.pause(&made.id).await.unwrap_err().to_string();
    assert_eq!(
        paused,
        "ssh cannot pause a sandbox: it is a directory on a host"
    );
    let kept = host.provider.snapshot(&made.id, "s").await.unwrap_err();
    assert!(matches!(kept, Error::Unsupported { .. }), "{kept:?}");
    let spec = Spec {
        source: Source::Snapshot(wharf_sandbox::SnapshotId::of("s")),
        ..host.bench.spec()
    };
    let from = host.provider.create("b", spec).await.unwrap_err();
    assert!(matches!(from, Error::Unsupported { .. }), "{from:?}");
    host.end().await;
}
