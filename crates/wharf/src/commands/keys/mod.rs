//! `wharf keys`: SSH keys. API keys are `wharf key`.

use serde_json::json;

use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::ssh_key::{self, Made};
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// SSH keys of your account
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them
    List,
    /// Add this device's key, made if there is none, or another one
    #[command(
        before_help = "Examples:\n  wharf keys add                        this device's\n  wharf keys add ~/.ssh/id_ed25519.pub --name laptop"
    )]
    Add {
        /// A file with a public key; without it this device's own
        file: Option<std::path::PathBuf>,
        /// Its name; without it the key's comment
        #[arg(long, requires = "file")]
        name: Option<String>,
    },
    /// Take keys from the account
    Rm {
        /// Ids or fingerprints
        #[arg(required = true)]
        key: Vec<String>,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::List => list(cx),
        Command::Add { file: None, .. } => add_own(cx),
        Command::Add {
            file: Some(file),
            name,
        } => add(cx, &file, name),
        Command::Rm { key } => rm(cx, &key),
    }
}

fn list(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let list = block_on(async { Ok(server.client.ssh_keys().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(list)))?;
        return Ok(DONE);
    }
    let own = ssh_key::look(&cx.places).ok().flatten();
    let own = own.map(|(half, _)| half.fingerprint);
    if list.keys.is_empty() {
        cx.ui.note("no SSH keys; wharf keys add adds this device's");
        return Ok(DONE);
    }
    let rows: Vec<_> = list
        .keys
        .into_iter()
        .map(|key| {
            let here = own.as_ref() == Some(&key.fingerprint);
            let name = if here {
                format!("{} (this device)", key.name)
            } else {
                key.name
            };
            [key.id, name, key.fingerprint, key.created_at]
        })
        .collect();
    ui::data(&table(["KEY", "NAME", "FINGERPRINT", "ADDED"], &rows))?;
    Ok(DONE)
}

fn add_own(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let (half, made) = ssh_key::ensure(cx)?;
    let new = block_on(ssh_key::upload(&server.client, &half))?;
    if made != Made::WasThere {
        cx.ui.event(&format!(
            "made the key {}; its private half stays here",
            half.fingerprint
        ));
    }
    said(cx, &half.fingerprint, new)
}

fn add(cx: &Context, file: &std::path::Path, name: Option<String>) -> Outcome {
    let text = wharf_localstate::private::read(file)?.ok_or_else(|| {
        CommandError::new(
            Kind::NotFound,
            format!("there is no file {}", file.display()),
        )
    })?;
    if text.contains("PRIVATE KEY") {
        return Err(
            CommandError::usage("that is a private key, which stays where it is")
                .hint("name the file that ends in .pub"),
        );
    }
    let server = connect::find(cx)?;
    let key = wharf_api::identity::SshKeyRequest {
        public_key: text.trim().to_owned(),
        name,
        fingerprint: None,
    };
    let added = block_on(async { Ok(server.client.add_ssh_key(&key).await?) })?;
    let print = added
        .as_ref()
        .map_or("the key", |key| key.fingerprint.as_str());
    said(cx, print, added.is_some())
}

/// A key that the account has already is what was wanted.
fn said(cx: &Context, print: &str, new: bool) -> Outcome {
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            json!({ "fingerprint": print, "added": new })
        ))?;
    } else if new {
        cx.ui.event(&format!("added {print}"));
    } else {
        cx.ui.event(&format!("{print} is registered already"));
    }
    Ok(DONE)
}

fn rm(cx: &Context, keys: &[String]) -> Outcome {
    let server = connect::find(cx)?;
    block_on(async {
        let known = server.client.ssh_keys().await?.keys;
        for wanted in keys {
            let found = known
                .iter()
                .find(|key| key.id == *wanted || key.fingerprint == *wanted);
            let Some(found) = found else {
                let error = CommandError::new(Kind::NotFound, format!("there is no key {wanted}"));
                return Err(error.hint("wharf keys list shows them"));
            };
            server.client.remove_ssh_key(&found.id).await?;
            cx.ui
                .event(&format!("removed {} ({})", found.fingerprint, found.name));
        }
        Ok(DONE)
    })
}
