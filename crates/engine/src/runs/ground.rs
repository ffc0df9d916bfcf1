//! Where a command will run, before it is judged: its turn in a session, the machine, the directory.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wharf_model::{Caller, Target};

use crate::engine::Inner;
use crate::error::Error;
use crate::places::{self, Spot};
use crate::request::RunRequest;
use crate::sandboxes;
use crate::sessions;
use crate::sessions::run::Turn;
use crate::sessions::state::Session;

/// What a command stands on.
pub(crate) struct Ground {
    /// Its turn, where it runs in a session.
    pub(crate) turn: Option<Turn>,
    pub(crate) spot: Spot,
    /// Where it would start; relative directories go from here.
    pub(crate) base: PathBuf,
}

impl Ground {
    /// Outside of every session.
    fn alone(inner: &Inner, spot: Spot) -> Self {
        Self {
            turn: None,
            base: spot.default_cwd(inner),
            spot,
        }
    }
}

/// Finds it. From here on the request's target is where it runs.
pub(crate) async fn find(
    inner: &Arc<Inner>,
    caller: &Caller,
    request: &mut RunRequest,
) -> Result<Ground, Error> {
    sandboxes::admit(inner, caller, &request.target).await?;
    if inner.options.force_local {
        request.target = Target::Local;
    }
    let session = match &request.session {
        Some(id) => Some(inner.session_here(caller, id).await?),
        None => None,
    };
    let Some(session) = session else {
        let spot = reach(inner, request).await?;
        return Ok(Ground::alone(inner, spot));
    };
    if inner.options.force_local && !session.target.is_local() {
        return Err(places::only_here());
    }
    if !moves(&session, request) {
        return within(inner, session, request).await;
    }
    // Another session would be made in its place, which such a token cannot.
    if caller.grants().scopes.confine() {
        return Err(Error::Scope { needs: "run" });
    }
    let spot = reach(inner, request).await?;
    if spot.unreachable().is_some() {
        return Ok(Ground::alone(inner, spot));
    }
    sessions::create::lead(inner, caller, &session, request).await?;
    let led = inner.sessions.get(caller, &session.id)?;
    within(inner, led, request).await
}

/// A session that was made without a target and has done nothing yet follows its first command to
/// a host.
fn moves(session: &Session, request: &RunRequest) -> bool {
    !request.target.is_local() && session.target.is_local() && session.count() == 0
}

/// Reaches the request's target, within its time limit where it has one.
async fn reach(inner: &Inner, request: &RunRequest) -> Result<Spot, Error> {
    let reaching = places::spot(inner, &request.target, &request.access);
    in_time(request.timeout, &request.target, reaching).await
}

async fn in_time(
    within: Option<Duration>,
    target: &Target,
    reaching: impl Future<Output = Result<Spot, Error>>,
) -> Result<Spot, Error> {
    let Some(within) = within else {
        return reaching.await;
    };
    match tokio::time::timeout(within, reaching).await {
        Ok(spot) => spot,
        Err(_) => Ok(Spot::too_slow(target, within)),
    }
}

/// Its turn first: until then an earlier command may change the directory that this one is judged
/// in.
async fn within(
    inner: &Arc<Inner>,
    session: Arc<Session>,
    request: &mut RunRequest,
) -> Result<Ground, Error> {
    let target = session.target.clone();
    let mut turn = sessions::run::turn(inner, session).await?;
    turn.admits(&request.target)?;
    if !request.access.is_empty() {
        turn.enter_with(&request.access);
    }
    let spot = in_time(request.timeout, &target, turn.spot(inner)).await?;
    request.target = target;
    let base = turn.cwd();
    Ok(Ground {
        turn: Some(turn),
        spot,
        base,
    })
}
