//! Expressions that stand for the home directory, in each language's way of asking for it.

/// Expressions, longest first where one begins with another.
const EXPRESSIONS: &[&str] = &[
    "$ENV{HOME}",
    "$ENV{'HOME'}",
    "$ENV{\"HOME\"}",
    "pathlib.Path.home()",
    "Path.home()",
    "os.path.expanduser('~')",
    "os.path.expanduser(\"~\")",
    "os.environ['HOME']",
    "os.environ[\"HOME\"]",
    "os.environ.get('HOME')",
    "os.environ.get(\"HOME\")",
    "os.getenv('HOME')",
    "os.getenv(\"HOME\")",
    "environ['HOME']",
    "environ[\"HOME\"]",
    "Deno.env.get('HOME')",
    "Deno.env.get(\"HOME\")",
    "Bun.env.HOME",
    "process.env['HOME']",
    "process.env[\"HOME\"]",
    "process.env.HOME",
    "require('os').homedir()",
    "require(\"os\").homedir()",
    "os.homedir()",
    "ENV.fetch('HOME')",
    "ENV.fetch(\"HOME\")",
    "ENV['HOME']",
    "ENV[\"HOME\"]",
    "Dir.home",
    "Etc.getpwuid.dir",
    "$_SERVER['HOME']",
    "$_SERVER[\"HOME\"]",
    "$_ENV['HOME']",
    "Sys.getenv('HOME')",
    "Sys.getenv(\"HOME\")",
    "System.get_env(\"HOME\")",
    "System.user_home!()",
    "System.user_home!",
    "System.getenv(\"HOME\")",
    "(getenv \"HOME\")",
    "os.getenv'HOME'",
    "getenv('HOME')",
    "getenv(\"HOME\")",
    "homedir()",
    "$env(HOME)",
    "$::env(HOME)",
    "ENVIRON[\"HOME\"]",
];

/// The code with the home directory in the place of what asks for it: in a literal as it is,
/// outside as a literal of its own. Nothing when nothing asks.
pub(super) fn with_home(text: &str, home: &str) -> Option<String> {
    let asks = ["HOME", "home", "expanduser", "getpwuid"];
    if !asks.iter().any(|word| text.contains(word)) {
        return None;
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut quote = None;
    let mut changed = false;
    while let Some(c) = rest.chars().next() {
        let before = out.chars().next_back();
        let begins = !c.is_ascii_alphanumeric()
            || !before.is_some_and(|c| c.is_ascii_alphanumeric() || c == '.' || c == '_');
        let found = EXPRESSIONS
            .iter()
            .filter(|_| begins)
            .find_map(|expression| rest.strip_prefix(expression));
        if let Some(after) = found {
            changed = true;
            let wrapped = ["#{", "${", "{"]
                .iter()
                .find(|open| quote.is_some() && out.ends_with(*open) && after.starts_with('}'));
            if let Some(open) = wrapped {
                out.truncate(out.len() - open.len());
                rest = after.get(1..).unwrap_or_default();
            } else {
                rest = after;
            }
            if quote.is_some() {
                out.push_str(home);
            } else {
                out.push('"');
                out.push_str(home);
                out.push('"');
            }
            continue;
        }
        match quote {
            Some(open) if open == c => quote = None,
            None if matches!(c, '"' | '\'' | '`') => quote = Some(c),
            _ => {}
        }
        let width = if c == '\\' && quote.is_some() {
            1 + rest.chars().nth(1).map_or(0, char::len_utf8)
        } else {
            c.len_utf8()
        };
        out.push_str(rest.get(..width).unwrap_or_default());
        rest = rest.get(width..).unwrap_or_default();
    }
    changed.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::with_home;

    #[test]
    fn what_asks_for_the_home_directory_becomes_it() {
        let cases = [
            (r#"rm($ENV{HOME})"#, Some(r#"rm("/h")"#)),
            (
                r#"unlink glob "$ENV{HOME}/*""#,
                Some(r#"unlink glob "/h/*""#),
            ),
            (r#"rm(process.env.HOME+"/x")"#, Some(r#"rm("/h"+"/x")"#)),
            (r#"rm(`${process.env.HOME}/x`)"#, Some("rm(`/h/x`)")),
            (r#"f"{Path.home()}/x""#, Some(r#"f"/h/x""#)),
            (r#"my.homedir()"#, None),
            (r#"print("home")"#, None),
        ];
        for (code, wanted) in cases {
            assert_eq!(with_home(code, "/h").as_deref(), wanted, "{code}");
        }
    }
}
