//! Names that look like another one.

use wharf_shell::registry;

/// Longer names are not compared: nobody mistypes them into something else.
const MAX_NAME: usize = 32;

/// The known name that is nearest to this one, if it is near enough: one slip in four letters, two
/// from five on.
pub(super) fn nearest(name: &str, programs: &[&str]) -> Option<String> {
    if name.len() < 2 || name.len() > MAX_NAME || !name.is_ascii() {
        return None;
    }
    let bound = if name.len() < 5 { 1 } else { 2 };
    let known = registry::names().map(|name| -> &str { name });
    let all = known.chain(programs.iter().copied());
    let letters = letters_of(name);
    // A slip brings in at most one letter and takes out at most one, so that most names need no
    // comparison.
    let alike = |other: &&str| (letters_of(other) ^ letters).count_ones() as usize <= 2 * bound;
    let near = all.filter(alike).filter_map(|other| {
        let slips = distance(name.as_bytes(), other.as_bytes(), bound)?;
        (slips > 0).then_some((slips, other))
    });
    near.min().map(|(_, other)| other.to_owned())
}

/// A bit for each letter that occurs.
fn letters_of(name: &str) -> u64 {
    name.bytes()
        .fold(0, |letters, byte| letters | 1 << (byte % 64))
}

/// Slips between two names, an exchange of neighbours being one; None beyond the bound.
fn distance(a: &[u8], b: &[u8], bound: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > bound || b.len() > MAX_NAME {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], at: usize| row.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut slips = at(&last, j) + usize::from(x != y);
            slips = slips.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let exchanged = i > 0 && j > 0 && a.get(i - 1) == Some(y) && b.get(j - 1) == Some(x);
            if exchanged {
                slips = slips.min(at(&before, j - 1) + 1);
            }
            row.push(slips);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().filter(|slips| *slips <= bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        assert_eq!(distance(b"psuh", b"push", 2), Some(1));
        assert_eq!(distance(b"carg", b"cargo", 2), Some(1));
        assert_eq!(distance(b"abc", b"xyz", 2), None);
        assert_eq!(nearest("gti", &[]).as_deref(), Some("git"));
        assert_eq!(nearest("dokcer", &[]).as_deref(), Some("docker"));
        assert_eq!(nearest("grpe", &[]).as_deref(), Some("grep"));
        assert_eq!(nearest("mytoll", &["mytool"]).as_deref(), Some("mytool"));
        assert_eq!(nearest("zzqqxx", &[]), None);
        assert_eq!(nearest("git", &[]).filter(|name| name == "git"), None);
    }
}
