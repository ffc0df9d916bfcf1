//! `.env`: lines of `NAME=value`, as far as servers of this kind use them.

/// The assignments in `text`, in order. `export` in front, comments, blank lines, and one pair of
/// quotes around a value are understood; nothing is expanded, because a file that is found lying
/// in a directory must not be able to read the environment into a setting.
pub(crate) fn parse(text: &str) -> Vec<(&str, &str)> {
    text.lines().filter_map(assignment).collect()
}

fn assignment(line: &str) -> Option<(&str, &str)> {
    let line = line.trim();
    if line.starts_with('#') {
        return None;
    }
    let (name, value) = line
        .strip_prefix("export ")
        .unwrap_or(line)
        .split_once('=')?;
    Some((name.trim(), unquote(value.trim())))
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        let inner = value.strip_prefix(quote);
        if let Some((inside, _comment)) = inner.and_then(|inner| inner.split_once(quote)) {
            return inside;
        }
    }
    value
        .split_once(" #")
        .map_or(value, |(value, _comment)| value.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_of_this_kind_are_given() {
        let text = "# ports\nFASTAPI_PORT=7304\nexport ENV = 'production' # x\n\nA=\"b # c\"\nB=c # d\nno line\nC=";
        assert_eq!(
            parse(text),
            [
                ("FASTAPI_PORT", "7304"),
                ("ENV", "production"),
                ("A", "b # c"),
                ("B", "c"),
                ("C", "")
            ]
        );
    }
}
