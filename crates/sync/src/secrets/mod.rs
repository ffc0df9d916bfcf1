//! Secrets in what would be uploaded: file, line and kind, never what they are.
//!
//! What is found stops a push, so it must be right: a value is a secret by its own shape, or because
//! its name says so *and* it looks random. References (`${VAR}`, `{env:VAR}`), examples and words
//! are none.

mod allow;

use std::collections::HashMap;

use wharf_secrets::{SecretKind, begins_private_key, ends_private_key, in_line};

use crate::profile::ProfilePath;

pub use allow::{ALLOW_FILE, Allowed};

/// The most findings that are returned of one file; one is enough to refuse it.
pub const FINDINGS_MAX: usize = 100;

/// The least length of a value that is taken for random.
const RANDOM_CHARS_MIN: usize = 16;

/// The least length of a line of a private key but for its last.
const KEY_LINE_MIN: usize = 32;

/// A place that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: ProfilePath,
    /// The line, from 1.
    pub line: usize,
    /// What it looks like.
    pub kind: SecretKind,
    /// The line of [`ALLOW_FILE`] that overrules it; nothing overrules a whole private key.
    pub mark: Option<String>,
}

/// What was found in one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Secrets, [`FINDINGS_MAX`] at the most.
    pub secrets: Vec<Finding>,
    /// What a person said to be none, as many at the most.
    pub overruled: Vec<Finding>,
}

/// The secrets in a file. What is not UTF-8 is looked at as far as it is.
#[must_use]
pub fn find(path: &ProfilePath, content: &[u8], allowed: &Allowed) -> Found {
    let text = String::from_utf8_lossy(content);
    let is_allow_file = path.as_str() == ALLOW_FILE;
    let mut found = Found::default();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if found.secrets.len() >= FINDINGS_MAX {
            break;
        }
        let line = if is_allow_file {
            allow::without_mark(line)
        } else {
            line.into()
        };
        let mut kinds = of_line(&line);
        if begins_private_key(&line) {
            let body = match ends_private_key(&line) {
                true => 0,
                false => body_of_key(lines.clone().map(|(_, line)| line)),
            };
            if body > 0 || has_body(&line) {
                found.add_key(path, at + 1);
                lines.by_ref().take(body).for_each(drop);
                continue;
            }
            // Only its head is told of; what follows is looked at like anything.
            kinds.push(SecretKind::PrivateKey);
        }
        found.add(path, at + 1, &kinds, &line, allowed);
    }
    found.secrets.truncate(FINDINGS_MAX);
    found
}

impl Found {
    fn add_key(&mut self, path: &ProfilePath, line: usize) {
        self.secrets.push(Finding {
            path: path.clone(),
            line,
            kind: SecretKind::PrivateKey,
            mark: None,
        });
    }

    /// What overrules is asked before anything is left out for the number of it.
    fn add(
        &mut self,
        path: &ProfilePath,
        line: usize,
        kinds: &[SecretKind],
        text: &str,
        allowed: &Allowed,
    ) {
        let mut seen: HashMap<SecretKind, usize> = HashMap::new();
        for kind in kinds {
            let nth = seen.entry(*kind).or_default();
            let mark = allow::mark(path, *kind, text, *nth);
            *nth += 1;
            let is_overruled = allowed.covers(&mark);
            let finding = Finding {
                path: path.clone(),
                line,
                kind: *kind,
                mark: Some(mark),
            };
            if !is_overruled {
                self.secrets.push(finding);
            } else if self.overruled.len() < FINDINGS_MAX {
                self.overruled.push(finding);
            }
        }
    }
}

/// How many lines belong to a private key whose head stands before them, the one that ends it
/// included; none where they are no key's.
fn body_of_key<'a>(lines: impl Iterator<Item = &'a str>) -> usize {
    let (mut count, mut has_body) = (0, false);
    for line in lines {
        let is_end = ends_private_key(line);
        let line = line.trim_matches(|c: char| c.is_whitespace() || !c.is_ascii_alphanumeric());
        let is_head = line.starts_with("Proc-Type:") || line.starts_with("DEK-Info:");
        let in_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        let is_body = line.len() >= KEY_LINE_MIN && line.chars().all(in_key);
        // The last line of a key is short; and some are written with empty ones.
        let is_short = line.len() < KEY_LINE_MIN && line.chars().all(in_key);
        if !(is_end || is_head || is_body || is_short) {
            break;
        }
        has_body |= is_body;
        count += 1;
        if is_end {
            break;
        }
    }
    if has_body { count } else { 0 }
}

/// Whether a key stands in this one line, as in JSON.
fn has_body(line: &str) -> bool {
    let end = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='));
    line.split_once("PRIVATE KEY")
        .is_some_and(|(_, rest)| rest.split(end).any(|part| part.len() >= KEY_LINE_MIN))
}

/// What a line looks like, once for each secret in it.
fn of_line(line: &str) -> Vec<SecretKind> {
    let mut kinds = in_line(line);
    kinds.extend(named_secrets(line).map(|_| SecretKind::NamedValue));
    kinds
}

/// The values that look random and whose name says what they are: `"API_KEY": "q8…"`,
/// `Authorization: Bearer q8…`, `--token=q8…`. Those that have a shape of their own are not among
/// them.
fn named_secrets(line: &str) -> impl Iterator<Item = &str> {
    line.match_indices([':', '=']).filter_map(|(at, _)| {
        let before = line.get(..at)?;
        let value = value(line.get(at + 1..)?)?;
        let is_one = names_a_secret(before) && looks_random(value) && in_line(value).is_empty();
        is_one.then_some(value)
    })
}

/// The last word before the sign.
fn names_a_secret(before: &str) -> bool {
    const WORDS: [&str; 10] = [
        "password",
        "passwd",
        "secret",
        "token",
        "apikey",
        "api_key",
        "api-key",
        "access_key",
        "authorization",
        "credential",
    ];
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = before.trim_end().trim_end_matches(['"', '\'', '`']);
    let name = name.rsplit(|c| !is_part(c)).next().unwrap_or_default();
    let name = name.to_ascii_lowercase();
    // Numbers of tokens and places of keys are settings.
    let count = ["tokens", "_file", "_path", "_url", "_var", "_env", "helper"];
    WORDS.iter().any(|word| name.contains(word)) && !count.iter().any(|end| name.ends_with(end))
}

/// The first word behind the sign, without its quotes.
fn value(after: &str) -> Option<&str> {
    let after = after.trim_start().trim_start_matches(['"', '\'', '`']);
    let after = ["Bearer ", "bearer ", "Basic ", "token "]
        .iter()
        .find_map(|scheme| after.strip_prefix(scheme))
        .unwrap_or(after);
    let end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | ']');
    after.split(end).next().filter(|value| !value.is_empty())
}

/// Letters and digits mixed as no word, path or reference is.
fn looks_random(value: &str) -> bool {
    let plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '=' | '.');
    if value.len() < RANDOM_CHARS_MIN || !value.chars().all(plain) {
        return false;
    }
    if value.starts_with(['/', '.', '-']) || value.contains("...") {
        return false;
    }
    let lower = value.to_ascii_lowercase();
    let stand_ins = [
        "example",
        "your",
        "placeholder",
        "changeme",
        "xxxx",
        "dummy",
        "redacted",
        "sample",
    ];
    if stand_ins.iter().any(|word| lower.contains(word)) {
        return false;
    }
    // In words a letter follows a letter; in what is random, digits are strewn in.
    let digit = |c: &char| c.is_ascii_digit();
    let digits = value.chars().filter(digit).count();
    let changes = value
        .chars()
        .zip(value.chars().skip(1))
        .filter(|(a, b)| a.is_ascii_digit() != b.is_ascii_digit());
    digits >= 3 && digits * 10 < value.len() * 9 && changes.count() >= 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(name: &str, text: &str, allow: &str) -> Found {
        let path = ProfilePath::parse(name).unwrap();
        find(&path, text.as_bytes(), &Allowed::read(allow.as_bytes()))
    }

    fn kinds(text: &str) -> Vec<(usize, SecretKind)> {
        let found = findings("settings.json", text, "").secrets;
        found
            .into_iter()
            .map(|found| (found.line, found.kind))
            .collect()
    }

    /// A value that looks random, put together here so that no scanner takes this file for a leak.
    fn random() -> String {
        ["q8Zr", "4kP1", "x9Lm", "27Ty", "Wv3b"].concat()
    }

    #[test]
    fn secrets_are_found_with_their_line() {
        let random = random();
        let text = format!(
            "{{\n \"env\": {{\n  \"ACME_API_KEY\": \"{random}\",\n  \"X\": \"1\"\n }},\n \"headers\": {{\"Authorization\": \"Bearer {random}\"}}\n}}\n"
        );
        let named = SecretKind::NamedValue;
        assert_eq!(kinds(&text), [(3, named), (6, named)]);
        let github = format!("use gh{}_{random}{random}", 'p');
        assert_eq!(kinds(&github), [(1, SecretKind::GithubToken)]);
        let key = "a\n-----BEGIN RSA PRIVATE KEY-----\ntoken=1\n-----END RSA PRIVATE KEY-----\nb\n";
        assert_eq!(kinds(key), [(2, SecretKind::PrivateKey)]);
        assert_eq!(kinds(&format!("curl --token={random}")), [(1, named)]);
        assert_eq!(kinds(&"password: 1\n".repeat(3)), []);
    }

    #[test]
    fn what_people_write_in_a_profile_is_no_secret() {
        for line in [
            r#""ANTHROPIC_API_KEY": "${ANTHROPIC_API_KEY}""#,
            r#""API_KEY": "{env:ACME_API_KEY}""#,
            r#""Authorization": "Bearer ${TOKEN}""#,
            r#""apiKeyHelper": "/usr/local/bin/key-helper-2-with-3-digits.sh""#,
            r#""MAX_THINKING_TOKENS": "31999""#,
            r#""CLAUDE_CODE_MAX_OUTPUT_TOKENS": "64000""#,
            r#""token_file": "/home/ada/.config/acme/token-2024-01-01""#,
            r#""TOKEN_URL": "https://login.example.com/oauth2/v2.0/token""#,
            "Never print the secret: use the value from `pass show acme/api`.",
            "Set `API_KEY=your-api-key-1234567890abcdef` first.",
            "export TOKEN=$(gh auth token)",
            "token: <your token here>",
            "password = os.environ['PASSWORD_2_OF_3_FOR_4']",
            r#""model": "claude-opus-4-1-20250805""#,
            r#""allow": ["Bash(gh api repos/acme/shop/pulls/1234567/comments:*)"]"#,
            "commit 3f786850e387550fdab836ed7e6dc881de23001b fixes the token: see there",
            "The key is 1234567890123456 columns wide",
            "secret: aaaaaaaaaaaaaaaaaaaaaaaaaaa",
        ] {
            assert_eq!(kinds(line), [], "{line}");
        }
    }

    #[test]
    fn one_finding_is_overruled_by_its_line_and_nothing_else_is() {
        let random = random();
        let text = format!("{{\n  \"A_TOKEN\": \"{random}\",\n  \"B_TOKEN\": \"{random}\"\n}}\n");
        let found = findings("settings.json", &text, "").secrets;
        let marks: Vec<&str> = found.iter().filter_map(|it| it.mark.as_deref()).collect();
        assert!(
            marks[0].starts_with("settings.json:named_value:"),
            "{marks:?}"
        );
        assert_ne!(marks[0], marks[1]);
        assert!(!marks.concat().contains(&random));
        let allow = format!("# looked at on Monday\n{} a sample\n", marks[0]);
        let left = findings("settings.json", &text, &allow);
        assert_eq!(
            (left.secrets, left.overruled),
            (vec![found[1].clone()], vec![found[0].clone()])
        );

        // Elsewhere in the file, and as a formatter has it.
        let moved = format!("{{\n\n    \"A_TOKEN\": \"{random}\"\n}}\n");
        assert_eq!(findings("settings.json", &moved, &allow).secrets, []);
        // Another value, another name, another file, more in the line.
        for (name, other) in [
            ("settings.json", moved.replace("q8Zr", "q9Zr")),
            ("settings.json", moved.replace("A_TOKEN", "C_TOKEN")),
            ("mcp.json", moved.clone()),
            (
                "settings.json",
                moved.replace("\n}", " \n}").replace("\": \"", "\":  \""),
            ),
        ] {
            assert_eq!(
                findings(name, &other, &allow).secrets.len(),
                1,
                "{name} {other}"
            );
        }
    }

    #[test]
    fn two_in_one_line_are_two() {
        let random = random();
        let both = format!(
            "use gh{0}_{random}{random} or gh{0}_{random}{random}\n",
            'p'
        );
        let found = findings("a.md", &both, "").secrets;
        assert_eq!(found.len(), 2);
        let mark = found[0].mark.clone().unwrap();
        assert_eq!(findings("a.md", &both, &mark).secrets, found[1..]);

        let github = format!("gh{}_{random}{random}", 'p');
        let line =
            format!(r#"{{"A_TOKEN":"{random}","DB_PASSWORD":"{random}x","C_SECRET":"{github}"}}"#);
        let found = findings("settings.json", &line, "").secrets;
        let kinds: Vec<_> = found.iter().map(|it| it.kind).collect();
        let named = SecretKind::NamedValue;
        assert_eq!(kinds, [SecretKind::GithubToken, named, named]);
        let mark = found[1].mark.clone().unwrap();
        let left = findings("settings.json", &line, &mark).secrets;
        assert_eq!(left, [found[0].clone(), found[2].clone()]);
    }

    #[test]
    fn a_private_key_is_never_overruled_and_a_mention_of_one_hides_nothing() {
        let random = random();
        let body = random.repeat(3);
        let key = |body: &str| {
            let dashes = "-----";
            format!(
                "{dashes}BEGIN RSA PRIVATE KEY{dashes}\n{body}\n{dashes}END RSA PRIVATE KEY{dashes}\nb\n"
            )
        };
        let one_line = key(&body).replace('\n', "\\n");
        for key in [
            key(&body),
            key(&format!("Proc-Type: 4,ENCRYPTED\n\n{body}\nAb1=")),
            key(&body).replace('\n', "\n  > "),
            one_line,
        ] {
            let found = findings("a.md", &key, "").secrets;
            assert_eq!(found.len(), 1, "{key}");
            assert_eq!(
                (found[0].line, found[0].mark.as_deref()),
                (1, None),
                "{key}"
            );
        }

        let mention =
            format!("Never commit `-----BEGIN RSA PRIVATE KEY-----`.\nWords.\ntoken={random}\n");
        let found = findings("a.md", &mention, "").secrets;
        assert_eq!(found.len(), 2);
        let mark = found[0].mark.clone().unwrap();
        assert_eq!(findings("a.md", &mention, &mark).secrets, found[1..]);
    }

    #[test]
    fn the_file_that_overrules_is_looked_at_but_for_its_digests() {
        let random = random();
        let settings = format!("token={random}\n");
        let mark = findings("github_token.md", &settings, "")
            .secrets
            .remove(0)
            .mark
            .unwrap();
        assert_eq!(findings(ALLOW_FILE, &mark, "").secrets, []);
        let hidden = format!("{mark} token={random}\n# token={random} {mark}\n{settings}");
        assert_eq!(findings(ALLOW_FILE, &hidden, "").secrets.len(), 3);
    }

    #[test]
    fn what_is_overruled_hides_nothing_behind_it() {
        let line = |at: usize| format!("token={}{at}\n", random());
        let text: String = (0..FINDINGS_MAX * 2).map(line).collect();
        let first = text
            .lines()
            .take(FINDINGS_MAX)
            .collect::<Vec<_>>()
            .join("\n");
        let marks = findings("a.md", &first, "").secrets;
        assert_eq!(marks.len(), FINDINGS_MAX);
        let allow: Vec<&str> = marks.iter().filter_map(|it| it.mark.as_deref()).collect();
        let found = findings("a.md", &text, &allow.join("\n"));
        assert_eq!(found.secrets.len(), FINDINGS_MAX);
        assert_eq!(found.secrets[0].line, FINDINGS_MAX + 1);
        assert_eq!(found.overruled.len(), FINDINGS_MAX);
    }

    #[test]
    fn findings_are_bounded() {
        let line = format!("token={}\n", random());
        assert_eq!(kinds(&line.repeat(FINDINGS_MAX * 2)).len(), FINDINGS_MAX);
    }
}
