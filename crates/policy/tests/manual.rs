//! The owners' manual: the policy in it is legal, and it names everything.

use wharf_policy::{File, Policy};

/// The blocks of one language in the owners' manual.
fn blocks(language: &str) -> Vec<String> {
    let manual = include_str!("../../../docs/policy.md");
    let fence = format!("```{language}\n");
    let rest = manual.split(fence.as_str()).skip(1);
    rest.filter_map(|block| block.split("```").next().map(str::to_owned))
        .collect()
}

#[test]
fn the_policy_in_the_manual_is_legal_and_its_examples_hold() {
    let (toml, cedar) = (blocks("toml").concat(), blocks("cedar").concat());
    let file = |name: &str, text: String| File {
        name: name.to_owned(),
        text,
    };
    let files = [file("policy.toml", toml), file("own.cedar", cedar)];
    let policy = Policy::load(&files).map_err(|error| error.to_string());
    let policy = policy.expect("legal");
    assert!(policy.examples().len() >= 10);
    assert!(policy.show().expect("compiles").policies.len() > 10);
}

/// Every attribute that can be asked for is in the manual's table.
#[test]
fn the_manual_names_every_attribute() {
    let manual = include_str!("../../../docs/policy.md");
    let missing: Vec<&str> = Policy::attributes()
        .map(|(name, ..)| name)
        .filter(|name| !manual.contains(&format!("| `{name}` |")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}
