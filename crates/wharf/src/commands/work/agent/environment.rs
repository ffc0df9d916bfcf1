//! What of this environment an agent's client does not get: it talks to the sandbox, and needs no
//! secret of this machine for that.

/// Variables of ours, of our server's, and those by which OpenCode is told of another server.
const OURS: [&str; 4] = ["WHARF_", "ATLAS_", "OPENCODE_SERVER_", "JWT_"];
/// Whole names.
const NAMES: [&str; 3] = [
    "DATABASE_URL",
    "OPENCODE_AUTH_CONTENT",
    "OPENCODE_CONFIG_CONTENT",
];
/// A word of a name that says that its value is a secret.
const WORDS: [&str; 11] = [
    "APIKEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "PASSPHRASE",
    "PASSWD",
    "PASSWORD",
    "PAT",
    "SECRET",
    "SECRETS",
    "TOKEN",
    "TOKENS",
];
/// What names of programs end in that write the words of a name together: `PGPASSWORD`, `SSHPASS`.
const ENDINGS: [&str; 8] = [
    "PASSWORD", "PASSWD", "PASS", "PWD", "TOKEN", "SECRET", "_AUTH", "_KEY",
];
/// What ends so and is no secret.
const NO_SECRETS: [&str; 5] = ["ASKPASS", "BYPASS", "COMPASS", "KEYBOARD_KEY", "PUBLIC_KEY"];
/// The same, as whole names.
const DIRECTORIES: [&str; 2] = ["PWD", "OLDPWD"];
/// What a key is called that is not for a lock on the keyboard.
const KEYS: [&str; 5] = ["API", "ACCESS", "PRIVATE", "SIGNING", "ENCRYPTION"];

/// Whether a variable stays behind: by its name, or since its value is an address with a password.
pub(super) fn stays(name: &str, value: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if OURS.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name.as_str()) {
        return true;
    }
    let words: Vec<&str> = name.split('_').collect();
    let is_key = |pair: &[&str]| matches!(pair, [kind, "KEY" | "KEYS"] if KEYS.contains(kind));
    words.iter().any(|word| WORDS.contains(word))
        || words.windows(2).any(is_key)
        || ends_as_secret(&name)
        || has_password(value)
}

fn ends_as_secret(name: &str) -> bool {
    let is_none = DIRECTORIES.contains(&name) || NO_SECRETS.iter().any(|it| name.ends_with(it));
    !is_none && ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether there is an address `…://WHO:PASSWORD@…` in it.
fn has_password(value: &str) -> bool {
    value.split("://").skip(1).any(|rest| {
        let host = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        let who = host.rsplit_once('@').map_or("", |(who, _)| who);
        who.split_once(':')
            .is_some_and(|(_, password)| !password.is_empty())
    })
}

/// What the loopback is called.
const HERE: &str = "127.0.0.1,localhost";

/// What is asked past a company's proxy, with this machine added: the client's way begins here, and
/// neither what it asks nor its password is the proxy's affair.
pub(super) fn no_proxy(known: Option<String>) -> String {
    match known {
        Some(all) if all.trim() == "*" => all,
        Some(known) if !known.trim().is_empty() => format!("{known},{HERE}"),
        _ => HERE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_stay_and_the_rest_goes() {
        for name in [
            "WHARF_TOKEN",
            "WHARF_HOME",
            "OPENCODE_SERVER_PASSWORD",
            "OPENCODE_SERVER_USERNAME",
            "DATABASE_URL",
            "GITHUB_TOKEN",
            "ANTHROPIC_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_ACCESS_KEY_ID",
            "npm_config_token",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SSHPASS",
            "SMTP_PASS",
            "REDISCLI_AUTH",
            "OPENAI_KEY",
            "VAULTTOKEN",
        ] {
            assert!(stays(name, "x"), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "TERM",
            "COLORTERM",
            "LANG",
            "EDITOR",
            "SSH_AUTH_SOCK",
            "XDG_CONFIG_HOME",
            "OPENCODE_CONFIG_DIR",
            "OPENCODE_DISABLE_MOUSE",
            "KEYBOARD_KEY",
            "TOKENIZERS_PARALLELISM",
            "PWD",
            "OLDPWD",
            "SSH_ASKPASS",
            "GIT_ASKPASS",
        ] {
            assert!(!stays(name, "x"), "{name}");
        }
    }

    #[test]
    fn an_address_with_a_password_stays() {
        for value in [
            "postgres://ada:hunter2@db.example.com/shop",
            "redis://:hunter2@127.0.0.1:6379",
            "jdbc:mysql://ada:hunter2@db",
            "one=https://a.example two=mongodb+srv://ada:hunter2@db",
        ] {
            assert!(stays("SERVICE_URL", value), "{value}");
        }
        for value in [
            "https://ada@git.example.com/x",
            "http://proxy.example.com:3128",
            "http://a.example:80/@b:c@d",
            "ada:hunter2@nowhere",
            "",
        ] {
            assert!(!stays("SERVICE_URL", value), "{value}");
        }
    }

    #[test]
    fn this_machine_is_asked_past_any_proxy() {
        let of = |known: &str| no_proxy(Some(known.to_owned()));
        assert_eq!(no_proxy(None), HERE);
        assert_eq!(of(" "), HERE);
        assert_eq!(of("*"), "*");
        assert_eq!(of(".corp"), ".corp,127.0.0.1,localhost");
    }
}
