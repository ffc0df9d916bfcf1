//! Accounts, put together: their database and record are the server's own.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use wharf_identity::{Fetch, Identity, KeyFile, Mail, Options, Parts};
use wharf_localstate::{private, server_id};
use wharf_model::Secret;
use wharf_server::Accounts;
use wharf_store::audit::AuditLog;
use wharf_store::db::Database;

use super::issuers::HttpDocuments;
use super::mail::SmtpMail;
use super::{SystemClock, SystemEntropy, database};
use crate::config::Settings;
use crate::config::options::AccountOptions;
use crate::context::Context;
use crate::error::CommandError;

/// What accounts have of the network.
#[derive(Default)]
struct Outside {
    fetch: Option<Arc<dyn Fetch>>,
    mail: Option<Arc<dyn Mail>>,
}

impl Outside {
    fn new(options: &AccountOptions) -> Result<Self, CommandError> {
        let mut outside = Self::default();
        // Reading the system's certificates takes time that most servers need not spend.
        if !options.issuers.is_empty() {
            outside.fetch = Some(Arc::new(HttpDocuments::new()?));
        }
        if let Some(mail) = &options.mail {
            outside.mail = Some(Arc::new(SmtpMail::new(mail)?));
        }
        Ok(outside)
    }
}

/// Accounts over an open database and record.
pub(crate) fn accounts(
    cx: &Context,
    options: &AccountOptions,
    database: Database,
    audit: AuditLog,
) -> Result<Accounts, CommandError> {
    put_together(cx, options, (database, audit), Outside::new(options)?)
}

fn put_together(
    cx: &Context,
    options: &AccountOptions,
    (database, audit): (Database, AuditLog),
    outside: Outside,
) -> Result<Accounts, CommandError> {
    let clock = Arc::new(SystemClock::here());
    let entropy = Arc::new(SystemEntropy);
    let parts = Parts {
        database,
        clock: Arc::clone(&clock) as Arc<dyn wharf_model::Clock>,
        entropy: Arc::clone(&entropy) as Arc<dyn wharf_model::Entropy>,
        audit,
        keys: Arc::new(SigningKey(cx.places.signing_key_file())),
        fetch: outside.fetch,
        mail: outside.mail,
    };
    let identity = Identity::open(parts, identity_options(options))
        .map_err(|error| CommandError::failed("cannot open the accounts").because(error))?;
    Ok(Accounts {
        identity,
        clock,
        entropy,
    })
}

/// Accounts while no server runs; the caller holds the server's lock. Nothing of the network is
/// set up. Also says which database it is.
pub(crate) async fn open_offline(
    cx: &Context,
    settings: &Settings,
    options: &AccountOptions,
) -> Result<(Identity, String), CommandError> {
    cx.places.make_state()?;
    cx.places.make_data()?;
    // What is made belongs to the server that will start here.
    server_id::load_or_create(&cx.places.server_id_file(), &SystemEntropy)?;
    let (audit, _recovery) = AuditLog::open(&cx.places.audit_dir(), Default::default())
        .map_err(|error| CommandError::failed("cannot open the record").because(error))?;
    let database = database::open_as(cx, settings).await?;
    let name = database.name().to_owned();
    let kept = (database, audit);
    let accounts = put_together(cx, options, kept, Outside::default())?;
    Ok((accounts.identity, name))
}

fn identity_options(options: &AccountOptions) -> Options {
    let defaults = Options::default();
    Options {
        // Whoever reads the discovery document compares its `issuer` with this.
        issuer: options.public_url.clone().unwrap_or(defaults.issuer),
        audience: options.audience.clone().unwrap_or(defaults.audience),
        public_url: options.public_url.clone(),
        registration: options.registration,
        issuers: options.issuers.clone(),
        ..Options::default()
    }
}

/// The private half of the key that signs access tokens, in a file of this server's alone.
struct SigningKey(PathBuf);

impl KeyFile for SigningKey {
    fn load(&self) -> io::Result<Option<Secret>> {
        let text = private::read(&self.0).map_err(io::Error::other)?;
        if text.is_some() {
            private::protect(&self.0, private::FILE_MODE).map_err(io::Error::other)?;
        }
        Ok(text.map(Secret::new))
    }

    fn save(&self, text: &Secret) -> io::Result<()> {
        private::write(&self.0, text.expose().as_bytes()).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_kept_for_its_owner_alone() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("signing.key");
        let key = SigningKey(file.clone());
        assert!(key.load().unwrap().is_none());
        for text in ["one", "two"] {
            key.save(&Secret::new(text.into())).unwrap();
            assert_eq!(key.load().unwrap().unwrap().expose(), text);
        }
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}
