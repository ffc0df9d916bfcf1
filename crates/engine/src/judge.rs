//! Reading a command in its surroundings.

use std::sync::Arc;

use wharf_exec::Facts;
use wharf_model::{Caller, CommandText, Target};
use wharf_shell::{Analysis, Context};

use crate::engine::{Inner, Surroundings};
use crate::error::Error;
use crate::request::RunRequest;
use crate::view::Judged;
use crate::{places, policy};

/// Analyses a command that would start in `cwd` at a target.
pub(crate) fn at(
    inner: &Inner,
    command: &CommandText,
    (target, facts): (&Target, Option<&Facts>),
    cwd: &str,
) -> Arc<Analysis> {
    read(inner, command, &places::context(inner, target, facts, cwd))
}

/// What the text says, and what the user's registry adds to it.
fn read(inner: &Inner, command: &CommandText, context: &Context<'_>) -> Arc<Analysis> {
    let mut analysis = wharf_shell::analyze(command.as_str(), context);
    let registry = inner.parts.registry.current();
    registry.weigh(command.as_str(), context, &mut analysis);
    Arc::new(analysis)
}

/// Judges without running, here or as if elsewhere.
pub(crate) async fn elsewhere(
    inner: &Inner,
    caller: &Caller,
    command: &CommandText,
    around: &Surroundings,
) -> Result<Judged, Error> {
    let session = match &around.session {
        Some(id) => Some(inner.session_here(caller, id).await?),
        None => None,
    };
    let mut cwd = around.cwd.clone();
    let analysis = if let Some(other) = &around.elsewhere {
        let cwd = cwd.as_deref();
        let context = Context {
            cwd,
            home: other.home.as_deref(),
            user: other.user.as_deref(),
            workspace_root: other.workspace_root.as_deref().or(cwd),
            git_branch: other.git_branch.as_deref(),
        };
        read(inner, command, &context)
    } else {
        let base = session.map_or_else(
            || inner.options.default_cwd.clone(),
            |session| session.cwd(),
        );
        // From there when it is relative, as a run would have it.
        let here = cwd.map_or_else(|| base.clone(), |asked| base.join(asked));
        let here = here.display().to_string();
        let analysis = at(inner, command, (&Target::Local, None), &here);
        cwd = Some(here);
        analysis
    };
    let request = RunRequest::new(command.clone());
    let other = around.elsewhere.as_ref();
    let place = policy::Place {
        cwd: cwd.as_deref(),
        home: match other {
            Some(other) => other.home.as_deref(),
            None => inner.options.home.as_deref(),
        },
        workspace_root: other
            .and_then(|other| other.workspace_root.as_deref())
            .or(cwd.as_deref()),
        ..policy::Place::default()
    };
    let decision = policy::judge(inner, caller, &request, analysis, place).decision;
    Ok(Judged { decision, cwd })
}
