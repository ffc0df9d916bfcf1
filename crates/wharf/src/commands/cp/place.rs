//! `HOST:PATH`, `:PATH` of a session, or a path here.

use std::path::PathBuf;

use wharf_client::files::Place;
use wharf_model::{SandboxTarget, SshTarget, Target};

use super::usage;
use crate::error::CommandError;

/// A file as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Named {
    /// On this machine.
    Here(PathBuf),
    /// On another, or in a session.
    There(Place, String),
}

/// What a colon without a host stands for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Bare<'a> {
    /// A session's target and directory.
    Session(&'a str),
    /// A sandbox.
    Sandbox(&'a SandboxTarget),
}

/// A colon before the first slash separates a place from a path.
pub(super) fn named(text: &str, bare: Option<Bare<'_>>) -> Result<Named, CommandError> {
    let slash = text.find('/').unwrap_or(text.len());
    let bracket = text.split_once(']').map_or(0, |(before, _)| before.len());
    let colon = text
        .get(bracket..)
        .and_then(|rest| rest.find(':'))
        .map(|at| at + bracket);
    let Some(colon) = colon.filter(|colon| *colon < slash) else {
        return Ok(Named::Here(PathBuf::from(text)));
    };
    let (host, path) = text.split_at(colon);
    let path = path.trim_start_matches(':');
    let path = if path.is_empty() { "." } else { path }.to_owned();
    let place = match (host, bare) {
        ("", Some(Bare::Session(session))) => Place {
            target: None,
            session: Some(session.to_owned()),
        },
        ("", Some(Bare::Sandbox(sandbox))) => Place {
            target: Some(Target::Sandbox(sandbox.clone()).to_string()),
            session: None,
        },
        ("", None) => {
            return Err(usage(
                "a colon without a host stands for a session or a sandbox: name it with -s or \
                 --sandbox",
            ));
        }
        (_, Some(_)) => {
            return Err(usage(
                "a session or a sandbox is named already: leave the host out before the colon",
            ));
        }
        (host, None) => {
            let target = SshTarget::parse(host).map_err(|error| {
                usage(&format!("{host:?}: {error}")).hint("write ./NAME for a file here")
            })?;
            Place {
                target: Some(Target::Ssh(target).to_string()),
                session: None,
            }
        }
    };
    // What is not absolute is in the home directory, as with scp.
    let absolute =
        path.starts_with('/') || path.starts_with('~') || matches!(bare, Some(Bare::Session(_)));
    let path = if absolute { path } else { format!("~/{path}") };
    Ok(Named::There(place, path))
}

/// Permissions as `chmod` takes them in digits.
pub(super) fn parse_mode(text: &str) -> Result<u32, String> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|b| (b'0'..=b'7').contains(&b));
    match u32::from_str_radix(text, 8) {
        Ok(mode) if digits => Ok(mode),
        _ => Err("should be octal digits, such as 644".to_owned()),
    }
}

/// A path below another, as places write them.
pub(super) fn below(directory: &str, name: &str) -> String {
    format!("{}/{name}", directory.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(text: &str) -> (String, String) {
        match named(text, None).unwrap() {
            Named::There(place, path) => (place.target.unwrap(), path),
            Named::Here(path) => panic!("{} is here", path.display()),
        }
    }

    #[test]
    fn a_colon_before_the_first_slash_separates_a_host_from_a_path() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(there("web-1:/srv/a:b"), pair("ssh://web-1", "/srv/a:b"));
        assert_eq!(there("ada@web-1:notes"), pair("ssh://ada@web-1", "~/notes"));
        assert_eq!(there("web-1:"), pair("ssh://web-1", "~/."));
        assert_eq!(there("[::1]:/x"), pair("ssh://[::1]", "/x"));
        assert_eq!(there("web-1:~/x"), pair("ssh://web-1", "~/x"));
        for here in ["notes", "./a:b", "/srv/a:b", "dir/a:b"] {
            assert_eq!(named(here, None).unwrap(), Named::Here(here.into()));
        }
        for wrong in [":x", "-oProxyCommand=x:y", "a b:x", ":"] {
            assert!(named(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_session_is_named_by_a_colon_alone() {
        let place = Place {
            target: None,
            session: Some("work".to_owned()),
        };
        let found = named(":docs/", Some(Bare::Session("work"))).unwrap();
        assert_eq!(found, Named::There(place, "docs/".to_owned()));
        assert!(named("web-1:x", Some(Bare::Session("work"))).is_err());
    }

    #[test]
    fn a_sandbox_is_named_by_a_colon_alone() {
        let sandbox = SandboxTarget::new("gws_1").unwrap();
        let place = Place {
            target: Some("sandbox:gws_1".to_owned()),
            session: None,
        };
        let found = |text| named(text, Some(Bare::Sandbox(&sandbox))).unwrap();
        let there = |path: &str| Named::There(place.clone(), path.to_owned());
        assert_eq!(found(":workspace/x"), there("~/workspace/x"));
        assert_eq!(found(":/etc/x"), there("/etc/x"));
    }

    #[test]
    fn modes_are_octal() {
        assert_eq!(parse_mode("644"), Ok(0o644));
        assert_eq!(parse_mode("4755"), Ok(0o4755));
        for wrong in ["", "8", "+644", "u+x", "00644"] {
            assert!(parse_mode(wrong).is_err(), "{wrong}");
        }
    }
}
