//! `wharf registry`

use std::fs;

use crate::home::Home;

const FROB: &str = "category = \"development/build\"\n\n[[command]]\nname = \"frob\"\n\
    description = \"Frobs what is there.\"\noutput_format = \"json\"\nrisk = \"medium\"\n\
    common_options = [\n  { flag = \"-a, --all\", description = \"all of it\" },\n]\n\
    examples = [\n  { command = \"frob -a\", description = \"frobs all of it\" },\n]\n";

#[test]
fn what_is_built_in_is_found_and_shown() {
    let home = Home::new();
    let found = home.ok(&["registry", "search", "tarball"]);
    assert_eq!(found, "");
    let found = home.ok(&[
        "registry",
        "search",
        "sort",
        "--category",
        "development/text",
    ]);
    assert!(
        found.contains("sort     low   development/text  Sorts lines.\n"),
        "{found}"
    );
    let shown = home.ok(&["registry", "show", "git", "remote", "add"]);
    assert!(
        shown.starts_with("git remote add: Names another repository.\n"),
        "{shown}"
    );
    let shown = home.ok(&["registry", "show", "rm"]);
    for part in [
        "  risk      medium\n",
        "critical with -r -R --recursive on root",
        "  examples\n",
    ] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
}

#[test]
fn an_entry_of_ones_own_is_added_and_removed() {
    let home = Home::new();
    let file = home.path("frob-entry.toml");
    fs::write(&file, FROB).unwrap();
    let file = file.to_str().unwrap();
    home.ok(&["registry", "check", file]);
    home.ok(&["registry", "add", file]);
    let shown = home.ok(&["registry", "show", "frob"]);
    assert!(shown.contains("from      your file frob.toml"), "{shown}");
    assert!(shown.contains("-a, --all  all of it"), "{shown}");
    let explained = home.ok(&["explain", "--", "frob", "-a"]);
    let about = "  about    Frobs what is there.\n";
    assert!(explained.contains(about), "{explained}");
    home.ok(&["registry", "rm", "frob"]);
    assert_eq!(
        home.output(&["registry", "show", "frob"]).status.code(),
        Some(5)
    );
}

#[test]
fn a_mistake_is_named_by_line() {
    let home = Home::new();
    let file = home.path("bad.toml");
    fs::write(&file, FROB.replace("medium", "mild")).unwrap();
    let file = file.to_str().unwrap();
    let checked = home.output(&["registry", "check", file]);
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let expected =
        format!("{file}:7: `mild` is no risk; it is one of: low, medium, high, critical\n");
    assert_eq!((said, checked.status.code()), (expected, Some(1)));
    let added = home.output(&["registry", "add", file]);
    assert_eq!(added.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&added.stderr).contains("nothing was added"));
}
