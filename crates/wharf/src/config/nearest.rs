//! The word that was probably meant.

/// The closest of `known` to `word`, if it is close enough to be worth a suggestion: a third of
/// its letters, a swap of neighbours counting as one.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).clamp(1, 3);
    let near = known
        .into_iter()
        .map(|known| (distance(word, known), known));
    near.filter(|near| near.0 <= allowed)
        .min_by_key(|near| near.0)
        .map(|near| near.1)
}

/// Optimal string alignment: insertions, deletions, changes and swaps of neighbours.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before = vec![0; b.len() + 1];
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&above, j) + usize::from(x != y);
            let mut best = changed.min(at(&above, j + 1) + 1).min(at(&row, j) + 1);
            let earlier =
                |text: &[char], k: usize| k.checked_sub(1).and_then(|k| text.get(k).copied());
            if earlier(&a, i) == Some(*y) && earlier(&b, j) == Some(*x) {
                best = best.min(at(&before, j - 1) + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("abc", "", 3),
            ("snyc", "sync", 1),
            ("kitten", "sitting", 3),
            ("größe", "grosse", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
            assert_eq!(distance(b, a), edits, "{b} {a}");
        }
    }

    #[test]
    fn suggests_only_what_is_near() {
        let known = ["serve.port", "serve.listen", "run.meta"];
        assert_eq!(nearest("serve.prot", known), Some("serve.port"));
        assert_eq!(nearest("run.mta", known), Some("run.meta"));
        assert_eq!(nearest("colour", known), None);
    }
}
