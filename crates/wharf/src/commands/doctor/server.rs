//! Whether the server answers, how fast, whether its clock is ours, and whether others can listen.

use std::time::Instant;

use wharf_client::is_loopback;

use super::{Line, text_of};
use crate::connect::{self, Server};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::{Target, now, target};
use crate::wire::block_on;

/// Clocks further apart than this make tokens end early or late.
const SKEW_MILLIS_WARN: i64 = 5_000;
/// Clocks further apart than this make logins fail.
const SKEW_MILLIS_FAIL: i64 = 5 * 60 * 1000;
/// A slower answer is worth a word.
const LATENCY_MILLIS_WARN: f64 = 1000.0;

pub(super) fn check(cx: &Context) -> Vec<Line> {
    let server = match connect::find_openly(cx) {
        Ok(server) => server,
        Err(error) if error.message == connect::NONE_RUNS => {
            return vec![Line::skip("server", "none runs here; wharf run starts one")];
        }
        Err(error) => return vec![Line::fail("server", text_of(&error)).hint(first(&error))],
    };
    let url = server.client.url().to_owned();
    let mut lines = match block_on(ask(&server)) {
        Ok(lines) => lines,
        Err(error) => {
            let hint = if server.local {
                "wharf serve --stop, then wharf serve"
            } else {
                "nothing is lost here; try again when it can be reached"
            };
            vec![Line::fail("server", format!("{url}: {}", text_of(&error))).hint(hint)]
        }
    };
    lines.push(tls(&url, server.local));
    lines.extend(ignored(cx));
    lines
}

/// What the login's server makes of a variable that says otherwise.
fn ignored(cx: &Context) -> Option<Line> {
    let Ok(Target::Named {
        url,
        profile: Some(profile),
    }) = target(cx)
    else {
        return None;
    };
    let said = cx.settings.get("api_url")?.to_string();
    (!crate::login::same_url(&said, &url)).then(|| {
        Line::warn(
            "env",
            format!("{said} ignored: profile {profile} is bound to {url}"),
        )
        .hint("wharf auth switch, or --api-url for one command")
    })
}

async fn ask(server: &Server) -> Result<Vec<Line>, CommandError> {
    let begun = Instant::now();
    let (health, theirs) = server.client.health_and_date().await?;
    let took = begun.elapsed().as_secs_f64() * 1000.0;
    let text = format!(
        "{}, version {}, {took:.1} ms",
        server.client.url(),
        health.version,
    );
    let line = if server.local && health.version != env!("CARGO_PKG_VERSION") {
        Line::warn("server", text).hint("another version than this program; restart it")
    } else if took > LATENCY_MILLIS_WARN {
        Line::warn("server", text).hint("a slow network, or a busy server")
    } else {
        Line::ok("server", text)
    };
    let theirs = theirs.as_deref().and_then(date);
    Ok(vec![line, clock(theirs, now().millis())])
}

/// The moment of a Date header, in milliseconds since 1970.
fn date(text: &str) -> Option<i64> {
    let moment = jiff::fmt::rfc2822::parse(text).ok()?;
    Some(moment.timestamp().as_millisecond())
}

/// Their clock beside ours. Theirs comes in whole seconds, so that the middle of one is taken.
fn clock(theirs: Option<i64>, ours: i64) -> Line {
    let Some(theirs) = theirs else {
        return Line::skip("clock", "the server does not say what time it has");
    };
    let skew = theirs + 500 - ours;
    let seconds = skew as f64 / 1000.0;
    let text = format!("{seconds:+.1} s between the server's clock and ours");
    let hint = "set both by NTP, such as with timedatectl set-ntp true";
    match skew.abs() {
        SKEW_MILLIS_FAIL.. => Line::fail("clock", text).hint(hint),
        SKEW_MILLIS_WARN.. => Line::warn("clock", text).hint(hint),
        _ => Line::ok("clock", "the server's is ours, to a second or two"),
    }
}

fn tls(url: &str, local: bool) -> Line {
    if url.starts_with("https://") {
        return Line::ok("tls", "checked against the system's certificates");
    }
    if local || is_loopback(url) {
        Line::skip("tls", "plain text, which does not leave this machine")
    } else {
        Line::warn(
            "tls",
            "plain text over a network: others can read logins and output",
        )
        .hint("put the server behind https://")
    }
}

fn first(error: &CommandError) -> String {
    error.hints.first().cloned().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::Level;
    use super::*;

    #[test]
    fn clocks_that_differ_are_noticed() {
        let theirs = date("Mon, 30 Nov 2026 12:10:02 GMT").unwrap();
        assert_eq!(clock(Some(theirs), theirs).level, Level::Ok);
        assert_eq!(clock(Some(theirs), theirs + 60_000).level, Level::Warn);
        assert_eq!(clock(Some(theirs), theirs - 600_000).level, Level::Fail);
        assert_eq!(clock(None, theirs).level, Level::Skip);
        assert!(date("soon").is_none());
    }

    #[test]
    fn plain_text_is_for_this_machine() {
        assert_eq!(tls("https://a.b", false).level, Level::Ok);
        assert_eq!(tls("http://127.0.0.1:1", false).level, Level::Skip);
        assert_eq!(tls("http://a.b", false).level, Level::Warn);
        assert_eq!(tls("http://127.evil.com", false).level, Level::Warn);
    }
}
