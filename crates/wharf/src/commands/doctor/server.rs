//! Whether the server answers, how fast, and whether it takes our token.

use std::time::{Duration, Instant};

use super::{Line, text_of};
use crate::connect::{self, Server};
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::wire::block_on;

/// A server that takes longer is as good as none.
const PATIENCE: Duration = Duration::from_millis(1500);

pub(super) fn check(cx: &Context) -> Vec<Line> {
    let server = match connect::find(cx) {
        Ok(server) => server,
        Err(error) if error.message.starts_with("no server runs") => {
            return vec![Line::skip("server", "none runs here; wharf run starts one")];
        }
        Err(error) => return vec![Line::fail("server", text_of(&error))],
    };
    let url = server.client.url().to_owned();
    match block_on(ask(&server)) {
        Ok(lines) => lines,
        Err(error) => vec![
            Line::fail("server", format!("{url}: {}", text_of(&error)))
                .hint("wharf serve --stop, then wharf serve"),
        ],
    }
}

async fn ask(server: &Server) -> Result<Vec<Line>, CommandError> {
    let slow = |_| CommandError::failed(format!("no answer within {} ms", PATIENCE.as_millis()));
    let begun = Instant::now();
    let health = tokio::time::timeout(PATIENCE, server.client.health())
        .await
        .map_err(slow)??;
    let took = begun.elapsed();
    let text = format!(
        "{}, version {}, {:.1} ms",
        server.client.url(),
        health.version,
        took.as_secs_f64() * 1000.0
    );
    let line = if health.version == env!("CARGO_PKG_VERSION") {
        Line::ok("server", text)
    } else {
        Line::warn("server", text).hint("another version than this program; restart it")
    };
    let sessions = tokio::time::timeout(PATIENCE, server.client.sessions())
        .await
        .map_err(slow)?;
    let login = match sessions.map_err(CommandError::from) {
        Ok(list) => Line::ok(
            "login",
            format!("accepted; {} sessions", list.sessions.len()),
        ),
        Err(error) if error.kind == Kind::Login => {
            Line::fail("login", "the server refuses the token")
                .hint("wharf auth token shows the one that is used")
        }
        Err(error) => Line::fail("login", text_of(&error)),
    };
    Ok(vec![line, login])
}
