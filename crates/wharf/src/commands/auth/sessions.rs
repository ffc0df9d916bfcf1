//! `wharf auth sessions`

use serde_json::json;

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// The logins of your account, on all devices
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them
    List,
    /// End one of them; wharf key revoke ends a key
    Revoke {
        /// Its id
        #[arg(required = true)]
        id: Vec<String>,
    },
}

pub(crate) fn dispatch(cx: &Context, command: &Command) -> Outcome {
    let server = connect::find(cx)?;
    match command {
        Command::List => {
            let list = block_on(async { Ok(server.client.logins().await?) })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(list)))?;
                return Ok(DONE);
            }
            if list.sessions.is_empty() {
                cx.ui
                    .note("no logins by password; wharf key list shows keys");
                return Ok(DONE);
            }
            let rows: Vec<_> = list
                .sessions
                .into_iter()
                .map(|it| {
                    let device = if it.current {
                        format!("{} (this one)", it.device)
                    } else {
                        it.device
                    };
                    [it.id, device, it.address, it.last_used_at, it.expires_at]
                })
                .collect();
            ui::data(&table(
                ["LOGIN", "DEVICE", "FROM", "LAST USED", "ENDS"],
                &rows,
            ))?;
        }
        Command::Revoke { id } => block_on(async {
            for id in id {
                server.client.end_login(id).await?;
                cx.ui.event(&format!("ended login {id}"));
            }
            Ok(())
        })?,
    }
    Ok(DONE)
}
