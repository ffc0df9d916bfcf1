//! May this run? The only place that says so.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use wharf_model::{Caller, Entropy};
use wharf_shell::{Reason, Span, Verdict};

use crate::error::{Error, Field};
use crate::request::RunRequest;
use crate::view::Decision;

/// How long a confirmation token is good.
pub(crate) const CONFIRMATION_LIFE: Duration = Duration::from_secs(300);
/// Confirmation tokens that wait at once; the oldest make room.
pub(crate) const MAX_CONFIRMATIONS: usize = 10_000;

/// A request that may run. Only [`decide`] makes one.
#[derive(Debug)]
pub(crate) struct Approved {
    caller: Caller,
    request: RunRequest,
    decision: Decision,
    yes: Option<Yes>,
}

impl Approved {
    /// The run is on record: its yes, if it needed one, is used up. Until here a request that
    /// comes to nothing gives it back.
    pub(crate) fn spend(&mut self) {
        if let Some(yes) = self.yes.take() {
            yes.spend();
        }
    }

    pub(crate) const fn caller(&self) -> &Caller {
        &self.caller
    }

    pub(crate) const fn request(&self) -> &RunRequest {
        &self.request
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

/// What was asked for and may not run, or, with a token, not without a yes.
pub(crate) struct Refused {
    pub(crate) request: RunRequest,
    pub(crate) decision: Decision,
    pub(crate) token: Option<String>,
}

/// Decides over a request whose command has been analysed. A yes that is not good for this is no
/// yes: the question is asked again, and says why.
pub(crate) fn decide(
    caller: &Caller,
    request: RunRequest,
    cwd: &str,
    mut decision: Decision,
    confirmations: &Confirmations,
    entropy: &dyn Entropy,
) -> Outcome {
    let mut given = None;
    match decision.verdict {
        Verdict::Deny => return refused(request, decision, None),
        Verdict::Allow => {}
        Verdict::Confirm => {
            let binding = binding(caller, &request, cwd);
            let yes = request
                .confirmation
                .as_ref()
                .map(|token| confirmations.redeem(token, &binding));
            match yes {
                Some(Ok(yes)) => given = Some(yes),
                other => {
                    if let Some(Err(why)) = other {
                        decision.reasons.push(Reason {
                            rule: "confirmation".to_owned(),
                            span: Span { start: 0, end: 0 },
                            message: why.to_owned(),
                        });
                    }
                    let token = confirmations.issue(binding, entropy);
                    return refused(request, decision, Some(token));
                }
            }
        }
    }
    Outcome::Approved(Box::new(Approved {
        caller: caller.clone(),
        request,
        decision,
        yes: given,
    }))
}

fn refused(request: RunRequest, decision: Decision, token: Option<String>) -> Outcome {
    Outcome::Refused(Box::new(Refused {
        request,
        decision,
        token,
    }))
}

/// Judges a command together with the variables that come with it. `runs_nothing`: bash has been
/// asked and cannot parse it either, so that nothing of it will run.
pub(crate) fn judge(
    request: &RunRequest,
    analysis: Arc<wharf_shell::Analysis>,
    allow_dangerous: bool,
    runs_nothing: bool,
) -> Decision {
    let (mut verdict, mut reasons) = wharf_shell::judge(&analysis);
    if runs_nothing {
        verdict = Verdict::Allow;
    }
    for (name, _) in &request.env {
        if let Some(why) = wharf_shell::env_needs_approval(name) {
            verdict = verdict.max(Verdict::Confirm);
            reasons.push(Reason {
                rule: "environment.code".to_owned(),
                span: Span { start: 0, end: 0 },
                message: format!("{name}: {why}"),
            });
        }
    }
    if allow_dangerous && verdict == Verdict::Deny {
        verdict = Verdict::Confirm;
    }
    Decision {
        verdict,
        reasons,
        analysis,
        command: request.command.clone(),
    }
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

/// Everything that a yes is good for. Another command, directory, variable or input is another
/// question.
fn binding(caller: &Caller, request: &RunRequest, cwd: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_le_bytes());
        hash.update(bytes);
    };
    part(caller.name().as_bytes());
    part(request.command.as_str().as_bytes());
    part(request.target.to_string().as_bytes());
    part(
        request
            .session
            .as_ref()
            .map_or("", |id| id.as_str())
            .as_bytes(),
    );
    part(cwd.as_bytes());
    part(request.stdin.as_deref().unwrap_or_default());
    part(&[
        u8::from(request.background),
        u8::from(request.stdin.is_some()),
    ]);
    for (name, value) in &request.env {
        part(name.as_bytes());
        part(value.expose().as_bytes());
    }
    hash.finalize().into()
}

/// Tokens that were given out and not come back yet. Clones are one.
#[derive(Clone, Default)]
pub(crate) struct Confirmations(Arc<Mutex<Vec<Pending>>>);

/// A yes that a request holds. Nobody else can use it meanwhile; dropped, it can be given again.
pub(crate) struct Yes {
    confirmations: Confirmations,
    pending: Option<Pending>,
}

impl Yes {
    fn spend(mut self) {
        self.pending = None;
    }
}

impl Drop for Yes {
    fn drop(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.confirmations.keep(pending);
        }
    }
}

impl std::fmt::Debug for Yes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Yes(..)")
    }
}

struct Pending {
    token: String,
    binding: [u8; 32],
    until: Instant,
}

impl Confirmations {
    fn issue(&self, binding: [u8; 32], entropy: &dyn Entropy) -> String {
        let mut bytes = [0; 24];
        entropy.fill(&mut bytes);
        let token = bytes
            .iter()
            .fold("cnf_".to_owned(), |text, byte| format!("{text}{byte:02x}"));
        self.keep(Pending {
            token: token.clone(),
            binding,
            until: Instant::now() + CONFIRMATION_LIFE,
        });
        token
    }

    fn keep(&self, entry: Pending) {
        let now = Instant::now();
        let mut pending = self.lock();
        pending.retain(|entry| entry.until > now);
        if pending.len() >= MAX_CONFIRMATIONS {
            pending.remove(0);
        }
        pending.push(entry);
    }

    /// Takes a token's yes. One that was given for something else stays good for that.
    fn redeem(&self, token: &str, binding: &[u8; 32]) -> Result<Yes, &'static str> {
        let now = Instant::now();
        let mut pending = self.lock();
        let at = pending
            .iter()
            .position(|entry| entry.token == token && entry.until > now)
            .ok_or("the confirmation token that came along is unknown, expired or used")?;
        if pending
            .get(at)
            .is_none_or(|entry| entry.binding != *binding)
        {
            return Err("the confirmation token that came along was given for something else");
        }
        Ok(Yes {
            confirmations: self.clone(),
            pending: Some(pending.remove(at)),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
