//! Names of environment variables: which are legal, which hold secrets, which change what runs.

/// Whether a name can be given to a program: letters, digits and `_`, not starting with a digit.
#[must_use]
pub fn valid_env_name(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes
        .next()
        .is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// Words that make the name of a variable the name of a secret.
const SECRET_WORDS: &[&str] = &[
    "TOKEN",
    "SECRET",
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "PASS",
    "PWD",
    "APIKEY",
    "KEY",
    "CREDENTIAL",
    "CREDENTIALS",
    "AUTH",
    "COOKIE",
];

/// Whether the value of a variable with this name is probably a secret.
#[must_use]
pub fn is_secret_name(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    if matches!(upper.as_str(), "PWD" | "OLDPWD" | "SSH_AUTH_SOCK") {
        return false;
    }
    if upper.ends_with("PASSWORD") || upper.ends_with("TOKEN") {
        return true;
    }
    upper
        .split(['_', '-', '.'])
        .any(|word| SECRET_WORDS.contains(&word))
}

/// Why a variable of this name changes which code runs, when it does. Those that merely name a
/// program which a person chose, such as `EDITOR` or `PAGER`, are ordinary.
#[must_use]
pub fn env_needs_approval(name: &str) -> Option<&'static str> {
    if name.starts_with("BASH_FUNC_") {
        return Some("defines a function that replaces a command");
    }
    if name.starts_with("GIT_CONFIG") {
        return Some("changes the configuration of git, which may name programs");
    }
    let reason = match name {
        "LD_PRELOAD" | "LD_AUDIT" | "DYLD_INSERT_LIBRARIES" => "loads a library into every program",
        "LD_LIBRARY_PATH" | "DYLD_LIBRARY_PATH" | "LD_DEBUG_OUTPUT" | "LD_PROFILE" => {
            "changes where programs find their libraries, or where the loader writes"
        }
        "BASH_ENV" | "ENV" => "names a file that every shell runs at its start",
        "PROMPT_COMMAND" | "PS0" | "PS4" => "holds code that the shell runs",
        "SHELLOPTS" | "BASHOPTS" | "BASH_XTRACEFD" | "POSIXLY_CORRECT" => {
            "changes how the shell reads commands"
        }
        "IFS" => "changes how the shell splits words",
        "PYTHONSTARTUP" | "PYTHONHOME" | "PYTHONBREAKPOINT" => "changes the code that Python runs",
        "PERL5OPT" | "PERL5DB" => "changes the code that Perl runs",
        "RUBYOPT" => "changes the code that Ruby runs",
        "NODE_OPTIONS" => "changes the code that Node runs",
        "JAVA_TOOL_OPTIONS" | "_JAVA_OPTIONS" | "JDK_JAVA_OPTIONS" => {
            "changes the code that Java runs"
        }
        "GIT_SSH_COMMAND" | "GIT_SSH" | "GIT_EXTERNAL_DIFF" | "GIT_ASKPASS"
        | "GIT_PROXY_COMMAND" | "GIT_EXEC_PATH" | "GIT_TEMPLATE_DIR" => {
            "names a program that git runs"
        }
        "LESSOPEN" | "LESSCLOSE" | "SSH_ASKPASS" | "SUDO_ASKPASS" => {
            "names a program that others run"
        }
        _ => return None,
    };
    Some(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in [
            "GITHUB_TOKEN",
            "AWS_SECRET_ACCESS_KEY",
            "DB_PASSWORD",
            "api_key",
            "PGPASSWORD",
            "MYSQL_PWD",
            "SLACK-TOKEN",
        ] {
            assert!(is_secret_name(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "PWD",
            "OLDPWD",
            "SSH_AUTH_SOCK",
            "KEYBOARD",
            "TOKENIZERS_PARALLELISM",
            "AUTHOR",
            "LANG",
        ] {
            assert!(!is_secret_name(name), "{name}");
        }
    }

    #[test]
    fn names_are_those_of_variables() {
        assert!(valid_env_name("_A1"));
        for name in ["", "1A", "A-B", "A=B", "A B", "\u{e9}", "A\nB"] {
            assert!(!valid_env_name(name), "{name:?}");
        }
    }

    #[test]
    fn variables_that_run_code_need_a_yes() {
        for name in [
            "LD_PRELOAD",
            "BASH_ENV",
            "BASH_FUNC_ls%%",
            "NODE_OPTIONS",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
        ] {
            assert!(env_needs_approval(name).is_some(), "{name}");
        }
        for name in ["PATH", "EDITOR", "LANG", "NODE_ENV", "PYTHONPATH"] {
            assert!(env_needs_approval(name).is_none(), "{name}");
        }
    }
}
