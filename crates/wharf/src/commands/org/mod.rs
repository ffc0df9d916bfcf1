//! `wharf org`: organizations, who belongs to them, invitations, teams, credit for sandboxes.

mod credit;
mod team;

use serde_json::json;
use wharf_api::identity::{AccountRole, CreateInvitation, CreateOrganization, PutMember};
use wharf_client::Client;

use super::user::add::role;
use super::user::next::{self, For};
use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Organizations, and who belongs to them
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List yours
    List,
    /// Make one; you own it
    Create {
        /// The name that people read
        name: String,
        /// The short name; made of the name without it
        #[arg(long)]
        slug: Option<String>,
    },
    /// Who belongs to one
    Members {
        /// Its id or short name
        org: String,
    },
    /// Add somebody who has an account, or give them another role
    Member {
        /// Its id or short name
        org: String,
        /// Their address or id
        user: String,
        /// What they may do: owner, admin, member, viewer, agent
        #[arg(long, value_name = "ROLE", value_parser = role, default_value = "member")]
        role: AccountRole,
    },
    /// Take somebody out
    Remove {
        /// Its id or short name
        org: String,
        /// Their address or id
        user: String,
    },
    /// Invite somebody; the code is printed once
    Invite {
        /// Its id or short name
        org: String,
        /// Their address
        email: String,
        /// What they may do: owner, admin, member, viewer, agent
        #[arg(long, value_name = "ROLE", value_parser = role, default_value = "member")]
        role: AccountRole,
    },
    /// Invitations that nobody accepted yet
    Invitations {
        /// Its id or short name
        org: String,
    },
    /// Take invitations back
    Uninvite {
        /// Its id or short name
        org: String,
        /// Ids of invitations
        #[arg(required = true)]
        id: Vec<String>,
    },
    Credit(credit::Args),
    #[command(subcommand)]
    Team(team::Command),
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    let server = connect::find(cx)?;
    block_on(carry_out(cx, &server.client, command))
}

async fn carry_out(cx: &Context, client: &Client, command: Command) -> Outcome {
    match command {
        Command::Credit(args) => return credit::carry_out(cx, client, args).await,
        Command::Team(command) => return team::carry_out(cx, client, command).await,
        Command::List => {
            let list = client.organizations().await?;
            let rows: Vec<_> = list
                .organizations
                .iter()
                .map(|org| {
                    let role = org.role.map_or("", |role| role.as_str());
                    let home = if org.home { "the server's own" } else { "" };
                    [
                        org.slug.clone(),
                        org.name.clone(),
                        role.to_owned(),
                        home.to_owned(),
                    ]
                })
                .collect();
            show(cx, &list, ["ORGANIZATION", "NAME", "YOU", ""], &rows)?;
        }
        Command::Create { name, slug } => {
            let made = client
                .create_organization(&CreateOrganization { name, slug })
                .await?;
            cx.ui.event(&format!(
                "made the organization {} ({})",
                made.slug, made.name
            ));
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(made)))?;
            }
        }
        Command::Members { org } => {
            let list = client.members(&find(client, &org).await?).await?;
            let rows: Vec<_> = list
                .members
                .iter()
                .map(|it| {
                    let role = it.role.as_str().to_owned();
                    [
                        it.email.clone(),
                        it.username.clone(),
                        role,
                        it.joined_at.clone(),
                    ]
                })
                .collect();
            show(cx, &list, ["ADDRESS", "NAME", "ROLE", "SINCE"], &rows)?;
        }
        Command::Member { org, user, role } => {
            let org_id = find(client, &org).await?;
            let member = client
                .put_member(&org_id, &user, &PutMember { role })
                .await?;
            cx.ui.event(&format!(
                "{} is {} in {org}",
                member.email,
                member.role.as_str()
            ));
        }
        Command::Remove { org, user } => {
            client
                .remove_member(&find(client, &org).await?, &user)
                .await?;
            cx.ui.event(&format!("{user} no longer belongs to {org}"));
        }
        Command::Invite { org, email, role } => {
            let ask = CreateInvitation { email, role };
            let made = client.invite(&find(client, &org).await?, &ask).await?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(made)))?;
            } else {
                ui::data(&format!("{}\n", made.code.expose()))?;
                cx.ui.event(&format!(
                    "with this code {} joins {org}, until {}; it is not shown again",
                    made.invitation.email, made.invitation.expires_at
                ));
                next::say(cx, For::Invitation, &made.code, Some(client.url()));
            }
        }
        Command::Invitations { org } => {
            let list = client.invitations(&find(client, &org).await?).await?;
            let rows: Vec<_> = list
                .invitations
                .iter()
                .map(|it| {
                    let role = it.role.as_str().to_owned();
                    [it.id.clone(), it.email.clone(), role, it.expires_at.clone()]
                })
                .collect();
            show(cx, &list, ["INVITATION", "ADDRESS", "ROLE", "ENDS"], &rows)?;
        }
        Command::Uninvite { org, id } => {
            let org = find(client, &org).await?;
            for id in &id {
                client.uninvite(&org, id).await?;
                cx.ui.event(&format!("took {id} back"));
            }
        }
    }
    Ok(DONE)
}

fn show<const N: usize>(
    cx: &Context,
    list: &impl serde::Serialize,
    head: [&str; N],
    rows: &[[String; N]],
) -> Result<(), CommandError> {
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(list)))?;
    } else if rows.is_empty() {
        cx.ui.note("none");
    } else {
        ui::data(&table(head, rows))?;
    }
    Ok(())
}

/// The id of the organization with this id or short name.
async fn find(client: &Client, wanted: &str) -> Result<String, CommandError> {
    if wanted.starts_with("org_") {
        return Ok(wanted.to_owned());
    }
    let all = client.organizations().await?.organizations;
    let found = all.into_iter().find(|org| org.slug == wanted);
    found.map(|org| org.id).ok_or_else(|| {
        CommandError::new(Kind::NotFound, format!("there is no organization {wanted}"))
            .hint("wharf org list shows them")
    })
}
