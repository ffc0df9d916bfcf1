//! The adapter to a mail server: one connection for each mail, since there are few.

use std::error::Error as _;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MessageBuilder};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use wharf_identity::{Letter, Mail};
use wharf_model::{Secret, random_text_id};

use super::SystemEntropy;
use crate::config::options::MailOptions;
use crate::error::CommandError;

/// How long the mail server may take for a mail, from the connection to its last answer.
const SEND_MAX: Duration = Duration::from_secs(20);

/// Sends mail over SMTP. Whom it trusts, the system trusts.
pub(crate) struct SmtpMail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl SmtpMail {
    pub(crate) fn new(options: &MailOptions) -> Result<Self, CommandError> {
        let server = transport(&options.server);
        let server = server.map_err(|why| {
            CommandError::failed("cannot prepare connections to the mail server").hint(why)
        })?;
        let from = options.from.parse().map_err(|error| {
            CommandError::failed("serve.mail_from is no address of a sender").because(error)
        })?;
        Ok(Self { server, from })
    }
}

/// The reason of a failure is looked for here, and not shown as it is: the library's own words
/// might repeat the URL.
fn transport(url: &Secret) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let built = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose());
    let built = built.map_err(|error| match error.is_tls() {
        true => "the system's certificates cannot be read".to_owned(),
        false => "serve.smtp_url cannot be used".to_owned(),
    })?;
    Ok(built.timeout(Some(SEND_MAX)).build())
}

impl Mail for SmtpMail {
    fn send(&self, letter: Letter) -> Pin<Box<dyn Future<Output = io::Result<()>> + Send>> {
        let message = message(Message::builder(), self.from.clone(), &letter);
        let server = self.server.clone();
        Box::pin(async move {
            let sent = tokio::time::timeout(SEND_MAX, server.send(message?)).await;
            match sent {
                Ok(Ok(_accepted)) => Ok(()),
                Ok(Err(error)) => Err(why(&error)),
                Err(_) => Err(late()),
            }
        })
    }
}

fn message(builder: MessageBuilder, from: Mailbox, letter: &Letter) -> io::Result<Message> {
    let invalid = |what| io::Error::new(io::ErrorKind::InvalidInput, what);
    let to = letter
        .to
        .parse()
        .map_err(|_| invalid("no mail can go to that address"))?;
    let id = random_text_id("", &SystemEntropy);
    let id = format!("<{id}@{}>", from.email.domain());
    builder
        .from(from)
        .to(to)
        .message_id(Some(id))
        .subject(letter.subject.as_str())
        .header(ContentType::TEXT_PLAIN)
        .body(letter.text.expose().to_owned())
        .map_err(|_| invalid("the mail cannot be written"))
}

/// Why it was not taken. What the server says is left out, since it might repeat the mail.
fn why(error: &lettre::transport::smtp::Error) -> io::Error {
    if let Some(code) = error.status() {
        return io::Error::other(format!("the mail server answers {code}"));
    }
    if error.is_timeout() {
        return late();
    }
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<io::Error>() {
            return io::Error::new(inner.kind(), inner.to_string());
        }
        source = inner.source();
    }
    let what = match (error.is_tls(), error.is_response()) {
        (true, _) => "the mail server cannot be believed to be who it says",
        (_, true) => "the mail server's answer cannot be understood",
        _ => "the mail server cannot do what it takes",
    };
    io::Error::other(what)
}

fn late() -> io::Error {
    io::Error::new(
        io::ErrorKind::TimedOut,
        "the mail server does not answer in time",
    )
}
