//! Whether a host can be kept as it is asked for.

use wharf_model::SshTarget;

use super::NewHost;
use crate::error::{Error, Field};

/// The longest name of a host or a group, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// Groups that one host may be in.
pub const MAX_GROUPS: usize = 32;
/// The longest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 1_000;
/// The longest path that the system takes.
const MAX_PATH_BYTES: usize = 4_095;
/// Hosts on the way to one. More are not connected through.
const MAX_HOPS: usize = 8;

/// A name is what a shell, a path and a policy take without quotes.
pub(super) fn is_name(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    (1..=MAX_NAME_BYTES).contains(&name.len())
        && name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
        && name.bytes().all(legal)
}

/// The same with its groups sorted, once each; or everything that is wrong with it.
pub(super) fn checked(name: &str, mut new: NewHost) -> Result<NewHost, Error> {
    let mut fields = Vec::new();
    let mut wrong = |name: &str, message: String| {
        fields.push(Field {
            name: name.to_owned(),
            message,
        });
    };
    let names = format!(
        "must be 1 to {MAX_NAME_BYTES} letters, digits and . _ - and start with a letter or digit"
    );
    if !is_name(name) || name == "local" {
        let besides = if name == "local" {
            "must not be local, which is this machine".to_owned()
        } else {
            names.clone()
        };
        wrong("name", besides);
    }
    let place = &new.place;
    if let Err(error) = SshTarget::new(&place.address, place.port, place.user.as_deref()) {
        let field = match error {
            wharf_model::InvalidTarget::User => "user",
            wharf_model::InvalidTarget::Port => "port",
            _ => "address",
        };
        wrong(field, error.to_string());
    }
    if let Some(identity) = &place.identity
        && let Some(message) = identity_fault(identity)
    {
        wrong("identity", message);
    }
    if let Some(jump) = &place.jump {
        let hops: Vec<_> = jump.split(',').map(SshTarget::parse).collect();
        if hops.len() > MAX_HOPS {
            wrong("jump", format!("must name at most {MAX_HOPS} hosts"));
        } else if hops.iter().any(Result::is_err) {
            let message = "must be [USER@]HOST[:PORT], more of them after commas";
            wrong("jump", message.to_owned());
        }
    }
    if new.note.len() > MAX_NOTE_BYTES || new.note.contains(char::is_control) {
        let message = format!("must be one line of at most {MAX_NOTE_BYTES} bytes");
        wrong("note", message);
    }
    new.groups.sort_unstable();
    new.groups.dedup();
    if new.groups.len() > MAX_GROUPS {
        wrong("groups", format!("must be at most {MAX_GROUPS}"));
    } else if !new.groups.iter().all(|group| is_name(group)) {
        wrong("groups", names);
    }
    if fields.is_empty() {
        Ok(new)
    } else {
        Err(Error::Invalid { fields })
    }
}

fn identity_fault(path: &str) -> Option<String> {
    if path.len() > MAX_PATH_BYTES {
        return Some(format!("must have at most {MAX_PATH_BYTES} bytes"));
    }
    let is_whole = path.starts_with('/') || path.starts_with("~/");
    if !is_whole || path.contains(char::is_control) {
        return Some("must be a path that starts with / or ~/, on the server's machine".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hosts::HostPlace;

    fn wrong(name: &str, new: NewHost) -> Vec<String> {
        match checked(name, new) {
            Ok(_) => Vec::new(),
            Err(Error::Invalid { fields }) => fields.into_iter().map(|field| field.name).collect(),
            Err(other) => vec![other.to_string()],
        }
    }

    fn at(address: &str) -> NewHost {
        NewHost {
            place: HostPlace {
                address: address.to_owned(),
                ..HostPlace::default()
            },
            ..NewHost::default()
        }
    }

    #[test]
    fn everything_that_is_wrong_is_named() {
        let place = HostPlace {
            address: "-oProxyCommand=x".to_owned(),
            port: None,
            user: None,
            identity: Some("id_web".to_owned()),
            jump: Some("a,,b".to_owned()),
        };
        let new = NewHost {
            place,
            groups: vec!["a b".to_owned()],
            note: "two\nlines".to_owned(),
        };
        assert_eq!(
            wrong("-x", new),
            ["name", "address", "identity", "jump", "note", "groups"]
        );
        assert_eq!(wrong("local", at("a")), ["name"]);
        let mut odd = at("a");
        odd.place.port = Some(0);
        assert_eq!(wrong("a", odd.clone()), ["port"]);
        odd.place.port = None;
        odd.place.user = Some("a b".to_owned());
        assert_eq!(wrong("a", odd), ["user"]);
    }

    #[test]
    fn bounds_are_legal_themselves() {
        let mut new = at("192.0.2.1");
        new.groups = (0..MAX_GROUPS).map(|n| format!("g{n}")).collect();
        new.note = "x".repeat(MAX_NOTE_BYTES);
        new.place.jump = Some(["h"; MAX_HOPS].join(","));
        assert_eq!(wrong(&"a".repeat(MAX_NAME_BYTES), new.clone()), [""; 0]);
        assert_eq!(
            wrong(&"a".repeat(MAX_NAME_BYTES + 1), new.clone()),
            ["name"]
        );
        new.groups.push("more".to_owned());
        new.note.push('x');
        new.place.jump = Some(["h"; MAX_HOPS + 1].join(","));
        assert_eq!(wrong("a", new), ["jump", "note", "groups"]);
    }

    #[test]
    fn groups_are_sorted_once_each() {
        let mut new = at("a");
        new.groups = ["b", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(checked("x", new).unwrap().groups, ["a", "b"]);
    }
}
