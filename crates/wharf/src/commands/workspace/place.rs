//! A directory of this device's that is taken to sandboxes, and what is kept of it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use wharf_localstate::{FileLock, private};
use wharf_workspace::Error as WorkspaceError;
use wharf_workspace::far::{FarPlace, Owner};
use wharf_workspace::identity::{Grounds, Workspace};

use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::device;
use crate::sandbox::Machine;

/// What is kept at the far side, beside the directory of the work.
const FAR_STATE: &str = ".wharf-workspace";
/// The number of the account that programs run under, where its name is not known there.
const USER_NUMBER: u32 = 1000;

/// The directory, if it may be taken: the one that is named, or the current one.
pub(crate) fn directory(cx: &Context, named: Option<&Path>) -> Result<Workspace, CommandError> {
    let cwd = cx.world.cwd().ok_or_else(|| {
        CommandError::usage("the current directory is gone").hint("name a directory: wharf PATH")
    })?;
    let path = named.map_or_else(|| cwd.to_owned(), |named| cwd.join(named));
    let device = device::id(cx)?;
    let grounds = Grounds {
        // Without a home there is none to take by mistake.
        home: cx
            .world
            .home()
            .unwrap_or_else(|| PathBuf::from("/nonexistent")),
        state: cx.places.state_dir().to_owned(),
    };
    Ok(Workspace::at(&path, &device, &grounds)?)
}

/// The directory and what is kept of it, held until this is dropped: two that take it at once would
/// each believe the other's half.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) workspace: Workspace,
    /// What is kept of it here.
    pub(super) dir: PathBuf,
    _held: FileLock,
}

impl Place {
    /// Takes the lock.
    pub(crate) fn hold(cx: &Context, workspace: Workspace) -> Result<Self, CommandError> {
        let dir = cx.places.state_dir().join("workspaces");
        private::make_dir(&dir)?;
        let dir = dir.join(workspace.id().as_str());
        private::make_dir(&dir)?;
        let held = FileLock::try_take(&dir.join("lock"))?.ok_or_else(|| {
            let text = format!("{} is being synced already", workspace.root().display());
            CommandError::new(Kind::TryLater, text).hint("wait for the other wharf, or end it")
        })?;
        Ok(Self {
            workspace,
            dir,
            _held: held,
        })
    }
}

/// Where a directory goes in a machine.
pub(super) fn far_place(machine: &Machine) -> FarPlace {
    let dir = machine.workspace.trim_end_matches('/');
    let above = dir.rsplit_once('/').map_or("", |(above, _)| above);
    FarPlace {
        dir: dir.to_owned(),
        state: format!("{above}/{FAR_STATE}"),
        owner: Some(Owner {
            user: machine.user.clone(),
            group: machine.user.clone(),
            uid: USER_NUMBER,
            gid: USER_NUMBER,
        }),
        unseen: Vec::new(),
    }
}

/// The person's own file of patterns that git ignores everywhere.
pub(super) fn excludes(cx: &Context) -> Option<PathBuf> {
    let told = Command::new("git")
        .args(["config", "--path", "--get", "core.excludesFile"])
        .current_dir("/")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let told = told.ok().filter(|told| told.status.success());
    let named = told.and_then(|told| String::from_utf8(told.stdout).ok());
    if let Some(named) = named.map(|named| named.trim_end_matches('\n').to_owned())
        && !named.is_empty()
    {
        return Some(PathBuf::from(named));
    }
    let config = cx.world.variable("XDG_CONFIG_HOME").map(PathBuf::from);
    let config = config.filter(|dir| dir.is_absolute());
    let config = config.or_else(|| Some(cx.world.home()?.join(".config")));
    config.map(|dir| dir.join("git/ignore"))
}

impl From<WorkspaceError> for CommandError {
    fn from(error: WorkspaceError) -> Self {
        let kind = match &error {
            WorkspaceError::Refused { .. } => Kind::Usage,
            WorkspaceError::Busy => Kind::TryLater,
            WorkspaceError::Open(_) | WorkspaceError::Cut(_) => Kind::TryLater,
            WorkspaceError::BranchExists { .. } => Kind::Conflict,
            _ => Kind::Failed,
        };
        let said = Self::new(kind, error.to_string());
        let said = match std::error::Error::source(&error) {
            Some(source) => said.because(source),
            None => said,
        };
        match &error {
            WorkspaceError::Refused { .. } => {
                said.hint("go into the directory of one project: cd ~/src/shop && wharf")
            }
            WorkspaceError::Cut(_) => said.hint("what has arrived is kept; try again"),
            WorkspaceError::Apart => {
                said.hint("mount one file system over both, the directory above as well")
            }
            _ => said,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wharf_api::gateway::GatewaySandbox;

    #[test]
    fn what_is_kept_there_is_beside_the_work() {
        let sandbox = GatewaySandbox {
            ssh_host: "127.0.0.1".to_owned(),
            ssh_port: 1,
            ..GatewaySandbox::default()
        };
        let machine = Machine::of("gws_1", &sandbox).unwrap();
        assert_eq!(far_place(&machine), FarPlace::sandbox());
    }
}
