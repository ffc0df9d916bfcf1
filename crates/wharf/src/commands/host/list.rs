//! `wharf host list`

use wharf_api::{Host, HostRequest};

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, table::table};
use crate::wire::block_on;

/// List those that have a name here
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Only those in this group
    #[arg(
        long,
        value_name = "GROUP",
        default_value = "",
        hide_default_value = true
    )]
    group: String,
    /// Only those with this text in name, address or note
    #[arg(default_value = "", hide_default_value = true)]
    text: String,
}

pub(crate) fn list(cx: &Context, args: &Args) -> Outcome {
    let server = connect::find(cx)?;
    let found = block_on(async { Ok(server.client.hosts(&args.group, &args.text).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
        return Ok(DONE);
    }
    if found.hosts.is_empty() {
        cx.ui.note(
            "no hosts; wharf host add gives one a name, and those of ~/.ssh/config need none",
        );
        return Ok(DONE);
    }
    let rows: Vec<_> = found.hosts.into_iter().map(row).collect();
    ui::data(&table(
        ["HOST", "ADDRESS", "GROUPS", "SYSTEM", "NOTE"],
        &rows,
    ))?;
    Ok(DONE)
}

fn row(host: Host) -> [String; 5] {
    let facts = host.facts.unwrap_or_default();
    [
        host.name,
        address(&host.place),
        host.place.groups.join(" "),
        facts.system.or(facts.kernel).unwrap_or_default(),
        host.place.note.unwrap_or_default(),
    ]
}

/// `[USER@]HOST[:PORT]`, as it was given.
pub(super) fn address(place: &HostRequest) -> String {
    let user = place
        .user
        .as_ref()
        .map_or(String::new(), |user| format!("{user}@"));
    let host = if place.address.contains(':') {
        format!("[{}]", place.address)
    } else {
        place.address.clone()
    };
    let port = place.port.map_or(String::new(), |port| format!(":{port}"));
    format!("{user}{host}{port}")
}
