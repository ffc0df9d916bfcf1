//! The parts of `/proxy/{id}/{token}/opencode/…`.
//!
//! The path is cut as it came and never decoded: what stands behind the prefix goes on to the last
//! percent sign, and a prefix that occurs in it once more stays there.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// The longest session id.
const SESSION_BYTES_MAX: usize = 128;
/// The longest ticket.
const TICKET_BYTES_MAX: usize = 1024;
/// What is attached to.
const AGENT: &str = "opencode";

/// An address, cut. Never shown: it has a ticket in it.
pub(super) struct Address<'a> {
    pub(super) session: &'a str,
    pub(super) ticket: &'a str,
    /// All before what goes on.
    pub(super) prefix: &'a str,
    rest: &'a str,
}

impl<'a> Address<'a> {
    /// None where there is no session or ticket that could be one.
    pub(super) fn parse(path: &'a str) -> Option<Self> {
        let after = path.strip_prefix("/proxy/")?;
        let (session, after) = after.split_once('/')?;
        let (ticket, after) = after.split_once('/')?;
        let rest = after.strip_prefix(AGENT)?;
        let fits = is_plain(session, SESSION_BYTES_MAX)
            && is_plain(ticket, TICKET_BYTES_MAX)
            && (rest.is_empty() || rest.starts_with('/'));
        let prefix = path.strip_suffix(rest)?;
        fits.then_some(Self {
            session,
            ticket,
            prefix,
            rest,
        })
    }

    /// What the agent's server is asked for.
    pub(super) fn target(&self, query: Option<&str>) -> Option<Uri> {
        let path = if self.rest.is_empty() { "/" } else { self.rest };
        let target = match query {
            Some(query) => PathAndQuery::try_from(format!("{path}?{query}")),
            None => PathAndQuery::try_from(path),
        };
        target.ok().map(Uri::from)
    }
}

/// The path of a whole address, without a slash at its end.
pub(super) fn path_of(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let end = after.find(['?', '#']).unwrap_or(after.len());
    let whole = after.get(..end).unwrap_or_default();
    let path = whole.find('/').and_then(|at| whole.get(at..));
    path.unwrap_or_default().trim_end_matches('/')
}

/// Unreserved letters alone (RFC 3986, 2.3), so that nothing has two ways to be written.
fn is_plain(text: &str, most: usize) -> bool {
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (1..=most).contains(&text.len()) && text.bytes().all(unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(path: &str, query: Option<&str>) -> Option<String> {
        let target = Address::parse(path)?.target(query)?;
        Some(target.to_string())
    }

    #[test]
    fn the_prefix_goes_once_and_the_rest_stays_as_it_came() {
        for (path, query, asked) in [
            ("/proxy/s/t/opencode", None, "/"),
            ("/proxy/s/t/opencode/", None, "/"),
            ("/proxy/s/t/opencode/a/b", Some("x=%2F&y"), "/a/b?x=%2F&y"),
            ("/proxy/s/t/opencode/a%2Fb%20c%3F", None, "/a%2Fb%20c%3F"),
            ("/proxy/s/t/opencode//a//", Some(""), "//a//?"),
            ("/proxy/s/t/opencode/../x", None, "/../x"),
            (
                "/proxy/s/t/opencode/proxy/s/t/opencode/x",
                None,
                "/proxy/s/t/opencode/x",
            ),
        ] {
            assert_eq!(target(path, query).as_deref(), Some(asked), "{path}");
        }
    }

    #[test]
    fn what_leads_back_is_everything_before_the_rest() {
        let address = Address::parse("/proxy/ses_1/tick.et~/opencode/x").unwrap();
        assert_eq!(
            (address.session, address.ticket, address.prefix),
            ("ses_1", "tick.et~", "/proxy/ses_1/tick.et~/opencode")
        );
    }

    #[test]
    fn a_server_may_be_below_a_path() {
        for (url, path) in [
            ("https://box.example", ""),
            ("https://box.example/", ""),
            ("http://box.lan:7304/x", "/x"),
            ("http://[::1]:80/x/y/?z=/a", "/x/y"),
            ("https://box.example?x=/y", ""),
        ] {
            assert_eq!(path_of(url), path, "{url}");
        }
    }

    #[test]
    fn nothing_else_is_an_address() {
        for path in [
            "/proxy/s/t/opencodex",
            "/proxy/s/t/OpenCode/x",
            "/proxy/s//opencode/x",
            "/proxy//t/opencode/x",
            "/proxy/s/t",
            "/proxy/s/t%41/opencode/x",
            "/proxy/s/t;x/opencode/x",
            "/x/proxy/s/t/opencode",
        ] {
            assert!(Address::parse(path).is_none(), "{path}");
        }
    }

    #[test]
    fn session_and_ticket_have_a_bound() {
        let of = |session: usize, ticket: usize| {
            let path = format!(
                "/proxy/{}/{}/opencode",
                "s".repeat(session),
                "t".repeat(ticket)
            );
            Address::parse(&path).is_some()
        };
        assert!(of(SESSION_BYTES_MAX, TICKET_BYTES_MAX));
        assert!(!of(SESSION_BYTES_MAX + 1, 1));
        assert!(!of(1, TICKET_BYTES_MAX + 1));
    }
}
