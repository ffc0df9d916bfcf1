//! Connections that are cut.

use std::fs;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wharf_ssh::{BoxFuture, Channel, Error, Opener};

use crate::place::{Place, tree};

/// Cuts the input of commands after so many bytes, as a network does.
struct Cutter {
    inner: Box<dyn Opener>,
    left: Arc<AtomicUsize>,
}

struct CutInput {
    inner: Box<dyn AsyncWrite + Send + Unpin>,
    left: Arc<AtomicUsize>,
}

impl Opener for Cutter {
    fn open(&self, command: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        let command = command.to_owned();
        Box::pin(async move {
            let mut channel = self.inner.open(&command).await?;
            let left = Arc::clone(&self.left);
            channel.stdin = Box::new(CutInput {
                inner: channel.stdin,
                left,
            });
            Ok(channel)
        })
    }
}

impl AsyncWrite for CutInput {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let left = self.left.load(Ordering::Relaxed);
        if left == 0 {
            // What was sent arrives; then there is an end.
            return Pin::new(&mut self.inner)
                .poll_shutdown(cx)
                .map(|_| Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let some = &bytes[..bytes.len().min(left)];
        let written = Pin::new(&mut self.inner).poll_write(cx, some);
        if let Poll::Ready(Ok(count)) = &written {
            self.left.fetch_sub(*count, Ordering::Relaxed);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

fn cuttable() -> Option<(Place, Arc<AtomicUsize>)> {
    let mut place = Place::behind_sshd()?;
    let left = Arc::new(AtomicUsize::new(usize::MAX));
    let inner = std::mem::replace(&mut place.opener, Box::new(Nowhere));
    place.opener = Box::new(Cutter {
        inner,
        left: Arc::clone(&left),
    });
    Some((place, left))
}

struct Nowhere;

impl Opener for Nowhere {
    fn open(&self, _: &str) -> BoxFuture<'_, Result<Channel, Error>> {
        panic!("nothing is opened there")
    }
}

fn noise(len: usize, seed: u64) -> Vec<u8> {
    (0..len as u64)
        .map(|at| ((at ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33).to_le_bytes()[0])
        .collect()
}

#[tokio::test]
async fn a_cut_changes_nothing_and_the_next_push_sends_the_rest() {
    let Some((place, left)) = cuttable() else {
        return;
    };
    place.write("old", "1");
    place.write("dir/old", "1");
    place.push().await;
    let before = tree(&place.there());
    for name in 0..60 {
        place.write(&format!("dir/f{name}"), noise(40_000, name));
    }
    place.write("old", "2");
    fs::remove_file(place.root.join("dir/old")).unwrap();
    let mut all = 0;
    for cut in [300, 100_000, 1_500_000] {
        left.store(cut, Ordering::Relaxed);
        let failed = place.try_push().await;
        assert!(failed.is_err());
        assert_eq!(tree(&place.there()), before, "after {cut} bytes");
        all = cut;
    }
    left.store(usize::MAX, Ordering::Relaxed);
    let (plan, pushed) = place.push().await;
    let rest = pushed.progress.bytes_sent;
    assert!(
        rest + all as u64 / 2 < plan.bytes(),
        "{rest} of {} bytes",
        plan.bytes()
    );
    place.assert_same();
}

#[tokio::test]
async fn a_large_file_goes_on_where_it_was_cut() {
    let Some((place, left)) = cuttable() else {
        return;
    };
    let mut big = noise(20_000_000, 1);
    place.write("big", &big);
    place.write("after", "1");
    left.store(15_000_000, Ordering::Relaxed);
    assert!(place.try_push().await.is_err());
    left.store(usize::MAX, Ordering::Relaxed);
    let (_, pushed) = place.push().await;
    assert!(
        pushed.progress.bytes_sent < 7_000_000,
        "{:?}",
        pushed.progress
    );
    place.assert_same();
    // Cut twice, it goes on where it was cut last.
    fs::remove_file(place.root.join("big")).unwrap();
    place.push().await;
    place.write("big", &big);
    for cut in [9_000_000, 8_000_000] {
        left.store(cut, Ordering::Relaxed);
        assert!(place.try_push().await.is_err());
    }
    left.store(usize::MAX, Ordering::Relaxed);
    let (_, pushed) = place.push().await;
    assert!(
        pushed.progress.bytes_sent < 5_000_000,
        "{:?}",
        pushed.progress
    );
    place.assert_same();
    // What was half sent and has changed since is not gone on with.
    fs::remove_file(place.root.join("big")).unwrap();
    place.push().await;
    place.write("big", &big);
    left.store(15_000_000, Ordering::Relaxed);
    assert!(place.try_push().await.is_err());
    left.store(usize::MAX, Ordering::Relaxed);
    big[3] ^= 1;
    place.write("big", &big);
    place.push().await;
    place.assert_same();
}

#[tokio::test]
async fn a_whole_first_push_is_cut_anywhere() {
    let Some((place, left)) = cuttable() else {
        return;
    };
    for name in 0..20 {
        place.write(&format!("a{}/b/f{name}", name % 3), noise(9000, name));
    }
    for cut in (0..260_000).step_by(37_003) {
        left.store(cut, Ordering::Relaxed);
        let _cut = place.try_push().await;
        if !Path::new(&place.far.dir).exists() {
            continue;
        }
        let there = tree(&place.there());
        assert!(
            there.is_empty() || there == tree(&place.root),
            "after {cut} bytes"
        );
    }
    left.store(usize::MAX, Ordering::Relaxed);
    place.push().await;
    place.assert_same();
}
