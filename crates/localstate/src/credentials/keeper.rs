//! The logins of this machine: one for each profile, with a list of them that holds no secret.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::credential::{About, Credential};
use super::store::{Place, StoreError};
use crate::error::Error;
use crate::lock::FileLock;
use crate::places::Places;
use crate::private;

/// The longest name of a profile, in bytes.
pub const PROFILE_BYTES_MAX: usize = 64;
/// Most profiles with a login.
pub const LOGINS_MAX: usize = 256;

/// A login as the list has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// Where its secrets are. Once chosen, the next login of this profile goes there too.
    pub place: Place,
    /// Whom and what it is for; none when only the place is remembered.
    #[serde(default)]
    pub about: Option<About>,
}

/// Why a login cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// The name of a profile.
    #[error(
        "a profile's name is 1 to {PROFILE_BYTES_MAX} characters of a-z A-Z 0-9 . _ - and begins \
         with a letter or digit, not {0:?}"
    )]
    Profile(String),
    /// There are too many.
    #[error("there are {LOGINS_MAX} logins already; log out of one")]
    TooMany,
    /// The file is another profile's.
    #[error("{} keeps the login of profile {profile}", path.display())]
    Taken {
        /// Whose it is.
        profile: String,
        /// The file.
        path: PathBuf,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file of ours.
    #[error(transparent)]
    File(#[from] Error),
}

/// Held while one process changes one login. Every change needs it.
#[derive(Debug)]
pub struct Held {
    profile: String,
    _lock: FileLock,
}

/// A login that another one took the place of, and that could not be deleted where it was.
#[derive(Debug)]
pub struct LeftBehind {
    /// Where it is.
    pub place: Place,
    /// Why it is still there.
    pub error: StoreError,
}

/// The logins.
#[derive(Debug, Clone)]
pub struct Keeper {
    dir: PathBuf,
}

type List = BTreeMap<String, Login>;

impl Keeper {
    /// Those in the state directory.
    #[must_use]
    pub fn new(places: &Places) -> Self {
        Self {
            dir: places.credentials_dir(),
        }
    }

    /// The file for a login of this profile that is to be kept in one.
    ///
    /// # Errors
    /// When the name is none.
    pub fn usual_file(&self, profile: &str) -> Result<PathBuf, KeepError> {
        check(profile)?;
        Ok(self.dir.join(format!("{profile}.login")))
    }

    /// All that are known, by profile.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn list(&self) -> Result<BTreeMap<String, Login>, KeepError> {
        let Some(text) = private::read(&self.list_file())? else {
            return Ok(List::new());
        };
        serde_json::from_str(&text).map_err(|error| {
            let (path, reason) = (self.list_file(), error.to_string());
            KeepError::File(Error::Damaged { path, reason })
        })
    }

    /// The login of one profile, without its secrets.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn login(&self, profile: &str) -> Result<Option<Login>, KeepError> {
        Ok(self.list()?.remove(profile))
    }

    /// The login of one profile with its secrets; none when there is none, or its store has lost
    /// it.
    ///
    /// # Errors
    /// When list or store cannot be read.
    pub fn credential(&self, profile: &str) -> Result<Option<Credential>, KeepError> {
        match self.login(profile)? {
            Some(Login {
                place,
                about: Some(_),
            }) => self.read(profile, &place),
            _ => Ok(None),
        }
    }

    fn read(&self, profile: &str, place: &Place) -> Result<Option<Credential>, KeepError> {
        let text = place.read(&self.entry(profile))?;
        Ok(text.as_ref().and_then(Credential::from_text))
    }

    /// Waits until nobody else changes the login of this profile. Whoever holds it may ask a
    /// server once, within a bound.
    ///
    /// # Errors
    /// When the name is none or the lock cannot be had.
    pub fn hold(&self, profile: &str) -> Result<Held, KeepError> {
        check(profile)?;
        private::make_dir(&self.dir)?;
        let lock = FileLock::wait(&self.dir.join(format!("{profile}.lock")))?;
        let profile = profile.to_owned();
        Ok(Held {
            profile,
            _lock: lock,
        })
    }

    /// Whether a login can be kept there.
    ///
    /// # Errors
    /// What is in the way.
    pub fn probe(&self, profile: &str, place: &Place) -> Result<(), KeepError> {
        check(profile)?;
        private::make_dir(&self.dir)?;
        not_taken(&self.list()?, profile, place)?;
        match place {
            // The file may hold a login, which a test must not overwrite: the test goes beside it.
            Place::File(path) => {
                let mut beside = path.clone().into_os_string();
                beside.push(".test");
                Ok(Place::File(beside.into()).probe("")?)
            }
            other => Ok(other.probe(&format!("{} (test)", self.entry(profile)))?),
        }
    }

    /// Keeps a login in place of the one before it. What that one leaves in another place is no
    /// failure of this one.
    ///
    /// # Errors
    /// When it cannot be kept; the one before is still there then.
    pub fn put(
        &self,
        held: &Held,
        place: &Place,
        new: &Credential,
    ) -> Result<Option<LeftBehind>, KeepError> {
        let profile = held.profile.as_str();
        let mut list = self.list()?;
        has_room(&list, profile)?;
        not_taken(&list, profile, place)?;
        let before = list.remove(profile);
        place.write(&self.entry(profile), &new.to_text())?;
        let about = Some(new.about.clone());
        let login = Login {
            place: place.clone(),
            about,
        };
        self.change(|list| {
            has_room(list, profile)?;
            list.insert(profile.to_owned(), login);
            Ok(())
        })?;
        // A place that is only remembered holds nothing.
        let old = before.filter(|old| old.place != *place && old.about.is_some());
        let Some(Login { place, .. }) = old else {
            return Ok(None);
        };
        let deleted = place.delete(&self.entry(profile));
        Ok(deleted.err().map(|error| LeftBehind { place, error }))
    }

    /// Keeps `new` where `seen` is still what is kept; false, and nothing is changed, where
    /// somebody else has changed it.
    ///
    /// # Errors
    /// When it cannot be kept.
    pub fn swap(
        &self,
        held: &Held,
        seen: &Credential,
        new: &Credential,
    ) -> Result<bool, KeepError> {
        let Some(login) = self.login(&held.profile)? else {
            return Ok(false);
        };
        match self.read(&held.profile, &login.place)? {
            Some(now) if now.is_same_token(seen) => {
                self.put(held, &login.place, new)?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Forgets the login that `seen` is about; false, and nothing is changed, where another one has
    /// taken its place.
    ///
    /// # Errors
    /// As for [`Keeper::forget`].
    pub fn forget_if(&self, held: &Held, seen: &About) -> Result<bool, KeepError> {
        match self.login(&held.profile)?.and_then(|login| login.about) {
            Some(now) if now.is_same_login(seen) => self.forget(held).map(|()| true),
            _ => Ok(false),
        }
    }

    /// Forgets the secrets of a login. Where they were is remembered for the next one.
    ///
    /// # Errors
    /// When store or list cannot be changed.
    pub fn forget(&self, held: &Held) -> Result<(), KeepError> {
        let login = self.login(&held.profile)?;
        let Some(login) = login.filter(|login| login.about.is_some()) else {
            return Ok(());
        };
        login.place.delete(&self.entry(&held.profile))?;
        self.change(|list| {
            if let Some(login) = list.get_mut(&held.profile) {
                login.about = None;
            }
            Ok(())
        })
    }

    /// Forgets everything about a profile's login, also where it was.
    ///
    /// # Errors
    /// As for [`Keeper::forget`].
    pub fn remove(&self, held: &Held) -> Result<(), KeepError> {
        self.forget(held)?;
        self.change(|list| {
            list.remove(&held.profile);
            Ok(())
        })
    }

    /// Changes the list. Several profiles may change at once, so that it has a lock of its own.
    fn change(
        &self,
        step: impl FnOnce(&mut List) -> Result<(), KeepError>,
    ) -> Result<(), KeepError> {
        let _lock = FileLock::wait(&self.dir.join("list.lock"))?;
        let mut list = self.list()?;
        step(&mut list)?;
        let text = serde_json::to_vec_pretty(&list).unwrap_or_default();
        Ok(private::write(&self.list_file(), &text)?)
    }

    fn list_file(&self) -> PathBuf {
        self.dir.join("logins.json")
    }

    /// A keyring is one for all state directories of a user, so that the name says which.
    fn entry(&self, profile: &str) -> String {
        format!("{profile} in {}", self.dir.display())
    }
}

/// Whether there is room for one more, if it is one more.
fn has_room(list: &List, profile: &str) -> Result<(), KeepError> {
    if list.len() >= LOGINS_MAX && !list.contains_key(profile) {
        return Err(KeepError::TooMany);
    }
    Ok(())
}

/// Two profiles in one file would overwrite each other.
fn not_taken(list: &List, profile: &str, place: &Place) -> Result<(), KeepError> {
    let Place::File(path) = place else {
        return Ok(());
    };
    let is_it = |login: &Login| {
        let Place::File(other) = &login.place else {
            return false;
        };
        login.about.is_some() && whole(other) == whole(path)
    };
    let mut others = list.iter().filter(|(name, _)| *name != profile);
    match others.find(|(_, login)| is_it(login)) {
        Some((other, _)) => Err(KeepError::Taken {
            profile: other.clone(),
            path: path.clone(),
        }),
        None => Ok(()),
    }
}

/// A path without links and dots, as far as it is there.
fn whole(path: &Path) -> PathBuf {
    if let Ok(whole) = fs::canonicalize(path) {
        return whole;
    }
    match (path.parent().map(fs::canonicalize), path.file_name()) {
        (Some(Ok(dir)), Some(name)) => dir.join(name),
        _ => path.to_owned(),
    }
}

/// A profile's name becomes a part of file names.
fn check(profile: &str) -> Result<(), KeepError> {
    if is_profile(profile) {
        Ok(())
    } else {
        Err(KeepError::Profile(profile.to_owned()))
    }
}

/// Whether a profile may be called that.
#[must_use]
pub fn is_profile(name: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    name.len() <= PROFILE_BYTES_MAX
        && name.bytes().all(legal)
        && name
            .as_bytes()
            .first()
            .is_some_and(u8::is_ascii_alphanumeric)
        && name != "list"
}

#[cfg(test)]
mod tests {
    use super::super::credential::tests::login;
    use super::*;

    fn keeper(dir: &std::path::Path) -> (Keeper, Place) {
        let dir = dir.join("credentials");
        let place = Place::File(dir.join("acme.login"));
        (Keeper { dir }, place)
    }

    #[test]
    fn a_login_is_kept_listed_and_forgotten_and_its_place_remembered() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        assert!(keeper.credential("acme").unwrap().is_none());
        let held = keeper.hold("acme").unwrap();
        keeper.probe("acme", &place).unwrap();

        keeper.put(&held, &place, &login("one")).unwrap();

        let kept = keeper.credential("acme").unwrap().unwrap();
        assert!(kept.is_same_token(&login("one")));
        let list = std::fs::read_to_string(keeper.list_file()).unwrap();
        assert!(
            list.contains("ada@example.com") && !list.contains("one"),
            "{list}"
        );

        keeper.forget(&held).unwrap();
        assert!(keeper.credential("acme").unwrap().is_none());
        let left = keeper.login("acme").unwrap().unwrap();
        assert_eq!((left.place, left.about), (place, None));
        keeper.remove(&held).unwrap();
        assert!(keeper.list().unwrap().is_empty());
    }

    #[test]
    fn what_somebody_else_renewed_is_not_overwritten() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        keeper.put(&held, &place, &login("theirs")).unwrap();

        let swapped = keeper.swap(&held, &login("seen"), &login("ours")).unwrap();
        assert!(!swapped);
        assert!(
            keeper
                .credential("acme")
                .unwrap()
                .unwrap()
                .is_same_token(&login("theirs"))
        );

        let swapped = keeper
            .swap(&held, &login("theirs"), &login("ours"))
            .unwrap();
        assert!(swapped);
        assert!(
            keeper
                .credential("acme")
                .unwrap()
                .unwrap()
                .is_same_token(&login("ours"))
        );
    }

    #[test]
    fn a_login_that_moves_leaves_nothing_behind() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        keeper.put(&held, &place, &login("one")).unwrap();
        let other = temp.path().join("elsewhere");

        keeper
            .put(&held, &Place::File(other.clone()), &login("two"))
            .unwrap();

        let Place::File(first) = place else {
            panic!("a file")
        };
        assert!(!first.exists() && other.exists());
    }

    #[test]
    fn an_old_place_that_fails_is_no_failure_of_the_new_login() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        // A directory cannot be deleted as a file.
        let stuck = Place::File(temp.path().to_owned());
        let mut list = List::new();
        let about = Some(login("old").about);
        let mut there = Login {
            place: stuck.clone(),
            about,
        };
        list.insert("acme".to_owned(), there.clone());
        let write = |list: &List| {
            let text = serde_json::to_vec(list).unwrap();
            private::write(&keeper.list_file(), &text).unwrap();
        };
        write(&list);
        let left = keeper.put(&held, &place, &login("new")).unwrap().unwrap();
        assert_eq!(left.place, stuck);
        let kept = keeper.credential("acme").unwrap().unwrap();
        assert!(kept.is_same_token(&login("new")));

        // Where only the place was remembered, nothing is deleted there.
        there.about = None;
        list.insert("acme".to_owned(), there);
        write(&list);
        assert!(keeper.put(&held, &place, &login("new")).unwrap().is_none());
    }

    #[test]
    fn only_the_login_that_was_seen_is_forgotten() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        let named = |id: &str| {
            let mut login = login(id);
            login.about.id = Some(id.to_owned());
            login
        };
        keeper.put(&held, &place, &named("two")).unwrap();
        assert!(!keeper.forget_if(&held, &named("one").about).unwrap());
        assert!(keeper.credential("acme").unwrap().is_some());
        assert!(keeper.forget_if(&held, &named("two").about).unwrap());
        assert!(keeper.credential("acme").unwrap().is_none());
    }

    #[test]
    fn a_file_keeps_the_login_of_one_profile() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        keeper.put(&held, &place, &login("one")).unwrap();
        let same = Place::File(keeper.dir.join("../credentials/acme.login"));
        let other = keeper.hold("other").unwrap();
        for tried in [
            keeper.probe("other", &same),
            keeper.put(&other, &same, &login("two")).map(drop),
        ] {
            assert!(matches!(tried, Err(KeepError::Taken { profile, .. }) if profile == "acme"));
        }
        keeper.forget(&held).unwrap();
        keeper.put(&other, &same, &login("two")).unwrap();
    }

    #[test]
    fn a_test_of_the_store_leaves_the_login_alone() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, place) = keeper(temp.path());
        let held = keeper.hold("acme").unwrap();
        keeper.put(&held, &place, &login("one")).unwrap();
        keeper.probe("acme", &place).unwrap();
        assert!(keeper.credential("acme").unwrap().is_some());
    }

    #[test]
    fn there_are_so_many_logins_and_no_more() {
        let temp = tempfile::tempdir().unwrap();
        let (keeper, _) = keeper(temp.path());
        let place = |profile: &str| Place::File(temp.path().join(profile));
        let named = |number: usize| format!("p{number}");
        let listed = |number: usize| {
            let about = Some(login("one").about);
            let place = place(&named(number));
            (named(number), Login { place, about })
        };
        let held = keeper.hold("last").unwrap();
        let list: List = (1..LOGINS_MAX).map(listed).collect();
        private::write(&keeper.list_file(), &serde_json::to_vec(&list).unwrap()).unwrap();

        let put = |held: &Held, profile: &str| keeper.put(held, &place(profile), &login("new"));
        put(&held, "last").unwrap();
        assert_eq!(keeper.list().unwrap().len(), LOGINS_MAX);
        let more = put(&keeper.hold("more").unwrap(), "more");
        assert!(matches!(more, Err(KeepError::TooMany)), "{more:?}");
        assert!(!temp.path().join("more").exists());
        // One that is there already can be renewed.
        put(&held, "last").unwrap();
        keeper.remove(&held).unwrap();
        put(&keeper.hold("more").unwrap(), "more").unwrap();
    }

    #[test]
    fn a_profile_is_a_file_name_and_nothing_more() {
        for good in ["acme", "a", "wharf.example.com-7304", &"a".repeat(64)] {
            assert!(is_profile(good), "{good}");
        }
        for bad in [
            "",
            ".",
            "..",
            "a/b",
            "-a",
            "a b",
            "list",
            "é",
            &"a".repeat(65),
        ] {
            assert!(!is_profile(bad), "{bad}");
        }
    }
}
