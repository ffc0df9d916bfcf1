//! From arguments to a request.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wharf_api::RunRequest;
use wharf_engine::request::TIMEOUT_RANGE;
use wharf_model::{Entropy, MAX_COMMAND_BYTES, SshTarget};

use super::Args;
use crate::config::options::ClientOptions;
use crate::config::value;
use crate::context::Context;
use crate::error::CommandError;

/// Input up to here is sent as text where it is text.
const TEXT_BYTES_MAX: usize = 64 * 1024;

/// Makes the request. It carries an idempotency key, so that a broken connection can be mended
/// without running anything twice.
pub(super) fn build(
    cx: &Context,
    args: &Args,
    options: &ClientOptions,
    stdin: Option<Vec<u8>>,
    local: bool,
    entropy: &dyn Entropy,
) -> Result<RunRequest, CommandError> {
    let command = text(args.shell.as_deref(), &args.command);
    if command.len() > MAX_COMMAND_BYTES {
        return Err(CommandError::usage(format!(
            "the command has {} bytes; at most {MAX_COMMAND_BYTES} are accepted",
            command.len()
        ))
        .hint("hand large data over on standard input, or in a file"));
    }
    let (stdin, stdin_base64) = input(stdin);
    Ok(RunRequest {
        command,
        session_id: args.session.clone(),
        cwd: directory(cx, args, local)?,
        env: (!args.env.is_empty()).then(|| args.env.iter().cloned().collect()),
        stdin,
        stdin_base64,
        timeout: options.timeout.map(|time| time.as_secs_f64()),
        background: args.background,
        durable: args.durable.then_some(true),
        metadata_format: options.meta,
        token_budget: args.budget,
        include: args
            .data
            .then_some(wharf_api::Include::Data)
            .into_iter()
            .collect(),
        idempotency_key: Some(random_key(entropy)),
        ..RunRequest::default()
    })
}

/// Input as it is sent: as text where it is short and is text, so that a request can be read;
/// else in base 64, whose length is a third more and never six times as much.
fn input(bytes: Option<Vec<u8>>) -> (Option<String>, Option<String>) {
    let Some(bytes) = bytes else {
        return (None, None);
    };
    if bytes.len() > TEXT_BYTES_MAX {
        return (None, Some(BASE64_STANDARD.encode(bytes)));
    }
    match String::from_utf8(bytes) {
        Ok(text) => (Some(text), None),
        Err(error) => (None, Some(BASE64_STANDARD.encode(error.as_bytes()))),
    }
}

/// The text that is run: the one given, or the words given.
pub(crate) fn text(shell: Option<&str>, words: &[String]) -> String {
    shell.map_or_else(|| join_words(words), str::to_owned)
}

/// The directory that was asked for. Else a command of its own starts where it was typed, where
/// the server knows that place, and one in a session stays where the session is.
fn directory(cx: &Context, args: &Args, local: bool) -> Result<Option<String>, CommandError> {
    let text = |path: &std::path::Path| match path.to_str() {
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(CommandError::usage(format!(
            "the directory {} is not UTF-8",
            path.display()
        ))),
    };
    match (&args.cwd, cx.world.cwd()) {
        // A host has directories of its own.
        (Some(given), _) if args.is_elsewhere() => Ok(Some(given.clone())),
        (None, _) if args.is_elsewhere() => Ok(None),
        // From the session's own directory, which may be on a host.
        (Some(given), _) if args.session.is_some() => Ok(Some(given.clone())),
        (Some(given), Some(here)) if local => text(&here.join(given)),
        (Some(given), _) => Ok(Some(given.clone())),
        (None, _) if args.session.is_some() || !local => Ok(None),
        (None, Some(here)) => text(here),
        (None, None) => Err(CommandError::failed("the current directory is gone")
            .hint("cd somewhere else, or give --cwd")),
    }
}

/// The same on a host.
pub(super) fn on(mut request: RunRequest, host: &SshTarget) -> RunRequest {
    request.remote = true;
    request.host = Some(host.host().to_owned());
    request.port = host.port();
    request.username = host.user().map(str::to_owned);
    request
}

pub(super) fn random_key(entropy: &dyn Entropy) -> String {
    let mut bits = [0; 16];
    entropy.fill(&mut bits);
    let mut key = String::from("cli-");
    key.extend(bits.iter().map(|byte| format!("{byte:02x}")));
    key
}

/// The words as one shell text that means exactly them.
fn join_words(words: &[String]) -> String {
    let quoted: Vec<_> = words
        .iter()
        .enumerate()
        .map(|(at, word)| quote(word, at == 0))
        .collect();
    quoted.join(" ")
}

/// One word as the shell reads it back. The first word is quoted too where bare it would be an
/// assignment, a job or a reserved word instead of a program.
fn quote(word: &str, first: bool) -> Cow<'_, str> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "_-./:,+@%=".contains(c);
    let special = first && (word.contains(['=', '%']) || RESERVED.contains(&word));
    if !word.is_empty() && word.chars().all(bare) && !special {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// bash's reserved words that are made of plain characters.
const RESERVED: &[&str] = &[
    "if", "then", "elif", "else", "fi", "time", "for", "in", "until", "while", "do", "done",
    "case", "esac", "coproc", "select", "function",
];

/// For clap.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    value::duration(text).ok_or_else(|| "should be a time such as 500ms, 30s or 10m".to_owned())
}

/// For clap: a time that a command may be given.
pub(crate) fn parse_time_limit(text: &str) -> Result<Duration, String> {
    let time = parse_duration(text)?;
    if TIMEOUT_RANGE.contains(&time) {
        return Ok(time);
    }
    let (least, most) = (
        TIMEOUT_RANGE.start().as_secs(),
        TIMEOUT_RANGE.end().as_secs(),
    );
    Err(format!(
        "should be a time from {least}s to {most}s; what takes longer runs with --background"
    ))
}

/// For clap.
pub(crate) fn parse_variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("should be NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(words: &[&str]) -> String {
        join_words(
            &words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>(),
        )
    }

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(
            joined(&["cargo", "test", "--all", "-p=x", "a/b.rs:1"]),
            "cargo test --all -p=x a/b.rs:1"
        );
    }

    #[test]
    fn everything_else_is_quoted() {
        for (words, text) in [
            (&["echo hi"][..], "'echo hi'"),
            (&["echo", ""], "echo ''"),
            (&["echo", "it's"], r"echo 'it'\''s'"),
            (
                &["echo", "~", "*", "$HOME", "{a,b}", "!"],
                "echo '~' '*' '$HOME' '{a,b}' '!'",
            ),
            (&["A=1", "make", "B=2"], "'A=1' make B=2"),
            (&["time", "if"], "'time' if"),
            (&["%1"], "'%1'"),
            (&["é"], "'é'"),
        ] {
            assert_eq!(joined(words), text);
        }
    }

    #[test]
    fn the_shell_reads_the_words_back() {
        let words = [
            "a b", "", "it's", "\\", "\"", "$(x)", "`x`", "\n", "a=b", "~root", "-n", "é*?", "#",
            "!",
        ];
        let script = format!("printf '%s\\0' {}", joined(&words));
        let output = std::process::Command::new("bash")
            .args(["-c", &script])
            .output()
            .unwrap();
        let read: Vec<_> = output.stdout.split(|byte| *byte == 0).collect();
        let mut expected: Vec<_> = words.iter().map(|word| word.as_bytes()).collect();
        expected.push(b"");
        assert_eq!(read, expected);
    }

    #[test]
    fn input_is_sent_as_text_where_it_is_short_and_text() {
        let text = |length| Some(vec![b'x'; length]);
        assert_eq!(input(None), (None, None));
        assert_eq!(input(Some("é".into())), (Some("é".into()), None));
        assert_eq!(input(Some(vec![0xff])), (None, Some("/w==".into())));
        assert!(input(text(TEXT_BYTES_MAX)).0.is_some());
        assert!(input(text(TEXT_BYTES_MAX + 1)).1.is_some());
    }

    #[test]
    fn a_time_limit_has_bounds() {
        assert_eq!(parse_time_limit("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(parse_time_limit("1h"), Ok(Duration::from_secs(3600)));
        for odd in ["999ms", "3601s", "2h", "0"] {
            let said = parse_time_limit(odd).unwrap_err();
            assert!(said.contains("1s to 3600s"), "{odd}: {said}");
        }
        assert!(parse_time_limit("soon").unwrap_err().contains("such as"));
    }

    #[test]
    fn variables_need_a_name() {
        assert_eq!(parse_variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(parse_variable("=b").is_err() && parse_variable("A").is_err());
    }
}
