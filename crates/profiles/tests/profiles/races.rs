//! Many at once.

use std::os::unix::fs::symlink;

use wharf_profiles::{Condition, Error};

use crate::support::{Place, ada, author};

const WRITERS: usize = 32;
const ROUNDS: usize = 8;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_writers_with_one_base_exactly_one_wins() {
    let place = Place::new();
    // Half of them are another server's.
    let servers = [place.profiles.clone(), place.again()];
    let mut base = String::new();
    for round in 0..ROUNDS {
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let profiles = servers[writer % 2].clone();
            let base = base.clone();
            tasks.spawn(async move {
                let content = format!("round {round}, writer {writer}");
                let condition = Condition::Is(&base);
                profiles.put(ada(), &content, "", author(), condition).await
            });
        }
        let mut won = Vec::new();
        while let Some(done) = tasks.join_next().await {
            match done.unwrap() {
                Ok(content) => won.push(content),
                Err(Error::Stale { current }) => assert_ne!(current, base),
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(won.len(), 1, "round {round}");
        let won = won.remove(0);
        assert_eq!(place.profiles.current(ada()).await.unwrap(), won);
        base = won.commit_sha;
    }
    let history = place.profiles.history(ada(), 100).await.unwrap();
    assert_eq!(history.total, ROUNDS);
    place.fsck(ada());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn without_a_base_none_is_lost() {
    let place = Place::new();
    let servers = [place.profiles.clone(), place.again()];
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let profiles = servers[writer % 2].clone();
        tasks.spawn(async move {
            let content = format!("writer {writer}");
            let put = profiles.put(ada(), &content, "", author(), Condition::Any);
            put.await.unwrap().commit_sha
        });
    }
    let mut made = tasks.join_all().await;
    let history = place.again().history(ada(), 100).await.unwrap();
    let mut kept: Vec<String> = history
        .versions
        .into_iter()
        .map(|it| it.commit_sha)
        .collect();
    made.sort();
    kept.sort();
    assert_eq!(made, kept);
    place.fsck(ada());
}

/// What others have written has to be described, and is without waiting for whoever writes now.
#[tokio::test]
async fn a_reader_waits_for_no_writer() {
    let place = Place::new();
    let put = place
        .profiles
        .put(ada(), "text", "", author(), Condition::Any);
    let put = put.await.unwrap();
    let index = place.repository(ada()).join("wharf-sha256");
    std::fs::remove_file(&index).unwrap();
    let lock = place.repository(ada()).with_extension("lock");
    let held = std::fs::File::open(lock).unwrap();
    held.lock().unwrap();
    let tree = place.again().tree(ada(), None).await.unwrap();
    assert_eq!((tree.version, tree.files.len()), (put.commit_sha, 1));
    assert!(!index.exists());
    held.unlock().unwrap();
    place.again().tree(ada(), None).await.unwrap();
    assert!(index.exists());
}

/// A file system that others share may not show a file for a moment, or fail to.
#[tokio::test]
async fn a_repository_whose_head_is_not_seen_is_left_as_it_is() {
    let place = Place::new();
    let put = |content: &'static str| {
        let profiles = place.again();
        async move {
            let put = profiles.put(ada(), content, "", author(), Condition::Any);
            put.await
        }
    };
    let first = put("first").await.unwrap();
    let (head, aside) = (
        place.repository(ada()).join("HEAD"),
        place.root().join("aside"),
    );
    std::fs::rename(&head, &aside).unwrap();
    assert!(matches!(put("second").await, Err(Error::Git { .. })));
    // Nobody can say where this leads to.
    symlink(&head, &head).unwrap();
    assert!(matches!(put("second").await, Err(Error::Io { .. })));
    std::fs::remove_file(&head).unwrap();
    std::fs::rename(&aside, &head).unwrap();
    let now = place.again().current(ada()).await.unwrap();
    assert_eq!(now.commit_sha, first.commit_sha);
    put("second").await.unwrap();
    let history = place.again().history(ada(), 100).await.unwrap();
    assert_eq!(history.total, 2);
    place.fsck(ada());
}
