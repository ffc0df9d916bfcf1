//! What somebody who has ended had. It is put aside at once, in one step, so that nobody is asked
//! about it any more, and gone for good [`ENDED_KEPT`] later: ending the wrong team is a slip of a
//! hand, and its history is in no other place.
//!
//! ```text
//! PROFILES/ended/LAYER.ID.SECONDS.git     since when, in seconds since 1970
//! ```

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{self, Error};
use crate::git::{files, make_directory};
use crate::limits::ENDED_KEPT;
use crate::owner::{Layer, Owner};
use crate::profiles::{Profiles, Shared};

/// The folder of what was put aside.
const FOLDER: &str = "ended";

impl Profiles {
    /// Puts the repository of `owner` aside. Whether there was one. Whoever saves something for that
    /// owner later begins with nothing.
    ///
    /// # Errors
    /// [`Error::Busy`] while somebody writes; when the disk does not take it.
    pub async fn put_aside(&self, owner: &Owner) -> Result<bool, Error> {
        let queue = owner.clone();
        let owner = owner.clone();
        let write = move |shared: &Shared| {
            let step = || error::io("put the repository of a profile aside");
            let repository = shared.repository(&owner);
            let place = repository.directory();
            if !place.try_exists().map_err(step())? {
                return Ok(false);
            }
            let folder = shared.root.join(FOLDER);
            make_directory(&folder)?;
            let _locked = repository.lock()?;
            let seconds = shared.clock.now().millis() / 1000;
            fs::rename(place, folder.join(name(&owner, seconds))).map_err(step())?;
            flush(&folder, place)?;
            Ok(true)
        };
        self.write(&queue, write).await
    }

    /// Puts back what was put aside of `owner` last, if nothing was saved since. Whether it was done.
    ///
    /// # Errors
    /// As for [`Profiles::put_aside`].
    pub async fn take_back(&self, owner: &Owner) -> Result<bool, Error> {
        let queue = owner.clone();
        let owner = owner.clone();
        let write = move |shared: &Shared| {
            let step = || error::io("put the repository of a profile back");
            let folder = shared.root.join(FOLDER);
            let aside = aside(&folder)?.into_iter();
            let last = aside
                .filter(|it| it.owner == owner)
                .max_by_key(|it| it.since);
            let repository = shared.repository(&owner);
            let place = repository.directory();
            let Some(last) = last.filter(|_| !place.exists()) else {
                return Ok(false);
            };
            // Another server may be doing the same, so that one of them finds nothing to rename.
            match fs::rename(&last.path, place) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
                done => done.map_err(step())?,
            }
            flush(&folder, place)?;
            Ok(true)
        };
        self.write(&queue, write).await
    }

    /// Removes for good what was put aside [`ENDED_KEPT`] ago. How many repositories that were.
    ///
    /// # Errors
    /// When the disk does not do it; the next time goes on.
    pub async fn sweep_ended(&self) -> Result<usize, Error> {
        let sweep = |shared: &Shared| {
            let step = || error::io("remove the repository of a profile that has ended");
            let folder = shared.root.join(FOLDER);
            let kept = i64::try_from(ENDED_KEPT.as_secs()).unwrap_or(i64::MAX);
            let last = (shared.clock.now().millis() / 1000).saturating_sub(kept);
            let mut gone = 0;
            for it in aside(&folder)?.into_iter().filter(|it| it.since <= last) {
                match fs::remove_dir_all(&it.path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(step()(error));
                    }
                    _ => gone += 1,
                }
            }
            Ok(gone)
        };
        self.read(sweep).await
    }
}

/// A repository that was put aside.
struct Aside {
    path: PathBuf,
    owner: Owner,
    /// Seconds since 1970.
    since: i64,
}

/// There is no dot in a layer or an id.
fn name(owner: &Owner, seconds: i64) -> String {
    format!("{}.{}.{seconds}.git", owner.layer(), owner.id())
}

/// All that was put aside. What has another name is not ours to touch.
fn aside(folder: &Path) -> Result<Vec<Aside>, Error> {
    let step = || error::io("look for repositories of profiles that have ended");
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(step()(error)),
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.map_err(step())?.path();
        let name = path.file_name().and_then(|name| name.to_str());
        if let Some((owner, since)) = name.and_then(parse) {
            all.push(Aside { path, owner, since });
        }
    }
    Ok(all)
}

fn parse(name: &str) -> Option<(Owner, i64)> {
    let mut parts = name.strip_suffix(".git")?.splitn(3, '.');
    let layer = Layer::parse(parts.next()?)?;
    let owner = Owner::new(layer, parts.next()?).ok()?;
    Some((owner, parts.next()?.parse().ok()?))
}

/// Both folders of a move, on the disk.
fn flush(folder: &Path, place: &Path) -> Result<(), Error> {
    let step = || error::io("put the repository of a profile aside");
    files::flush_directory(folder).map_err(step())?;
    files::flush_directory(place.parent().unwrap_or(place)).map_err(step())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_whose_it_was_and_since_when() {
        let owner = Owner::team("team_a-1").unwrap();
        let name = name(&owner, 17);
        assert_eq!(name, "team.team_a-1.17.git");
        assert_eq!(parse(&name), Some((owner, 17)));
        for other in [
            "team.a.git",
            "team.a.x.git",
            "host.a.1.git",
            "team..1.git",
            "x",
            ".git",
        ] {
            assert_eq!(parse(other), None, "{other}");
        }
    }
}
