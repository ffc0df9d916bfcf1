//! Secrets are taken out of a command before it is written anywhere.
//!
//! This is a scan over the text and not a walk over the tree, because it must also work for a
//! text that cannot be parsed, and for a line of a log. It rather takes out too much than too
//! little, and keeps the structure: option names, variable names, hosts and quotes stay.

use std::borrow::Cow;

use crate::env::is_secret_name;

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
            if is_secret_name(inner) || is_secret_option(inner) {
                if let Some(at) = word.raw.match_indices('=').nth(1).map(|(at, _)| at + 1) {
                    cut_value(text, word.start + at, word.end, cuts);
                }
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
        } else if let Some(rest) = raw.strip_prefix(letter).filter(|rest| !rest.is_empty()) {
            if !raw.starts_with("--") && !rest.starts_with('-') {
                cut_value(
                    text,
                    word.start + word.raw.find(rest).unwrap_or(letter.len()),
                    quoted_end(word),
                    cuts,
                );
            }
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

/// What looks like a secret wherever it stands.
fn by_shape(text: &str, words: &[Word<'_>], cuts: &mut Vec<Cut>) {
    for word in words {
        userinfo(word, cuts);
        json_members(word, cuts);
        let bytes = word.raw.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let len = bytes
                .get(at..)
                .map_or(0, |rest| rest.iter().take_while(|b| in_token(**b)).count());
            if len >= MIN_TOKEN {
                if let Some(token) = word.raw.get(at..at + len) {
                    token_shape(word.start + at, token, cuts);
                }
            }
            at += len.max(1);
        }
    }
    query_members(text, cuts);
}

/// The shortest token that is told by its shape.
const MIN_TOKEN: usize = 12;

const fn in_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'+' | b'/')
}

fn token_shape(start: usize, token: &str, cuts: &mut Vec<Cut>) {
    const STARTS: &[(&str, usize)] = &[
        ("ghp_", 20),
        ("gho_", 20),
        ("ghu_", 20),
        ("ghs_", 20),
        ("ghr_", 20),
        ("github_pat_", 30),
        ("glpat-", 20),
        ("gldt-", 20),
        ("sk-", 20),
        ("sk_live_", 16),
        ("sk_test_", 16),
        ("rk_live_", 16),
        ("pk_live_", 16),
        ("whsec_", 16),
        ("xoxb-", 16),
        ("xoxp-", 16),
        ("xoxa-", 16),
        ("xoxr-", 16),
        ("xoxs-", 16),
        ("xapp-", 16),
        ("AKIA", 20),
        ("ASIA", 20),
        ("AIza", 30),
        ("ya29.", 20),
        ("npm_", 30),
        ("pypi-", 30),
        ("dop_v1_", 30),
        ("hf_", 20),
        ("SG.", 30),
        ("shpat_", 20),
        ("glrt-", 16),
        ("hvs.", 20),
        ("dckr_pat_", 16),
        ("lin_api_", 20),
        ("tfp_", 20),
        ("eyJ", 24),
        ("EAACEdEose0cBA", 20),
        ("key-", 32),
        ("sq0atp-", 20),
        ("pat_", 20),
        ("atlasv1.", 20),
        ("figd_", 20),
        ("nvapi-", 20),
    ];
    for (prefix, least) in STARTS {
        let Some(at) = token.find(prefix) else {
            continue;
        };
        let bounded = at == 0
            || token
                .as_bytes()
                .get(at - 1)
                .is_some_and(|b| matches!(b, b'/' | b'.' | b'+'));
        let rest = token.get(at..).unwrap_or_default();
        let dense = rest.bytes().any(|b| b.is_ascii_digit())
            || rest.bytes().any(|b| b.is_ascii_uppercase());
        if bounded
            && rest.len() >= *least
            && dense
            && (*prefix != "eyJ" || rest.contains('.') || rest.len() > 60)
        {
            cuts.push((start + at, start + token.len()));
            return;
        }
    }
}

/// `scheme://user:password@host`: the password, or the whole userinfo when it is a token.
fn userinfo(word: &Word<'_>, cuts: &mut Vec<Cut>) {
    for (at, _) in word.raw.match_indices("://") {
        let from = at + 3;
        let rest = word.raw.get(from..).unwrap_or_default();
        let authority = rest
            .split(['/', '?', '#', '"', '\''])
            .next()
            .unwrap_or_default();
        let Some(userinfo) = authority.rfind('@').and_then(|end| authority.get(..end)) else {
            continue;
        };
        let start = word.start + from;
        match userinfo.find(':') {
            Some(colon)
                if !userinfo
                    .get(colon + 1..)
                    .unwrap_or_default()
                    .starts_with('$') =>
            {
                cuts.push((start + colon + 1, start + userinfo.len()));
            }
            None if userinfo.len() >= 20 => cuts.push((start, start + userinfo.len())),
            _ => {}
        }
    }
}

/// `"password": "x"` in a body of JSON.
fn json_members(word: &Word<'_>, cuts: &mut Vec<Cut>) {
    if !word.raw.contains(['{', '"']) {
        return;
    }
    for (at, _) in word.raw.match_indices("\"") {
        let rest = word.raw.get(at + 1..).unwrap_or_default();
        let name = rest
            .bytes()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        let (name, tail) = rest.split_at(name);
        let Some(value) = tail
            .strip_prefix("\"")
            .map(str::trim_start)
            .and_then(|tail| tail.strip_prefix(':'))
        else {
            continue;
        };
        if !(is_secret_name(name) || is_secret_option(name) || camel_secret(name)) {
            continue;
        }
        let value = value.trim_start();
        let Some(value) = value.strip_prefix('"') else {
            continue;
        };
        let start = word.end - (word.raw.len() - (word.raw.len() - value.len()));
        let len = value.find('"').unwrap_or(value.len());
        if len > 0 {
            cuts.push((start, start + len));
        }
    }
}

fn camel_secret(name: &str) -> bool {
    [
        "Password",
        "Token",
        "Secret",
        "ApiKey",
        "accessKey",
        "privateKey",
    ]
    .iter()
    .any(|end| name.ends_with(end))
}

/// `?token=x` and `&api_key=x` in addresses, and form fields.
fn query_members(text: &str, cuts: &mut Vec<Cut>) {
    let bytes = text.as_bytes();
    for at in memchr::memchr_iter(b'=', bytes) {
        let before = bytes.get(..at).unwrap_or_default();
        let len = before
            .iter()
            .rev()
            .take(40)
            .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            .count();
        let start = at - len;
        let opens = start
            .checked_sub(1)
            .and_then(|at| bytes.get(at))
            .is_some_and(|b| matches!(b, b'?' | b'&'));
        let name = text.get(start..at).unwrap_or_default();
        if !opens
            || !(is_secret_name(name)
                || is_secret_option(name)
                || matches!(name, "sig" | "signature" | "code" | "X-Amz-Signature"))
        {
            continue;
        }
        let rest = bytes.get(at + 1..).unwrap_or_default();
        let len = rest
            .iter()
            .take_while(|b| !matches!(b, b'&' | b' ' | b'"' | b'\'' | b'\n' | b'#'))
            .count();
        if len > 0 && rest.first() != Some(&b'$') {
            cuts.push((at + 1, at + 1 + len));
        }
    }
}

/// From `-----BEGIN … PRIVATE KEY-----` to its end.
fn private_keys(text: &str, cuts: &mut Vec<Cut>) {
    let mut from = 0;
    while let Some(found) = text.get(from..).and_then(|rest| rest.find("-----BEGIN ")) {
        let start = from + found;
        let head = text.get(start..).unwrap_or_default();
        let label = head
            .get(11..)
            .and_then(|rest| rest.find("-----"))
            .unwrap_or(0);
        let secret = head
            .get(..11 + label)
            .is_some_and(|head| head.contains("PRIVATE KEY"));
        let mut end = start + 11;
        if secret {
            let tail = head.find("-----END ").map(|at| at + 9);
            let close = tail.and_then(|at| head.get(at..)?.find("-----").map(|len| at + len + 5));
            end = start + close.unwrap_or(head.len());
            cuts.push((start, end));
        }
        from = end;
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
mod tests {
    use super::*;

    const PLANTED: &[&str] = &[
        "mysql -u root -pCANARY db",
        "mysqldump --password=CANARY db",
        "mysql --password CANARY db",
        "sshpass -p CANARY ssh h",
        "sshpass -pCANARY ssh h",
        "curl -u user:CANARY https://x.y",
        "curl --user 'user:CANARY' https://x.y",
        "curl -uuser:CANARY https://x.y",
        "curl https://u:CANARY@x.y/z",
        "git clone https://u:CANARY@x.y/z.git",
        "git clone \"https://oauth2:CANARY@x.y/z.git\"",
        "curl -H 'Authorization: Bearer CANARY' x.y",
        "curl -H \"Authorization: Basic CANARY\" x.y",
        "curl -H Authorization:\\ CANARY x.y",
        "curl -H 'X-Api-Key: CANARY' x.y",
        "curl -H 'X-Auth-Token: CANARY' x.y",
        "curl -H 'PRIVATE-TOKEN: CANARY' x.y",
        "curl -H 'Cookie: session=CANARY' x.y",
        "curl 'https://x.y/z?api_key=CANARY&b=c'",
        "curl 'https://x.y/z?a=b&access_token=CANARY'",
        "curl -d '{\"user\":\"a\",\"password\":\"CANARY\"}' x.y",
        "curl -d '{\"accessToken\": \"CANARY\"}' x.y",
        "curl -d 'user=a&password=CANARY' x.y",
        "AWS_SECRET_ACCESS_KEY=CANARY aws s3 ls",
        "export GITHUB_TOKEN=CANARY",
        "export GITHUB_TOKEN=\"CANARY\"",
        "DB_PASSWORD='CANARY WORD' ./x",
        "env API_KEY=CANARY ./x",
        "sudo env MY_SECRET=CANARY ./x",
        "PGPASSWORD=CANARY psql -h x",
        "docker run -e DB_PASSWORD=CANARY x",
        "docker run --env=TOKEN=CANARY x",
        "docker login -u a -p CANARY x.y",
        "docker build --build-arg NPM_TOKEN=CANARY .",
        "helm install x y --set db.password=CANARY",
        "kubectl create secret generic x --from-literal=password=CANARY",
        "vault login token=CANARY",
        "gh auth login --token CANARY",
        "npm config set //registry/:_authToken=CANARY",
        "redis-cli -a CANARY ping",
        "mongosh -u a -p CANARY",
        "openssl rsa -passin pass:CANARY -in k",
        "zip -P CANARY a.zip b",
        "unzip -PCANARY a.zip",
        "7z x -pCANARY a.7z",
        "ldapsearch -w CANARY -x",
        "echo CANARY | sudo -S ls",
        "echo 'CANARY' | sudo -kS ls",
        "echo CANARY | docker login -u a --password-stdin x.y",
        "printf '%s' CANARY | gh auth login --with-token",
        "echo root:CANARY | chpasswd",
        "keytool -storepass CANARY -list",
        "twine upload -u a -p CANARY dist/x",
        "ansible-playbook -e ansible_password=CANARY x.yml",
        "terraform apply -var db_password=CANARY",
        "app --client-secret CANARY --x",
        "app --api-key=CANARY",
        "app --auth-token \"CANARY\" y",
        "wget --password=CANARY https://x.y",
        "wget --http-password=CANARY https://x.y",
        "psql postgresql://u:CANARY@h/db",
        "amqp-publish -u amqp://a:CANARY@h",
        "bash -c 'export TOKEN=CANARY; x'",
    ];

    const SHAPED: &[&str] = &[
        "echo ghp_CANARY7890abcdefghij1234567890",
        "x github_pat_CANARY12345678901234567890abc",
        "x sk-CANARYabcdef1234567890abcdef",
        "x sk_live_CANARY1234567890",
        "x AKIACANARY1234567890",
        "x xoxb-CANARY-1234567890-abc",
        "x eyJCANARY.eyJzdWIiOiIxMjM0NTY3.abc",
        "x glpat-CANARY12345678901234",
        "x npm_CANARY12345678901234567890123456",
        "echo '-----BEGIN RSA PRIVATE KEY-----\nCANARY\n-----END RSA PRIVATE KEY-----' > k",
        "cat <<E\n-----BEGIN OPENSSH PRIVATE KEY-----\nCANARY",
    ];

    const INNOCENT: &[&str] = &[
        "ls -la /tmp",
        "mysql -u root -p db",
        "mysql -P 3306 -h x db",
        "ssh -p 2222 user@host",
        "mkdir -p a/b",
        "cp -p a b",
        "docker run -p 80:80 nginx",
        "docker run -e MODE=dev x",
        "docker compose -p proj up",
        "curl -u user https://x.y",
        "curl https://x.y/z?page=2&size=3",
        "curl -H 'Content-Type: application/json' x.y",
        "curl -H 'Accept: text/html' x.y",
        "curl -d '{\"name\":\"a\"}' x.y",
        "git clone git@x.y:z.git",
        "git clone ssh://git@x.y/z.git",
        "git commit -m 'fix token parsing'",
        "git log --author=me --since=1.week",
        "grep -r password src",
        "grep -n 'TOKEN' .",
        "rg --type rust secret",
        "export PATH=$PATH:/x",
        "export TOKEN=$OTHER",
        "TOKEN=\"$(cat f)\" ./x",
        "PWD=/x ls",
        "FOO=bar make",
        "curl -H \"Authorization: \" x.y",
        "psql -U me -h x -p 5432 -d db",
        "psql postgresql://u@h/db",
        "psql postgresql://u:$PW@h/db",
        "npm install --save-dev tokenizer",
        "echo hello | sudo tee /etc/x",
        "echo 'a = b'",
        "kubectl get secret x -o yaml",
        "kubectl create secret generic x --from-file=a",
        "vault kv get secret/x",
        "app --password-file /run/x",
        "docker login --password-stdin x.y",
        "openssl x509 -in cert.pem -noout",
        "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----",
        "rsync -a -e 'ssh -p 22' a b",
        "tar -xpf x.tar",
        "zip -r a.zip b",
        "sha256sum e3b0c44298fc1c149afbf4c8996fb924 x",
        "python -m pip install sk-learn",
        "echo don't",
        "for i in a b; do echo \"$i\"; done",
        "x=1 y=2 z",
    ];

    #[test]
    fn no_planted_secret_survives() {
        for text in PLANTED.iter().chain(SHAPED) {
            let redacted = redact(text);
            assert!(!redacted.contains("CANARY"), "{text:?} became {redacted:?}");
            assert!(redacted.contains(MARK), "{text:?} became {redacted:?}");
        }
    }

    #[test]
    fn innocent_commands_stay_untouched() {
        for text in INNOCENT {
            assert_eq!(redact(text), *text);
        }
    }

    #[test]
    fn there_are_enough_examples() {
        assert!(
            PLANTED.len() + SHAPED.len() >= 50,
            "{}",
            PLANTED.len() + SHAPED.len()
        );
        assert!(INNOCENT.len() >= 40, "{}", INNOCENT.len());
    }

    #[test]
    fn the_structure_stays() {
        assert_eq!(
            redact("mysql -u root -phunter2 db"),
            "mysql -u root -p[redacted] db"
        );
        assert_eq!(
            redact("curl -H 'Authorization: Bearer abc' x"),
            "curl -H 'Authorization: Bearer [redacted]' x"
        );
        assert_eq!(redact("TOKEN=abc ./x && ls"), "TOKEN=[redacted] ./x && ls");
        assert_eq!(
            redact("curl https://u:p@h/x"),
            "curl https://u:[redacted]@h/x"
        );
    }

    #[test]
    fn redacting_twice_changes_nothing() {
        for text in PLANTED.iter().chain(SHAPED) {
            let once = redact(text).into_owned();
            assert_eq!(redact(&once), once, "{text:?}");
        }
    }
}
