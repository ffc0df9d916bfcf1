//! Reading a body within a size and a time.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

use crate::error::Failure;

/// How much of a body is read, and how long that may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyLimits {
    pub(crate) bytes: usize,
    pub(crate) time: Duration,
}

/// The whole body. A body that announces too much is refused before any of it is read.
pub(crate) async fn read(body: Body, limits: BodyLimits) -> Result<Bytes, Failure> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(limits.bytes).unwrap_or(u64::MAX) {
        return Err(Failure::body_too_large(limits.bytes));
    }
    tokio::time::timeout(limits.time, collect(body, limits.bytes))
        .await
        .unwrap_or_else(|_| Err(Failure::body_too_slow()))
}

/// A small body comes in one piece, which is then used as it is.
async fn collect(mut body: Body, most: usize) -> Result<Bytes, Failure> {
    let Some(first) = piece(&mut body).await? else {
        return Ok(Bytes::new());
    };
    if first.len() > most {
        return Err(Failure::body_too_large(most));
    }
    let Some(second) = piece(&mut body).await? else {
        return Ok(first);
    };
    let mut whole = BytesMut::from(first.as_ref());
    let mut next = Some(second);
    while let Some(more) = next {
        if whole.len().saturating_add(more.len()) > most {
            return Err(Failure::body_too_large(most));
        }
        whole.extend_from_slice(&more);
        next = piece(&mut body).await?;
    }
    Ok(whole.freeze())
}

async fn piece(body: &mut Body) -> Result<Option<Bytes>, Failure> {
    while let Some(frame) = body.frame().await {
        // The connection broke or the chunks are malformed; nobody may be there to read this.
        let frame = frame.map_err(|_| Failure::invalid_field("body", "the body broke off"))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;
    use futures_util::stream;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes: 10,
        time: Duration::from_secs(10),
    };

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<_, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_body_may_have_the_limit_and_not_a_byte_more() {
        let status = |body| async { read(body, LIMITS).await.map_err(|failure| failure.status()) };
        let too_large = Err(StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(
            status(Body::from("1234567890")).await,
            Ok(Bytes::from("1234567890"))
        );
        assert_eq!(status(Body::from("12345678901")).await, too_large);
        assert_eq!(
            status(pieces(&["12345", "", "67890"])).await,
            Ok(Bytes::from("1234567890"))
        );
        assert_eq!(status(pieces(&["12345", "67890", "1"])).await, too_large);
        assert_eq!(status(pieces(&["12345678901"])).await, too_large);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let body = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let failure = read(body, LIMITS).await.unwrap_err();
        assert_eq!(failure.status(), StatusCode::REQUEST_TIMEOUT);
    }
}
