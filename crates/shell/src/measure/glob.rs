//! Patterns for names, as bash and `find` read them.

/// Whether a text holds `*`, `?` or `[`.
#[must_use]
pub fn has_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Whether a name is like a pattern: `*` stands for anything, `?` for one character, `[a-z]` and
/// `[!a]` for one of a set or outside of one, `\` takes the meaning of the next character.
///
/// Takes time proportional to the product of the lengths at worst, never more.
#[must_use]
pub fn matches_pattern(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p, n));
            p += 1;
        } else if let Some(len) = one(pattern.get(p..).unwrap_or_default(), *c) {
            p += len;
            n += 1;
        } else if let Some((star, from)) = retry {
            retry = Some((star, from + 1));
            (p, n) = (star + 1, from + 1);
        } else {
            return false;
        }
    }
    let rest = pattern.get(p..).unwrap_or_default();
    rest.iter().all(|c| *c == '*')
}

/// How long the beginning of a pattern is that stands for this character.
fn one(pattern: &[char], c: char) -> Option<usize> {
    match pattern {
        ['?', ..] => Some(1),
        ['\\', escaped, ..] => (*escaped == c).then_some(2),
        ['[', rest @ ..] => set(rest, c).unwrap_or_else(|| (c == '[').then_some(1)),
        [plain, ..] => (*plain == c).then_some(1),
        [] => None,
    }
}

/// The set behind a `[`: whether it holds the character, with the length of all of it. `None`
/// when it is never closed, so that the `[` stands for itself.
fn set(rest: &[char], c: char) -> Option<Option<usize>> {
    let negated = matches!(rest.first(), Some('!' | '^'));
    let mut at = usize::from(negated);
    let mut holds = false;
    let from = at;
    loop {
        let first = *rest.get(at)?;
        if first == ']' && at > from {
            return Some((holds != negated).then_some(at + 2));
        }
        match (rest.get(at + 1), rest.get(at + 2)) {
            (Some('-'), Some(last)) if *last != ']' => {
                holds |= (first..=*last).contains(&c);
                at += 3;
            }
            _ => {
                holds |= first == c;
                at += 1;
            }
        }
    }
}
