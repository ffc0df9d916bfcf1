//! What is on the way: other hosts, and programs.

use std::fs;

use wharf_ssh::settings::{Hop, Proxy};
use wharf_ssh::{Config, Connector, Credentials, Destination, Pool, PoolLimits, Step};

use crate::connect::{output, run};
use crate::sshd::{Sshd, is_there, world};

#[tokio::test]
async fn a_chain_of_hosts_and_an_alias_lead_there() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let home = sshd.home();
    sshd.known_hosts();
    let text = format!(
        "Host first second third\n  HostName 127.0.0.1\n  User {}\n  Port {}\n  IdentityFile {}\n\
         Host third\n  ProxyJump first,second\n",
        sshd.user,
        sshd.port,
        sshd.path("client").display()
    );
    fs::write(home.join(".ssh/config"), text).unwrap();
    let world = world(&home);
    let config = Config {
        system: None,
        ..Config::usual(&world)
    };
    let connector = Connector::new(
        world.into(),
        config.into(),
        tokio_util::task::TaskTracker::new(),
    );
    let pool = Pool::new(connector, PoolLimits::default());
    let third = Destination::host("third");
    let opener = pool.opener(&third, Credentials::default()).await.unwrap();
    let channel = opener.start(wharf_ssh::Start::Command("echo there".to_owned()));
    assert_eq!(output(channel.await.unwrap()).await.0, b"there\n");
    assert_eq!(sshd.log().matches("Accepted publickey").count(), 3);

    assert!(pool.close(opener.key()).await);

    // A chain that leads back to itself ends.
    let text = fs::read_to_string(home.join(".ssh/config")).unwrap();
    fs::write(
        home.join(".ssh/config"),
        format!("{text}Host first\n  ProxyJump third\n"),
    )
    .unwrap();
    let opener = pool.opener(&third, Credentials::default()).await.unwrap();
    let error = opener.connect().await.unwrap_err();
    assert!(error.to_string().contains("lead back"), "{error}");
}

#[tokio::test]
async fn a_program_speaks_for_the_host_and_ends_with_the_connection() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let mut settings = sshd.settings();
    let connector = sshd.connector();
    let note = sshd.path("note");
    settings.proxy = Proxy::Command(format!(
        "sh -c 'echo $$ > {}; exec {} -i -f {}'",
        note.display(),
        "/usr/sbin/sshd",
        sshd.path("sshd_config").display()
    ));
    let nobody = Credentials::default();
    if crate::sshd::has_own_files() {
        // A server that is started so would have no files of its own.
        settings.proxy = Proxy::Command(format!(
            "sh -c 'echo $$ > {}; exec ssh -q -F none -o StrictHostKeyChecking=no -o \
             UserKnownHostsFile=/dev/null -i {} -p {} -W 127.0.0.1:{} {}@127.0.0.1'",
            note.display(),
            sshd.path("client").display(),
            sshd.port,
            sshd.port,
            sshd.user
        ));
    }
    let connection = connector.connect(&settings, &nobody).await.unwrap();
    assert_eq!(run(&connection, "echo through").await.0, "through\n");
    let id: u32 = fs::read_to_string(&note).unwrap().trim().parse().unwrap();
    drop(connection);
    crate::pool::until("the program ends", || {
        let state = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z ")
    })
    .await;

    settings.proxy = Proxy::Command("echo it is not to be >&2; exit 3".to_owned());
    let error = connector.connect(&settings, &nobody).await.unwrap_err();
    assert_eq!(error.step(), Step::Connect);
    settings.proxy = Proxy::Command("/nonexistent-proxy %h".to_owned());
    let error = connector.connect(&settings, &nobody).await.unwrap_err();
    assert!(error.to_string().contains("ProxyCommand"), "{error}");
    settings.proxy = Proxy::Jump(vec![Hop {
        user: None,
        host: "no-such-host.invalid".to_owned(),
        port: None,
    }]);
    let error = connector.connect(&settings, &nobody).await.unwrap_err();
    assert_eq!(error.step(), Step::Resolve, "{error}");
}
