//! `wharf host show NAME`

use wharf_api::{Host, HostFacts};

use super::list::address;
use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::ui::{self, neutral::neutral_line};
use crate::wire::block_on;

pub(crate) fn show(cx: &Context, host: &str) -> Outcome {
    let server = connect::find(cx)?;
    let found = block_on(async { Ok(server.client.host(host).await?) })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", serde_json::json!(found)))?;
    } else {
        ui::data(&describe(&found))?;
    }
    Ok(DONE)
}

fn describe(host: &Host) -> String {
    let place = &host.place;
    let mut lines = vec![
        format!("host       {}", host.name),
        format!("address    {}", address(place)),
    ];
    let mut more = |name: &str, value: Option<&str>| {
        let value = value.filter(|value| !value.is_empty());
        lines.extend(value.map(|value| format!("{name:<9}  {value}")));
    };
    more("identity", place.identity.as_deref());
    more("jump", place.jump.as_deref());
    more("groups", Some(&place.groups.join(" ")));
    more("note", place.note.as_deref());
    let facts = host.facts.as_ref().map(facts);
    more("is", facts.as_deref());
    more("seen", host.facts_at.as_deref());
    let added = format!("{} by {}", host.added_at, host.added_by);
    more("added", Some(&added));
    if host.facts.is_none() {
        more("seen", Some("never; wharf host test looks"));
    }
    lines.iter().map(|line| neutral_line(line) + "\n").collect()
}

/// What a host is, in a line.
pub(super) fn facts(facts: &HostFacts) -> String {
    const GIB: f64 = 1024.0 * 1024.0 * 1024.0;
    let system = facts.system.clone().or_else(|| facts.kernel.clone());
    #[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
    let memory = facts
        .memory
        .map(|bytes| format!("{:.1} GiB", bytes as f64 / GIB));
    let parts = [
        system,
        facts.architecture.clone(),
        facts.processors.map(|count| format!("{count} CPU")),
        memory,
        facts.user.as_ref().map(|user| format!("as {user}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
