//! Sending a profile to an upstream.

use super::command::{self, Bounds};
use super::{GitProgram, Upstream, UpstreamError, folder};
use crate::error::Error;
use crate::limits::{UPSTREAM_BYTES, UPSTREAM_TIME};
use crate::owner::Owner;
use crate::profiles::{Profiles, Shared};

/// What a push came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It has this version already.
    Nothing,
    /// It has this version now.
    Sent(String),
    /// It has versions that are not here: pull first. Nothing was changed there.
    Behind,
}

impl Profiles {
    /// Sends the newest version to the upstream. What it has is never thrown away: it takes a
    /// version only if its own is before it.
    ///
    /// # Errors
    /// [`Error::Upstream`] when nothing was saved, or it is not reached.
    pub async fn push(
        &self,
        owner: &Owner,
        git: &GitProgram,
        upstream: &Upstream,
    ) -> Result<Pushed, Error> {
        let (git, upstream, owner) = (git.clone(), upstream.clone(), owner.clone());
        let push = move |shared: &Shared| {
            folder::check(&upstream.address, &shared.root)?;
            let repository = shared.repository(&owner);
            let head = repository.head()?.ok_or(UpstreamError::Empty)?;
            let what = format!("{head}:refs/heads/{}", upstream.branch);
            let words = [
                "push",
                "--porcelain",
                "--no-verify",
                "--no-recurse-submodules",
                "--",
                upstream.address.as_str(),
                &what,
            ];
            let bounds = Bounds {
                time: UPSTREAM_TIME,
                bytes: UPSTREAM_BYTES,
            };
            let said = command::run(&git, &upstream, repository.directory(), &words, bounds)?;
            // A line for each branch: its first character says what came of it.
            let lines = said.stdout.lines();
            let flag = lines
                .filter(|line| line.contains(&what))
                .find_map(|line| line.chars().next());
            match flag {
                Some('=') if said.status.success() => Ok(Pushed::Nothing),
                Some(_) if said.status.success() => Ok(Pushed::Sent(head.to_string())),
                Some('!') if is_behind(&said.stdout) => Ok(Pushed::Behind),
                Some('!') => Err(refusal(&said.stdout).into()),
                _ => Err(said.failure().into()),
            }
        };
        self.converse(push).await
    }
}

fn is_behind(said: &str) -> bool {
    ["(non-fast-forward)", "(fetch first)"]
        .iter()
        .any(|reason| said.contains(reason))
}

fn refusal(said: &str) -> UpstreamError {
    let line = said.lines().find(|line| line.starts_with('!'));
    let reason = line.and_then(|line| line.split('\t').next_back());
    UpstreamError::Failed(
        reason
            .unwrap_or("it was refused")
            .chars()
            .take(300)
            .collect(),
    )
}
