//! From the text of `.cedar` files to policies that are checked and sorted by role and action.

mod check;
mod uids;

use std::collections::HashMap;
use std::str::FromStr;

use cedar_policy::{ActionConstraint, Effect, EntityUid, PolicyId, PolicySet, PrincipalConstraint};

use crate::attribute::Attribute;
use crate::builtin;
use crate::error::{Error, Problem, Problems, line_at};
use crate::header::Header;
use crate::mentions;
use crate::opinion::{Action, Grounds};
use crate::schema;
use crate::suggest::nearest;
use check::{check, line_of, told};
use uids::Uids;

/// Policies in all files together.
pub const MAX_POLICIES: usize = 1_000;

/// A file with its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its name, as messages give it.
    pub name: String,
    /// What it says.
    pub text: String,
}

/// Policies that can be evaluated.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) policies: Vec<OwnPolicy>,
    pub(crate) pieces: Vec<Piece>,
    /// What the policies look at; nothing else is computed.
    pub(crate) needed: Vec<Attribute>,
    pub(crate) by_id: HashMap<PolicyId, usize>,
    pub(crate) uids: Uids,
}

/// One policy of the owner's, or a built-in one where all are compiled.
#[derive(Debug)]
pub(crate) struct OwnPolicy {
    pub(crate) grounds: Grounds,
    pub(crate) permits: bool,
    pub(crate) actions: Vec<Action>,
    pub(crate) role: Option<String>,
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// Policies for one role, or for any, and one action.
#[derive(Debug)]
pub(crate) struct Piece {
    /// The role's bit; none stands for everybody.
    pub(crate) role: Option<u64>,
    pub(crate) action: Action,
    pub(crate) policies: PolicySet,
}

/// Reads, checks and sorts policies.
pub(crate) fn compile(header: &Header, files: &[File]) -> Result<Compiled, Error> {
    let enums = schema::enums(header);
    let mut problems = Problems::default();
    let mut policies = Vec::new();
    let mut set = PolicySet::new();
    for file in files {
        read_file(file, header, &mut policies, &mut set, &mut problems);
    }
    problems.or((), Error::ParsePolicies)?;
    if policies.len() > MAX_POLICIES {
        let message = format!(
            "there are {} policies, at most {MAX_POLICIES}",
            policies.len()
        );
        return Err(Error::Bounds(message));
    }
    check(header, files, &enums, &policies, &set)?;
    let uids = Uids::new(&enums).map_err(Error::Bounds)?;
    let pieces = sort(header, &policies, &set);
    let by_id = policies
        .iter()
        .enumerate()
        .map(|(index, policy)| (PolicyId::new(&policy.grounds.id), index))
        .collect();
    let mut needed: Vec<Attribute> = Attribute::ALL
        .into_iter()
        .map(|(attribute, ..)| attribute)
        .filter(|attribute| {
            let looks = |policy: &OwnPolicy| policy.text.contains(attribute.name());
            policies.iter().any(looks)
        })
        .collect();
    needed.dedup();
    Ok(Compiled {
        policies,
        pieces,
        needed,
        by_id,
        uids,
    })
}

fn read_file(
    file: &File,
    header: &Header,
    policies: &mut Vec<OwnPolicy>,
    set: &mut PolicySet,
    problems: &mut Problems,
) {
    let mut complain = |line: usize, message: String| {
        problems.push(Problem {
            file: file.name.clone(),
            line,
            message,
            suggestion: None,
        });
    };
    let parsed = match PolicySet::from_str(&file.text) {
        Ok(parsed) => parsed,
        Err(errors) => {
            for error in errors.iter() {
                complain(line_of(error, &file.text), told(error));
            }
            return;
        }
    };
    if parsed.num_of_templates() > 0 {
        complain(
            1,
            "templates (`?principal`, `?resource`) are not used here".to_owned(),
        );
    }
    let mut from = 0;
    for policy in in_order(&parsed) {
        let text = policy.to_cedar().unwrap_or_default();
        let rest = file.text.get(from..).unwrap_or_default();
        let at = from + rest.find(&text).unwrap_or_default();
        from = at + text.len();
        let line = line_at(&file.text, at);
        let Some(id) = policy.annotation("id").filter(|id| !id.is_empty()) else {
            complain(
                line,
                "a policy needs a name: write @id(\"…\") before it".to_owned(),
            );
            continue;
        };
        if let Some((key, _)) = policy
            .annotations()
            .find(|(key, _)| !ANNOTATIONS.contains(key))
        {
            let near = nearest(key, ANNOTATIONS);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean @{near}?"));
            complain(line, format!("`{id}`: there is no annotation @{key}{hint}"));
        }
        if let Some((key, _)) = policy
            .annotations()
            .find(|(_, text)| text.len() > MAX_ANNOTATION)
        {
            let message = format!("@{key} has more than {MAX_ANNOTATION} bytes");
            complain(line, message);
            continue;
        }
        let id = id.to_owned();
        let builtin = builtin::IDS.iter().position(|known| *known == id);
        let is_builtin = file.name == builtin::FILE;
        if is_builtin && header.without.contains(&id) {
            continue;
        }
        if builtin.is_some() != is_builtin {
            let message = format!("`{id}` is the id of a built-in policy, choose another");
            complain(line, message);
            continue;
        }
        if set.add(policy.new_id(PolicyId::new(&id))).is_err() {
            complain(line, format!("there are two policies with the id `{id}`"));
            continue;
        }
        let annotation = |key: &str| policy.annotation(key).map(str::to_owned);
        let json = policy.to_json().unwrap_or_default();
        policies.push(OwnPolicy {
            grounds: Grounds {
                id,
                reason: annotation("reason").or_else(|| annotation("message")),
                alternative: annotation("alternative"),
                mentions: mentions::of(&json),
                order: builtin.unwrap_or(builtin::IDS.len() + policies.len()),
            },
            permits: policy.effect() == Effect::Permit,
            actions: actions(&policy.action_constraint()),
            role: role(&policy.principal_constraint()),
            file: file.name.clone(),
            line,
            text,
        });
    }
}

/// The longest name, reason or alternative, in bytes. Answers carry them, once for each part of
/// the command that matched.
pub const MAX_ANNOTATION: usize = 1_000;

const ANNOTATIONS: [&str; 4] = ["id", "reason", "message", "alternative"];

/// Cedar names policies `policy0`, `policy1`, … as they stand in the text.
fn in_order(parsed: &PolicySet) -> Vec<&cedar_policy::Policy> {
    let mut policies: Vec<&cedar_policy::Policy> = parsed.policies().collect();
    policies.sort_by_key(|policy| {
        let id: &str = policy.id().as_ref();
        id.trim_start_matches("policy")
            .parse::<usize>()
            .unwrap_or(usize::MAX)
    });
    policies
}

fn actions(constraint: &ActionConstraint) -> Vec<Action> {
    let is = |uid: &EntityUid, action: Action| uid.id().unescaped() == action.name();
    // Where `run` is meant as a group, `run_unasked` is in it.
    let within = |uid: &EntityUid, action: Action| is(uid, action) || is(uid, Action::Run);
    let applies = |action: &Action| match constraint {
        ActionConstraint::Any => true,
        ActionConstraint::Eq(uid) => is(uid, *action),
        ActionConstraint::In(uids) => uids.iter().any(|uid| within(uid, *action)),
    };
    Action::BOTH.into_iter().filter(applies).collect()
}

fn role(constraint: &PrincipalConstraint) -> Option<String> {
    match constraint {
        PrincipalConstraint::In(uid) | PrincipalConstraint::IsIn(_, uid) => {
            let is_role = uid.type_name().basename() == "Role";
            is_role.then(|| uid.id().unescaped().to_owned())
        }
        _ => None,
    }
}

/// One set for each role and action, so that only those are evaluated that could apply.
fn sort(header: &Header, policies: &[OwnPolicy], set: &PolicySet) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for policy in policies {
        let role = policy.role.as_deref().map(|role| header.role_bit(role));
        let Some(parsed) = set.policy(&PolicyId::new(&policy.grounds.id)) else {
            continue;
        };
        for action in &policy.actions {
            let found = pieces
                .iter_mut()
                .find(|piece| piece.role == role && piece.action == *action);
            let piece = match found {
                Some(piece) => piece,
                None => {
                    pieces.push(Piece {
                        role,
                        action: *action,
                        policies: PolicySet::new(),
                    });
                    let Some(piece) = pieces.last_mut() else {
                        continue;
                    };
                    piece
                }
            };
            // Ids are unique, which has been checked.
            let _ = piece.policies.add(parsed.clone());
        }
    }
    pieces
}
