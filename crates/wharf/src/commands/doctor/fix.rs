//! Putting right what can be put right without losing anything.

use std::fs;

use wharf_localstate::private::{self, DIR_MODE, FILE_MODE};
use wharf_localstate::{Places, Registration};

use super::{checks, stale, text_of};
use crate::connect;
use crate::context::Context;
use crate::error::CommandError;
use crate::login::ssh_key::{self, Made};
use crate::wire::block_on;

/// What was done, a sentence each. What cannot be done is a sentence too; the check after this
/// says what to do.
pub(super) fn all(places: &Places, cx: Option<&Context>) -> Vec<String> {
    let mut done = Vec::new();
    for dir in [places.state_dir().to_owned(), places.data_dir().to_owned()] {
        let was = dir.is_dir();
        match private::make_dir(&dir) {
            Ok(Some(repaired)) => done.push(repaired.to_string()),
            Ok(None) if !was => done.push(format!("made the directory {}", dir.display())),
            Ok(None) => {}
            Err(error) => done.push(format!("not: {error}")),
        }
    }
    let dirs = checks::private_dirs(places)
        .into_iter()
        .map(|dir| (dir, DIR_MODE));
    let files = checks::private_files(places)
        .into_iter()
        .map(|file| (file, FILE_MODE));
    let settings = checks::settings(places)
        .into_iter()
        .map(|path| (path, checks::WRITABLE_BY_OWNER));
    let all = dirs.chain(files).chain(settings);
    for (path, mode) in all.filter(|(path, _)| path.exists()) {
        match private::protect(&path, mode) {
            Ok(Some(repaired)) => done.push(repaired.to_string()),
            Ok(None) => {}
            Err(error) => done.push(format!("not: {error}")),
        }
    }
    let registration = places.registration_file();
    // Between looking and removing a server may have started, whose registration is not stale.
    if stale::is_stale(places)
        && matches!(Registration::find(&registration), Ok(None))
        && fs::remove_file(&registration).is_ok()
    {
        done.push("removed the registration of a server that has gone".to_owned());
    }
    if let Some(cx) = cx
        && is_lost(places)
    {
        done.push(match make_key(cx) {
            Ok(text) => text,
            Err(error) => format!("not: {}", text_of(&error)),
        });
    }
    done
}

/// Whether there was a key on this device and there is none that works.
fn is_lost(places: &Places) -> bool {
    let public = places.ssh_key_file().with_extension("pub");
    match ssh_key::look(places) {
        Ok(None) => public.exists(),
        Ok(Some(_)) => false,
        Err(_) => true,
    }
}

fn make_key(cx: &Context) -> Result<String, CommandError> {
    let (half, made) = ssh_key::ensure(cx)?;
    let uploaded =
        connect::find(cx).and_then(|server| block_on(ssh_key::upload(&server.client, &half)));
    let word = if made == Made::WasThere {
        "found"
    } else {
        "made"
    };
    Ok(match uploaded {
        Ok(_) => format!(
            "{word} this device's SSH key {} and registered it",
            half.fingerprint
        ),
        Err(_) => format!(
            "{word} this device's SSH key {}; wharf keys add registers it",
            half.fingerprint
        ),
    })
}
