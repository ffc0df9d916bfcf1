//! `wharf key`: API keys. SSH keys are `wharf keys`.

use std::time::Duration;

use serde_json::json;
use wharf_api::identity::{ApiKey, CreateApiKey};

use super::{DONE, Outcome, agent};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;
/// The longest that a server lets a key live.
const LIFE_DAYS_MAX: u64 = 366;

/// API keys: tokens for scripts, agents and devices
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List those that can be used
    List,
    /// Make one; it is printed once
    #[command(
        before_help = "Example:\n  wharf key create ci --scope 'run:low' --expires 30d > ci.key"
    )]
    Create(Create),
    /// Make some unusable
    Revoke {
        /// Ids
        #[arg(required = true)]
        id: Vec<String>,
    },
}

/// Make one; it is printed once
#[derive(Debug, clap::Args)]
pub(crate) struct Create {
    /// Its name
    name: String,
    /// What it is for: run:low, run, session:ID, sync, admin; several with spaces
    #[arg(long, value_name = "SCOPES")]
    scope: Option<String>,
    /// How long it lives, such as 30d; 90 days without it
    #[arg(long, value_name = "TIME", value_parser = lifetime)]
    expires: Option<Duration>,
    /// The organization that it is for, by id or short name
    #[arg(long, value_name = "ORG")]
    org: Option<String>,
    /// The agent whose it is, by id or name
    #[arg(long, value_name = "AGENT")]
    agent: Option<String>,
}

pub(crate) fn dispatch(cx: &Context, command: Command) -> Outcome {
    let server = connect::find(cx)?;
    match command {
        Command::List => {
            let list = block_on(async { Ok(server.client.api_keys().await?) })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(list)))?;
                return Ok(DONE);
            }
            if list.keys.is_empty() {
                cx.ui.note("no keys; wharf key create makes one");
                return Ok(DONE);
            }
            let rows: Vec<_> = list.keys.into_iter().map(row).collect();
            let head = ["KEY", "NAME", "FOR", "ORGANIZATION", "LAST USED", "ENDS"];
            ui::data(&table(head, &rows))?;
            Ok(DONE)
        }
        Command::Create(args) => {
            let agent = match args.agent {
                Some(agent) => {
                    let found = block_on(async { agent::find(&server.client, &agent).await })?;
                    Some(found.id)
                }
                None => None,
            };
            let ask = CreateApiKey {
                name: args.name,
                scopes: args
                    .scope
                    .map(|text| text.split_whitespace().map(str::to_owned).collect()),
                organization: args.org,
                agent,
                expires_in: args.expires.map(|life| life.as_secs()),
            };
            let made = block_on(async { Ok(server.client.create_api_key(&ask).await?) })?;
            if cx.ui.json {
                ui::data(&format!("{}\n", json!(made)))?;
            } else {
                ui::data(&format!("{}\n", made.token.expose()))?;
                let key = made.key;
                cx.ui.event(&format!(
                    "{} ({}) for {} until {}; it is not shown again",
                    key.name,
                    key.id,
                    key.scopes.join(" "),
                    key.expires_at
                ));
            }
            Ok(DONE)
        }
        Command::Revoke { id } => block_on(async {
            for id in &id {
                server.client.revoke_api_key(id).await?;
                cx.ui.event(&format!("revoked {id}"));
            }
            Ok(DONE)
        }),
    }
}

fn row(key: ApiKey) -> [String; 6] {
    let name = match (&key.agent, key.current) {
        (Some(agent), _) => format!("{} (agent {agent})", key.name),
        (None, true) => format!("{} (this one)", key.name),
        (None, false) => key.name,
    };
    [
        key.id,
        name,
        key.scopes.join(" "),
        key.organization.slug,
        key.last_used_at.unwrap_or_else(|| "never".to_owned()),
        key.expires_at,
    ]
}

/// How long a key lives: `30d`, `12h`, `90m` or `600s`.
pub(crate) fn lifetime(text: &str) -> Result<Duration, String> {
    let wrong = || format!("should be a time such as 30d or 12h, at most {LIFE_DAYS_MAX}d");
    let text = text.trim();
    let (number, seconds) = [("d", DAY), ("h", 3600), ("m", 60), ("s", 1)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: u64 = number.trim().parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(seconds).ok_or_else(wrong)?;
    if (1..=LIFE_DAYS_MAX * DAY).contains(&seconds) {
        Ok(Duration::from_secs(seconds))
    } else {
        Err(wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_lives_a_second_to_a_year() {
        assert_eq!(lifetime("30d").unwrap().as_secs(), 30 * DAY);
        assert_eq!(lifetime("1s").unwrap().as_secs(), 1);
        assert_eq!(lifetime("366d").unwrap().as_secs(), 366 * DAY);
        for wrong in ["", "0s", "367d", "30", "d", "-1d", "99999999999999999999d"] {
            assert!(lifetime(wrong).is_err(), "{wrong}");
        }
    }
}
