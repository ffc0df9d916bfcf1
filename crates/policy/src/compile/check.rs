//! Policies held against the schema.

use cedar_policy::{PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::{File, OwnPolicy};
use crate::error::{Error, Problem, Problems, line_at};
use crate::header::Header;
use crate::schema;
use crate::suggest::nearest;

/// Holds the policies against the schema. Cedar's warnings count: a policy that can never apply
/// is a mistake.
pub(super) fn check(
    header: &Header,
    files: &[File],
    enums: &[(&'static str, Vec<String>)],
    policies: &[OwnPolicy],
    set: &PolicySet,
) -> Result<(), Error> {
    let mut problems = Problems::default();
    for policy in policies {
        check_names(policy, enums, set, &mut problems);
    }
    let named = problems.0.len();
    let (schema, _) = Schema::from_cedarschema_str(&schema::text(header))
        .map_err(|error| Error::Bounds(told(&error)))?;
    let result = Validator::new(schema).validate(set, ValidationMode::Strict);
    let errors = result
        .validation_errors()
        .map(|error| (error.policy_id(), error as &dyn Diagnostic));
    let warnings = result
        .validation_warnings()
        .map(|warning| (warning.policy_id(), warning as &dyn Diagnostic));
    for (id, error) in errors.chain(warnings) {
        let id: &str = id.as_ref();
        let Some(policy) = policies.iter().find(|policy| policy.grounds.id == id) else {
            continue;
        };
        let text = files.iter().find(|file| file.name == policy.file);
        let line = text.map_or(policy.line, |file| {
            line_of(error, &file.text).max(policy.line)
        });
        let known = problems.0.iter().take(named);
        if known
            .into_iter()
            .any(|known| known.file == policy.file && known.line == line)
        {
            // The misspelt name has been told of, in better words.
            continue;
        }
        problems.push(Problem {
            file: policy.file.clone(),
            line,
            message: told(error),
            suggestion: None,
        });
    }
    problems.or((), Error::CheckPolicies)
}

/// Names of enumerated types, with what was probably meant.
fn check_names(
    policy: &OwnPolicy,
    enums: &[(&'static str, Vec<String>)],
    set: &PolicySet,
    problems: &mut Problems,
) {
    let Some(parsed) = set.policy(&PolicyId::new(&policy.grounds.id)) else {
        return;
    };
    for uid in parsed.entity_literals() {
        let (kind, name) = (uid.type_name().to_string(), uid.id().unescaped().to_owned());
        let Some((kind, names)) = enums.iter().find(|(known, _)| *known == kind) else {
            continue;
        };
        if names.contains(&name) {
            continue;
        }
        let written = format!("{kind}::\"{name}\"");
        let at = policy.text.find(&written).unwrap_or_default();
        let near = nearest(&name, names.iter().map(String::as_str));
        problems.push(Problem {
            file: policy.file.clone(),
            line: policy.line + line_at(&policy.text, at) - 1,
            message: format!("`{}`: there is no {written}", policy.grounds.id),
            suggestion: near.map(|near| format!("{kind}::\"{near}\"")),
        });
    }
}

/// What Cedar says, with its help.
pub(super) fn told(error: &(impl Diagnostic + ?Sized)) -> String {
    let message = error.to_string();
    let mut message = message.lines().collect::<Vec<_>>().join(" ");
    if let Some(label) = error.labels().and_then(|mut labels| labels.next())
        && let Some(label) = label.label()
    {
        message.push_str(&format!(" ({label})"));
    }
    match error.help() {
        Some(help) => format!("{message}; {help}"),
        None => message,
    }
}

pub(super) fn line_of(error: &(impl Diagnostic + ?Sized), text: &str) -> usize {
    let label = error.labels().and_then(|mut labels| labels.next());
    label.map_or(1, |label| line_at(text, label.offset()))
}
