//! Looks for the words of a language in one pass over the code, however many words there are.

use std::sync::{LazyLock, OnceLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use super::literals::Code;
use super::words::{self, Language};

/// The words of each language, to be looked for together, once they are needed.
static SEARCHES: LazyLock<Vec<(Language, OnceLock<Option<AhoCorasick>>)>> = LazyLock::new(|| {
    let all = Language::ALL.iter();
    all.map(|language| (*language, OnceLock::new())).collect()
});

/// Words to be looked for together. What is made is not the fastest there is, but the soonest made.
pub(super) fn of<'w>(words: impl IntoIterator<Item = &'w &'w str>) -> Option<AhoCorasick> {
    let kind = AhoCorasickKind::ContiguousNFA;
    AhoCorasick::builder().kind(Some(kind)).build(words).ok()
}

fn search(language: Language) -> Option<&'static AhoCorasick> {
    let mut searches = SEARCHES.iter();
    let (_, search) = searches.find(|(other, _)| *other == language)?;
    let made = search.get_or_init(|| of(words::of(language).iter().map(|(word, _)| word)));
    made.as_ref()
}

/// Where words of the language stand: the place of the word in its table, and that in the code, in
/// this order. Of each word one place more than `most` is found. `None` when they cannot be looked
/// for.
pub(super) fn places(
    code: &Code<'_>,
    language: Language,
    most: usize,
) -> Option<Vec<(usize, usize)>> {
    let search = search(language)?;
    let words = words::of(language);
    let mut counts = vec![0_usize; words.len()];
    let mut places = Vec::new();
    for found in search.find_overlapping_iter(code.bare()) {
        let index = found.pattern().as_usize();
        let (Some((word, _)), Some(count)) = (words.get(index), counts.get_mut(index)) else {
            continue;
        };
        if *count <= most && code.is_word(word, found.start()) {
            *count += 1;
            places.push((index, found.start()));
        }
    }
    places.sort_unstable();
    Some(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_can_be_looked_for() {
        assert!(
            Language::ALL
                .iter()
                .all(|language| search(*language).is_some())
        );
    }

    #[test]
    fn one_pass_finds_what_one_for_each_word_would() {
        let text = "import os; os.system('a'); io.open('b'); xopen(1); open(2); eval; evals \
                    shutil.rmtree; os.execvp; os.exec; from os.path import a; from os. p.unlink";
        for language in Language::ALL {
            let code = Code::read(text, *language);
            let words = words::of(*language).iter().enumerate();
            let one_by_one: Vec<(usize, usize)> = words
                .flat_map(|(index, (word, _))| {
                    let places = code.places(word).into_iter();
                    places.map(move |at| (index, at))
                })
                .collect();
            assert_eq!(
                places(&code, *language, 100),
                Some(one_by_one),
                "{language:?}"
            );
        }
    }

    #[test]
    fn of_each_word_one_more_than_asked_for_is_found() {
        let text = "open(1);".repeat(9) + "os.system('a')";
        let code = Code::read(&text, Language::Python);
        assert_eq!(
            places(&code, Language::Python, 3).map(|all| all.len()),
            Some(5)
        );
    }
}
