//! What no provider makes, whatever it is: keys and variables that are none.

use crate::error::Error;
use crate::provider::Spec;

/// Most keys that open one sandbox.
pub const MAX_KEYS: usize = 64;
/// Most bytes of all variables of a sandbox together.
pub const MAX_ENVIRONMENT_BYTES: usize = 128 * 1024;
/// The longest line of a key.
const MAX_KEY_BYTES: usize = 16 * 1024;

/// What is possible nowhere.
pub(crate) fn spec(spec: &Spec) -> Result<(), Error> {
    let invalid = |what: String| Err(Error::Invalid(what));
    if spec.public_keys.is_empty() {
        return invalid("a sandbox needs a public key that opens it".to_owned());
    }
    if spec.public_keys.len() > MAX_KEYS {
        return invalid(format!("at most {MAX_KEYS} keys open one sandbox"));
    }
    for key in &spec.public_keys {
        // Options of a line (`command=`, `environment=`) are not the caller's to set.
        let mut words = key.split(' ');
        let kind = words.next().unwrap_or_default();
        let is_kind =
            kind.starts_with("ssh-") || kind.starts_with("ecdsa-") || kind.starts_with("sk-");
        let is_key = is_kind
            && key.len() <= MAX_KEY_BYTES
            && !key.contains(|c: char| c.is_control())
            && words.next().is_some_and(|body| body.starts_with("AAAA"));
        if !is_key {
            return invalid("a public key is one line: its kind, base 64, a comment".to_owned());
        }
    }
    let mut total = 0;
    for (name, value) in &spec.environment {
        let value = value.expose();
        total += name.len() + value.len();
        if !is_name(name) {
            return invalid(format!(
                "`{}` is no name of a variable",
                name.escape_debug()
            ));
        }
        if !is_line(value) {
            return invalid(format!("the variable {name} has more than one line"));
        }
    }
    if total > MAX_ENVIRONMENT_BYTES {
        return invalid(format!(
            "all variables together are longer than {MAX_ENVIRONMENT_BYTES} bytes"
        ));
    }
    Ok(())
}

/// Whether that can be a variable of sessions.
pub(crate) fn is_variable((name, value): &(String, String)) -> bool {
    is_name(name) && is_line(value)
}

fn is_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn is_line(value: &str) -> bool {
    !value.contains(['\n', '\r', '\0'])
}

#[cfg(test)]
mod tests {
    use wharf_model::Secret;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGtt me@there";

    fn refused(change: impl FnOnce(&mut Spec)) -> String {
        let mut changed = Spec::for_keys(vec![KEY.to_owned()]);
        change(&mut changed);
        spec(&changed).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn keys_have_a_form_and_a_bound() {
        assert_eq!(refused(|_| ()), "");
        assert_eq!(
            refused(|spec| spec.public_keys = vec![KEY.to_owned(); MAX_KEYS]),
            ""
        );
        let most = refused(|spec| spec.public_keys = vec![KEY.to_owned(); MAX_KEYS + 1]);
        assert!(most.contains("at most"), "{most}");
        for wrong in [
            "",
            "hello",
            "command=\"id\" ssh-ed25519 AAAA",
            "ssh-ed25519 AAAA\nssh-ed25519 AAAA",
            "ssh-ed25519 nothing",
        ] {
            let said = refused(|spec| spec.public_keys = vec![wrong.to_owned()]);
            assert!(said.contains("one line"), "{wrong:?}: {said}");
        }
    }

    #[test]
    fn variables_have_a_form_and_a_bound() {
        let with = |name: &str, value: String| {
            refused(|spec| spec.environment = vec![(name.to_owned(), Secret::new(value))])
        };
        assert_eq!(with("A_1", "any \"thing\" \\ $x".to_owned()), "");
        assert_eq!(with("A", "x".repeat(MAX_ENVIRONMENT_BYTES - 1)), "");
        assert!(with("A", "x".repeat(MAX_ENVIRONMENT_BYTES)).contains("longer"));
        assert!(with("A=B", String::new()).contains("no name"));
        assert!(with("1A", String::new()).contains("no name"));
        assert!(with("A", "a\nb".to_owned()).contains("more than one line"));
    }
}
