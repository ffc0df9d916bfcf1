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
    if matches!(upper.as_str(), "PWD" | "OLDPWD") {
        return false;
    }
    upper
        .split(['_', '-', '.'])
        .any(|word| SECRET_WORDS.contains(&word))
}

/// Why a variable of this name changes what runs, when it does.
#[must_use]
pub fn env_needs_approval(name: &str) -> Option<&'static str> {
    if name.starts_with("BASH_FUNC_") {
        return Some("defines a function that replaces a command");
    }
    let reason = match name {
        "LD_PRELOAD" | "LD_AUDIT" | "DYLD_INSERT_LIBRARIES" => "loads a library into every program",
        "LD_LIBRARY_PATH" | "DYLD_LIBRARY_PATH" => "changes where programs find their libraries",
        "BASH_ENV" | "ENV" => "names a file that every shell runs at its start",
        "PROMPT_COMMAND" | "PS0" | "PS1" | "PS2" | "PS4" => "holds code that the shell runs",
        "SHELLOPTS" | "BASHOPTS" => "changes how the shell reads commands",
        "IFS" => "changes how the shell splits words",
        "PYTHONSTARTUP" | "PYTHONPATH" | "PYTHONHOME" | "PYTHONINSPECT" => {
            "changes the code that Python runs"
        }
        "PERL5OPT" | "PERL5LIB" | "PERL5DB" => "changes the code that Perl runs",
        "RUBYOPT" | "RUBYLIB" => "changes the code that Ruby runs",
        "NODE_OPTIONS" | "NODE_PATH" => "changes the code that Node runs",
        "JAVA_TOOL_OPTIONS" | "_JAVA_OPTIONS" | "JDK_JAVA_OPTIONS" => {
            "changes the code that Java runs"
        }
        "GIT_SSH_COMMAND"
        | "GIT_SSH"
        | "GIT_EXTERNAL_DIFF"
        | "GIT_EDITOR"
        | "GIT_SEQUENCE_EDITOR"
        | "GIT_PAGER"
        | "GIT_ASKPASS"
        | "GIT_PROXY_COMMAND" => "names a program that git runs",
        "EDITOR" | "VISUAL" | "PAGER" | "MANPAGER" | "BROWSER" | "LESSOPEN" | "LESSCLOSE"
        | "SSH_ASKPASS" | "SUDO_ASKPASS" => "names a program that others run",
        _ => return None,
    };
    Some(reason)
}
