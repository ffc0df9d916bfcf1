//! Texts of the corpora, and the same with pieces cut out, put in, doubled and joined, by a
//! generator whose seed is fixed, so that a failure can be seen again.

use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    c: String,
}

#[derive(Deserialize)]
struct Cases {
    case: Vec<Case>,
}

/// Every text of the corpora.
pub(crate) fn corpus() -> Vec<String> {
    let files = [
        include_str!("../cases/shapes.toml"),
        include_str!("../cases/danger.toml"),
        include_str!("../cases/ordinary.toml"),
    ];
    let lists = [
        include_str!("../cases/evasions.txt"),
        include_str!("../cases/lookalikes.txt"),
        include_str!("../cases/hostile.txt"),
        include_str!("../cases/everyday.txt"),
    ];
    let cases = files
        .iter()
        .filter_map(|file| toml::from_str::<Cases>(file).ok())
        .flat_map(|cases| cases.case)
        .map(|case| case.c);
    let lines = lists
        .iter()
        .flat_map(|list| list.lines())
        .filter(|line| !line.is_empty() && !line.starts_with("##"))
        .map(|line| line.replace("\\n", "\n"));
    cases.chain(lines).collect()
}

const PIECES: &[&str] = &[
    "(",
    ")",
    "'",
    "\"",
    "`",
    "$(",
    "${",
    "}",
    ";",
    "&",
    "|",
    " ",
    "\n",
    "<<E\n",
    "\\",
    "fi",
    " in ",
    "{ ",
    "[[ ",
    "((",
    ">",
    "#",
    "!",
    "$x",
    "; ls",
    "&& a",
    "=",
    "<(",
    "\nE\n",
    "case x in ",
    "do ",
    "$((",
    "]",
    "*",
    "~",
    "eval ",
    "f() { ",
    "\t",
    "x=",
];

/// A text with one to three changes.
pub(crate) fn mutate(text: &str, others: &[String], random: &mut Random) -> String {
    let mut text = text.to_owned();
    for _ in 0..=random.below(3) {
        let boundaries: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let Some(at) = boundaries
            .get(random.below(boundaries.len().max(1)))
            .copied()
        else {
            return text;
        };
        match random.below(5) {
            0 | 1 => text.insert_str(
                at,
                PIECES
                    .get(random.below(PIECES.len()))
                    .copied()
                    .unwrap_or(" "),
            ),
            2 => {
                text.remove(at);
            }
            3 => text.truncate(at),
            _ => {
                let other = others.get(random.below(others.len().max(1)));
                text.push_str(
                    ["; ", "\n", " | ", " && "]
                        .get(random.below(4))
                        .copied()
                        .unwrap_or(" "),
                );
                text.push_str(other.map_or("", String::as_str));
            }
        }
    }
    text
}

/// A xorshift generator.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound.max(1) as u64).unwrap_or(0)
    }
}
