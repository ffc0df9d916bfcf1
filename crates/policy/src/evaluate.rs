//! Asks Cedar.

use std::collections::{HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityId, EntityUid, Request,
    RestrictedExpression,
};

use crate::attribute::{Attribute, Type};
use crate::compile::Compiled;
use crate::facts::Facts;
use crate::opinion::{Action, Opinion};
use crate::vocabulary::risk_name;

/// One question, in Cedar's words. Made once and asked for both actions.
pub(crate) struct Asked<'p> {
    compiled: &'p Compiled,
    roles: u64,
    subject: Result<Subject, String>,
}

struct Subject {
    principal: EntityUid,
    resource: EntityUid,
    entities: Entities,
    context: Context,
}

impl Compiled {
    /// Puts a question into Cedar's words.
    pub(crate) fn ask(&self, facts: &Facts<'_>, roles: u64) -> Asked<'_> {
        Asked {
            compiled: self,
            roles,
            subject: self.subject(facts, roles),
        }
    }

    fn subject(&self, facts: &Facts<'_>, roles: u64) -> Result<Subject, String> {
        let uids = &self.uids;
        let who = facts.question.caller;
        let principal =
            EntityUid::from_type_name_and_id(uids.caller.clone(), EntityId::new(who.uid()));
        let target = EntityId::new(facts.question.target);
        let resource = EntityUid::from_type_name_and_id(uids.target.clone(), target);
        let has = |index: &usize| roles >> index & 1 == 1;
        let parents: HashSet<EntityUid> = uids
            .roles
            .iter()
            .enumerate()
            .filter(|(index, _)| has(index))
            .map(|(_, uid)| uid.clone())
            .collect();
        let text = |value: &str| RestrictedExpression::new_string(value.to_owned());
        let attributes = HashMap::from([
            ("user".to_owned(), text(who.user)),
            ("agent".to_owned(), text(who.agent)),
            ("token".to_owned(), text(who.token)),
            ("organization".to_owned(), text(facts.question.organization)),
            (
                "scopes".to_owned(),
                RestrictedExpression::new_set(
                    facts.question.scopes.iter().map(|scope| text(scope)),
                ),
            ),
        ]);
        let caller = Entity::new(principal.clone(), attributes, parents)
            .map_err(|error| error.to_string())?;
        let groups: HashSet<EntityUid> = facts
            .header
            .targets
            .iter()
            .zip(&uids.groups)
            .filter(|(group, _)| group.holds(facts.question.target, facts.question.groups))
            .map(|(_, uid)| uid.clone())
            .collect();
        let target = Entity::new_no_attrs(resource.clone(), groups);
        let [run, unasked] = &uids.actions;
        let unasked = Entity::new_no_attrs(unasked.clone(), HashSet::from([run.clone()]));
        let entities = Entities::from_entities([caller, target, unasked], None)
            .map_err(|error| error.to_string())?;
        let pairs = self.needed.iter().map(|attribute| {
            let value = self.value(*attribute, facts);
            (attribute.name().to_owned(), value)
        });
        let context = Context::from_pairs(pairs).map_err(|error| error.to_string())?;
        Ok(Subject {
            principal,
            resource,
            entities,
            context,
        })
    }

    fn value(&self, attribute: Attribute, facts: &Facts<'_>) -> RestrictedExpression {
        match attribute.kind() {
            Type::Truth => RestrictedExpression::new_bool(facts.truth(attribute)),
            Type::One(_) => self.uids.word(attribute, risk_name(facts.risk())),
            Type::Texts | Type::Many(_) => {
                let items = facts.items(attribute);
                let mut names: Vec<&str> = items.iter().map(|item| item.name.as_ref()).collect();
                names.sort_unstable();
                names.dedup();
                let words = names
                    .into_iter()
                    .map(|name| self.uids.word(attribute, name));
                RestrictedExpression::new_set(words)
            }
        }
    }
}

impl<'p> Asked<'p> {
    /// What the policies say to an action. A `forbid` in one piece and a `permit` in another stay
    /// what they are when the pieces are put together.
    pub(crate) fn opinion(&self, action: Action) -> Opinion<'p> {
        let subject = match &self.subject {
            Ok(subject) => subject,
            Err(error) => {
                return Opinion {
                    failed: Some(error.clone()),
                    ..Opinion::default()
                };
            }
        };
        let mut opinion = Opinion::default();
        let mut request = None;
        for piece in &self.compiled.pieces {
            let applies = piece.role.is_none_or(|role| role & self.roles != 0);
            if piece.action != action || !applies {
                continue;
            }
            if request.is_none() {
                match self.request(subject, action) {
                    Ok(made) => request = Some(made),
                    Err(error) => opinion.failed = Some(error),
                }
            }
            let Some(request) = &request else {
                return opinion;
            };
            let response =
                Authorizer::new().is_authorized(request, &piece.policies, &subject.entities);
            if let Some(error) = response.diagnostics().errors().next() {
                opinion.failed = Some(error.to_string());
            }
            if response.decision() == Decision::Allow {
                opinion.permits = true;
                continue;
            }
            for id in response.diagnostics().reason() {
                let index = self.compiled.by_id.get(id);
                let policy = index.and_then(|index| self.compiled.policies.get(*index));
                opinion.forbids.extend(policy.map(|policy| &policy.grounds));
            }
        }
        opinion
    }

    fn request(&self, subject: &Subject, action: Action) -> Result<Request, String> {
        let [run, unasked] = &self.compiled.uids.actions;
        let action = match action {
            Action::Run => run,
            Action::RunUnasked => unasked,
        };
        Request::new(
            subject.principal.clone(),
            action.clone(),
            subject.resource.clone(),
            subject.context.clone(),
            None,
        )
        .map_err(|error| error.to_string())
    }
}
