//! Changing the user's file, with everything else in it left as it is.

use toml_edit::{DocumentMut, Item, Table};

use super::value::Value;

/// Why a file cannot be changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EditError {
    /// It is not TOML.
    #[error("the file is not valid TOML: {0}")]
    Syntax(#[from] toml_edit::TomlError),
    /// Something else than a section has that name.
    #[error("{0} is not a section in that file")]
    NoSection(String),
}

/// `text` with `name` set to `value`; comments and order stay.
pub(crate) fn set(text: &str, name: &str, value: &Value) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let (section, last) = split(name);
    let table = match section {
        None => document.as_table_mut() as &mut dyn toml_edit::TableLike,
        Some(section) => {
            let item = document
                .entry(section)
                .or_insert_with(|| Item::Table(Table::new()));
            item.as_table_like_mut()
                .ok_or_else(|| EditError::NoSection(section.to_owned()))?
        }
    };
    let mut new = value.to_toml();
    match table.get_mut(last) {
        Some(Item::Value(old)) => {
            // The space and the comment around the old value belong to the line, not to the value.
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        _ => {
            table.insert(last, Item::Value(new));
        }
    }
    Ok(document.to_string())
}

/// `text` without `name`; `None` when it is not in there.
pub(crate) fn unset(text: &str, name: &str) -> Result<Option<String>, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let (section, last) = split(name);
    let removed = match section {
        None => document.remove(last),
        Some(section) => document
            .get_mut(section)
            .and_then(Item::as_table_like_mut)
            .and_then(|table| table.remove(last)),
    };
    Ok(removed.map(|_| document.to_string()))
}

/// `text` with the server of a profile.
pub(crate) fn set_profile(text: &str, profile: &str, url: &str) -> Result<String, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let no_section = |name: &str| EditError::NoSection(name.to_owned());
    let profiles = document.entry("profiles").or_insert_with(|| {
        let mut table = Table::new();
        // Its own header would stand over nothing.
        table.set_implicit(true);
        Item::Table(table)
    });
    let profiles = profiles
        .as_table_like_mut()
        .ok_or_else(|| no_section("profiles"))?;
    let entry = profiles
        .entry(profile)
        .or_insert_with(|| Item::Table(Table::new()));
    let entry = entry
        .as_table_like_mut()
        .ok_or_else(|| no_section(profile))?;
    entry.insert("api_url", Item::Value(url.into()));
    Ok(document.to_string())
}

/// `text` without profiles and without which of them is used; `None` where there are none.
pub(crate) fn forget_profiles(text: &str) -> Result<Option<String>, EditError> {
    let mut document: DocumentMut = text.parse()?;
    let removed = [document.remove("profile"), document.remove("profiles")];
    let any = removed.iter().any(Option::is_some);
    Ok(any.then(|| document.to_string()))
}

fn split(name: &str) -> (Option<&str>, &str) {
    name.split_once('.')
        .map_or((None, name), |(section, last)| (Some(section), last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "# mine\napi_url = \"http://a\" # home\n\n[serve]\n# busy\nport = 1 # old\n";

    #[test]
    fn comments_and_order_stay() {
        let text = set(FILE, "serve.port", &Value::Number(2)).unwrap();
        assert_eq!(text, FILE.replace("port = 1", "port = 2"));

        let text = set(FILE, "api_url", &Value::Text("http://b".into())).unwrap();
        assert_eq!(text, FILE.replace("http://a", "http://b"));
    }

    #[test]
    fn a_new_key_and_a_new_section_are_added() {
        let text = set("", "run.meta", &Value::Text("full".into())).unwrap();
        assert_eq!(text, "[run]\nmeta = \"full\"\n");
        let text = set(
            &text,
            "run.timeout",
            &Value::Time(std::time::Duration::from_secs(5)),
        )
        .unwrap();
        assert_eq!(text, "[run]\nmeta = \"full\"\ntimeout = \"5s\"\n");
        let text = set("[run]\n", "api_url", &Value::Text("http://a".into())).unwrap();
        assert_eq!(text, "api_url = \"http://a\"\n[run]\n");
    }

    #[test]
    fn a_profile_is_a_section_of_its_own() {
        let text = set_profile("a = 1\n", "acme", "http://a").unwrap();
        assert_eq!(text, "a = 1\n\n[profiles.acme]\napi_url = \"http://a\"\n");
        let text = set_profile(&text, "acme", "http://b").unwrap();
        let text = set_profile(&text, "127.0.0.1", "http://c").unwrap();
        assert!(
            text.contains("http://b") && !text.contains("http://a"),
            "{text}"
        );
        assert!(text.contains("[profiles.\"127.0.0.1\"]\n"), "{text}");
        assert_eq!(forget_profiles(&text).unwrap().unwrap().trim(), "a = 1");
        assert_eq!(forget_profiles("a = 1\n").unwrap(), None);
    }

    #[test]
    fn removing_says_whether_it_was_there() {
        assert_eq!(unset(FILE, "serve.listen").unwrap(), None);
        let text = unset(FILE, "serve.port").unwrap().unwrap();
        assert!(text.contains("# mine") && !text.contains("port"), "{text}");
    }

    #[test]
    fn a_broken_file_is_left_alone() {
        assert!(matches!(
            set("= 1", "api_url", &Value::Bool(true)),
            Err(EditError::Syntax(_))
        ));
        assert!(matches!(
            set("run = 1", "run.meta", &Value::Bool(true)),
            Err(EditError::NoSection(_))
        ));
    }
}
