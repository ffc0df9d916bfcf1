//! The schema that policies are checked against, made from our words and the names in the header.
//!
//! Everything that can be named is an enumerated type, so that a misspelt effect, rule, place or
//! role is an error when the policy is loaded and not a policy that silently never applies.

use std::fmt::Write as _;

use crate::attribute::Attribute;
use crate::header::Header;
use crate::vocabulary::{EFFECTS, PLACES, RISKS};

/// Stands in an enumerated type that has no names, because Cedar wants one.
const NO_NAME: &str = "(none)";

/// The enumerated types with their names.
pub(crate) fn enums(header: &Header) -> [(&'static str, Vec<String>); 8] {
    let owned = |names: &mut dyn Iterator<Item = &str>| -> Vec<String> {
        names.map(str::to_owned).collect()
    };
    let paths = header.paths.iter().map(|named| named.name.as_str());
    [
        (
            "Role",
            owned(&mut header.roles.iter().map(|role| role.name.as_str())),
        ),
        (
            "Targets",
            owned(&mut header.targets.iter().map(|group| group.name.as_str())),
        ),
        ("Risk", owned(&mut RISKS.iter().map(|(_, name)| *name))),
        ("Effect", owned(&mut EFFECTS.iter().map(|(_, name)| *name))),
        ("Place", owned(&mut PLACES.into_iter().chain(paths))),
        (
            "Rule",
            owned(&mut wharf_shell::rule_names().chain([wharf_shell::registry::USER_RULE])),
        ),
        (
            "Class",
            owned(&mut header.classes.iter().map(|class| class.name.as_str())),
        ),
        (
            "Hours",
            owned(&mut header.hours.iter().map(|hours| hours.name.as_str())),
        ),
    ]
}

/// The schema in Cedar's own words.
pub(crate) fn text(header: &Header) -> String {
    let mut text = String::new();
    for (name, mut names) in enums(header) {
        if names.is_empty() {
            names.push(NO_NAME.to_owned());
        }
        let _ = writeln!(text, "entity {name} enum {names:?};");
    }
    text.push_str(
        "entity Caller in [Role] {\n  \
         user: String, agent: String, token: String, organization: String, scopes: Set<String>\n};\n\
         entity Target in [Targets];\n\
         type Command = {\n",
    );
    for (_, name, kind, says) in Attribute::ALL {
        let _ = writeln!(text, "  // {says}\n  {name}: {kind},");
    }
    text.push_str("};\n");
    let applies = "appliesTo { principal: [Caller], resource: [Target], context: Command };\n";
    let _ = write!(
        text,
        "action \"run\" {applies}action \"run_unasked\" in [\"run\"] {applies}"
    );
    text
}
