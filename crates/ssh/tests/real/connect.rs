//! From a name to a command's output.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use wharf_ssh::{Channel, Connection, Credentials, RemoteExit, Start};

use crate::sshd::{Sshd, is_there};

pub(crate) async fn output(channel: Channel) -> (Vec<u8>, Vec<u8>, RemoteExit) {
    let Channel {
        stdin,
        mut stdout,
        mut stderr,
        exit,
    } = channel;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let (a, b) = tokio::join!(stdout.read_to_end(&mut out), stderr.read_to_end(&mut err));
    a.unwrap();
    b.unwrap();
    drop(stdin);
    (out, err, exit.await.unwrap())
}

pub(crate) async fn run(connection: &Connection, command: &str) -> (String, RemoteExit) {
    let channel = connection.open(Start::Command(command.to_owned())).await;
    let (out, _, exit) = output(channel.unwrap()).await;
    (String::from_utf8(out).unwrap(), exit)
}

#[tokio::test]
async fn a_command_runs_there_and_says_how_it_ended() {
    if !is_there() {
        return;
    }
    let sshd = Sshd::start("");
    let connector = sshd.connector();
    let connection = connector
        .connect(&sshd.settings(), &Credentials::default())
        .await
        .unwrap();

    let channel = connection
        .open(Start::Command("cat; echo err >&2; exit 7".to_owned()))
        .await
        .unwrap();
    let Channel {
        mut stdin,
        mut stdout,
        mut stderr,
        exit,
    } = channel;
    let sent: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
    let writing = async {
        stdin.write_all(&sent).await.unwrap();
        stdin.shutdown().await.unwrap();
    };
    let (mut out, mut err) = (Vec::new(), String::new());
    let ((), a, b) = tokio::join!(
        writing,
        stdout.read_to_end(&mut out),
        stderr.read_to_string(&mut err)
    );
    a.unwrap();
    b.unwrap();
    assert!(out == sent, "{} bytes of {}", out.len(), sent.len());
    assert_eq!(err, "err\n");
    assert_eq!(exit.await.unwrap(), RemoteExit::Code(7));

    let (_, exit) = run(&connection, "kill -TERM $$").await;
    assert_eq!(exit, RemoteExit::Signal("TERM".to_owned()));
    let (out, _) = run(&connection, "printf %s \"$SHELL\"").await;
    assert!(!out.is_empty());
    connection.close().await;
}
