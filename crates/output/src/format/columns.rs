//! Forms that repeat line by line: values with commas, pairs, columns, lists.

use super::Seen;
use super::lines::{Sample, share};
use crate::rows::{Columns, csv_rows, pair};

pub(super) fn csv(sample: &Sample<'_>) -> Seen {
    let lines = sample.lines();
    let Some(rows) = csv_rows(&lines, false) else {
        return Seen::default();
    };
    // The order of the header, which a map does not keep.
    let header = lines.first().copied().unwrap_or_default();
    let mark = ['\t', ',', ';', '|']
        .into_iter()
        .find(|mark| header.contains(*mark))
        .unwrap_or(',');
    let columns = header
        .split(mark)
        .map(|name| name.trim().trim_matches('"').to_owned())
        .collect();
    let rows = if sample.is_whole() {
        rows.len() as u64
    } else {
        sample.total.saturating_sub(1)
    };
    Seen {
        share: 1.0,
        columns,
        rows: Some(rows),
    }
}

pub(super) fn key_value(sample: &Sample<'_>) -> Seen {
    let lines = sample.lines();
    if lines.len() < 2 || commits(&lines) > 0.7 {
        return Seen::default();
    }
    let section = |line: &str| {
        line.starts_with('[') && line.trim_end().ends_with(']') || line.starts_with(['#', ';'])
    };
    let pairs: Vec<(&str, &str, char)> = lines
        .iter()
        .filter_map(|line| pair(line).filter(|(_, value, _)| !value.is_empty()))
        .collect();
    let marks = |mark| pairs.iter().filter(|(_, _, this)| *this == mark).count();
    let same = marks(':').max(marks('='));
    let others = lines.iter().filter(|line| section(line)).count();
    // Empty values and lines that go on belong to the pairs as well, but do not speak for them.
    let loose = lines
        .iter()
        .filter(|line| pair(line).is_none() && line.starts_with([' ', '\t']))
        .count();
    let fits = (same + others) as f64 + loose.min(same / 4) as f64;
    let empty = lines
        .iter()
        .filter(|line| pair(line).is_some_and(|(_, value, _)| value.is_empty()))
        .count();
    let share = (fits + empty.min(same / 4) as f64) / lines.len() as f64;
    let mut columns: Vec<String> = Vec::new();
    for (name, _, _) in &pairs {
        if columns.len() < super::MAX_COLUMNS && !columns.iter().any(|known| known == name) {
            columns.push((*name).to_owned());
        }
    }
    // Names come once, or in blocks of many; lines of prose begin with the same word again.
    let distinct = columns.len();
    let once = distinct >= 5 || distinct * 2 > pairs.len();
    // `step 1: …`, `step 2: …` is one name that counts.
    let counted = distinct > 2 && {
        let mut bare = columns
            .iter()
            .map(|name| name.replace(|c: char| c.is_ascii_digit(), ""));
        let first = bare.next();
        bare.all(|name| Some(name) == first) && columns.iter().all(|name| name.contains(' '))
    };
    let enough = once && !counted && same >= 2 && share >= 0.7;
    Seen {
        share: if enough { share.min(1.0) } else { 0.0 },
        columns,
        rows: Some(same as u64),
    }
}

/// Columns by their gutters: places where nearly every line has a blank, between words.
///
/// `asked` says that the registry expects a table, which is enough for one whose names stand one
/// blank apart.
pub(super) fn table(sample: &Sample<'_>, asked: bool) -> Seen {
    let lines = sample.lines();
    let listed = listing(&lines);
    // The lines of a box say nothing.
    let boxed = |line: &&str| !line.chars().all(|c| matches!(c, '\u{2500}'..='\u{257f}'));
    let lines: Vec<&str> = lines.into_iter().filter(boxed).collect();
    if listed.share > 0.0 || lines.len() < 2 {
        return listed;
    }
    let block = Block::find(&lines, asked);
    let body = block.body;
    let words: Vec<usize> = body
        .iter()
        .map(|line| line.split_whitespace().count())
        .collect();
    let usual = most_frequent(&words);
    let same =
        words.iter().filter(|count| **count == usual).count() as f64 / words.len().max(1) as f64;
    let with_header: Vec<&str> = block
        .header
        .into_iter()
        .chain(body.iter().copied())
        .collect();
    let gutters = gutters(&with_header);
    let several = with_header.len() >= 3;
    let even = usual >= 3 && (has_numbers(body) && most_vary(body, usual) || gutters >= 2)
        || usual == 2 && gutters >= 1;
    let barred = share(&with_header, |line| {
        line.contains(" | ") || line.matches('│').count() > 1 || line.starts_with('|')
    });
    let header_words = block
        .header
        .map_or(0, |header| header.split_whitespace().count());
    let score = if barred > 0.9 && several
        || block.header.is_some() && gutters >= 1 && !body.is_empty()
    {
        0.97
    } else if block.capital && (usual >= 2 || same > 0.8) && header_words >= 2 && has_numbers(body)
        || several && (gutters >= 3 || gutters >= 2 && same > 0.9)
        || tabbed(&with_header)
    {
        0.93
    } else if several && same > 0.95 && even
        || asked && block.header.is_some() && header_words >= 3 && has_numbers(body)
    {
        0.9
    } else {
        0.0
    };
    let columns = block.header.map(names).unwrap_or_default();
    let rows = if sample.is_whole() {
        body.len() as u64
    } else {
        sample.total.saturating_sub(block.above as u64)
    };
    Seen {
        share: score,
        columns,
        rows: Some(rows),
    }
}

/// A table and what stands around it.
struct Block<'l> {
    /// Lines that are looked at for the header, as some tables have a heading.
    above: usize,
    header: Option<&'l str>,
    /// The header is in capitals.
    capital: bool,
    body: &'l [&'l str],
}

/// Lines that may stand above a header.
const ABOVE: usize = 8;

impl<'l> Block<'l> {
    fn find(lines: &'l [&'l str], asked: bool) -> Self {
        // `vmstat` groups its columns above their names.
        let grouped = lines
            .first()
            .filter(|line| is_rule(line) && line.contains(|c: char| c.is_alphabetic()));
        let at = grouped.map(|_| 1).or_else(|| {
            lines
                .iter()
                .take(ABOVE)
                .position(|line| is_header(line) || asked && is_titled(line))
                .or_else(|| {
                    lines
                        .iter()
                        .take(ABOVE)
                        .skip(1)
                        .position(|line| is_rule(line))
                })
        });
        let Some(at) = at else {
            return Self {
                above: 0,
                header: None,
                capital: false,
                body: lines,
            };
        };
        let header = lines.get(at).copied();
        let mut body = lines.get(at + 1..).unwrap_or_default();
        let mut above = at + 1;
        while let Some(rest) = body
            .split_first()
            .filter(|(first, _)| is_rule(first))
            .map(|(_, rest)| rest)
        {
            body = rest;
            above += 1;
        }
        // A rule or a legend ends the table.
        let end = body
            .iter()
            .position(|line| is_rule(line) || line.contains(" = ") || line.starts_with('('))
            .unwrap_or(body.len());
        let capital = header.is_some_and(|header| !header.chars().any(char::is_lowercase));
        Self {
            above,
            header,
            capital,
            body: body.get(..end).unwrap_or(body),
        }
    }
}

/// Words that all begin with a capital or a sign, as `Recv-Q Send-Q Local Address:Port`.
fn is_titled(line: &str) -> bool {
    let mut words = line.split_whitespace().peekable();
    let many = line.split_whitespace().count() >= 3;
    many && words.all(|word| word.starts_with(|c: char| c.is_uppercase() || matches!(c, '%' | '#')))
        && !line.contains(": ")
}

/// Lines of `ls -l`, also a single one, with headings of directories between them.
fn listing(lines: &[&str]) -> Seen {
    let rows = lines.iter().filter(|line| is_listing(line)).count();
    let around = lines
        .iter()
        .filter(|line| line.starts_with("total ") || line.ends_with(':'))
        .count();
    let share = (rows + around) as f64 / lines.len().max(1) as f64;
    let listed = rows > 0 && share > 0.8;
    Seen {
        share: if listed { 0.97 } else { 0.0 },
        columns: Vec::new(),
        rows: Some(rows as u64),
    }
}

fn names(header: &str) -> Vec<String> {
    let wide = Columns::read(header, 2)
        .map(|columns| columns.keys)
        .unwrap_or_default();
    if wide.len() > 1 {
        return wide;
    }
    Columns::read(header, 1)
        .map(|columns| columns.keys)
        .unwrap_or_default()
}

fn is_listing(line: &str) -> bool {
    line.split_whitespace()
        .next()
        .is_some_and(crate::rows::is_mode)
        && line.split_whitespace().count() > 5
        || line
            .split_whitespace()
            .nth(2)
            .is_some_and(crate::rows::is_mode)
}

fn is_rule(line: &str) -> bool {
    let marks = line
        .chars()
        .filter(|c| matches!(c, '-' | '+' | '=' | '|' | '\u{2500}'..='\u{257f}'))
        .count();
    let others = line.chars().filter(|c| !c.is_whitespace()).count() - marks;
    line.contains("--") && (others == 0 || marks > others) || marks > 3 && others == 0
}

/// Names in capitals, or capitalised words two blanks apart.
fn is_header(line: &str) -> bool {
    let letters = line.chars().filter(|c| c.is_alphabetic()).count();
    let words = line.split_whitespace().count();
    let capitals = letters >= 3
        && !line.chars().any(char::is_lowercase)
        && words >= 2
        && !line.contains(['=', '/', '.']);
    let numbers = line
        .split_whitespace()
        .any(|word| word.parse::<f64>().is_ok());
    let wide = line
        .trim()
        .split("  ")
        .filter(|part| !part.trim().is_empty())
        .count();
    let titled = line
        .split_whitespace()
        .filter(|word| {
            word.starts_with(|c: char| c.is_uppercase() || matches!(c, '%' | '#' | '(' | '1'))
        })
        .count()
        * 2
        > words;
    !numbers && (capitals || wide >= 3 && (titled || words == wide))
}

fn has_numbers(lines: &[&str]) -> bool {
    share(lines, |line| {
        line.split_whitespace()
            .any(|word| word.starts_with(|c: char| c.is_ascii_digit()))
    }) > 0.8
}

/// Whether most words differ from line to line. `file 1 is read`, `file 2 is read` is a sentence
/// that comes again, and no table of four columns.
fn most_vary(lines: &[&str], usual: usize) -> bool {
    let mut rows = lines
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|words| words.len() == usual);
    let Some(first) = rows.next() else {
        return false;
    };
    let mut varies = vec![false; usual];
    for row in rows {
        for ((word, of_first), varies) in row.iter().zip(&first).zip(&mut varies) {
            *varies |= word != of_first;
        }
    }
    varies.iter().filter(|varies| **varies).count() * 2 > usual
}

fn tabbed(lines: &[&str]) -> bool {
    let counts: Vec<usize> = lines
        .iter()
        .map(|line| line.matches('\t').count())
        .collect();
    let usual = most_frequent(&counts);
    usual >= 1
        && counts.iter().filter(|count| **count == usual).count() * 20 >= counts.len() * 19
        && lines.len() >= 2
}

fn most_frequent(counts: &[usize]) -> usize {
    let mut sorted = counts.to_vec();
    sorted.sort_unstable();
    let mut best = (0, 0);
    for chunk in sorted.chunk_by(|a, b| a == b) {
        if chunk.len() > best.0 {
            best = (chunk.len(), chunk.first().copied().unwrap_or_default());
        }
    }
    best.1
}

/// Lines that are looked at for gutters.
const GUTTER_LINES: usize = 100;
/// Characters of a line that are looked at for gutters.
const GUTTER_WIDTH: usize = 400;

/// How many gutters there are: columns of blanks at least two wide on some line, with words on
/// both sides on most.
fn gutters(lines: &[&str]) -> usize {
    let lines: Vec<Vec<bool>> = lines
        .iter()
        .take(GUTTER_LINES)
        .map(|line| {
            line.chars()
                .take(GUTTER_WIDTH)
                .map(char::is_whitespace)
                .collect()
        })
        .collect();
    let width = lines.iter().map(Vec::len).max().unwrap_or_default();
    let mut count = 0;
    let mut open = false;
    let mut text_before = false;
    let mut wide = false;
    for at in 0..width {
        let reached = lines.iter().filter(|line| line.len() > at).count();
        let blank = lines
            .iter()
            .filter(|line| line.get(at).copied().unwrap_or(true))
            .count();
        // Beyond most lines nothing can be told.
        if reached * 3 < lines.len() * 2 {
            break;
        }
        let all_blank = blank * 100 >= lines.len() * 97;
        if all_blank && text_before {
            open = true;
            wide |= lines
                .iter()
                .filter(|line| {
                    line.get(at) == Some(&true)
                        && (line.get(at + 1) == Some(&true)
                            || at > 0 && line.get(at - 1) == Some(&true))
                })
                .count()
                * 5
                > lines.len();
        } else if !all_blank {
            if open && wide {
                count += 1;
            }
            (open, wide) = (false, false);
            text_before = true;
        }
    }
    count
}

/// One thing a line: words alone, paths, places in files, or marks before each.
pub(super) fn list(sample: &Sample<'_>) -> Seen {
    let lines = sample.lines();
    let bare = share(&lines, |line| !line.trim().contains(char::is_whitespace));
    let marked = share(&lines, |line| {
        let text = line.trim_start();
        ["- ", "* ", "• ", "+ "]
            .iter()
            .any(|mark| text.starts_with(mark))
            || is_numbered(text)
    });
    let places = share(&lines, is_place);
    let paths = share(&lines, |line| {
        line.starts_with(['/', '.', '~'])
            && line.contains('/')
            && line.split_whitespace().count() < 4
    });
    // Branches and stashes: a short mark or nothing, then a word.
    let branches = share(&lines, |line| {
        let text = line.trim_start_matches(['*', '+', ' ']);
        line.starts_with(['*', ' ', '+']) && !text.is_empty() && !text.contains(' ')
    });
    let commits = commits(&lines);
    let best = [bare, marked, places, paths, branches, commits]
        .into_iter()
        .fold(0.0_f64, f64::max);
    let one = lines.len() == 1 && bare < 1.0;
    Seen {
        share: if one { 0.0 } else { best },
        columns: Vec::new(),
        rows: Some(if sample.is_whole() {
            lines.len() as u64
        } else {
            sample.total
        }),
    }
}

/// The share of lines that begin with the name of a commit.
fn commits(lines: &[&str]) -> f64 {
    share(lines, |line| {
        line.split_once(' ').is_some_and(|(word, rest)| {
            (7..=64).contains(&word.len())
                && word.bytes().all(|b| b.is_ascii_hexdigit())
                && word.bytes().any(|b| b.is_ascii_digit())
                && !rest.is_empty()
        })
    })
}

fn is_numbered(text: &str) -> bool {
    let rest = text.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.len() < text.len() && (rest.starts_with(". ") || rest.starts_with(") "))
}

/// `path:12:text`.
fn is_place(line: &str) -> bool {
    let mut parts = line.splitn(3, ':');
    let path = parts
        .next()
        .is_some_and(|path| !path.is_empty() && !path.contains(' '));
    path && parts
        .next()
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()))
        && parts.next().is_some()
}
