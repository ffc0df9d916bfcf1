//! Brace expansion: `{a,b}` and `{1..3}`.

/// Braces and commas of one word that are looked at. A word with more is not known: they are looked
/// at once more for each word that it becomes.
const MAX_ACTIVE: usize = 512;

/// Expands a text whose acting braces and commas stand at `active`. At most `limit` results; a
/// text that would become more is returned as not known.
pub(crate) fn expand(text: &str, active: &[usize], limit: usize) -> Vec<String> {
    if active.len() > MAX_ACTIVE {
        return vec!["\0".to_owned()];
    }
    let mut done = Vec::new();
    let mut todo = vec![(text.to_owned(), active.to_vec())];
    while let Some((text, active)) = todo.pop() {
        if done.len() + todo.len() > limit {
            return vec!["\0".to_owned()];
        }
        match first_group(&text, &active) {
            None => done.push(text),
            Some(group) => {
                for choice in group.choices.iter().rev() {
                    todo.push(splice(&text, &active, &group, choice));
                }
            }
        }
    }
    done
}

/// Words of one sequence beyond which a shell would be busy with nothing else.
const MAX_SEQUENCE: u128 = 20_000_000;

/// Whether a sequence such as `{1..999999999}` becomes more words than memory holds.
pub(crate) fn is_bomb(text: &str) -> bool {
    text.contains("..")
        && text.split('{').skip(1).any(|group| {
            let inside = group.split('}').next().unwrap_or_default();
            let mut ends = inside
                .split("..")
                .map(|end| end.trim_start_matches('-').parse::<u128>());
            let (Some(Ok(from)), Some(Ok(to))) = (ends.next(), ends.next()) else {
                return false;
            };
            let step = ends.next().and_then(Result::ok).unwrap_or(1).max(1);
            from.abs_diff(to) / step > MAX_SEQUENCE
        })
}

/// Bytes of the ends of a sequence.
const MAX_ENDS: usize = 128;

struct Group {
    open: usize,
    close: usize,
    /// Stretches of the text, or values of a sequence.
    choices: Vec<Choice>,
}

enum Choice {
    Stretch(usize, usize),
    Value(String),
}

/// A brace that is open, and whether a comma stands between it and its end.
struct Open {
    at: usize,
    comma: bool,
}

/// The first group that can be expanded.
fn first_group(text: &str, active: &[usize]) -> Option<Group> {
    let bytes = text.as_bytes();
    let mut open: Vec<Open> = Vec::new();
    let mut first: Option<(usize, usize, Option<Vec<Choice>>)> = None;
    for at in active {
        match bytes.get(*at) {
            Some(b'{') => open.push(Open {
                at: *at,
                comma: false,
            }),
            Some(b',') => {
                if let Some(open) = open.last_mut() {
                    open.comma = true;
                }
            }
            Some(b'}') => {
                let Some(closed) = open.pop() else { continue };
                // What is found later may begin earlier, around this.
                if first.as_ref().is_some_and(|(start, ..)| *start < closed.at) {
                    continue;
                }
                let values = if closed.comma {
                    None
                } else {
                    sequence(text.get(closed.at + 1..*at).unwrap_or_default())
                };
                if closed.comma || values.is_some() {
                    first = Some((closed.at, *at, values));
                }
            }
            _ => {}
        }
    }
    let (open, close, values) = first?;
    let choices = values.unwrap_or_else(|| stretches(bytes, active, open, close));
    Some(Group {
        open,
        close,
        choices,
    })
}

/// The stretches between the commas of a group.
fn stretches(bytes: &[u8], active: &[usize], open: usize, close: usize) -> Vec<Choice> {
    let mut depth = 0_usize;
    let mut from = open + 1;
    let mut choices = Vec::new();
    for at in active.iter().filter(|at| **at > open && **at < close) {
        match bytes.get(*at) {
            Some(b'{') => depth += 1,
            Some(b'}') => depth = depth.saturating_sub(1),
            Some(b',') if depth == 0 => {
                choices.push(Choice::Stretch(from, *at));
                from = at + 1;
            }
            _ => {}
        }
    }
    choices.push(Choice::Stretch(from, close));
    choices
}

fn splice(text: &str, active: &[usize], group: &Group, choice: &Choice) -> (String, Vec<usize>) {
    let mut out = text.get(..group.open).unwrap_or_default().to_owned();
    let mut kept: Vec<usize> = active
        .iter()
        .copied()
        .filter(|at| *at < group.open)
        .collect();
    match choice {
        Choice::Value(value) => out.push_str(value),
        Choice::Stretch(from, to) => {
            out.push_str(text.get(*from..*to).unwrap_or_default());
            let inside = active.iter().filter(|at| (from..to).contains(at));
            kept.extend(inside.map(|at| at - from + group.open));
        }
    }
    let shift = out.len();
    out.push_str(text.get(group.close + 1..).unwrap_or_default());
    let behind = active.iter().filter(|at| **at > group.close);
    kept.extend(behind.map(|at| at - group.close - 1 + shift));
    (out, kept)
}

/// The values of `a..b` or `a..b..step`; longer sequences than 64 are not known.
fn sequence(inside: &str) -> Option<Vec<Choice>> {
    if inside.len() > MAX_ENDS {
        let numbers = inside
            .bytes()
            .all(|b| b.is_ascii_digit() || b"-+.".contains(&b));
        return numbers.then(|| vec![Choice::Value("\0".to_owned())]);
    }
    let (first, rest) = inside.split_once("..")?;
    let last = rest.split("..").next()?;
    if let (Ok(first), Ok(last)) = (first.parse::<i64>(), last.parse::<i64>()) {
        let (low, high) = (first.min(last), first.max(last));
        if high.saturating_sub(low) > 64 {
            return Some(vec![Choice::Value("\0".to_owned())]);
        }
        return Some((low..=high).map(|n| Choice::Value(n.to_string())).collect());
    }
    let (mut a, mut b) = (first.chars(), last.chars());
    let (first, last) = (a.next()?, b.next()?);
    if a.next().is_some()
        || b.next().is_some()
        || !first.is_ascii_alphabetic()
        || !last.is_ascii_alphabetic()
    {
        return None;
    }
    let (low, high) = (first.min(last), first.max(last));
    Some((low..=high).map(|c| Choice::Value(c.to_string())).collect())
}
