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
/// What a key is called that is not for a lock on the keyboard.
const KEYS: [&str; 5] = ["API", "ACCESS", "PRIVATE", "SIGNING", "ENCRYPTION"];

/// Whether a variable stays behind.
pub(super) fn stays(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    if OURS.iter().any(|prefix| name.starts_with(prefix)) || NAMES.contains(&name.as_str()) {
        return true;
    }
    let words: Vec<&str> = name.split('_').collect();
    let is_key = |pair: &[&str]| matches!(pair, [kind, "KEY" | "KEYS"] if KEYS.contains(kind));
    words.iter().any(|word| WORDS.contains(word)) || words.windows(2).any(is_key)
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
            "PGPASSWORD_X_PASSWORD",
        ] {
            assert!(stays(name), "{name}");
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
        ] {
            assert!(!stays(name), "{name}");
        }
    }
}
