//! `wharf user`: accounts, for who looks after the server.

pub(crate) mod add;
pub(crate) mod next;

use serde_json::json;
use wharf_api::identity::{UpdateUser, User};
use wharf_client::Client;

use self::next::For;
use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Accounts, for who looks after the server
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List them
    List,
    /// Make one
    Add(add::Args),
    /// Let nothing of theirs in any more; all their logins and keys end
    Disable {
        /// Addresses or ids
        #[arg(required = true)]
        user: Vec<String>,
    },
    /// Let them in again
    Enable {
        /// Addresses or ids
        #[arg(required = true)]
        user: Vec<String>,
    },
    /// A code with which somebody sets a new password
    ResetCode {
        /// Address or id
        user: String,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    match command {
        Command::Add(args) => add::add(cx, &args),
        Command::List => list(cx),
        Command::Disable { user } => set_disabled(cx, &user, true),
        Command::Enable { user } => set_disabled(cx, &user, false),
        Command::ResetCode { user } => {
            let server = connect::find(cx)?;
            let code = block_on(async {
                let user = find(&server.client, &user).await?;
                Ok(server.client.reset_code(&user.id).await?)
            })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(code)))?;
            } else {
                ui::data(&format!("{}\n", code.code.expose()))?;
                cx.ui.event(&format!(
                    "it sets a password once, until {}",
                    code.expires_at
                ));
                next::say(cx, For::Password, &code.code, Some(server.client.url()));
            }
            Ok(DONE)
        }
    }
}

fn list(cx: &Context) -> Outcome {
    let server = connect::find(cx)?;
    let list = block_on(async { Ok(server.client.users().await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(list)))?;
        return Ok(DONE);
    }
    if list.users.is_empty() {
        cx.ui.note("no accounts; wharf user add makes one");
        return Ok(DONE);
    }
    let rows: Vec<_> = list.users.into_iter().map(row).collect();
    ui::data(&table(["ADDRESS", "NAME", "BELONGS TO", "STATE"], &rows))?;
    Ok(DONE)
}

fn row(user: User) -> [String; 4] {
    let belongs = user.organizations.iter();
    let belongs: Vec<_> = belongs
        .map(|org| format!("{} ({})", org.slug, org.role.as_str()))
        .collect();
    let state = match (user.disabled, user.administrator, user.has_password) {
        (true, _, _) => "disabled",
        (false, _, false) => "has no password yet",
        (false, true, true) => "looks after the server",
        (false, false, true) => "",
    };
    [
        user.email,
        user.username,
        belongs.join(", "),
        state.to_owned(),
    ]
}

fn set_disabled(cx: &Context, users: &[String], disabled: bool) -> Outcome {
    let server = connect::find(cx)?;
    block_on(async {
        for user in users {
            let user = find(&server.client, user).await?;
            let change = UpdateUser {
                disabled: Some(disabled),
                ..UpdateUser::default()
            };
            server.client.update_user(&user.id, &change).await?;
            let word = if disabled { "disabled" } else { "enabled" };
            cx.ui.event(&format!("{} is {word}", user.email));
        }
        Ok(DONE)
    })
}

/// The account with this address or id.
async fn find(client: &Client, wanted: &str) -> Result<User, CommandError> {
    let users = client.users().await?.users;
    let lower = wanted.to_lowercase();
    let found = users
        .into_iter()
        .find(|user| user.id == wanted || user.email == lower);
    found.ok_or_else(|| {
        CommandError::new(Kind::NotFound, format!("there is no account {wanted}"))
            .hint("wharf user list shows them")
    })
}
