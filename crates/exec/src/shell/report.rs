//! What a living shell says, and its way of writing the environment.

use super::script::{KNOWN, LAST_WORDS, MAX_NUMBER};
use super::traps;

/// What is left of a report that is not whole when it is given up: more than any environment that
/// the kernel would hand to a program.
const MAX_REPORT: usize = 8 * 1024 * 1024;

/// One report.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Report {
    /// Of which command; none: the shell's last words as it ends.
    pub(crate) number: Option<u16>,
    pub(crate) status: i32,
    pub(crate) cwd: String,
    pub(crate) flags: String,
    pub(crate) job: Option<u32>,
    /// The codes of the last pipeline.
    pub(crate) pipeline: Vec<i32>,
    /// Statements that set the user's traps again; none: somebody stands in for our own words.
    pub(crate) traps: Option<String>,
    pub(crate) env: Option<Vec<(String, String)>>,
    /// It answers [`super::script::job_status`], and the shell knew the job.
    pub(crate) knows_job: bool,
    /// The tick of its machine at which the command ended, where it was asked for.
    pub(crate) tick: Option<u64>,
    /// What it found out about what was left, where it was asked for; see `remote/words.rs`.
    pub(crate) left: String,
}

/// What was found on the report channel.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing whole yet.
    Nothing,
    Report(Box<Report>),
    /// Something that no shell of ours says.
    Garbage,
}

/// Takes the first whole report out of `buffer`, if there is one.
///
/// A report is a row of fields with a NUL behind each: traps; number and what was asked for;
/// directory; job, from another machine also what is known of what was left; code, options and the codes of the pipeline; what a command kept, which is its
/// code and those of its pipeline; and the environment where it was asked for.
pub(crate) fn take(buffer: &mut Vec<u8>) -> Found {
    let Some((fields, length)) = fields(buffer) else {
        return if buffer.len() > MAX_REPORT {
            Found::Garbage
        } else {
            Found::Nothing
        };
    };
    let report = fields.read();
    buffer.drain(..length);
    report.map_or(Found::Garbage, |report| Found::Report(Box::new(report)))
}

/// The fields of one report.
struct Fields {
    row: [String; 6],
    env: Option<String>,
}

/// The first whole report's fields, and its length.
fn fields(buffer: &[u8]) -> Option<(Fields, usize)> {
    let mut at = 0;
    let mut next = || {
        let rest = buffer.get(at..)?;
        let length = rest.iter().position(|byte| *byte == 0)?;
        at += length + 1;
        let field = rest.get(..length).unwrap_or_default();
        Some(String::from_utf8_lossy(field).into_owned())
    };
    let row = [next()?, next()?, next()?, next()?, next()?, next()?];
    let [_, number, ..] = &row;
    let env = if number.contains('e') {
        Some(next()?)
    } else {
        None
    };
    Some((Fields { row, env }, at))
}

impl Fields {
    fn read(self) -> Option<Report> {
        let [traps, number, cwd, job, state, kept] = self.row;
        let number = if number == LAST_WORDS {
            None
        } else {
            let number: u16 = number.trim_end_matches(['e', 'o', 's', 't']).parse().ok()?;
            if number > MAX_NUMBER {
                return None;
            }
            Some(number)
        };
        let mut state = state.split(' ');
        let status = state.next()?.parse().ok()?;
        let flags = state.next()?.to_owned();
        let knows_job = kept.ends_with(KNOWN);
        let (status, pipeline) = codes(kept.split(' ')).unwrap_or_else(|| {
            let pipeline = state.filter_map(|code| code.parse().ok()).collect();
            (status, pipeline)
        });
        let mut job = job.split(' ');
        Some(Report {
            number,
            status,
            cwd,
            flags,
            job: job.next().and_then(|job| job.parse().ok()),
            tick: job.next().and_then(ticks),
            left: job.next().unwrap_or_default().to_owned(),
            pipeline,
            knows_job,
            traps: traps::statements(&traps),
            env: self.env.map(|text| parse_exports(&text)),
        })
    }
}

/// Seconds with two digits behind the point, as `/proc/uptime` has them, in hundredths.
fn ticks(uptime: &str) -> Option<u64> {
    let (seconds, hundredths) = uptime.split_once('.')?;
    let seconds: u64 = seconds.parse().ok()?;
    Some(
        seconds
            .saturating_mul(100)
            .saturating_add(hundredths.parse().ok()?),
    )
}

/// A code, and those of a pipeline.
fn codes<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<(i32, Vec<i32>)> {
    let status = words.next()?.parse().ok()?;
    Some((status, words.filter_map(|code| code.parse().ok()).collect()))
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
    if text.starts_with('\'') {
        return unquote_posix(text);
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

/// `'…'"'"'…'`: what shells other than bash print, in which both quotes mean themselves.
fn unquote_posix(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text;
    while let Some(quote) = rest
        .chars()
        .next()
        .filter(|char| matches!(char, '\'' | '"'))
    {
        let body = rest.get(1..).unwrap_or_default();
        let (part, after) = body.split_once(quote).unwrap_or((body, ""));
        value.push_str(part);
        rest = after;
    }
    (value, rest)
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

    fn whole(buffer: &mut Vec<u8>) -> Report {
        match take(buffer) {
            Found::Report(report) => *report,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn takes_whole_reports_only() {
        let mut buffer = b"\x007\0/tmp\x0012\x000 hBc 1 0\0\0\x008\0/".to_vec();
        let report = whole(&mut buffer);
        assert_eq!(
            (report.number, report.status, report.cwd.as_str()),
            (Some(7), 0, "/tmp")
        );
        assert_eq!((report.job, report.pipeline), (Some(12), vec![1, 0]));
        assert_eq!(buffer, b"\x008\0/");
        assert_eq!(take(&mut buffer), Found::Nothing);
    }

    #[test]
    fn another_machine_says_more_of_what_was_left() {
        let mut buffer = b"\x007eo\0/\x00 12.05 d\x000 h\0\0declare -x A=\"b\"\n\0".to_vec();
        let report = whole(&mut buffer);
        assert_eq!(
            (report.number, report.job, report.tick),
            (Some(7), None, Some(1205))
        );
        assert_eq!(report.left, "d");
    }

    #[test]
    fn what_a_command_kept_counts() {
        let mut buffer = b"\x001et\0/\0\x000 hBc 0\x003 1 3\0declare -x A=\"b\"\n\0".to_vec();
        let report = whole(&mut buffer);
        assert_eq!((report.status, report.pipeline), (3, vec![1, 3]));
        assert_eq!(report.env.unwrap(), [("A".to_owned(), "b".to_owned())]);
        assert!(buffer.is_empty());
        let user = &mut b"\x001\0/\0\x002 hBc 2\0the user's\0".to_vec();
        assert_eq!(whole(user).status, 2);
    }

    #[test]
    fn garbage_is_called_garbage() {
        for text in [
            "\0x\0/\0\x000 h\0\0",
            "\x001000\0/\0\x000 h\0\0",
            "\x001\0/\0\0no h\0\0",
        ] {
            assert_eq!(
                take(&mut text.as_bytes().to_vec()),
                Found::Garbage,
                "{text:?}"
            );
        }
        let strange = &mut b"hi\n\x001\0/\0\x000 h\0\0".to_vec();
        assert_eq!(whole(strange).traps, None);
        let (mut most, mut more) = (vec![b'x'; MAX_REPORT], vec![b'x'; MAX_REPORT + 1]);
        assert_eq!(
            (take(&mut most), take(&mut more)),
            (Found::Nothing, Found::Garbage)
        );
    }

    #[test]
    fn reads_what_other_shells_write() {
        let said = "export A='it'\"'\"'s'\nexport B\nexport C='two\nlines'\nexport D=''\nexport __wharf='x'\n";
        let found = parse_exports(said);
        let expected = [("A", "it's"), ("C", "two\nlines"), ("D", "")];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(found, expected);
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
