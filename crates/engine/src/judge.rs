//! Reading a command in its surroundings.

use std::sync::Arc;

use wharf_model::{Caller, CommandText};
use wharf_shell::{Analysis, Context};

use crate::engine::{Inner, Surroundings};
use crate::error::Error;
use crate::policy;
use crate::request::RunRequest;
use crate::view::Judged;

/// Analyses a command that would start in `cwd` on this machine.
pub(crate) fn here(inner: &Inner, command: &CommandText, cwd: &str) -> Arc<Analysis> {
    let context = Context {
        cwd: Some(cwd),
        home: inner.options.home.as_deref(),
        user: inner.options.user.as_deref(),
        workspace_root: Some(cwd),
        git_branch: None,
    };
    read(inner, command, &context)
}

/// What the text says, and what the user's registry adds to it.
fn read(inner: &Inner, command: &CommandText, context: &Context<'_>) -> Arc<Analysis> {
    let mut analysis = wharf_shell::analyze(command.as_str(), context);
    let registry = inner.parts.registry.current();
    registry.weigh(command.as_str(), context, &mut analysis);
    Arc::new(analysis)
}

/// Judges without running, here or as if elsewhere.
pub(crate) fn elsewhere(
    inner: &Inner,
    caller: &Caller,
    command: &CommandText,
    around: &Surroundings,
) -> Result<Judged, Error> {
    let session = around
        .session
        .as_ref()
        .map(|id| inner.sessions.get(caller, id))
        .transpose()?;
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
        let analysis = self::here(inner, command, &here);
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
    };
    let decision = policy::judge(inner, caller, &request, analysis, place, false).decision;
    Ok(Judged { decision, cwd })
}
