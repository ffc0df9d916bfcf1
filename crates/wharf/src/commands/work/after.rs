//! When the agent is gone: what changed in the sandbox, and what goes on.

use wharf_api::gateway::{Credits, Sandbox};
use wharf_client::Client;

use super::said;
use crate::commands::workspace::place::Place;
use crate::commands::workspace::{back, pull};
use crate::context::Context;
use crate::error::CommandError;
use crate::sandbox::{Line, Machine, line::ROOT};

/// How a session is when nobody is attached to it.
pub(super) struct Standing {
    pub(super) sandbox: Sandbox,
    credits: Option<Credits>,
}

/// Asks the server; none where it does not say.
pub(super) async fn standing(client: &Client, id: &str) -> Option<Standing> {
    let (sandbox, credits) = tokio::join!(client.sandbox(id), client.credits());
    Some(Standing {
        sandbox: sandbox.ok()?,
        credits: credits.ok(),
    })
}

impl Standing {
    /// Until when it goes on and what it costs, with the command that leads back; or that it has
    /// ended.
    pub(super) fn words(&self, way_back: &str) -> String {
        let Sandbox {
            id,
            status,
            reason,
            expires_at,
            ..
        } = &self.sandbox;
        if matches!(status.as_str(), "stopped" | "failed") {
            let why = reason.as_deref().unwrap_or("nobody said why");
            return format!("{id} has ended: {why}");
        }
        let mut text = format!("{id} keeps running, {}", said::until(expires_at));
        if let Some(pauses) = &self.sandbox.pauses_at {
            text.push_str(&format!("; paused if nobody uses it until {pauses}"));
        }
        let left = self
            .credits
            .as_ref()
            .and_then(|credits| credits.seconds_left);
        if let Some(left) = left {
            text.push_str(&format!("; {} min of sandbox time left", left / 60));
        }
        text.push_str(&format!(
            ". Return: {way_back}. End it: wharf session stop {id}"
        ));
        text
    }
}

/// Looks at what changed there, and offers to bring it back.
pub(super) async fn look_back(
    cx: &Context,
    place: &Place,
    machine: &Machine,
    git: bool,
) -> Result<(), CommandError> {
    let line = Line::open(cx, machine, ROOT).await?;
    let back = back::bring(cx, place, &line, machine, git).await?;
    // What becomes of it is said; the exit code is the agent's.
    if !back.is_empty() {
        pull::offer(cx, &back, &line).await?;
    } else if let Some(text) = back.not_taken(&[]) {
        cx.ui.warn_always(&text);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(status: &str) -> Standing {
        Standing {
            sandbox: Sandbox {
                id: "gws_1".to_owned(),
                status: status.to_owned(),
                ..Sandbox::default()
            },
            credits: None,
        }
    }

    #[test]
    fn it_is_said_what_goes_on_and_what_it_costs() {
        let mut running = standing("running");
        let words = running.words("wharf shop");
        assert!(words.starts_with("gws_1 keeps running, "), "{words}");
        assert!(words.contains(". Return: wharf shop. "), "{words}");
        running.credits = Some(Credits {
            seconds_left: Some(600),
            ..Credits::default()
        });
        running.sandbox.pauses_at = Some("2030-01-01T00:00:00Z".to_owned());
        let words = running.words("wharf");
        assert!(words.contains("10 min of sandbox time left"), "{words}");
        assert!(
            words.contains("paused if nobody uses it until 2030"),
            "{words}"
        );
        let mut failed = standing("failed");
        failed.sandbox.reason = Some("out of memory".to_owned());
        assert_eq!(failed.words("wharf"), "gws_1 has ended: out of memory");
    }
}
