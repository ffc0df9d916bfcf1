//! A password that was forgotten: the code for another comes by mail, through a real connection to
//! a small mail server.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::json;

use crate::database::files_below;
use crate::home::Home;
use crate::identity::{EMAIL, PASSWORD, add, post, posted};

/// A connection's commands, and what was in its mail.
#[derive(Debug, Default)]
struct Mail {
    commands: Vec<String>,
    text: String,
}

/// A mail server that takes all mail and shows it; its thread ends with the process.
fn mail_server() -> (String, Receiver<Mail>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = listener.local_addr().unwrap().to_string();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let sender = sender.clone();
            thread::spawn(move || serve(&socket, &sender));
        }
    });
    (place, receiver)
}

fn serve(socket: &TcpStream, sender: &Sender<Mail>) {
    let mut mail = Mail::default();
    let mut lines = BufReader::new(socket).lines().map_while(Result::ok);
    let say = |line: &str| {
        let mut socket = socket;
        // Whoever has heard enough may be gone.
        let _gone = write!(socket, "{line}\r\n");
    };
    say("220 mx.test ESMTP");
    while let Some(line) = lines.next() {
        let word = line.split(' ').next().unwrap_or_default();
        match word.to_uppercase().as_str() {
            "EHLO" => say("250-mx.test\r\n250 AUTH PLAIN"),
            "AUTH" => say("235 welcome"),
            "DATA" => {
                say("354 go on");
                for line in lines.by_ref().take_while(|line| line != ".") {
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                say("250 taken");
                mail.commands.push(line);
                // A test that failed does not listen any more.
                let _gone = sender.send(std::mem::take(&mut mail));
                continue;
            }
            "QUIT" => return say("221 bye"),
            _ => say("250 fine"),
        }
        mail.commands.push(line);
    }
}

/// The code in a mail.
fn code_of(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("Your code: "));
    line.unwrap().trim_start_matches("Your code: ").to_owned()
}

#[test]
fn a_forgotten_password_is_set_anew_with_a_code_from_a_mail() {
    let (place, mails) = mail_server();
    let home = Home::new();
    let config = format!(
        "[serve]\nport = 0\nsmtp_url = 'smtp://wharf:planted-word@{place}'\n\
         mail_from = 'Wharf <wharf@example.com>'\n"
    );
    fs::write(home.path("config.toml"), config).unwrap();
    add(&home, EMAIL);
    home.ok(&["run", "--", "true"]);
    let url = home.url();
    let ask = |email: &str| {
        let path = "/api/v1/auth/reset/request";
        post(&url, path, "", &json!({ "email": email }))
    };

    // Nobody learns from the answer who has an account.
    assert_eq!(ask("nobody@example.com"), ask(EMAIL));
    let mail = mails.recv_timeout(Duration::from_secs(60)).unwrap();
    let commands = mail.commands.join("\n");
    assert!(
        commands.contains("MAIL FROM:<wharf@example.com>"),
        "{commands}"
    );
    assert!(
        commands.contains(&format!("RCPT TO:<{EMAIL}>")),
        "{commands}"
    );
    let account = BASE64.encode("\0wharf\0planted-word");
    assert!(commands.contains(&account), "{commands}");
    for head in [
        "From: Wharf <wharf@example.com>",
        "To: ada@example.com",
        "Subject: Your code for a new password",
        "Message-ID: <",
        "Date: ",
    ] {
        assert!(mail.text.contains(head), "{head}: {}", mail.text);
    }

    let code = code_of(&mail.text);
    let reset = |code: &str, password: &str| {
        let body = json!({ "code": code, "new_password": password });
        posted(&url, "/api/v1/auth/reset", "", &body)
    };
    let password = "canary of another password";
    let (status, said) = reset(&code, password);
    assert_eq!(status, 200, "{said}");
    assert!(said.contains("access_token"), "{said}");
    assert_eq!(reset(&code, "and a third password").0, 400);
    let client = Home::new();
    let login = |password: &[u8]| {
        let args = [
            "auth",
            "login",
            "--api-url",
            &url,
            "--store-file",
            "--email",
        ];
        let args = [&args[..], &[EMAIL, "--password-stdin"]].concat();
        client.fed(&args, password)
    };
    assert_eq!(login(PASSWORD).status.code(), Some(4));
    let output = login(format!("{password}\n").as_bytes());
    assert!(output.status.success(), "{}", client.show(&output));

    // Neither the code nor the password of the mail server is anywhere but where it belongs.
    let mut seen = vec![
        home.ok(&["config", "list", "--origin"]),
        home.ok(&["config", "get", "serve.smtp_url", "--json"]),
        home.seen(&[
            "config",
            "set",
            "serve.smtp_url",
            "smtp://a:planted-word@mx.lan",
        ]),
        home.seen(&["doctor"]),
        home.ok(&["audit", "tail"]),
    ];
    for file in files_below(&home.path("state")) {
        seen.push(String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned());
    }
    assert!(
        seen[0].contains(&format!("smtp://…@{place}")),
        "{}",
        seen[0]
    );
    assert!(seen[2].contains("readable"), "{}", seen[2]);
    for text in seen {
        assert!(!text.contains("planted-word"), "{text}");
        assert!(!text.contains(&code) && !text.contains("canary"), "{text}");
    }
}

#[test]
fn a_mail_server_that_is_away_holds_nobody_up() {
    let home = Home::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = free.local_addr().unwrap();
    drop(free);
    let config = format!(
        "[serve]\nport = 0\nsmtp_url = 'smtp://{place}'\nmail_from = 'wharf@example.com'\n"
    );
    fs::write(home.path("config.toml"), config).unwrap();
    add(&home, EMAIL);
    home.ok(&["run", "--", "true"]);
    let body = json!({ "email": EMAIL });
    post(&home.url(), "/api/v1/auth/reset/request", "", &body);
    assert_eq!(home.ok(&["run", "--", "echo", "still"]), "still\n");
}
