//! `wharf sync upstream show`

use serde_json::json;
use wharf_api::profile::UpstreamShown;
use wharf_client::Client;

use crate::commands::sync::place::seconds;
use crate::commands::sync::report::ago;
use crate::commands::sync::session::away;
use crate::commands::{DONE, Outcome};
use crate::context::Context;
use crate::login::moment;
use crate::ui::{self, neutral::neutral_line};

pub(super) async fn show(cx: &Context, client: &Client, called: &str) -> Outcome {
    let found = client.upstream(called).await.map_err(|error| {
        let said = away(error);
        match said.code.as_str() {
            "not_found" => said.hint("wharf sync upstream set URL"),
            _ => said,
        }
    })?;
    if cx.ui.json {
        ui::data(&format!("{}\n", json!(found)))?;
    } else {
        ui::data(&text(&found, client.url()))?;
    }
    Ok(DONE)
}

/// Where it is, what opens it, and what is to be done there.
pub(super) fn text(found: &UpstreamShown, server: &str) -> String {
    let mut text = String::new();
    let mut line = |name: &str, what: &str| {
        text.push_str(&format!("{name:<10} {}\n", neutral_line(what)));
    };
    line("upstream", &found.url);
    line("branch", &found.branch);
    let opens = match found.access.as_str() {
        "open" => "nothing is needed",
        "token" => "a token, which is not shown",
        "key" => "the key below, which has to be let in there",
        other => other,
    };
    line("opened by", opens);
    if let Some(key) = &found.public_key {
        line("key", key);
    }
    let push = match found.push {
        true => "each new version, at once",
        false => "when asked: wharf sync upstream push",
    };
    line("is sent", push);
    line("webhook", &format!("{server}{}", found.webhook_path));
    if let Some(last) = &found.last {
        let when = moment(&last.at).map(|when| ago(when.millis() / 1000, seconds()));
        let when = when.unwrap_or_else(|| last.at.clone());
        let what = match &last.detail {
            Some(detail) => format!("{}, {when}: {detail}", last.outcome),
            None => format!("{}, {when}", last.outcome),
        };
        line("last", &what);
    }
    text
}
