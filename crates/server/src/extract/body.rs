//! Reading a body within a size and a time, and all of them within the memory there is.

use std::time::Duration;

use axum::body::{Body, HttpBody};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::error::Failure;
use crate::room::{Held, Room};

/// What large bodies may take together, in bytes.
pub(crate) const LARGE_BYTES_TOTAL: usize = 64 * 1024 * 1024;
/// How long a sender may be silent in the middle of a body that is read in pieces.
const STALL: Duration = Duration::from_secs(30);

/// How much of a body is read, how long that may take, and room for the large ones.
#[derive(Debug)]
pub(crate) struct Bodies {
    bytes: usize,
    time: Duration,
    room: Room,
}

/// A whole body, and the room it takes until it is dropped.
#[derive(Debug)]
pub(crate) struct Whole {
    bytes: Bytes,
    _room: Held,
}

impl std::ops::Deref for Whole {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// A body on its way: its reader says what becomes of each piece, and has room for all of them
/// until this is dropped.
#[derive(Debug)]
pub(crate) struct Pieces {
    body: Body,
    left: usize,
    most: usize,
    until: Instant,
    _room: Held,
}

impl Bodies {
    /// At most `bytes` a body within `time`; a single body always finds room.
    pub(crate) fn new(bytes: usize, time: Duration, total: usize) -> Self {
        Self {
            bytes,
            time,
            room: Room::new(total.max(bytes)),
        }
    }

    /// The whole body. One that announces too much is refused before any of it is read.
    pub(crate) async fn read(&self, body: Body) -> Result<Whole, Failure> {
        let most = self.announced(&body)?;
        tokio::time::timeout(self.time, async {
            let room = self.room.hold(most).await;
            Ok(Whole {
                bytes: collect(body, self.bytes).await?,
                _room: room,
            })
        })
        .await
        .unwrap_or_else(|_| Err(Failure::body_too_slow()))
    }

    /// A caller's body piece by piece, one large one at a time. One that announces too much is refused before any of it is read.
    pub(crate) async fn open(&self, caller: &str, body: Body) -> Result<Pieces, Failure> {
        let most = self.announced(&body)?;
        let until = Instant::now() + self.time;
        let room = self.room.take(caller, most).await?;
        Ok(Pieces {
            body,
            left: self.bytes,
            most: self.bytes,
            until,
            _room: room,
        })
    }

    /// How much there may be of a body.
    fn announced(&self, body: &Body) -> Result<usize, Failure> {
        let size = body.size_hint();
        if size.lower() > u64::try_from(self.bytes).unwrap_or(u64::MAX) {
            return Err(Failure::body_too_large(self.bytes));
        }
        // A body that does not say how long it is may become as long as any.
        let most = size.upper().and_then(|upper| usize::try_from(upper).ok());
        Ok(most.map_or(self.bytes, |upper| upper.min(self.bytes)))
    }
}

impl Pieces {
    /// What has arrived next; nothing at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Failure> {
        let until = self.until.min(Instant::now() + STALL);
        let next = tokio::time::timeout_at(until, piece(&mut self.body)).await;
        let next = next.map_err(|_| Failure::body_too_slow())??;
        if let Some(piece) = &next {
            let left = self.left.checked_sub(piece.len());
            self.left = left.ok_or_else(|| Failure::body_too_large(self.most))?;
        }
        Ok(next)
    }
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
    use crate::room::SMALL_BYTES;

    const TIME: Duration = Duration::from_secs(10);

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<Result<_, std::io::Error>> = pieces
            .iter()
            .map(|piece| Ok(Bytes::from_static(piece.as_bytes())))
            .collect();
        Body::from_stream(stream::iter(pieces))
    }

    fn endless() -> Body {
        Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>())
    }

    #[tokio::test]
    async fn a_body_may_have_the_limit_and_not_a_byte_more() {
        let bodies = Bodies::new(10, TIME, LARGE_BYTES_TOTAL);
        let read = async |body| match bodies.read(body).await {
            Ok(whole) => String::from_utf8(whole.to_vec()).unwrap(),
            Err(failure) => failure.status().as_str().to_owned(),
        };
        assert_eq!(read(Body::from("1234567890")).await, "1234567890");
        assert_eq!(read(Body::from("12345678901")).await, "413");
        assert_eq!(read(pieces(&["12345", "", "67890"])).await, "1234567890");
        assert_eq!(read(pieces(&["12345", "67890", "1"])).await, "413");
        assert_eq!(read(pieces(&["12345678901"])).await, "413");
        assert_eq!(read(Body::empty()).await, "");
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_given_up() {
        let bodies = Bodies::new(10, TIME, LARGE_BYTES_TOTAL);
        let failure = bodies.read(endless()).await.unwrap_err();
        assert_eq!(failure.status(), StatusCode::REQUEST_TIMEOUT);
    }

    async fn drained(bodies: &Bodies, body: Body) -> Result<usize, u16> {
        let status = |failure: Failure| failure.status().as_u16();
        let mut pieces = bodies.open("ada", body).await.map_err(status)?;
        let mut bytes = 0;
        while let Some(piece) = pieces.next().await.map_err(status)? {
            bytes += piece.len();
        }
        Ok(bytes)
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_in_pieces_has_the_same_bounds() {
        let bodies = Bodies::new(10, TIME, 0);
        assert_eq!(
            drained(&bodies, pieces(&["12345", "", "67890"])).await,
            Ok(10)
        );
        assert_eq!(
            drained(&bodies, pieces(&["12345", "678901"])).await,
            Err(413)
        );
        assert_eq!(drained(&bodies, Body::from("12345678901")).await, Err(413));
        assert_eq!(drained(&bodies, endless()).await, Err(408));
        let long = Bodies::new(10, STALL * 10, 0);
        let begun = Instant::now();
        assert_eq!(drained(&long, endless()).await, Err(408));
        assert_eq!(begun.elapsed(), STALL);

        let large = Bodies::new(SMALL_BYTES + 1, TIME, 0);
        let held = large.open("bob", endless()).await.unwrap();
        let small = Body::from(vec![b'x'; SMALL_BYTES]);
        assert_eq!(drained(&large, small).await, Ok(SMALL_BYTES));
        assert_eq!(drained(&large, pieces(&["1"])).await, Err(429));
        drop(held);
        assert_eq!(drained(&large, pieces(&["1"])).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn large_bodies_share_their_room_and_small_ones_do_not_wait() {
        let bodies = Bodies::new(SMALL_BYTES + 1, TIME, 0);
        let large = || Body::from(vec![b'x'; SMALL_BYTES + 1]);
        let first = bodies.read(large()).await.unwrap();
        assert!(
            bodies
                .read(Body::from(vec![b'x'; SMALL_BYTES]))
                .await
                .is_ok()
        );
        let second = bodies.read(large()).await.unwrap_err();
        assert_eq!(second.status(), StatusCode::REQUEST_TIMEOUT);
        drop(first);
        assert!(bodies.read(large()).await.is_ok());
    }
}
