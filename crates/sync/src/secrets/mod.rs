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

/// A place that looks like a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file.
    pub path: ProfilePath,
    /// The line, from 1.
    pub line: usize,
    /// What it looks like.
    pub kind: SecretKind,
    /// The line of [`ALLOW_FILE`] that overrules it.
    pub mark: String,
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
            allow::behind_mark(line)
        } else {
            line
        };
        if begins_private_key(line) {
            let mut key = line.to_owned();
            if !ends_private_key(line) {
                for (_, line) in lines.by_ref() {
                    key.push('\n');
                    key.push_str(line);
                    if ends_private_key(line) {
                        break;
                    }
                }
            }
            found.add(path, at + 1, &[SecretKind::PrivateKey], &key, allowed);
        } else {
            found.add(path, at + 1, &of_line(line), line, allowed);
        }
    }
    found.secrets.truncate(FINDINGS_MAX);
    found
}

impl Found {
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
                mark,
            };
            if !is_overruled {
                self.secrets.push(finding);
            } else if self.overruled.len() < FINDINGS_MAX {
                self.overruled.push(finding);
            }
        }
    }
}

fn of_line(line: &str) -> Vec<SecretKind> {
    let kinds = in_line(line);
    if !kinds.is_empty() || !has_named_secret(line) {
        return kinds;
    }
    vec![SecretKind::NamedValue]
}

/// Whether a name that says so has a value that looks random: `"API_KEY": "q8…"`,
/// `Authorization: Bearer q8…`, `--token=q8…`.
fn has_named_secret(line: &str) -> bool {
    line.match_indices([':', '=']).any(|(at, _)| {
        let before = line.get(..at).unwrap_or_default();
        let after = line.get(at + 1..).unwrap_or_default();
        names_a_secret(before) && value(after).is_some_and(looks_random)
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
        let marks: Vec<&str> = found.iter().map(|it| it.mark.as_str()).collect();
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
    fn two_in_one_line_are_two_and_a_key_is_all_of_its_lines() {
        let random = random();
        let both = format!(
            "use gh{0}_{random}{random} or gh{0}_{random}{random}\n",
            'p'
        );
        let found = findings("a.md", &both, "").secrets;
        assert_eq!(found.len(), 2);
        assert_eq!(findings("a.md", &both, &found[0].mark).secrets, found[1..]);

        let key = |body: &str| {
            let dashes = "-----";
            format!(
                "{dashes}BEGIN RSA PRIVATE KEY{dashes}\n{body}\n{dashes}END RSA PRIVATE KEY{dashes}\nb\n"
            )
        };
        let mark = findings("a.md", &key("MIIE"), "").secrets.remove(0).mark;
        assert_eq!(findings("a.md", &key("MIIE"), &mark).secrets, []);
        assert_eq!(findings("a.md", &key("MIIF"), &mark).secrets.len(), 1);
    }

    #[test]
    fn the_file_that_overrules_is_looked_at_but_for_its_digests() {
        let random = random();
        let settings = format!("token={random}\n");
        let mark = findings("github_token.md", &settings, "")
            .secrets
            .remove(0)
            .mark;
        assert_eq!(findings(ALLOW_FILE, &mark, "").secrets, []);
        let hidden = format!("{mark} token={random}\n# token={random}\n{settings}");
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
        let allow: Vec<&str> = marks.iter().map(|it| it.mark.as_str()).collect();
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
