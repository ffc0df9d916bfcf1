//! What a living shell says, and its way of writing the environment.

/// One report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// The status, or [`super::script::LAST_WORDS`].
    pub(crate) status: String,
    pub(crate) cwd: String,
    pub(crate) flags: String,
    pub(crate) job: Option<u32>,
    pub(crate) env: Option<Vec<(String, String)>>,
}

/// Fields of a report without the environment.
const FIELDS: usize = 4;

/// Takes the first whole report out of `buffer`, if there is one.
pub(crate) fn take(buffer: &mut Vec<u8>, with_env: bool) -> Option<Report> {
    let wanted = FIELDS + usize::from(with_env);
    let end = memchr_nth(buffer, wanted)?;
    let rest = buffer.split_off(end + 1);
    let whole = std::mem::replace(buffer, rest);
    let mut fields = whole
        .split(|byte| *byte == 0)
        .map(|field| String::from_utf8_lossy(field));
    let mut next = || fields.next().unwrap_or_default().into_owned();
    Some(Report {
        status: next(),
        cwd: next(),
        flags: next(),
        job: next().parse().ok(),
        env: with_env.then(|| parse_exports(&next())),
    })
}

fn memchr_nth(buffer: &[u8], count: usize) -> Option<usize> {
    buffer
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == 0)
        .nth(count.checked_sub(1)?)
        .map(|(i, _)| i)
}

/// Reads what `export -p` prints: `declare -x NAME="VALUE"`, with bash's quoting. Names without a
/// value and variables of our own are left out; so are lines that are nothing of the kind, such as
/// those of array variables.
pub(crate) fn parse_exports(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((attributes, after)) = next_declaration(rest) {
        let name_end = after.find(['=', '\n']).unwrap_or(after.len());
        let (name, after) = after.split_at(name_end);
        let Some(value) = after.strip_prefix('=') else {
            rest = after;
            continue;
        };
        let (value, after) = unquote(value);
        rest = after;
        if attributes.contains('x') && !attributes.contains(['a', 'A']) && !name.starts_with("__w")
        {
            found.push((name.to_owned(), value));
        }
    }
    found
}

fn next_declaration(text: &str) -> Option<(&str, &str)> {
    // In posix mode bash writes `export NAME=…` instead.
    let text = text.trim_start_matches('\n');
    if let Some(after) = text.strip_prefix("export ") {
        return Some(("x", after));
    }
    text.strip_prefix("declare -")?.split_once(' ')
}

/// Reads one quoted value; what follows it.
fn unquote(text: &str) -> (String, &str) {
    if let Some(body) = text.strip_prefix("$'") {
        return unquote_ansi(body);
    }
    let Some(body) = text.strip_prefix('"') else {
        let end = text.find('\n').unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = body.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return (value, body.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            _ => value.push(char),
        }
    }
    (value, "")
}

/// `$'…'`: what bash uses where a value has control characters.
fn unquote_ansi(body: &str) -> (String, &str) {
    let mut value = Vec::new();
    let bytes = body.as_bytes();
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'\'' => break,
            b'\\' => {
                let escaped = bytes.get(at).copied().unwrap_or(b'\\');
                at += 1;
                match escaped {
                    b'a' => value.push(7),
                    b'b' => value.push(8),
                    b'e' | b'E' => value.push(27),
                    b'f' => value.push(12),
                    b'n' => value.push(b'\n'),
                    b'r' => value.push(b'\r'),
                    b't' => value.push(b'\t'),
                    b'v' => value.push(11),
                    b'0'..=b'7' => {
                        let mut code = u32::from(escaped - b'0');
                        for _ in 0..2 {
                            let Some(digit @ b'0'..=b'7') = bytes.get(at) else {
                                break;
                            };
                            code = code * 8 + u32::from(digit - b'0');
                            at += 1;
                        }
                        value.push(u8::try_from(code & 0xff).unwrap_or_default());
                    }
                    other => value.push(other),
                }
            }
            other => value.push(*other),
        }
    }
    (
        String::from_utf8_lossy(&value).into_owned(),
        body.get(at..).unwrap_or_default(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_whole_reports_only() {
        let mut buffer = b"0\0/tmp\0hBc\x0012\x001\0/".to_vec();
        let report = take(&mut buffer, false).unwrap();
        assert_eq!(
            (report.status.as_str(), report.cwd.as_str(), report.job),
            ("0", "/tmp", Some(12))
        );
        assert_eq!(buffer, b"1\0/");
        assert!(take(&mut buffer, false).is_none());
    }

    #[test]
    fn reads_what_bash_writes() {
        let values = [
            "",
            "plain",
            "a b",
            "q\"u'o`t$e\\d",
            "line\nline",
            "tab\there",
            "\u{1}\u{1b}[0m",
            "ünï",
        ];
        let mut command = std::process::Command::new("bash");
        command.args([
            "--noprofile",
            "--norc",
            "-c",
            "declare -ax L=(1 2); export N; export -p",
        ]);
        command.env_clear();
        for (index, value) in values.iter().enumerate() {
            command.env(format!("V{index}"), value);
        }
        let output = command.output().unwrap();
        let found = parse_exports(&String::from_utf8(output.stdout).unwrap());
        for (index, value) in values.iter().enumerate() {
            let name = format!("V{index}");
            let read = found
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| v.as_str());
            assert_eq!(read, Some(*value), "{name}");
        }
        assert!(
            !found.iter().any(|(name, _)| name == "L" || name == "N"),
            "{found:?}"
        );
    }
}
