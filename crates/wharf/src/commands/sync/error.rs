//! What can go wrong with a sync, in the words of the command line.

use std::path::Path;

use wharf_sync::apply::Error as ApplyError;
use wharf_sync::select::Error as SelectError;

use crate::error::{CommandError, Kind};

impl From<ApplyError> for CommandError {
    fn from(error: ApplyError) -> Self {
        let kind = match &error {
            ApplyError::Busy => Kind::TryLater,
            ApplyError::Changed(_) => Kind::Conflict,
            ApplyError::NoOperation(_) => Kind::NotFound,
            _ => Kind::Failed,
        };
        let said = Self::new(kind, error.to_string());
        match &error {
            ApplyError::Busy => said.hint("it is done in a moment; try again"),
            ApplyError::Changed(_) => said.hint("nothing was written; try again"),
            ApplyError::NoOperation(_) => said.hint("wharf sync history lists them"),
            ApplyError::Outside { .. } => {
                said.hint("nothing was written; move the file into your home, or remove the link")
            }
            ApplyError::NotAFile { .. } => said.hint("nothing was written; move it away"),
            ApplyError::Member { .. } => {
                said.hint("nothing was written; put that file right, and try again")
            }
            ApplyError::MemberContent { .. } => said.hint("nothing was written"),
            ApplyError::Damaged { path, .. } => {
                let dir = dir_of(path);
                said.hint(format!(
                    "move {dir} away and the next sync begins with nothing agreed on; keep it, the \
                     backups are in it"
                ))
            }
            ApplyError::Unfinished { source } => {
                let said = said.hint("no file is half written; put it right, then wharf sync");
                match source.as_ref() {
                    ApplyError::Io { path, .. } => said.hint(room(path)),
                    _ => said,
                }
            }
            ApplyError::Io { path, .. } => said.hint(room(path)),
            ApplyError::State(_) => {
                said.hint("the state directory has to be yours and writable: wharf doctor")
            }
        }
    }
}

fn room(path: &Path) -> String {
    format!(
        "is there room in {}, and may you write there?",
        dir_of(path)
    )
}

fn dir_of(path: &Path) -> String {
    path.parent().unwrap_or(path).display().to_string()
}

impl From<SelectError> for CommandError {
    fn from(error: SelectError) -> Self {
        match error {
            SelectError::Bounds(error) => error.into(),
            SelectError::Changed { .. } => Self::new(Kind::TryLater, error.to_string()),
            SelectError::Manifest(_) => Self::failed(error.to_string())
                .hint("nothing was sent or written; make room below the agent's directory"),
            SelectError::Read { .. } | SelectError::TooMany { .. } => {
                Self::failed(error.to_string())
            }
        }
    }
}
