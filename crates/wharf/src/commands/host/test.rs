//! `wharf host test [NAME…]`

use futures_util::{StreamExt as _, stream};
use wharf_api::HostTest;

use super::show::facts;
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

/// Hosts that are tried at once.
const AT_ONCE: usize = 16;

/// Try hosts: key, connection, round trip
#[derive(Debug, clap::Args)]
#[command(
    before_help = "Examples:\n  wharf host test web-1\n  wharf host test --group production\n  wharf host test --all --json"
)]
pub(crate) struct Args {
    /// The hosts' names, or addresses as USER@HOST:PORT
    #[arg(required_unless_present_any = ["group", "all"])]
    hosts: Vec<String>,
    /// Those of this group
    #[arg(long, value_name = "GROUP", conflicts_with = "hosts")]
    group: Option<String>,
    /// All that have a name here
    #[arg(long, conflicts_with_all = ["hosts", "group"])]
    all: bool,
}

pub(crate) fn test(cx: &Context, args: Args) -> Outcome {
    let server = connect::find_or_start(cx)?;
    let client = &server.client;
    block_on(async {
        let hosts = if args.hosts.is_empty() {
            let group = args.group.unwrap_or_default();
            let found = client.hosts(&group, "").await?.hosts;
            found.into_iter().map(|host| host.name).collect()
        } else {
            args.hosts
        };
        if hosts.is_empty() {
            return Err(CommandError::new(Kind::NotFound, "there is no such host")
                .hint("wharf host list --json shows hosts and their groups"));
        }
        let width = hosts.iter().map(|host| host.chars().count()).max();
        let width = width.unwrap_or_default();
        let asked = hosts.iter().map(|host| client.test_host(host));
        // In the order in which they were named, each as soon as those before it are there.
        let mut answers = stream::iter(asked).buffered(AT_ONCE);
        let (mut all, mut are_well) = (Vec::new(), true);
        while let Some(answer) = answers.next().await {
            let answer = answer?;
            are_well &= answer.ok;
            if cx.ui.json {
                all.push(answer);
            } else {
                ui::data(&line(&answer, width))?;
            }
        }
        if cx.ui.json {
            ui::data(&format!("{}\n", serde_json::json!({ "hosts": all })))?;
        }
        Ok(if are_well {
            DONE
        } else {
            Kind::Failed.exit_code()
        })
    })
}

fn line(test: &HostTest, width: usize) -> String {
    let host = neutral_line(&test.host);
    let said = match (&test.error, &test.step) {
        (Some(error), Some(step)) => format!("FAIL  {host:<width$}  {step}: {error}"),
        _ => {
            let millis = |ms: Option<f64>| ms.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
            let key = test.key.as_ref().map_or("", |key| key.fingerprint.as_str());
            let is = test.facts.as_ref().map(facts).unwrap_or_default();
            format!(
                "ok    {host:<width$}  round trip {}, connected in {}  {key}  {is}",
                millis(test.round_trip_ms),
                millis(test.connect_ms),
            )
        }
    };
    neutral_line(&said) + "\n"
}
