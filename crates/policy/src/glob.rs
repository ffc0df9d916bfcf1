//! Patterns of names and of paths.
//!
//! A path in a command may hold patterns itself (`rm ~/.ss*`), or a part that nobody knows. So
//! the question is not whether a pattern matches a text, but whether the two could name the same
//! file. Where that cannot be told, they could.

/// The longest path that is compared; a longer one could be anything.
const MAX_PATH: usize = 4_096;

/// Whether `*` (any text) and `?` (any character) of a pattern match a name. Takes no memory, and
/// time that is the product of the lengths at worst: every question asks it for every member.
pub(crate) fn name_matches(pattern: &str, name: &str) -> bool {
    let (mut pattern, mut name) = (pattern.chars(), name.chars());
    // Where to go on when the last `*` has to take one character more.
    let mut again = None;
    loop {
        let here = (pattern.clone(), name.clone());
        let matched = match (pattern.next(), name.next()) {
            (None, None) => return true,
            (Some('*'), _) => {
                (pattern, name) = (pattern, here.1);
                again = Some((pattern.clone(), name.clone()));
                true
            }
            (Some('?'), Some(_)) => true,
            (Some(x), Some(y)) => x == y,
            _ => false,
        };
        if matched {
            continue;
        }
        let Some((after, mut from)) = again.take() else {
            return false;
        };
        if from.next().is_none() {
            return false;
        }
        (pattern, name) = (after.clone(), from.clone());
        again = Some((after, from));
    }
}

/// A pattern of absolute paths: `*` and `?` stay inside a name, `**` does not.
#[derive(Clone, Debug)]
pub(crate) struct PathGlob {
    anchor: Anchor,
    tokens: Vec<Token>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Anchor {
    Root,
    Home,
    Tree,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    /// One character.
    One,
    /// Any part of a name.
    Name,
    /// Anything.
    Deep,
}

impl PathGlob {
    /// Reads a pattern: `/etc/**`, `~/.ssh/*`, `./deploy/**`, `**/.env`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (anchor, rest) = if let Some(rest) = text.strip_prefix('~') {
            (Anchor::Home, rest)
        } else if let Some(rest) = text.strip_prefix('.') {
            (Anchor::Tree, rest)
        } else {
            (Anchor::Root, text)
        };
        let legal = rest.starts_with('/') || (text.starts_with("**/")) || rest.is_empty();
        if !legal || text.is_empty() || text.len() > MAX_PATH {
            return None;
        }
        Some(Self {
            anchor,
            tokens: tokens(rest, false),
        })
    }

    /// Whether a path in a command could name something that the pattern names. What lies deeper
    /// counts for patterns that say where they begin: one that may begin anywhere would be below
    /// every directory.
    pub(crate) fn could_be(&self, path: &str, depth: Depth, home: &str, tree: &str) -> bool {
        if path.len() > MAX_PATH {
            return true;
        }
        let anchor = self.anchor(home, tree);
        if !self.may_meet(anchor, path) {
            return false;
        }
        let mut pattern: Vec<Token> = anchor.chars().map(Token::Char).collect();
        pattern.extend_from_slice(&self.tokens);
        let mut path = tokens(path, true);
        if overlap(&pattern, &path) {
            return true;
        }
        if pattern.first() == Some(&Token::Deep) {
            return false;
        }
        let deeper = match depth {
            Depth::This => return false,
            Depth::Inside => Token::Name,
            Depth::Below => Token::Deep,
        };
        if path.last() != Some(&Token::Char('/')) {
            path.push(Token::Char('/'));
        }
        path.push(deeper);
        overlap(&pattern, &path)
    }

    /// Steps that [`could_be`](Self::could_be) takes at most.
    pub(crate) fn cost(&self, path: &str, home: &str, tree: &str) -> usize {
        let anchor = self.anchor(home, tree);
        if path.len() > MAX_PATH || !self.may_meet(anchor, path) {
            return path.len().min(MAX_PATH);
        }
        2 * (anchor.len() + self.tokens.len() + 1) * (path.len() + 2)
    }

    const fn anchor<'a>(&self, home: &'a str, tree: &'a str) -> &'a str {
        match self.anchor {
            Anchor::Root => "",
            Anchor::Home => home,
            Anchor::Tree => tree,
        }
    }

    /// A look at the plain text at both beginnings, or at both ends where the pattern may begin
    /// anywhere: most paths are told apart by it.
    fn may_meet(&self, anchor: &str, path: &str) -> bool {
        let acts = |c: &char| matches!(c, '*' | '?' | '[' | '\0' | '\u{2026}');
        let plain = |token: &Token| match token {
            Token::Char(c) => Some(*c),
            _ => None,
        };
        if anchor.is_empty() && self.tokens.first() == Some(&Token::Deep) {
            let pattern = self.tokens.iter().rev().map_while(plain);
            let path = path.chars().rev().take_while(|c| !acts(c) && *c != ']');
            return pattern.zip(path).all(|(x, y)| x == y);
        }
        let pattern = anchor.chars().chain(self.tokens.iter().map_while(plain));
        let path = path.chars().take_while(|c| !acts(c));
        pattern.zip(path).all(|(x, y)| x == y)
    }
}

/// How much of what a path leads to is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Depth {
    /// Itself.
    This,
    /// Also a file in it, should it be a directory.
    Inside,
    /// Also everything below.
    Below,
}

/// `in_command`: also `[…]`, and what is not known.
fn tokens(text: &str, in_command: bool) -> Vec<Token> {
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        out.push(match c {
            '*' if chars.peek() == Some(&'*') => {
                chars.next();
                Token::Deep
            }
            '*' => Token::Name,
            '?' => Token::One,
            '[' if in_command => {
                while chars.next_if(|c| *c != ']').is_some() {}
                chars.next();
                Token::One
            }
            '\0' | '\u{2026}' if in_command => Token::Deep,
            c => Token::Char(c),
        });
    }
    out
}

/// Whether some text matches both. Time and space are the product of the lengths.
fn overlap(a: &[Token], b: &[Token]) -> bool {
    let width = b.len() + 1;
    // `rows` holds the answers for what is left of `a` from here, from one and from two on.
    let mut next = vec![false; width];
    let mut after = vec![false; width];
    for i in (0..=a.len()).rev() {
        let mut row = vec![false; width];
        for j in (0..=b.len()).rev() {
            let at = |row: &[bool], index: usize| row.get(index).copied().unwrap_or(false);
            let (x, y) = (a.get(i), b.get(j));
            let mut yes = x.is_none() && y.is_none();
            if let Some(x) = x
                && x.is_many()
            {
                yes |= at(&next, j) || y.is_some_and(|y| x.takes(*y)) && at(&row, j + 1);
                // `/**/` is also `/`, and `**/` nothing, where a name begins.
                let slash = Some(&Token::Char('/'));
                let begins = |tokens: &[Token], index: usize| {
                    index.checked_sub(1).is_none_or(|before| {
                        let before = tokens.get(before);
                        before == slash || before.is_some_and(|token| token.is_many())
                    })
                };
                let may_vanish = *x == Token::Deep && a.get(i + 1) == slash;
                if may_vanish && begins(a, i) && begins(b, j) {
                    yes |= at(&after, j);
                }
            }
            if let Some(y) = y
                && y.is_many()
            {
                yes |= at(&row, j + 1) || x.is_some_and(|x| y.takes(*x)) && at(&next, j);
            }
            if let (Some(x), Some(y)) = (x, y)
                && x.meets(*y)
            {
                yes |= at(&next, j + 1);
            }
            if let Some(cell) = row.get_mut(j) {
                *cell = yes;
            }
        }
        after = std::mem::replace(&mut next, row);
    }
    next.first().copied().unwrap_or(false)
}

impl Token {
    const fn is_many(self) -> bool {
        matches!(self, Self::Name | Self::Deep)
    }

    /// Whether a token of many can take this one in.
    fn takes(self, other: Self) -> bool {
        self == Self::Deep || other != Self::Char('/')
    }

    /// Whether two tokens can be the same one character.
    fn meets(self, other: Self) -> bool {
        match (self, other) {
            (Self::Char(x), Self::Char(y)) => x == y,
            (Self::One, Self::Char(c)) | (Self::Char(c), Self::One) => c != '/',
            (Self::One, Self::One) => true,
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn could(pattern: &str, path: &str, depth: Depth) -> bool {
        PathGlob::parse(pattern)
            .expect("a pattern")
            .could_be(path, depth, "/home/u", "/home/u/p")
    }

    #[test]
    fn names_match_with_any_text_in_between() {
        for (pattern, name) in [
            ("", ""),
            ("*", ""),
            ("*", "abc"),
            ("a*", "a"),
            ("*c", "abc"),
            ("a*c", "abbc"),
            ("a?c", "abc"),
            ("*a*b*", "xxaxxbxx"),
            ("**", "x"),
            ("prod-*", "prod-1"),
            ("*ab", "aab"),
            ("a*b*c", "abxbc"),
        ] {
            assert!(name_matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in [
            ("", "a"),
            ("a", ""),
            ("a*", "ba"),
            ("?", ""),
            ("*c", "abd"),
            ("a*c", "ab"),
            ("prod-*", "prod"),
            ("*ab", "aba"),
            ("a", "aa"),
        ] {
            assert!(!name_matches(pattern, name), "{pattern} {name}");
        }
    }

    #[test]
    fn patterns_meet_paths() {
        for (pattern, path) in [
            ("/etc/**", "/etc/a/b"),
            ("/etc/*", "/etc/a"),
            ("~/.ssh/**", "/home/u/.ssh/id"),
            ("./deploy/**", "/home/u/p/deploy/x"),
            ("**/.env", "/srv/app/.env"),
            ("**/.env", "/.env"),
            ("/a/**/b", "/a/b"),
            ("/a/**/b", "/a/x/y/b"),
            ("/etc/h?sts", "/etc/hosts"),
        ] {
            assert!(could(pattern, path, Depth::This), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("/etc/*", "/etc/a/b"),
            ("/etc/**", "/etcetera"),
            ("/etc/**", "/etc"),
            ("**/.env", "/srv/app.env"),
            ("/a/**/b", "/a/xb"),
            ("~/.ssh/**", "/root/.ssh/id"),
        ] {
            assert!(!could(pattern, path, Depth::This), "{pattern} {path}");
        }
    }

    #[test]
    fn what_is_not_known_could_be_it() {
        assert!(could("~/.ssh/**", "/home/u/.ss*/id", Depth::This));
        assert!(could("~/.ssh/**", "/home/u/\0/id", Depth::This));
        assert!(could("~/.ssh/**", "\0", Depth::This));
        assert!(could("/etc/passwd", "/etc/[op]asswd", Depth::This));
        assert!(!could("~/.ssh/**", "/etc/\0", Depth::This));
        assert!(could("/etc/passwd", &"x".repeat(MAX_PATH + 1), Depth::This));
        assert!(!could("/etc/passwd", &"x".repeat(MAX_PATH), Depth::This));
    }

    #[test]
    fn who_takes_a_directory_takes_what_is_below() {
        assert!(could("~/.ssh/**", "/home/u", Depth::Below));
        assert!(could("~/.ssh/id", "/", Depth::Below));
        assert!(!could("~/.ssh/**", "/home/u", Depth::This));
        assert!(!could("~/.ssh/**", "/home/u/.sshd", Depth::Below));
        assert!(could("~/.ssh/*", "/home/u/.ssh", Depth::Inside));
        assert!(!could("~/.ssh/a/b", "/home/u/.ssh", Depth::Inside));
        assert!(!could("**/*.pem", "/home/u/p/target", Depth::Below));
    }

    #[test]
    fn patterns_without_an_anchor_are_none() {
        for text in ["", "etc/x", "~x", ".x", "*"] {
            assert!(PathGlob::parse(text).is_none(), "{text}");
        }
    }

    proptest::proptest! {
        /// The quick look at beginnings and ends never says no where the slow way says yes.
        #[test]
        fn the_quick_look_never_hides_a_match(
            pattern in "(/|~/|[*][*]/)[ab/*?]{0,6}",
            path in "/[ab/*?]{0,8}",
            deep in 0..3,
        ) {
            let depth = [Depth::This, Depth::Inside, Depth::Below][deep as usize];
            let glob = PathGlob::parse(&pattern).expect("a pattern");
            let mut slow: Vec<Token> = match glob.anchor {
                Anchor::Home => "/a".chars().map(Token::Char).collect(),
                _ => Vec::new(),
            };
            slow.extend_from_slice(&glob.tokens);
            if overlap(&slow, &tokens(&path, true)) {
                proptest::prop_assert!(glob.could_be(&path, depth, "/a", "/b"));
            }
        }

        #[test]
        fn names_match_as_a_search_of_everything_would(pattern in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let slow: Vec<Token> = pattern.chars().map(|c| match c {
                '*' => Token::Deep,
                c => Token::Char(c),
            }).collect();
            let plain: Vec<Token> = name.chars().map(Token::Char).collect();
            proptest::prop_assert_eq!(name_matches(&pattern, &name), overlap(&slow, &plain));
        }
    }
}
