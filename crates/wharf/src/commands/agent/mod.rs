//! `wharf agent`: programs that act for a person. Their credentials are `wharf key --agent`.

use serde_json::json;
use wharf_api::identity::{Agent, CreateAgent};
use wharf_client::Client;

use super::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Agents: programs that act for you, with names, keys and bounds of their own
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List those that act for you
    List,
    /// Make one; wharf key create --agent makes its key
    #[command(
        before_help = "Example:\n  wharf agent create claude\n  wharf key create laptop --agent claude > claude.key"
    )]
    Create {
        /// Its name: letters, digits, `.`, `_` and `-`
        name: String,
    },
    /// End some for good, with all their keys
    Disable {
        /// Names or ids
        #[arg(required = true)]
        agent: Vec<String>,
    },
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    let server = connect::find(cx)?;
    match command {
        Command::List => {
            let list = block_on(async { Ok(server.client.agents().await?) })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(list)))?;
                return Ok(DONE);
            }
            if list.agents.is_empty() {
                cx.ui.note("no agents; wharf agent create makes one");
                return Ok(DONE);
            }
            let rows: Vec<_> = list.agents.into_iter().map(row).collect();
            let head = ["NAME", "ACTS FOR", "ORGANIZATION", "SINCE", "AGENT"];
            ui::data(&table(head, &rows))?;
            Ok(DONE)
        }
        Command::Create { name } => {
            let ask = CreateAgent { name };
            let made = block_on(async { Ok(server.client.create_agent(&ask).await?) })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(made)))?;
                return Ok(DONE);
            }
            ui::data(&format!("{}\n", made.id))?;
            let (name, person) = (&made.name, &made.acts_for);
            cx.ui.event(&format!(
                "{name} acts for {person} in {}; its key: wharf key create NAME --agent {name}",
                made.organization.slug
            ));
            Ok(DONE)
        }
        Command::Disable { agent } => block_on(async {
            for wanted in &agent {
                let agent = find(&server.client, wanted).await?;
                server.client.remove_agent(&agent.id).await?;
                cx.ui
                    .event(&format!("{} is gone, with its keys", agent.name));
            }
            Ok(DONE)
        }),
    }
}

fn row(agent: Agent) -> [String; 5] {
    [
        agent.name,
        agent.acts_for,
        agent.organization.slug,
        agent.created_at,
        agent.id,
    ]
}

/// The agent with this name or id. Of an id that is not among one's own the server may know more.
pub(super) async fn find(client: &Client, wanted: &str) -> Result<Agent, CommandError> {
    let agents = client.agents().await?.agents;
    let found = agents
        .into_iter()
        .find(|agent| agent.id == wanted || agent.name == wanted);
    match found {
        Some(agent) => Ok(agent),
        None if wanted.starts_with("agt_") => Ok(Agent {
            id: wanted.to_owned(),
            name: wanted.to_owned(),
            ..Agent::default()
        }),
        None => Err(
            CommandError::new(Kind::NotFound, format!("there is no agent {wanted}"))
                .hint("wharf agent list shows them"),
        ),
    }
}
