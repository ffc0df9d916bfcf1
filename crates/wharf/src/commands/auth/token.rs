//! `wharf auth token`

use crate::commands::{DONE, Outcome};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui;

/// Prints the token on standard output, and nothing else.
pub(crate) fn token(cx: &Context) -> Outcome {
    let Some(token) = connect::current_token(cx)? else {
        return Err(CommandError::new(Kind::Login, "there is no token yet")
            .hint("the first wharf serve or wharf run makes it"));
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
