//! `wharf auth token`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::login::{self, Target};
use crate::ui;

/// Prints the token on standard output, and nothing else.
pub(crate) fn token(cx: &Context) -> Outcome {
    let Some(token) = connect::current_token(cx)? else {
        return Err(match login::target(cx)? {
            Target::Here => CommandError::new(Kind::Login, "there is no token yet")
                .hint("the first wharf serve or wharf run makes it"),
            Target::Named { url, .. } => {
                CommandError::new(Kind::Login, format!("nobody is logged in at {url}"))
                    .hint("wharf auth login")
            }
        });
    };
    if cx.ui.json {
        ui::data(&format!(
            "{}\n",
            serde_json::json!({ "token": token.expose() })
        ))?;
    } else {
        ui::data(&format!("{}\n", token.expose()))?;
    }
    Ok(DONE)
}
