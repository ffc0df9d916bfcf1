//! What somebody had who has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use wharf_model::{Clock, Timestamp};
use wharf_profiles::limits::ENDED_KEPT;
use wharf_profiles::{Condition, Owner, Profiles};

use crate::support::{Place, ada, author, fsck};

/// A clock that says what it was told, in seconds.
#[derive(Default)]
struct Told(AtomicI64);

impl Clock for Told {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed) * 1000)
    }
}

async fn put(profiles: &Profiles, owner: &Owner, text: &str) -> String {
    let put = profiles.put(owner, text, "", author(), Condition::Any);
    put.await.unwrap().commit_sha
}

#[tokio::test]
async fn what_has_ended_is_put_aside_and_can_be_taken_back() {
    let place = Place::new();
    let profiles = &place.profiles;
    let team = Owner::team("team_1").unwrap();
    assert!(!profiles.put_aside(&team).await.unwrap(), "it has nothing");
    let version = put(profiles, &team, "ours").await;
    let others = put(profiles, ada(), "mine").await;
    assert!(profiles.put_aside(&team).await.unwrap());
    // Another server sees it at once, and nobody else loses anything.
    for profiles in [profiles, &place.again()] {
        assert_eq!(profiles.version(&team).await.unwrap(), "");
        assert_eq!(profiles.current(&team).await.unwrap().content.as_ref(), "");
        assert_eq!(profiles.version(ada()).await.unwrap(), others);
    }
    assert!(!place.repository(&team).exists());
    assert!(profiles.take_back(&team).await.unwrap());
    assert_eq!(profiles.version(&team).await.unwrap(), version);
    assert!(!profiles.take_back(&team).await.unwrap(), "it is back");
    place.fsck(&team);

    // What was saved since is not given up for it, and the one that was last comes back.
    profiles.put_aside(&team).await.unwrap();
    let newer = put(profiles, &team, "again").await;
    assert!(!profiles.take_back(&team).await.unwrap());
    profiles.put_aside(&team).await.unwrap();
    assert!(profiles.take_back(&team).await.unwrap());
    assert_eq!(profiles.version(&team).await.unwrap(), newer);
    for entry in std::fs::read_dir(place.root().join("ended")).unwrap() {
        fsck(&entry.unwrap().path());
    }
}

#[tokio::test]
async fn it_is_gone_for_good_after_its_time_and_nothing_else_is() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(Told::default());
    let profiles = Profiles::open(
        folder.path().to_owned(),
        Arc::clone(&clock) as Arc<dyn Clock>,
    );
    assert_eq!(profiles.sweep_ended().await.unwrap(), 0);
    let at = |seconds: i64| clock.0.store(seconds, Ordering::Relaxed);
    let team = Owner::team("team_1").unwrap();
    at(1000);
    put(&profiles, &team, "ours").await;
    put(&profiles, ada(), "mine").await;
    profiles.put_aside(&team).await.unwrap();
    at(1001);
    profiles.put_aside(ada()).await.unwrap();
    let foreign = folder.path().join("ended/notes");
    std::fs::write(&foreign, "").unwrap();
    let kept = i64::try_from(ENDED_KEPT.as_secs()).unwrap();
    at(1000 + kept - 1);
    assert_eq!(profiles.sweep_ended().await.unwrap(), 0);
    at(1000 + kept);
    assert_eq!(profiles.sweep_ended().await.unwrap(), 1);
    assert!(!profiles.take_back(&team).await.unwrap());
    assert!(profiles.take_back(ada()).await.unwrap());
    assert!(foreign.exists());
}
