//! This device's SSH key: made here, and its private half never leaves.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;

use wharf_api::identity::SshKeyRequest;
use wharf_client::Client;
use wharf_localstate::FileLock;
use wharf_localstate::private::{self, FILE_MODE};
use wharf_model::Entropy as _;
use wharf_ssh::keys::{self, NewKey, PublicHalf};

use super::device;
use crate::context::Context;
use crate::error::CommandError;
use crate::wire::SystemEntropy;

/// What had to be done for there to be a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Made {
    /// Nothing.
    WasThere,
    /// There was none.
    New,
    /// What was there could not be used; it was moved aside.
    Again,
}

/// The key, made if there is none that can be used.
pub(crate) fn ensure(cx: &Context) -> Result<(PublicHalf, Made), CommandError> {
    cx.places.make_state()?;
    // Two that find it lost at once make one, and not one each.
    let _making = FileLock::wait(&cx.places.ssh_key_lock())?;
    let file = cx.places.ssh_key_file();
    let beside = file.with_extension("pub");
    let there = fs::symlink_metadata(&file);
    if there.is_ok() {
        // A key that others could read is still the key; from now on they cannot.
        private::protect(&file, FILE_MODE)?;
        if let Ok(half) = keys::public_half(&file) {
            let line = format!("{}\n", half.line);
            if private::read(&beside).ok().flatten().as_deref() != Some(&line) {
                private::write(&beside, line.as_bytes())?;
            }
            return Ok((half, Made::WasThere));
        }
        let aside = file.with_extension(format!("unusable-{}", super::now().millis()));
        fs::rename(&file, &aside).map_err(cannot_make)?;
        cx.ui.warn_always(&format!(
            "the SSH key of this device could not be read; it is in {} now and there is a new one",
            aside.display()
        ));
    }
    let mut seed = [0; keys::SEED_BYTES];
    SystemEntropy.fill(&mut seed);
    let NewKey {
        private: text,
        public,
    } = keys::generate(seed, &format!("wharf {}", device::name()))
        .map_err(|error| CommandError::failed("cannot make an SSH key").because(error))?;
    if !private::create(&file, text.expose().as_bytes())? {
        // Another process was first.
        let half = keys::public_half(&file)
            .map_err(|error| CommandError::failed("cannot read the SSH key").because(error))?;
        return Ok((half, Made::WasThere));
    }
    private::write(&beside, format!("{}\n", public.line).as_bytes())?;
    let made = if there.is_ok() {
        Made::Again
    } else {
        Made::New
    };
    Ok((public, made))
}

/// What is there, without making or repairing anything: `Ok(None)` where there is none.
pub(crate) fn look(cx: &wharf_localstate::Places) -> Result<Option<(PublicHalf, u32)>, String> {
    let file = cx.ssh_key_file();
    let mode = match fs::metadata(&file) {
        Ok(found) => found.mode() & 0o777,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    match keys::public_half(&file) {
        Ok(half) => Ok(Some((half, mode))),
        Err(error) => Err(error.to_string()),
    }
}

fn cannot_make(error: io::Error) -> CommandError {
    CommandError::failed("cannot make an SSH key").because(error)
}

/// Gives the public half to the server. True when the account did not have it.
pub(crate) async fn upload(client: &Client, half: &PublicHalf) -> Result<bool, CommandError> {
    let key = SshKeyRequest {
        public_key: half.line.clone(),
        name: Some(device::name()),
        fingerprint: Some(half.fingerprint.clone()),
    };
    Ok(client.add_ssh_key(&key).await?.is_some())
}
