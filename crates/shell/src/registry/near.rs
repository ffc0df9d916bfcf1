//! The word that was probably meant.

/// Letters that may be wrong.
const MAX_DISTANCE: usize = 2;

/// Letters of a word that is looked at; no key is longer, and the work grows with the square.
const MAX_LETTERS: usize = 40;

/// The nearest of the names, if one is near enough: at most a third of the letters are wrong.
pub(super) fn nearest<'n>(word: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let letters: Vec<char> = word.chars().take(MAX_LETTERS + 1).collect();
    if letters.len() > MAX_LETTERS {
        return None;
    }
    let allowed = (letters.len().max(3) / 3).min(MAX_DISTANCE);
    names
        .map(|name| (distance(&letters, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// Letters to add, take away or change to make one word of the other.
fn distance(a: &[char], b: &str) -> usize {
    let mut row: Vec<usize> = (0..=a.len()).collect();
    for (j, y) in b.chars().enumerate() {
        let mut left = j + 1;
        let mut diagonal = std::mem::replace(row.first_mut().unwrap_or(&mut 0), left);
        for (cell, x) in row.iter_mut().skip(1).zip(a) {
            let best = (diagonal + usize::from(*x != y))
                .min(*cell + 1)
                .min(left + 1);
            diagonal = std::mem::replace(cell, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_seen_and_another_word_is_not() {
        let names = ["category", "risk", "related", "raises"];
        for (word, expected) in [
            ("categry", Some("category")),
            ("riks", None),
            ("rsk", Some("risk")),
            ("relatd", Some("related")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, names.into_iter()), expected, "{word}");
        }
    }

    #[test]
    fn long_words_are_not_compared() {
        let long = "x".repeat(MAX_LETTERS + 1);
        assert_eq!(nearest(&long, [long.as_str()].into_iter()), None);
        let just = "x".repeat(MAX_LETTERS);
        assert_eq!(
            nearest(&just, [just.as_str()].into_iter()),
            Some(just.as_str())
        );
    }
}
