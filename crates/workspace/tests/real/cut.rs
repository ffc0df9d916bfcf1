//! The network goes, at each stage of what is done over it.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use wharf_ssh::{Credentials, Pool, PoolLimits};
use wharf_workspace::Error;
use wharf_workspace::look::Held;
use wharf_workspace::plan::{Options, Provided};
use wharf_workspace::pull::Bounds;
use wharf_workspace::round::Choice;

use crate::place::{Place, tree};
use crate::sshd::{self, Sshd};

/// More than ever travels here.
const PLENTY: i64 = i64::MAX / 2;
/// How often a stage is cut.
const CUTS: i64 = 7;

/// What is between us and the server. When what may still travel in a direction is used up, all that
/// is open breaks.
#[derive(Default)]
struct Relay {
    up: AtomicI64,
    down: AtomicI64,
}

impl Relay {
    async fn start(server: u16) -> (Arc<Self>, u16) {
        let relay = Arc::new(Self::default());
        relay.allow(PLENTY, PLENTY);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = Arc::clone(&relay);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let shared = Arc::clone(&shared);
                tokio::spawn(async move {
                    let far = TcpStream::connect(("127.0.0.1", server)).await.unwrap();
                    let (near_read, near_write) = near.into_split();
                    let (far_read, far_write) = far.into_split();
                    tokio::select! {
                        () = pass(near_read, far_write, &shared.up) => {}
                        () = pass(far_read, near_write, &shared.down) => {}
                    }
                });
            }
        });
        (relay, port)
    }

    fn allow(&self, up: i64, down: i64) {
        self.up.store(up, Ordering::Relaxed);
        self.down.store(down, Ordering::Relaxed);
    }

    /// What has travelled in both directions since plenty was allowed.
    fn travelled(&self) -> (i64, i64) {
        let up = PLENTY - self.up.load(Ordering::Relaxed);
        (up, PLENTY - self.down.load(Ordering::Relaxed))
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, left: &AtomicI64) {
    let mut piece = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut piece).await {
        if left.fetch_sub(count as i64, Ordering::Relaxed) < count as i64 {
            return;
        }
        if to.write_all(&piece[..count]).await.is_err() {
            return;
        }
    }
}

async fn behind_relay() -> Option<(Place, Arc<Relay>)> {
    if !sshd::is_there() {
        return None;
    }
    let server = Sshd::start("");
    let (relay, port) = Relay::start(server.port).await;
    let pool = Pool::new(server.connector(), PoolLimits::default());
    let mut settings = server.settings();
    let known = server.path("known_relay");
    let key = fs::read_to_string(server.path("host_ed25519.pub")).unwrap();
    fs::write(&known, format!("[127.0.0.1]:{port} {key}")).unwrap();
    settings.port = port;
    settings.user_known_hosts = vec![known];
    let opener = pool.opener_for(settings, Credentials::default());
    Some((Place::new(Box::new(opener), Some((pool, server))), relay))
}

impl Place {
    /// The steps of a sync in their order.
    async fn sync_once(&self) -> Result<(), Error> {
        let round = self.try_round().await?;
        let plan = round.plan(&Held::default(), &Options::default());
        let pushed = round
            .push(&*self.opener, &plan, false, Arc::new(|_| ()))
            .await?;
        round.keep_bases(&pushed.agreement)
    }

    /// A script that has lost its listener may still be at work: who comes meanwhile is told so.
    async fn sync_again(&self) {
        loop {
            match self.sync_once().await {
                Err(Error::Busy) => tokio::task::yield_now().await,
                done => return done.unwrap(),
            }
        }
    }

    async fn pull_once(&self) -> Result<(), Error> {
        let round = self.try_round().await?;
        let (provided, bounds) = (Provided::default(), Bounds::default());
        let incoming = round.fetch(&*self.opener, &provided, &bounds).await?;
        let applied = round.apply(&*self.opener, &incoming, Choice::default());
        assert_eq!(applied.await?.conflicts, []);
        Ok(())
    }

    fn edit_here(&self, turn: i64) {
        for at in 0..30 {
            self.write(&format!("d{}/f{at}", at % 20), format!("{turn} of {at}"));
        }
        self.write(&format!("new{turn}/x"), vec![b'x'; 50_000]);
        let _none = fs::remove_file(self.root.join(format!("old{turn}")));
    }

    /// All of here is there, and all of theirs.
    fn assert_whole(&self, theirs: i64) {
        let (here, there) = (tree(&self.root), tree(&self.there()));
        for (path, what) in &here {
            let name = String::from_utf8_lossy(path);
            assert_eq!(there.get(path), Some(what), "{name}");
        }
        for turn in 0..=theirs {
            let name = format!("theirs{turn}");
            assert_eq!(there[name.as_bytes()].2, name.as_bytes());
            assert!(!there.contains_key(format!("old{turn}").as_bytes()));
        }
    }
}

fn is_a_cut(error: &Error) -> bool {
    matches!(error, Error::Cut(_) | Error::Open(_))
}

#[tokio::test]
async fn a_sync_that_is_cut_anywhere_loses_nothing_and_the_next_one_completes_it() {
    let Some((place, relay)) = behind_relay().await else {
        return;
    };
    let turns = CUTS * 2;
    for turn in 0..=turns {
        place.write(&format!("old{turn}"), "1");
    }
    place.edit_here(-1);
    place.sync_once().await.unwrap();
    place.edit_here(0);
    place.write_there("theirs0", "theirs0");
    relay.allow(PLENTY, PLENTY);
    place.sync_once().await.unwrap();
    let (up, down) = relay.travelled();
    let mut failed = 0;
    for turn in 1..=turns {
        place.edit_here(turn);
        let theirs = format!("theirs{turn}");
        place.write_there(&theirs, &theirs);
        let (here, there) = (tree(&place.root), tree(&place.there()));
        match turn {
            1..=CUTS => relay.allow(up * turn / (CUTS + 1), PLENTY),
            _ => relay.allow(PLENTY, down * (turn - CUTS) / (CUTS + 1)),
        }
        if let Err(error) = place.sync_once().await {
            assert!(is_a_cut(&error), "{turn}: {error:?}");
            failed += 1;
        }
        assert!(tree(&place.root) == here, "{turn}: nothing happens here");
        for (path, now) in tree(&place.there()) {
            let is_whole = [&here, &there]
                .iter()
                .any(|side| side.get(&path).is_some_and(|what| what.2 == now.2));
            let name = String::from_utf8_lossy(&path).into_owned();
            assert!(is_whole, "{turn}: {name} is neither old nor new");
        }
        relay.allow(PLENTY, PLENTY);
        place.sync_again().await;
        place.assert_whole(turn);
    }
    assert!(failed > CUTS, "{failed} of {turns} were cut");
}

#[tokio::test]
async fn a_pull_that_is_cut_anywhere_loses_nothing_and_the_next_one_completes_it() {
    let Some((place, relay)) = behind_relay().await else {
        return;
    };
    place.write("a", "1\n2\n3\n");
    place.write("b", "1");
    place.sync_once().await.unwrap();
    let edit_there = |turn: i64| {
        place.write_there("a", format!("{turn}\n2\n3\n"));
        place.write_there(&format!("theirs{turn}"), vec![b'x'; 60_000]);
    };
    edit_there(0);
    relay.allow(PLENTY, PLENTY);
    place.pull_once().await.unwrap();
    let (up, down) = relay.travelled();
    let mut failed = 0;
    for turn in 1..=CUTS * 2 {
        edit_there(turn);
        place.write("b", format!("{turn}"));
        let there = tree(&place.there());
        match turn {
            1..=CUTS => relay.allow(up * turn / (CUTS + 1), PLENTY),
            _ => relay.allow(PLENTY, down * (turn - CUTS) / (CUTS + 1)),
        }
        if let Err(error) = place.pull_once().await {
            assert!(is_a_cut(&error), "{turn}: {error:?}");
            failed += 1;
        }
        assert!(
            tree(&place.there()) == there,
            "{turn}: nothing happens there"
        );
        let spool = place.temp.path().join("shelf/incoming");
        assert!(!spool.exists(), "{turn}: what was brought is gone");
        relay.allow(PLENTY, PLENTY);
        place.pull_once().await.unwrap();
        let here = |name: &str| fs::read(place.root.join(name)).unwrap();
        assert_eq!(here("a"), format!("{turn}\n2\n3\n").as_bytes());
        assert_eq!(here("b"), format!("{turn}").as_bytes());
        assert_eq!(here(&format!("theirs{turn}")).len(), 60_000);
    }
    assert!(failed > CUTS, "{failed} were cut");
    place.sync_again().await;
    assert_eq!(fs::read(place.there().join("b")).unwrap(), b"14");
}
