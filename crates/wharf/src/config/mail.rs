//! `serve.smtp_url`: the server that takes our mail. It may hold a password and is shown without.

use wharf_model::is_local_host;

/// A URL that was understood.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: &'a str,
    /// Name and password, as they are written.
    account: Option<(&'a str, &'a str)>,
    /// Host and port.
    place: &'a str,
    /// Encrypted after a word in the clear.
    upgrades: bool,
}

/// The URL for people and logs: without name and password.
///
/// # Errors
/// What is wrong with it; never with the text.
pub(super) fn shown(url: &str) -> Result<String, &'static str> {
    let parts = parse(url)?;
    let account = parts.account.map_or("", |_| "…@");
    let tls = if parts.upgrades { "?tls=required" } else { "" };
    let Parts { scheme, place, .. } = parts;
    Ok(format!("{scheme}://{account}{place}{tls}"))
}

fn parse(url: &str) -> Result<Parts<'_>, &'static str> {
    if url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err("it has to be without spaces");
    }
    let (scheme, rest) = url.split_once("://").ok_or(SHAPE)?;
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (account, place) = match rest.rsplit_once('@') {
        Some((account, place)) => {
            let account = account.split_once(':').filter(|it| !it.0.is_empty());
            (Some(account.ok_or(ACCOUNT)?), place)
        }
        None => (None, rest),
    };
    let escaped = |text: &str| text.contains(['/', '@', ':', '#', '?']);
    if account.is_some_and(|(name, password)| escaped(name) || escaped(password)) {
        return Err(ACCOUNT);
    }
    let place = place.strip_suffix('/').unwrap_or(place);
    if place.contains(['/', '#', '\\']) {
        return Err(SHAPE);
    }
    let host = host(place).ok_or(SHAPE)?;
    let upgrades = match (scheme, query) {
        ("smtps", None) => false,
        ("smtp", Some("tls=required")) => true,
        ("smtp", None) if is_local_host(host) => false,
        ("smtp", None | Some("tls=opportunistic")) => return Err(PLAIN),
        _ => return Err(SHAPE),
    };
    Ok(Parts {
        scheme,
        account,
        place,
        upgrades,
    })
}

/// The host of `HOST` or `HOST:PORT`.
fn host(place: &str) -> Option<&str> {
    let (host, port) = match place.strip_prefix('[') {
        Some(six) => six.split_once(']')?,
        None => place.split_at(place.find(':').unwrap_or(place.len())),
    };
    let is_port = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0));
    (!host.is_empty() && is_port).then_some(host)
}

const SHAPE: &str = "it should look like smtps://ACCOUNT:PASSWORD@HOST:465 or \
                     smtp://HOST:587?tls=required";
const ACCOUNT: &str = "before the @ it should have ACCOUNT:PASSWORD, and what is special in them \
                       written as %XX";
const PLAIN: &str = "mails and the password would cross the network readable; it should begin with \
                     smtps:// or end with ?tls=required";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mail_server_is_shown_without_its_account() {
        for (url, seen) in [
            ("smtps://ann:se%40cret@mx.lan:465", "smtps://…@mx.lan:465"),
            ("smtps://mx.lan", "smtps://mx.lan"),
            (
                "smtp://mx.lan:587?tls=required",
                "smtp://mx.lan:587?tls=required",
            ),
            ("smtp://[::1]:25/", "smtp://[::1]:25"),
            ("smtp://localhost", "smtp://localhost"),
        ] {
            assert_eq!(shown(url).as_deref(), Ok(seen));
        }
    }

    #[test]
    fn what_cannot_be_used_or_is_readable_on_the_way_is_refused() {
        for (url, why) in [
            ("mx.lan", SHAPE),
            ("http://mx.lan", SHAPE),
            ("smtps://", SHAPE),
            ("smtps://mx.lan:0", SHAPE),
            ("smtps://mx.lan:x", SHAPE),
            ("smtps://mx.lan/path", SHAPE),
            ("smtps://mx.lan?tls=off", SHAPE),
            ("smtps://ann@mx.lan", ACCOUNT),
            ("smtps://:secret@mx.lan", ACCOUNT),
            ("smtps://ann:sec/ret@mx.lan", ACCOUNT),
            ("smtps://ann:sec@ret@mx.lan", ACCOUNT),
            ("smtp://mx.lan", PLAIN),
            ("smtp://localhost@mx.lan", ACCOUNT),
            ("smtp://mx.lan:587?tls=opportunistic", PLAIN),
        ] {
            assert_eq!(shown(url), Err(why), "{url}");
        }
    }
}
