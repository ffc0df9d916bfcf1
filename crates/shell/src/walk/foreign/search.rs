//! Looks for the words of a language in one pass over the code, however many words there are.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use super::literals::Code;
use super::words::{self, Language};

/// The words of each language, to be looked for together.
static SEARCHES: LazyLock<Vec<(Language, Option<AhoCorasick>)>> = LazyLock::new(|| {
    let search = |language: Language| {
        let words = words::of(language).iter().map(|(word, _)| word);
        (language, AhoCorasick::new(words).ok())
    };
    Language::ALL.iter().copied().map(search).collect()
});

/// Where words of the language stand: the place of the word in its table, and that in the code, in
/// this order. Of each word one place more than `most` is found. `None` when they cannot be looked
/// for.
pub(super) fn places(
    code: &Code<'_>,
    language: Language,
    most: usize,
) -> Option<Vec<(usize, usize)>> {
    let mut searches = SEARCHES.iter();
    let (_, search) = searches.find(|(other, _)| *other == language)?;
    let search = search.as_ref()?;
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
        assert!(SEARCHES.iter().all(|(_, search)| search.is_some()));
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
            assert_eq!(places(&code, *language, 100), Some(one_by_one), "{language:?}");
        }
    }

    #[test]
    fn of_each_word_one_more_than_asked_for_is_found() {
        let text = "open(1);".repeat(9) + "os.system('a')";
        let code = Code::read(&text, Language::Python);
        assert_eq!(places(&code, Language::Python, 3).map(|all| all.len()), Some(5));
    }
}
