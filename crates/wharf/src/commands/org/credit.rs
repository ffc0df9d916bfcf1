//! `wharf org credit`: what may be used of sandboxes, and giving more.

use std::time::Duration;

use serde_json::json;
use wharf_api::gateway::{Credits, GrantCredits};
use wharf_client::Client;

use crate::commands::run::request::parse_duration;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::ui::{self, table::table};

/// What may be used of sandboxes; who looks after the server gives more
#[derive(Debug, clap::Args)]
#[command(before_help = "\
Examples:
  wharf org credit                         what is left of yours
  wharf org credit acme --give 10h         ten hours of sandboxes more
  wharf org credit acme --plan large       another plan, of those in sandbox.plans")]
pub(crate) struct Args {
    /// The organization, by id or short name; yours without it
    org: Option<String>,
    /// Give it this much time of sandboxes, beside what it has: 90m, 10h, 30d
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    give: Option<Duration>,
    /// Give it this plan
    #[arg(long, value_name = "NAME")]
    plan: Option<String>,
}

pub(super) async fn carry_out(cx: &Context, client: &Client, args: Args) -> Outcome {
    let Args { org, give, plan } = args;
    let gives = give.is_some() || plan.is_some();
    let credits = if gives {
        let grant = GrantCredits {
            organization: org,
            seconds: give.unwrap_or_default().as_secs(),
            plan,
        };
        client.grant_credits(&grant).await?
    } else {
        match &org {
            Some(org) => client.credits_of(org).await?,
            None => client.credits().await?,
        }
    };
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(credits)))?;
    } else {
        ui::data(&lines(&credits))?;
    }
    Ok(DONE)
}

fn lines(credits: &Credits) -> String {
    let no_bound = || "no bound".to_owned();
    let row = [
        credits.account.clone(),
        credits.plan.clone(),
        time(credits.seconds_used),
        credits.seconds_left.map_or_else(no_bound, time),
        credits.concurrent.to_string(),
        credits
            .concurrent_max
            .map_or_else(no_bound, |most| most.to_string()),
    ];
    table(
        ["ACCOUNT", "PLAN", "USED", "LEFT", "RUN NOW", "AT MOST"],
        &[row],
    )
}

/// Hours and minutes; seconds where there is no minute.
fn time(seconds: u64) -> String {
    match (seconds / 3_600, seconds / 60 % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_said() {
        let credits = Credits {
            plan: "small".to_owned(),
            account: "org_1".to_owned(),
            concurrent_max: Some(2),
            concurrent: 1,
            seconds_granted: Some(36_000),
            seconds_used: 59,
            seconds_left: Some(35_941),
        };
        let without = Credits {
            concurrent_max: None,
            seconds_left: None,
            seconds_used: 3_600,
            ..credits.clone()
        };
        insta::assert_snapshot!(lines(&credits), @r"
        ACCOUNT  PLAN   USED  LEFT    RUN NOW  AT MOST
        org_1    small  59s   9h 59m  1        2
        ");
        insta::assert_snapshot!(lines(&without), @r"
        ACCOUNT  PLAN   USED   LEFT      RUN NOW  AT MOST
        org_1    small  1h 0m  no bound  1        no bound
        ");
    }
}
