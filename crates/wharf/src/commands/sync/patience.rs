//! Waiting for a server that has its hands full. It takes one large tree of a person at a time, and
//! so much of everybody's: two machines that push at once are not to fail for that.

use std::time::Duration;

use wharf_client::Error as ClientError;

use crate::ui::Ui;

/// How long it is waited in all.
const PATIENCE: Duration = Duration::from_secs(60);
/// The least that is waited at once, whatever the server says.
const WAIT_MIN: Duration = Duration::from_millis(200);
/// What is waited where the server does not say how long.
const WAIT: Duration = Duration::from_secs(1);

/// Makes a call, and again as the server says, as long as it refuses for having too much to do.
/// Nothing has come of a call that is refused so.
///
/// # Errors
/// The call's own; that the server has its hands full, after [`PATIENCE`].
pub(super) async fn patiently<T>(
    ui: &Ui,
    mut call: impl AsyncFnMut() -> Result<T, ClientError>,
) -> Result<T, ClientError> {
    let mut waited = Duration::ZERO;
    loop {
        let went = call().await;
        let wait = went.as_ref().err().and_then(wait);
        let Some(wait) = wait.filter(|wait| waited + *wait <= PATIENCE) else {
            return went;
        };
        if waited.is_zero() {
            ui.note("the server has its hands full; it is tried again");
        }
        tokio::time::sleep(wait).await;
        waited += wait;
    }
}

/// How long to wait, where waiting helps.
fn wait(error: &ClientError) -> Option<Duration> {
    match error {
        ClientError::Refused {
            problem,
            retry_after,
        } if problem.status == 429 && problem.code == "busy" => {
            Some(retry_after.unwrap_or(WAIT).max(WAIT_MIN))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;
    use wharf_api::Problem;

    use super::*;

    fn refused(status: u16, code: &str, seconds: Option<u64>) -> ClientError {
        let problem = Problem {
            status,
            code: code.to_owned(),
            ..Problem::default()
        };
        ClientError::Refused {
            problem: Box::new(problem),
            retry_after: seconds.map(Duration::from_secs),
        }
    }

    /// How often it is tried, how long it takes, and whether it works in the end, where it is refused
    /// so often.
    async fn tried(times: usize, how: impl Fn() -> ClientError) -> (usize, Duration, bool) {
        let (mut calls, begun) = (0, Instant::now());
        let ui = Ui::plain();
        let went = patiently(&ui, async || {
            calls += 1;
            if calls > times { Ok(()) } else { Err(how()) }
        });
        let is_done = went.await.is_ok();
        (calls, begun.elapsed(), is_done)
    }

    #[tokio::test(start_paused = true)]
    async fn it_waits_as_the_server_says_and_not_for_ever() {
        let seconds = Duration::from_secs;
        let busy = |after| move || refused(429, "busy", after);
        assert_eq!(tried(2, busy(Some(3))).await, (3, seconds(6), true));
        assert_eq!(tried(2, busy(None)).await, (3, seconds(2), true));
        assert_eq!(tried(2, busy(Some(0))).await, (3, WAIT_MIN * 2, true));
        // At the bound, and over it.
        assert_eq!(tried(1, busy(Some(60))).await, (2, PATIENCE, true));
        assert_eq!(tried(1, busy(Some(61))).await, (1, Duration::ZERO, false));
        assert_eq!(tried(99, busy(Some(1))).await, (61, PATIENCE, false));
    }

    #[tokio::test(start_paused = true)]
    async fn for_what_does_not_pass_it_does_not_wait() {
        for (status, code) in [(429, "throttled"), (503, "busy"), (412, "busy")] {
            let at_once = tried(1, || refused(status, code, Some(1))).await;
            assert_eq!(at_once, (1, Duration::ZERO, false), "{status} {code}");
        }
    }
}
