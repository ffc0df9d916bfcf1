//! The words that policies are written in, as they stand in the schema.

use wharf_shell::{EffectKind, PlaceClass, Risk};

/// Kinds of effects with their names.
pub(crate) const EFFECTS: [(EffectKind, &str); 25] = [
    (EffectKind::Read, "read"),
    (EffectKind::Write, "write"),
    (EffectKind::Delete, "delete"),
    (EffectKind::Metadata, "metadata"),
    (EffectKind::Device, "device"),
    (EffectKind::NetworkOut, "network_out"),
    (EffectKind::NetworkIn, "network_in"),
    (EffectKind::RemoteCode, "remote_code"),
    (EffectKind::HiddenCode, "hidden_code"),
    (EffectKind::ProcessControl, "process_control"),
    (EffectKind::SystemControl, "system_control"),
    (EffectKind::Privilege, "privilege"),
    (EffectKind::Packages, "packages"),
    (EffectKind::Containers, "containers"),
    (EffectKind::Infrastructure, "infrastructure"),
    (EffectKind::History, "history"),
    (EffectKind::Database, "database"),
    (EffectKind::Publish, "publish"),
    (EffectKind::Credentials, "credentials"),
    (EffectKind::Persistence, "persistence"),
    (EffectKind::Security, "security"),
    (EffectKind::ResourceBomb, "resource_bomb"),
    (EffectKind::HidesTraces, "hides_traces"),
    (EffectKind::Interactive, "interactive"),
    (EffectKind::Server, "server"),
];

/// Risks with their names.
pub(crate) const RISKS: [(Risk, &str); 5] = [
    (Risk::Low, "low"),
    (Risk::Medium, "medium"),
    (Risk::High, "high"),
    (Risk::Unknown, "unknown"),
    (Risk::Critical, "critical"),
];

/// Kinds of places. A path is in more than one: `/etc/x` is `system` and `outside`.
pub(crate) const PLACES: [&str; 9] = [
    "tree",
    "whole_tree",
    "git",
    "outside",
    "home",
    "system",
    "device",
    "tmp",
    "unknown",
];

const TREE: u16 = 1;
const WHOLE_TREE: u16 = 1 << 1;
const GIT: u16 = 1 << 2;
const OUTSIDE: u16 = 1 << 3;
const HOME: u16 = 1 << 4;
const SYSTEM: u16 = 1 << 5;
const DEVICE: u16 = 1 << 6;
const TMP: u16 = 1 << 7;
/// Not known.
pub(crate) const UNKNOWN: u16 = 1 << 8;

/// The places that a path is in, as bits in the order of [`PLACES`].
pub(crate) const fn places(class: PlaceClass) -> u16 {
    match class {
        PlaceClass::Root | PlaceClass::SystemRoot | PlaceClass::System => SYSTEM | OUTSIDE,
        PlaceClass::HomeRoot | PlaceClass::Home => HOME | OUTSIDE,
        PlaceClass::Outside | PlaceClass::Network => OUTSIDE,
        PlaceClass::Tmp | PlaceClass::TmpRoot => TMP,
        PlaceClass::Tree => TREE,
        PlaceClass::TreeRoot => TREE | WHOLE_TREE,
        PlaceClass::TreeGit => TREE | GIT,
        PlaceClass::Disk => DEVICE | OUTSIDE,
        PlaceClass::SafeDevice => 0,
        PlaceClass::Unknown => UNKNOWN | OUTSIDE,
    }
}

/// The effect of this name.
pub(crate) fn effect(name: &str) -> Option<EffectKind> {
    let found = EFFECTS.iter().find(|(_, known)| *known == name);
    found.map(|(kind, _)| *kind)
}

/// The name of an effect.
pub(crate) fn effect_name(kind: EffectKind) -> &'static str {
    let found = EFFECTS.iter().find(|(known, _)| *known == kind);
    found.map_or("unknown", |(_, name)| name)
}

/// The name of a risk.
pub(crate) fn risk_name(risk: Risk) -> &'static str {
    let found = RISKS.iter().find(|(known, _)| *known == risk);
    found.map_or("unknown", |(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The serde name is what the wire says; a policy says the same.
    #[test]
    fn the_names_are_those_of_the_wire() {
        for (kind, name) in EFFECTS {
            assert_eq!(serde_json::json!(kind), name);
        }
        for (risk, name) in RISKS {
            assert_eq!(serde_json::json!(risk), name);
        }
    }
}
