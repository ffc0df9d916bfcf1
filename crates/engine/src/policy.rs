//! May this run? The only place that says so.
//!
//! `wharf_policy` decides over a question; here the question is put together, and a yes is looked
//! for where one is needed.

use std::sync::Arc;

use wharf_exec::Facts;
use wharf_model::{Caller, Target};
use wharf_policy::approval::{Approval, Bound};
use wharf_policy::{Moment, Question, Who};
use wharf_shell::{Analysis, Reason, Span, Verdict};

use crate::approvals::sight::Sight;
use crate::approvals::table::{Asked, Yes, new_id};
use crate::engine::Inner;
use crate::error::{Error, Field};
use crate::principal::{self, Standing, who};
use crate::quotas::Charge;
use crate::request::RunRequest;
use crate::shared;
use crate::view::Decision;

/// A request that may run. Only [`decide`] makes one.
#[derive(Debug)]
pub(crate) struct Approved {
    caller: Caller,
    request: RunRequest,
    decision: Decision,
    yes: Option<Yes>,
    /// What the command would have found when the yes was looked for.
    sight: Option<Sight>,
    grant: Option<String>,
    /// What it takes of what its caller may use.
    charge: Option<Charge>,
}

impl Approved {
    /// It was counted against what its caller may use.
    pub(crate) fn charged(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }

    /// It is on record, and counts from here on, whatever comes of it.
    pub(crate) fn opened(&mut self) {
        if let Some(charge) = &mut self.charge {
            charge.opened();
        }
    }

    /// What it was counted as, for whoever sees it to its end.
    pub(crate) fn take_charge(&mut self) -> Option<Charge> {
        self.charge.take()
    }

    /// The run is on record: its yes, if it needed one, is used up, and what became of it is to be
    /// kept. Until here a request that comes to nothing gives it back.
    pub(crate) fn spend(&mut self, inner: &Inner, run: &str, cwd: &str) -> Option<Approval> {
        let yes = self.yes.take()?;
        let (now, rules) = (inner.parts.clock.now(), inner.policy().approval_rules());
        let who = who(&self.caller);
        let about = (&self.request, self.sight.as_ref());
        bound(inner, &self.caller, about, cwd, |bound| {
            yes.spend(bound, &who, run, now, &rules)
        })
    }

    /// The approval that it may run by, as it is now and as it will be when the run is on record.
    pub(crate) fn spending(
        &self,
        inner: &Inner,
        run: &str,
        cwd: &str,
    ) -> Option<(Approval, Approval)> {
        let yes = self.yes.as_ref()?;
        let (now, rules) = (inner.parts.clock.now(), inner.policy().approval_rules());
        let who = who(&self.caller);
        let about = (&self.request, self.sight.as_ref());
        bound(inner, &self.caller, about, cwd, |bound| {
            yes.spending(bound, &who, run, now, &rules)
        })
    }

    /// The approval that it may run by.
    pub(crate) fn approval(&self) -> Option<&str> {
        self.yes.as_ref().map(Yes::approval)
    }

    /// The standing yes that it may run by.
    pub(crate) fn grant(&self) -> Option<&str> {
        self.grant.as_deref()
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) const fn request(&self) -> &RunRequest {
        &self.request
    }

    /// The password for sudo, which is kept no longer than it is needed.
    pub(crate) fn take_sudo_password(&mut self) -> Option<wharf_model::Secret> {
        self.request.sudo_password.take()
    }

    pub(crate) const fn decision(&self) -> &Decision {
        &self.decision
    }
}

/// What [`decide`] says.
pub(crate) enum Outcome {
    Approved(Box<Approved>),
    Refused(Box<Refused>),
}

/// What was asked for and may not run, or not without a yes.
pub(crate) struct Refused {
    pub(crate) request: RunRequest,
    pub(crate) decision: Decision,
    /// The question that a yes would answer.
    pub(crate) asked: Option<Asked>,
}

/// A decision, and the standing yes that answers its question.
pub(crate) struct Judgement {
    pub(crate) decision: Decision,
    pub(crate) grant: Option<String>,
}

impl Judgement {
    /// Whether a yes is looked for.
    pub(crate) fn asks(&self) -> bool {
        self.decision.verdict == Verdict::Confirm && self.grant.is_none()
    }
}

/// Where a command would run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Place<'a> {
    pub(crate) cwd: Option<&'a str>,
    pub(crate) home: Option<&'a str>,
    pub(crate) workspace_root: Option<&'a str>,
    /// What a host says of itself.
    pub(crate) facts: Option<&'a Arc<Facts>>,
    /// Nothing of it will run: bash has been asked and cannot parse it either, or the host cannot
    /// be reached.
    pub(crate) runs_nothing: bool,
}

/// Decides over a request whose command has been judged. A yes that is not good for this is no
/// yes: the question is asked again, and says why. `sight` is what the command would find, where
/// [`Judgement::asks`].
pub(crate) fn decide(
    inner: &Inner,
    caller: &Caller,
    request: RunRequest,
    cwd: &str,
    judgement: Judgement,
    sight: Option<Sight>,
) -> Outcome {
    let Judgement {
        mut decision,
        grant,
    } = judgement;
    let mut given = None;
    match decision.verdict {
        Verdict::Deny => return refused(request, decision, None),
        Verdict::Confirm if grant.is_none() => {
            let now = inner.parts.clock.now();
            let seen = (&request, sight.as_ref());
            let about = bound(inner, caller, seen, cwd, |bound| bound.fingerprint());
            let token = request.confirmation.as_deref();
            match inner.approvals.yes(token, about, now) {
                Ok(Some(yes)) => given = Some(yes),
                none => {
                    if let Err(why) = none {
                        decision.reasons.push(Reason {
                            rule: "confirmation".to_owned(),
                            span: Span { start: 0, end: 0 },
                            message: why.to_owned(),
                        });
                    }
                    let asked = ask(inner, caller, seen, cwd, &decision);
                    return refused(request, decision, Some(asked));
                }
            }
        }
        Verdict::Allow | Verdict::Confirm => {}
    }
    Outcome::Approved(Box::new(Approved {
        caller: caller.clone(),
        request,
        decision,
        yes: given,
        sight,
        grant,
        charge: None,
    }))
}

/// Asks for a yes.
fn ask(
    inner: &Inner,
    caller: &Caller,
    seen: (&RunRequest, Option<&Sight>),
    cwd: &str,
    decision: &Decision,
) -> Asked {
    let (now, rules) = (inner.parts.clock.now(), inner.policy().approval_rules());
    let entropy = inner.parts.entropy.as_ref();
    let mut names: Vec<String> = Vec::new();
    for reason in &decision.reasons {
        if !names.contains(&reason.rule) {
            names.push(reason.rule.clone());
        }
    }
    let requester = who(caller);
    let question = bound(inner, caller, seen, cwd, |bound| {
        Approval::ask(&new_id(entropy), bound, &requester, names, now, &rules)
    });
    let own_yes = rules.requester_may_approve && principal::may_confirm(caller);
    inner.approvals.ask(question, now, own_yes, entropy)
}

fn refused(request: RunRequest, decision: Decision, asked: Option<Asked>) -> Outcome {
    Outcome::Refused(Box::new(Refused {
        request,
        decision,
        asked,
    }))
}

/// [`judge`] with what other servers have been told: a yes that is given or taken back at any of
/// them counts from then on.
pub(crate) async fn judge_now(
    inner: &Inner,
    caller: &Caller,
    request: &RunRequest,
    analysis: Arc<Analysis>,
    place: Place<'_>,
) -> Result<Judgement, Error> {
    let judgement = judge(inner, caller, request, Arc::clone(&analysis), place);
    if judgement.decision.verdict != Verdict::Confirm || !inner.parts.database.is_shared() {
        return Ok(judgement);
    }
    // Somebody else may have followed in between, so that it does not matter whether this did.
    shared::follow(inner).await?;
    Ok(judge(inner, caller, request, analysis, place))
}

/// Judges a command together with what comes with it.
pub(crate) fn judge(
    inner: &Inner,
    caller: &Caller,
    request: &RunRequest,
    analysis: Arc<Analysis>,
    place: Place<'_>,
) -> Judgement {
    let (policy, clock) = (inner.policy(), inner.parts.clock.as_ref());
    let env: Vec<&str> = request.env.iter().map(|(name, _)| name.as_str()).collect();
    let target = request.target.to_string();
    let groups = inner.hosts.groups_of(&request.target);
    let groups: Vec<&str> = groups.iter().map(String::as_str).collect();
    let now = clock.now();
    let standing = Standing::of(caller);
    let scopes: Vec<&str> = standing.scopes.iter().map(String::as_str).collect();
    let asks = Who {
        token: &standing.token,
        ..who(caller)
    };
    let question = Question {
        target: &target,
        groups: &groups,
        session: request.session.as_ref().map(|session| session.as_str()),
        cwd: place.cwd,
        home: place.home,
        workspace_root: place.workspace_root,
        background: request.background,
        runs_nothing: place.runs_nothing,
        at: Some(Moment::from_timestamp(now, clock.utc_offset_minutes())),
        env: &env,
        allow_dangerous: inner.options.allow_dangerous,
        roles: &[standing.role.as_str()],
        organization: &standing.organization,
        scopes: &scopes,
        ..Question::new(asks, &analysis)
    };
    let mut answer = policy.decide(&question);
    let refused = principal::refusal(caller, request, analysis.risk);
    if refused.is_some() {
        answer.verdict = Verdict::Deny;
    }
    let grant = (answer.verdict == Verdict::Confirm)
        .then(|| {
            let (command, stdin) = (request.command.as_str(), request.stdin.is_some());
            // Policies know this machine as `local`, a yes knows which one it is.
            let machine = where_it_runs(inner, &request.target);
            let question = Question {
                target: &machine,
                ..question
            };
            inner.approvals.granted(|grant| {
                grant.covers(&question, &answer, caller.name(), command, stdin, now)
            })
        })
        .flatten();
    let decision = Decision {
        verdict: answer.verdict,
        reasons: refused
            .into_iter()
            .chain(answer.reasons.into_iter().map(Into::into))
            .collect(),
        analysis,
        command: request.command.clone(),
        registry: inner.parts.registry.current(),
        target: request.target.clone(),
        facts: place.facts.cloned(),
    };
    Judgement { decision, grant }
}

/// Checks the names and values of variables.
pub(crate) fn check_env(env: &[(String, wharf_model::Secret)]) -> Result<(), Error> {
    let fields: Vec<Field> = env
        .iter()
        .filter_map(|(name, value)| {
            let message = if !wharf_shell::valid_env_name(name) {
                "a name is letters, digits and underscores and does not start with a digit"
            } else if name.starts_with("__w") {
                "names that start with __w are used by the shell's own loop"
            } else if value.expose().contains('\0') {
                "a value cannot hold a NUL byte"
            } else {
                return None;
            };
            Some(Field {
                name: format!("env.{name}"),
                message: message.to_owned(),
            })
        })
        .collect();
    if fields.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid { fields })
    }
}

/// The machine that a yes is for: a target by its name, save that `local` is another machine at
/// each of several servers.
pub(crate) fn where_it_runs(inner: &Inner, target: &Target) -> String {
    let database = &inner.parts.database;
    if target.is_local() && database.is_shared() {
        return format!("{target}@{}", database.server());
    }
    target.to_string()
}

/// Everything that a yes is good for. Another command, directory, variable, input or file is
/// another question.
fn bound<T>(
    inner: &Inner,
    caller: &Caller,
    (request, sight): (&RunRequest, Option<&Sight>),
    cwd: &str,
    with: impl FnOnce(&Bound<'_>) -> T,
) -> T {
    let target = where_it_runs(inner, &request.target);
    let env: Vec<(&str, &str)> = request
        .env
        .iter()
        .map(|(name, value)| (name.as_str(), value.expose()))
        .collect();
    with(&Bound {
        caller: caller.name(),
        command: request.command.as_str(),
        target: &target,
        cwd,
        session: request.session.as_ref().map(|session| session.as_str()),
        stdin: request.stdin.as_deref(),
        background: request.background,
        env: &env,
        sight: sight.map_or(&[], |sight| sight.as_slice()),
    })
}
