//! `wharf org team`: the teams of your organization, and who is in them.

use serde_json::json;
use wharf_api::profile::{CreateTeam, PutTeamMember};
use wharf_client::Client;

use super::show;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui;

/// Teams of your organization: their members share a part of their configuration
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:
  wharf org team add 'Web and mobile' --slug web
  wharf org team put web ada@example.com --lead
  wharf org team members web")]
pub(crate) enum Command {
    /// List them
    List,
    /// Make one; nobody is in it yet
    Add {
        /// The name that people read
        name: String,
        /// The short name; made of the name without it
        #[arg(long)]
        slug: Option<String>,
    },
    /// End some: their members leave them, and what they have in the catalog goes
    Rm {
        /// Their ids or short names
        #[arg(required = true)]
        team: Vec<String>,
    },
    /// Who is in one
    Members {
        /// Its id or short name
        team: String,
    },
    /// Add a member of the organization, or say whether one leads the team
    Put {
        /// Its id or short name
        team: String,
        /// Their address or id
        user: String,
        /// They may change what the team shares, and who is in it
        #[arg(long)]
        lead: bool,
    },
    /// Take somebody out
    Remove {
        /// Its id or short name
        team: String,
        /// Their address or id
        user: String,
    },
}

pub(crate) async fn carry_out(cx: &Context, client: &Client, command: Command) -> Outcome {
    match command {
        Command::List => {
            let list = client.teams().await?;
            let rows = list.teams.iter().map(|team| {
                let you = match (team.is_member, team.may_edit) {
                    (true, true) => "member, may change it",
                    (true, false) => "member",
                    (false, true) => "may change it",
                    (false, false) => "",
                };
                [
                    team.slug.clone(),
                    team.name.clone(),
                    team.members.to_string(),
                    you.to_owned(),
                ]
            });
            let rows: Vec<_> = rows.collect();
            show(cx, &list, ["TEAM", "NAME", "MEMBERS", "YOU"], &rows)?;
        }
        Command::Add { name, slug } => {
            let made = client.create_team(&CreateTeam { name, slug }).await?;
            cx.ui
                .event(&format!("made the team {} ({})", made.slug, made.name));
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(made)))?;
            }
        }
        Command::Rm { team } => {
            for team in &team {
                client.remove_team(team).await?;
                cx.ui.event(&format!("the team {team} has ended"));
            }
        }
        Command::Members { team } => {
            let list = client.team_members(&team).await?;
            let rows = list.members.iter().map(|it| {
                let leads = if it.leads { "yes" } else { "" };
                [it.email.clone(), leads.to_owned()]
            });
            let rows: Vec<_> = rows.collect();
            show(cx, &list, ["ADDRESS", "LEADS"], &rows)?;
        }
        Command::Put { team, user, lead } => {
            let member = PutTeamMember { leads: lead };
            let member = client.put_team_member(&team, &user, &member).await?;
            let place = if member.leads { "leads" } else { "is in" };
            cx.ui.event(&format!("{} {place} {team}", member.email));
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(member)))?;
            }
        }
        Command::Remove { team, user } => {
            client.remove_team_member(&team, &user).await?;
            cx.ui.event(&format!("{user} is in {team} no more"));
        }
    }
    Ok(DONE)
}
