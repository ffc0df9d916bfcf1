//! The protocol library's errors, in words and by the step at which they happened.

use russh::AlgorithmKind;

use crate::Error;
use crate::error::Step;
use crate::handler::Shared;

/// What a connection that did not come about failed of.
pub(crate) fn at_step(host: &str, shared: &Shared, error: &russh::Error) -> Error {
    let host = host.to_owned();
    if let Some(refusal) = shared.take_refusal() {
        return Error::HostKey {
            host,
            refusal: Box::new(refusal),
        };
    }
    if shared.watch.is_cut() {
        let what = shared.why();
        return Error::Lost { host, what };
    }
    match shared.watch.step() {
        Step::Connect | Step::Banner => Error::Banner {
            host,
            what: banner(shared, error),
        },
        _ => Error::KeyExchange {
            host,
            what: plain(error),
        },
    }
}

fn banner(shared: &Shared, error: &russh::Error) -> String {
    match shared.watch.greeting() {
        Some(said) => {
            let hint = if said.contains("MaxStartups") || said.contains("Not allowed at this time")
            {
                "; it has too many connections that are not authenticated yet (MaxStartups)"
            } else {
                ""
            };
            format!("it said: {}{hint}", crate::handler::printable(&said))
        }
        None => match error {
            russh::Error::Disconnect | russh::Error::HUP => {
                "it closed the connection without a word".to_owned()
            }
            other => plain(other),
        },
    }
}

/// An error of the library's for people.
pub(crate) fn plain(error: &russh::Error) -> String {
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => no_common(kind, theirs),
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::RecvError => {
            "the server closed the connection".to_owned()
        }
        russh::Error::SendError => "the connection is closed".to_owned(),
        russh::Error::IO(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            "the server closed the connection".to_owned()
        }
        russh::Error::IO(error) => crate::transport::without_code(error),
        russh::Error::PacketSize(size) => format!("a packet of {size} bytes is too large"),
        russh::Error::WrongServerSig => {
            "the server's signature is wrong: it does not have the key that it shows".to_owned()
        }
        russh::Error::NoAuthMethod => "the server offers no further way in".to_owned(),
        russh::Error::KeepaliveTimeout => "the server does not answer".to_owned(),
        other => other.to_string(),
    }
}

fn no_common(kind: &AlgorithmKind, theirs: &[String]) -> String {
    let (what, option) = match kind {
        AlgorithmKind::Kex => ("ways to exchange keys", "KexAlgorithms"),
        AlgorithmKind::Key => ("kinds of host keys", "HostKeyAlgorithms"),
        AlgorithmKind::Cipher => ("ciphers", "Ciphers"),
        AlgorithmKind::Mac => ("message checks", "MACs"),
        AlgorithmKind::Compression => ("compressions", "Compression"),
    };
    let offered: Vec<&str> = theirs
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("kex-strict") && !name.starts_with("ext-info"))
        .collect();
    let possible = offered
        .iter()
        .find(|name| crate::protocol::is_supported(kind, name));
    let advice = match possible {
        Some(name) => {
            format!("if it cannot be updated, allow one for this host alone: `{option} +{name}`")
        }
        None => "none of them can be used; the server has to be updated".to_owned(),
    };
    let list = crate::handler::printable(&offered.join(", "));
    format!("the server has only old or unknown {what} ({list}); {advice}")
}
