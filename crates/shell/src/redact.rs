//! Secrets are taken out of a command before it is written anywhere.
//!
//! This is a scan over the text and not a walk over the tree, because it must also work for a
//! text that cannot be parsed, and for a line of a log. It rather takes out too much than too
//! little, and keeps the structure: option names, variable names, hosts and quotes stay.

mod shapes;

use std::borrow::Cow;

use crate::env::is_secret_name;
use shapes::{by_shape, private_keys};

/// Stands where a secret stood.
const MARK: &str = "[redacted]";

/// Replaces what looks like a secret by `[redacted]`; the structure of the text stays.
///
/// Takes time linear in the text.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut cuts = Vec::new();
    let words = words(text, 0, text.len());
    by_words(text, &words, &mut cuts);
    by_shape(text, &words, &mut cuts);
    inside_quotes(text, &words, QUOTE_DEPTH, &mut cuts);
    private_keys(text, &mut cuts);
    if cuts.is_empty() {
        return Cow::Borrowed(text);
    }
    cuts.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in cuts {
        if end <= at {
            continue;
        }
        let start = start.max(at);
        out.push_str(text.get(at..start).unwrap_or_default());
        if !out.ends_with(MARK) || start > at {
            out.push_str(MARK);
        }
        at = end;
    }
    out.push_str(text.get(at..).unwrap_or_default());
    Cow::Owned(out)
}

/// A stretch of bytes that is taken out.
type Cut = (usize, usize);

/// A word with its quotes: where it stands, and where a command begins.
#[derive(Clone, Copy)]
struct Word<'t> {
    start: usize,
    end: usize,
    raw: &'t str,
    /// The first word of a command, as far as a scan can tell.
    first: bool,
}

/// How many quotes deep commands are looked for, as in `bash -c 'sh -c "…"'`.
const QUOTE_DEPTH: usize = 3;

/// A quoted word of several words may be a command itself.
fn inside_quotes(text: &str, outer: &[Word<'_>], depth: usize, cuts: &mut Vec<Cut>) {
    for word in outer {
        let quote = word.raw.chars().next().filter(|c| matches!(c, '"' | '\''));
        if quote.is_none() || word.raw.len() < 3 || !word.raw.contains([' ', '\n']) {
            continue;
        }
        let inner = words(text, word.start + 1, quoted_end(word));
        by_words(text, &inner, cuts);
        if depth > 1 {
            inside_quotes(text, &inner, depth - 1, cuts);
        }
    }
}

/// Splits at blanks and operators outside of quotes.
fn words(text: &str, from: usize, to: usize) -> Vec<Word<'_>> {
    let bytes = text.as_bytes().get(..to).unwrap_or_default();
    let mut words = Vec::new();
    let mut at = from;
    let mut first = true;
    while let Some(byte) = bytes.get(at) {
        if matches!(byte, b' ' | b'\t') {
            at += 1;
            continue;
        }
        if ends_command(*byte) {
            first = true;
            at += 1;
            continue;
        }
        let start = at;
        at = word_end(bytes, at);
        let raw = text.get(start..at).unwrap_or_default();
        words.push(Word {
            start,
            end: at,
            raw,
            first,
        });
        let assigns = raw
            .split_once('=')
            .is_some_and(|(name, _)| crate::env::valid_env_name(name));
        first = first && assigns;
    }
    words
}

const fn ends_command(byte: u8) -> bool {
    matches!(byte, b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'<' | b'>')
}

fn word_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b' ' | b'\t' => break,
            b if ends_command(*b) => break,
            b'\\' => at += 2,
            b'\'' | b'"' => {
                let rest = bytes.get(at + 1..).unwrap_or_default();
                match memchr::memchr(*byte, rest) {
                    Some(len) => at += len + 2,
                    // Not closed: most likely an apostrophe.
                    None => at += 1,
                }
            }
            _ => at += 1,
        }
    }
    at.min(bytes.len())
}

/// Options whose value is a secret, whatever the program.
fn is_secret_option(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "password",
        "passwd",
        "pass",
        "passphrase",
        "token",
        "secret",
        "api-key",
        "apikey",
        "api_key",
        "access-key",
        "secret-key",
        "private-key",
        "auth-token",
        "access-token",
        "client-secret",
        "bearer",
        "credential",
        "credentials",
        "auth",
        "authtoken",
        "docker-password",
        "registry-password",
        "storepass",
        "keypass",
        "sasl-password",
        "http-password",
        "proxy-password",
        "otp",
        "_authtoken",
        "oauth2-bearer",
        "proxy-user",
        "session-token",
        "refresh-token",
        "webhook-secret",
        "master-key",
        "pgpassword",
    ];
    let name = name.trim_start_matches('-').to_ascii_lowercase();
    if matches!(
        name.as_str(),
        "password-stdin"
            | "password-file"
            | "token-file"
            | "no-password"
            | "keypass-file"
            | "secret-id"
    ) {
        return false;
    }
    EXACT.contains(&name.as_str())
        || [
            "-password",
            "-token",
            "-secret",
            "_token",
            "_password",
            "_secret",
            "-passphrase",
            "-api-key",
            "_key",
            ".password",
        ]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Short options of programs whose value is a secret, joined to it or behind it.
fn secret_letter(program: &str) -> Option<(&'static str, bool)> {
    Some(match program {
        // `-pSECRET` only; `-p` alone asks.
        "mysql" | "mysqldump" | "mysqladmin" | "mariadb" | "mariadb-dump" | "mysqlimport" => {
            ("-p", false)
        }
        "sshpass" | "mongo" | "mongosh" | "mongodump" | "mongorestore" | "htpasswd_" | "docker"
        | "podman" | "helm" | "oc" | "twine" | "cqlsh" | "7z" | "7za" | "clickhouse-client" => {
            ("-p", true)
        }
        "unzip" | "zip" | "rar" | "unrar" => ("-P", true),
        "redis-cli" => ("-a", true),
        "ldapsearch" | "ldapadd" | "ldapmodify" | "ldapdelete" | "ldappasswd" => ("-w", true),
        "sqlcmd" | "bcp" | "isql" => ("-P", true),
        "smbclient" | "rpcclient" => ("-U", true),
        _ => return None,
    })
}

fn by_words(text: &str, words: &[Word<'_>], cuts: &mut Vec<Cut>) {
    let mut program = "";
    let mut verb = "";
    let mut wrapped = false;
    let mut index = 0;
    while let Some(word) = words.get(index) {
        index += 1;
        let next = words.get(index).filter(|next| !next.first);
        if word.first || wrapped {
            let name = unquoted(word.raw).rsplit('/').next().unwrap_or_default();
            wrapped = matches!(name, "sudo" | "env" | "exec" | "time" | "nohup" | "command")
                || (wrapped && name.starts_with('-'));
            if let Some((name, _)) = assignment(word.raw) {
                wrapped |= !name.is_empty();
            } else if !name.starts_with('-') {
                program = name;
                verb = "";
            }
        } else if verb.is_empty() && !word.raw.starts_with('-') {
            verb = word.raw;
        }
        if let Some((name, at)) = assignment(word.raw) {
            if is_secret_name(name) || is_secret_option(name) {
                cut_value(text, word.start + at, word.end, cuts);
            }
            continue;
        }
        option(text, program, verb, word, next, cuts);
        header(text, word, next, cuts);
        echoed_password(text, words, index, word, cuts);
    }
}

/// `name=` of an assignment or an argument such as `password=x`, and where the value starts.
fn assignment(raw: &str) -> Option<(&str, usize)> {
    let (name, _) = raw.split_once('=')?;
    // `//registry/:_authToken=x` names its member last.
    let name = name
        .trim_start_matches(['"', '\''])
        .rsplit(['/', ':'])
        .next()
        .unwrap_or_default();
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'));
    (plain && !name.starts_with('-'))
        .then(|| (name.trim_end_matches('+'), raw.find('=').unwrap_or(0) + 1))
}

fn option(
    text: &str,
    program: &str,
    verb: &str,
    word: &Word<'_>,
    next: Option<&Word<'_>>,
    cuts: &mut Vec<Cut>,
) {
    let raw = unquoted(word.raw);
    if !raw.starts_with('-') {
        if program == "openssl" && (raw.starts_with("pass:") || raw.starts_with("\"pass:")) {
            cuts.push((
                word.start + word.raw.find(':').unwrap_or(0) + 1,
                quoted_end(word),
            ));
        }
        return;
    }
    if let Some((name, _)) = raw.split_once('=') {
        if is_secret_option(name)
            || is_secret_name(name.trim_start_matches('-'))
                && name.len() > 6
                && name.starts_with("--")
        {
            let at = word.raw.find('=').unwrap_or(0) + 1;
            cut_value(text, word.start + at, word.end, cuts);
        } else if let Some((inner, _)) = raw
            .split_once('=')
            .and_then(|(_, rest)| rest.split_once('='))
        {
            // `--env=TOKEN=x`, `--set=db.password=x`, `--build-arg=KEY=x`
            if (is_secret_name(inner) || is_secret_option(inner))
                && let Some(at) = word.raw.match_indices('=').nth(1).map(|(at, _)| at + 1)
            {
                cut_value(text, word.start + at, word.end, cuts);
            }
        }
        return;
    }
    let long = raw.starts_with("--") || raw.len() > 3;
    if long && is_secret_option(raw) {
        if let Some(next) = next.filter(|next| !next.raw.starts_with('-')) {
            cut_value(text, next.start, next.end, cuts);
        }
        return;
    }
    let login = !matches!(program, "docker" | "podman" | "helm" | "oc")
        || verb == "login"
        || verb == "registry";
    if let Some((letter, behind)) = secret_letter(program).filter(|_| login) {
        if raw == letter && behind {
            if let Some(next) = next {
                cut_value(text, next.start, next.end, cuts);
            }
        } else if let Some(rest) = raw.strip_prefix(letter).filter(|rest| !rest.is_empty())
            && !raw.starts_with("--")
            && !rest.starts_with('-')
        {
            cut_value(
                text,
                word.start + word.raw.find(rest).unwrap_or(letter.len()),
                quoted_end(word),
                cuts,
            );
        }
    }
    user_option(text, program, raw, word, next, cuts);
}

/// `curl -u user:password`: the part behind the colon.
fn user_option(
    text: &str,
    program: &str,
    raw: &str,
    word: &Word<'_>,
    next: Option<&Word<'_>>,
    cuts: &mut Vec<Cut>,
) {
    if !matches!(
        program,
        "curl" | "wget" | "http" | "https" | "xh" | "smbclient" | "rpcclient" | "svn" | "ab"
    ) {
        return;
    }
    let (start, end) = match raw {
        "-u" | "--user" | "-a" | "--auth" | "-U" | "--proxy-user" | "-A"
            if raw != "-A" || program == "ab" =>
        {
            match next {
                Some(next) => (next.start, next.end),
                None => return,
            }
        }
        _ if raw.starts_with("-u") && raw.len() > 2 && !raw.starts_with("--") => {
            (word.start + 2, word.end)
        }
        _ => return,
    };
    let value = text.get(start..end).unwrap_or_default();
    if let Some(at) = value.find([':', '%']) {
        cut_value(text, start + at + 1, end, cuts);
    }
}

/// Words before the credential in a header.
const SCHEMES: &[&str] = &[
    "Bearer ", "Basic ", "Token ", "bearer ", "basic ", "token ", "Digest ",
];

/// `Authorization: Bearer x`, `X-Api-Key: x`, also as one quoted word.
fn header(text: &str, word: &Word<'_>, next: Option<&Word<'_>>, cuts: &mut Vec<Cut>) {
    let inner = unquoted(word.raw);
    let Some((name, value)) = inner.split_once(':') else {
        return;
    };
    let name = name
        .trim_start_matches("-H")
        .trim_start_matches(['"', '\''])
        .to_ascii_lowercase();
    let secret =
        matches!(
            name.as_str(),
            "authorization" | "proxy-authorization" | "cookie" | "set-cookie" | "private-token"
        ) || ((name.starts_with("x-") || name.ends_with("-token") || name.ends_with("-key"))
            && is_secret_name(&name))
            || matches!(
                name.as_str(),
                "apikey" | "api-key" | "token" | "job-token" | "password" | "secret"
            );
    if !secret {
        return;
    }
    let colon = word.raw.find(':').unwrap_or(0) + 1;
    if value.trim().is_empty() {
        if word.raw.ends_with(['"', '\'']) {
            return;
        }
        // The value stands in the words behind it, up to the end of the quotes or the line.
        let Some(next) = next else { return };
        // A line is looked at once, however many headers it seems to hold.
        if cuts.last().is_some_and(|cut| cut.1 >= next.end) {
            return;
        }
        let scheme = SCHEMES.iter().any(|scheme| scheme.trim_end() == next.raw);
        let start = if scheme {
            (next.end + 1).min(text.len())
        } else {
            next.start
        };
        let end = text
            .get(start..)
            .and_then(|rest| rest.find(['\n', '"', '\'']))
            .map_or(text.len(), |len| start + len);
        cuts.push((start, end));
        return;
    }
    let after = word.start + colon;
    let blanks = text
        .get(after..)
        .map_or(0, |rest| rest.len() - rest.trim_start().len());
    let mut start = after + blanks;
    for scheme in SCHEMES {
        if text
            .get(start..)
            .is_some_and(|rest| rest.starts_with(scheme))
        {
            start += scheme.len();
        }
    }
    cuts.push((start, quoted_end(word).max(start)));
}

/// `echo secret | sudo -S …`, `echo secret | docker login --password-stdin`, `… | passwd --stdin`.
fn echoed_password(
    text: &str,
    words: &[Word<'_>],
    index: usize,
    word: &Word<'_>,
    cuts: &mut Vec<Cut>,
) {
    if !word.first || !matches!(word.raw, "echo" | "printf") {
        return;
    }
    let Some(target) = words
        .get(index..)
        .and_then(|rest| rest.iter().take(64).position(|word| word.first))
    else {
        return;
    };
    let Some(reader) = words.get(index + target) else {
        return;
    };
    let piped = words
        .get(index + target - usize::from(target > 0))
        .and_then(|last| text.get(last.end..reader.start))
        .is_some_and(|between| between.trim().starts_with('|') && !between.contains("||"));
    let behind: Vec<&str> = words
        .get(index + target + 1..)
        .unwrap_or_default()
        .iter()
        .take(16)
        .take_while(|word| !word.first)
        .map(|word| word.raw)
        .collect();
    let reads = match reader.raw {
        "sudo" => behind.iter().any(|word| {
            (word.starts_with('-') && !word.starts_with("--") && word.contains('S'))
                || *word == "--stdin"
        }),
        "chpasswd" | "passwd" => true,
        "gpg" => behind
            .iter()
            .any(|word| word.starts_with("--passphrase-fd")),
        _ => behind.iter().any(|word| {
            word.ends_with("password-stdin") || *word == "--with-token" || *word == "--token-stdin"
        }),
    };
    if piped && reads {
        for secret in words.get(index..index + target).unwrap_or_default() {
            if !secret.raw.starts_with('-') && !secret.raw.contains('%') {
                cut_value(text, secret.start, secret.end, cuts);
            }
        }
    }
}

/// Takes a value out, inside of its quotes; a reference to a variable is not a secret.
fn cut_value(text: &str, start: usize, end: usize, cuts: &mut Vec<Cut>) {
    let value = text.get(start..end).unwrap_or_default();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let (start, end) = match quote {
        Some(quote) if value.len() > 1 && value.ends_with(quote) => (start + 1, end - 1),
        Some(_) => (start + 1, end),
        None if value.ends_with(['"', '\'']) => (start, end - 1),
        None => (start, end),
    };
    let inner = text.get(start..end).unwrap_or_default();
    let reference = inner.starts_with('$')
        && quote != Some('\'')
        && inner
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'$' | b'_' | b'{' | b'}'));
    if inner.is_empty() || reference || inner.starts_with("$(") || inner.starts_with('@') {
        return;
    }
    cuts.push((start, end));
}

fn unquoted(raw: &str) -> &str {
    let inner = raw.strip_prefix(['"', '\'']).unwrap_or(raw);
    inner.strip_suffix(['"', '\'']).unwrap_or(inner)
}

/// Where the word ends without its closing quote.
fn quoted_end(word: &Word<'_>) -> usize {
    if word.raw.ends_with(['"', '\'']) {
        word.end - 1
    } else {
        word.end
    }
}

#[cfg(test)]
mod tests;
