//! Reading a command in its surroundings.

use std::sync::Arc;

use wharf_model::{Caller, CommandText};
use wharf_shell::{Analysis, Context};

use crate::engine::{Inner, Surroundings};
use crate::error::Error;
use crate::policy;
use crate::request::RunRequest;
use crate::view::Decision;

/// Analyses a command that would start in `cwd` on this machine.
pub(crate) fn here(inner: &Inner, command: &CommandText, cwd: &str) -> Arc<Analysis> {
    let context = Context {
        cwd: Some(cwd),
        home: inner.options.home.as_deref(),
        user: inner.options.user.as_deref(),
        workspace_root: Some(cwd),
        git_branch: None,
    };
    Arc::new(wharf_shell::analyze(command.as_str(), &context))
}

/// Judges without running, here or as if elsewhere.
pub(crate) fn elsewhere(
    inner: &Inner,
    caller: &Caller,
    command: &CommandText,
    around: &Surroundings,
) -> Result<Decision, Error> {
    let session = around
        .session
        .as_ref()
        .map(|id| inner.sessions.get(caller, id))
        .transpose()?;
    let analysis = if let Some(other) = &around.elsewhere {
        let cwd = around.cwd.as_deref();
        let context = Context {
            cwd,
            home: other.home.as_deref(),
            user: other.user.as_deref(),
            workspace_root: other.workspace_root.as_deref().or(cwd),
            git_branch: other.git_branch.as_deref(),
        };
        Arc::new(wharf_shell::analyze(command.as_str(), &context))
    } else {
        let cwd = around
            .cwd
            .clone()
            .or_else(|| Some(session?.cwd().display().to_string()));
        let fallback = || inner.options.default_cwd.display().to_string();
        here(inner, command, &cwd.unwrap_or_else(fallback))
    };
    let request = RunRequest::new(command.clone());
    Ok(policy::judge(
        &request,
        analysis,
        inner.options.allow_dangerous,
        false,
    ))
}
