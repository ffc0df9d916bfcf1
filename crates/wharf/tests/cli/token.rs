//! To whom the token is shown.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::thread;

use crate::home::Home;

/// A server of somebody else's: takes one request and refuses it.
fn stranger() -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let got = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut request = vec![0; 8192];
        let read = socket.read(&mut request).unwrap();
        socket
            .write_all(
                b"HTTP/1.1 404 Not Found\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno",
            )
            .unwrap();
        String::from_utf8_lossy(&request[..read]).to_ascii_lowercase()
    });
    (url, got)
}

#[test]
fn the_local_token_is_not_sent_elsewhere() {
    let home = Home::new();
    home.ok(&["run", "--", "true"]);
    let (url, got) = stranger();

    let output = home.output(&["--api-url", &url, "session", "list"]);

    assert_eq!(output.status.code(), Some(1));
    let request = got.join().unwrap();
    assert!(
        request.starts_with("get /api/sessions") && !request.contains("authorization"),
        "{request}"
    );
}

#[test]
fn a_token_that_is_given_is_sent() {
    let home = Home::new();
    for how in ["WHARF_TOKEN", "WHARF_TOKEN_FILE", "--token-file"] {
        let (url, got) = stranger();
        let file = home.path("other-token");
        std::fs::write(&file, "abc\n").unwrap();
        let mut command = home.wharf(&["session", "list"]);
        command.env("ATLAS_API_URL", &url);
        match how {
            "WHARF_TOKEN" => command.env(how, "abc"),
            "WHARF_TOKEN_FILE" => command.env(how, &file),
            _ => command.arg(how).arg(&file),
        };
        command.output().unwrap();
        assert!(
            got.join().unwrap().contains("authorization: bearer abc"),
            "{how}"
        );
    }
}

#[test]
fn it_can_be_printed_for_scripts() {
    let home = Home::new();
    insta::assert_snapshot!(home.seen(&["auth", "token"]), @r"
    --- stderr
    error[login_required]: there is no token yet
      hint: the first wharf serve or wharf run makes it
    --- exit 4
    ");
    home.ok(&["run", "--", "true"]);
    let token = home.ok(&["auth", "token"]);
    assert!(token.starts_with("whf_") && token.len() == 64, "{token}");

    // The same server under its address, and with a wrong token.
    let url = home.url();
    let mut right = home.wharf(&["session", "list"]);
    assert!(
        right
            .env("WHARF_API_URL", &url)
            .output()
            .unwrap()
            .status
            .success()
    );
    let mut wrong = home.wharf(&["session", "list"]);
    let output = wrong.env("WHARF_TOKEN", "nonsense").output().unwrap();
    insta::assert_snapshot!(home.show(&output), @r"
    --- stderr
    error[unauthorized]: This token is none of this server's, or it has been revoked. Log in again; on the server's machine `wharf auth token` prints one.
      hint: the token of a server on this machine is found by itself; for another one: wharf auth login
    --- exit 4
    ");
}
