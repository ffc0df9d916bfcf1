//! Entities that are named again and again, made once.

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid, RestrictedExpression};

use crate::attribute::{Attribute, Type};

/// The entities of one policy.
#[derive(Debug)]
pub(crate) struct Uids {
    pub(crate) caller: EntityTypeName,
    pub(crate) target: EntityTypeName,
    pub(crate) actions: [EntityUid; 2],
    pub(crate) roles: Vec<EntityUid>,
    pub(crate) groups: Vec<EntityUid>,
    /// By type and name.
    pub(crate) words: HashMap<&'static str, HashMap<String, RestrictedExpression>>,
}

impl Uids {
    pub(super) fn new(enums: &[(&'static str, Vec<String>)]) -> Result<Self, String> {
        let uid = |kind: &str, name: &str| -> Result<EntityUid, String> {
            let kind = named(kind)?;
            Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(name)))
        };
        let all = |kind: &str| -> Result<Vec<EntityUid>, String> {
            let names = enums.iter().find(|(known, _)| *known == kind);
            let names = names.into_iter().flat_map(|(_, names)| names);
            names.map(|name| uid(kind, name)).collect()
        };
        let mut words = HashMap::new();
        for (kind, names) in enums {
            let expressions = names
                .iter()
                .map(|name| {
                    let uid = uid(kind, name)?;
                    Ok((name.clone(), RestrictedExpression::new_entity_uid(uid)))
                })
                .collect::<Result<HashMap<_, _>, String>>()?;
            words.insert(*kind, expressions);
        }
        Ok(Self {
            caller: named("Caller")?,
            target: named("Target")?,
            actions: [uid("Action", "run")?, uid("Action", "run_unasked")?],
            roles: all("Role")?,
            groups: all("Targets")?,
            words,
        })
    }

    /// A name as a value of the attribute's type.
    pub(crate) fn word(&self, attribute: Attribute, name: &str) -> RestrictedExpression {
        let kind = match attribute.kind() {
            Type::One(kind) | Type::Many(kind) => self.words.get(kind),
            Type::Truth | Type::Texts => None,
        };
        let word = kind.and_then(|names| names.get(name)).cloned();
        word.unwrap_or_else(|| RestrictedExpression::new_string(name.to_owned()))
    }
}

fn named(kind: &str) -> Result<EntityTypeName, String> {
    EntityTypeName::from_str(kind).map_err(|error| error.to_string())
}
