//! A password that was forgotten: the code for another comes by mail, through a real connection to
//! a small mail server.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
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

/// A mail server that takes all mail and shows it, encrypted where it is told how; its thread ends
/// with the process.
fn mail_server(tls: Option<Arc<ServerConfig>>) -> (u16, Receiver<Mail>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (sender, tls) = (sender.clone(), tls.clone());
            thread::spawn(move || match tls {
                Some(tls) => {
                    let tls = ServerConnection::new(tls).unwrap();
                    serve(StreamOwned::new(tls, socket), &sender);
                }
                None => serve(socket, &sender),
            });
        }
    });
    (port, receiver)
}

/// The next line; none at the end.
fn read(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = String::new();
    let read = reader.read_line(&mut line)?;
    Ok((read > 0).then(|| line.trim_end().to_owned()))
}

fn serve(stream: impl Read + Write, sender: &Sender<Mail>) {
    let mut reader = BufReader::new(stream);
    if let Err(error) = talk(&mut reader, sender) {
        let commands = vec![format!("broken: {error}")];
        let text = String::new();
        // A test that has ended does not listen any more.
        let _gone = sender.send(Mail { commands, text });
    }
}

fn talk<S: Read + Write>(reader: &mut BufReader<S>, sender: &Sender<Mail>) -> io::Result<()> {
    let mut mail = Mail::default();
    let say = |reader: &mut BufReader<S>, line: &str| {
        let socket = reader.get_mut();
        write!(socket, "{line}\r\n").and_then(|()| socket.flush())
    };
    say(reader, "220 mx.test ESMTP")?;
    while let Some(line) = read(reader)? {
        let word = line.split(' ').next().unwrap_or_default().to_uppercase();
        mail.commands.push(line);
        match word.as_str() {
            "EHLO" => say(reader, "250-mx.test\r\n250 AUTH PLAIN")?,
            "AUTH" => say(reader, "235 welcome")?,
            "DATA" => {
                say(reader, "354 go on")?;
                while let Some(line) = read(reader)?.filter(|line| line != ".") {
                    mail.text.push_str(&line);
                    mail.text.push('\n');
                }
                say(reader, "250 taken")?;
                let _gone = sender.send(std::mem::take(&mut mail));
            }
            "QUIT" => return say(reader, "221 bye"),
            _ => say(reader, "250 fine")?,
        }
    }
    Ok(())
}

/// The code in a mail.
fn code_of(text: &str) -> String {
    let line = text.lines().find(|line| line.starts_with("Your code: "));
    line.unwrap().trim_start_matches("Your code: ").to_owned()
}

#[test]
fn a_forgotten_password_is_set_anew_with_a_code_from_a_mail() {
    let (port, mails) = mail_server(None);
    let place = format!("127.0.0.1:{port}");
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
fn a_mail_server_gets_nothing_before_it_has_shown_a_certificate_that_is_believed() {
    let made = generate_simple_self_signed([String::from("localhost")]).unwrap();
    let CertifiedKey { cert, signing_key } = made;
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let (port, mails) = mail_server(Some(Arc::new(config)));
    let home = Home::new();
    let config = format!(
        "[serve]\nport = 0\nsmtp_url = 'smtps://wharf:planted-word@localhost:{port}'\n\
         mail_from = 'wharf@example.com'\n"
    );
    fs::write(home.path("config.toml"), config).unwrap();
    // One account gets few letters in a minute.
    let other = "bob@example.com";
    add(&home, EMAIL);
    add(&home, other);
    let trusted = home.path("trusted.pem");
    fs::write(&trusted, cert.pem()).unwrap();
    let mailed = |email: &str, trusted: Option<&std::path::Path>| {
        let mut command = home.wharf(&["serve", "--background"]);
        // Whom the system trusts.
        command.envs(trusted.map(|file| ("SSL_CERT_FILE", file)));
        assert!(command.status().unwrap().success());
        let body = json!({ "email": email });
        post(&home.url(), "/api/v1/auth/reset/request", "", &body);
        let mail = mails.recv_timeout(Duration::from_secs(60)).unwrap();
        home.ok(&["serve", "--stop"]);
        mail
    };
    let refused = mailed(EMAIL, None);
    assert_eq!(refused.text, "");
    assert!(refused.commands[0].starts_with("broken: "), "{refused:?}");
    assert_eq!(refused.commands.len(), 1, "{refused:?}");
    let mail = mailed(other, Some(&trusted));
    assert!(mail.text.contains("Your code: "), "{mail:?}");
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
