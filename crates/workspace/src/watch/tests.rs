use std::fs;

use tokio::time::timeout;

use super::*;
use crate::manifest::Entry;

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);

fn rel(path: &str) -> RelPath {
    RelPath::parse(path.as_bytes()).unwrap()
}

fn dirs(names: &[&str]) -> Manifest {
    let entries = names.iter().map(|name| Entry {
        path: rel(name),
        what: What::Dir,
        mode: 0o755,
        mtime_ns: 0,
    });
    Manifest::from_entries(entries.collect())
}

async fn sees(eyes: &mut Eyes, act: impl FnOnce()) -> bool {
    act();
    timeout(LONG, eyes.settled()).await.is_ok()
}

#[tokio::test]
async fn a_change_is_seen_where_the_workspace_is_and_nowhere_else() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    for name in ["src", "src/deep", "target"] {
        fs::create_dir(at(name)).unwrap();
    }
    let mut eyes = Eyes::open();
    let manifest = dirs(&["src", "src/deep"]);
    assert!(eyes.look_at(temp.path(), &manifest));
    assert!(!eyes.look_at(temp.path(), &manifest));
    assert!(eyes.sees_all());
    // What is left out, and what a pull is writing, wakes nobody: what is seen comes after it.
    fs::write(at("target/out"), "1").unwrap();
    fs::write(at("src").join(TEMP), "1").unwrap();
    let nothing = timeout(QUIET, eyes.changed()).await;
    assert!(nothing.is_err());
    assert!(sees(&mut eyes, || fs::write(at("src/deep/a"), "1").unwrap()).await);
    assert!(sees(&mut eyes, || fs::remove_file(at("src/deep/a")).unwrap()).await);
    assert!(sees(&mut eyes, || fs::create_dir(at("src/new")).unwrap()).await);
}

#[tokio::test]
async fn a_directory_that_got_anothers_name_is_watched() {
    let temp = tempfile::tempdir().unwrap();
    let at = |name: &str| temp.path().join(name);
    fs::create_dir_all(at("a/x")).unwrap();
    let mut eyes = Eyes::open();
    eyes.look_at(temp.path(), &dirs(&["a", "a/x"]));
    assert!(
        sees(&mut eyes, || {
            fs::rename(at("a"), at("b")).unwrap();
            fs::create_dir_all(at("a/x")).unwrap();
        })
        .await
    );
    assert!(eyes.look_at(temp.path(), &dirs(&["a", "a/x", "b", "b/x"])));
    for name in ["a/x/f", "b/x/f", "a/f", "b/f"] {
        assert!(
            sees(&mut eyes, || fs::write(at(name), "1").unwrap()).await,
            "{name}"
        );
    }
    assert!(sees(&mut eyes, || fs::remove_dir_all(at("a")).unwrap()).await);
    fs::create_dir_all(at("a/x")).unwrap();
    assert!(eyes.look_at(temp.path(), &dirs(&["a", "a/x", "b", "b/x"])));
    assert!(sees(&mut eyes, || fs::write(at("a/x/f"), "1").unwrap()).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_watched_is_looked_at_every_so_often() {
    let mut eyes = Eyes {
        kernel: None,
        paths: BTreeMap::new(),
        watched: BTreeMap::new(),
        most: DIRS_MAX,
        sees_all: true,
    };
    assert!(!eyes.look_at(Path::new("/nowhere"), &dirs(&["a"])));
    assert!(!eyes.sees_all());
    let began = tokio::time::Instant::now();
    eyes.settled().await;
    assert_eq!(began.elapsed(), POLL + QUIET);
}

#[tokio::test]
async fn so_many_directories_are_watched() {
    let temp = tempfile::tempdir().unwrap();
    fs::create_dir_all(temp.path().join("a/x")).unwrap();
    let mut eyes = Eyes::open();
    eyes.most = 2;
    assert!(eyes.look_at(temp.path(), &dirs(&["a"])));
    assert!(eyes.sees_all());
    assert!(!eyes.look_at(temp.path(), &dirs(&["a", "a/x"])));
    assert!(!eyes.sees_all());
}

#[tokio::test]
async fn who_writes_without_end_is_not_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let mut eyes = Eyes::open();
    eyes.look_at(temp.path(), &dirs(&[]));
    let writing = async {
        loop {
            fs::write(temp.path().join("log"), "1").unwrap();
            tokio::time::sleep(QUIET / 10).await;
        }
    };
    let began = tokio::time::Instant::now();
    tokio::select! {
        settled = timeout(LONG, eyes.settled()) => settled.unwrap(),
        () = writing => {}
    }
    assert!(began.elapsed() >= QUIET_MAX, "{:?}", began.elapsed());
}

#[test]
fn what_the_kernel_writes_is_read_and_what_is_cut_is_not() {
    let event = |number: i32, name: &[u8]| {
        let length = u32::try_from(name.len()).unwrap();
        let head = [number.to_ne_bytes(), [0; 4], [0; 4], length.to_ne_bytes()];
        [&head.concat()[..], name].concat()
    };
    let bytes = [event(3, b"a.md\0\0\0\0"), event(7, b""), event(-1, b"b\0")].concat();
    let found: Vec<_> = events(&bytes)
        .map(|event| (event.number, event.name))
        .collect();
    assert_eq!(
        found,
        [(3, b"a.md".to_vec()), (7, Vec::new()), (-1, b"b".to_vec())]
    );
    assert_eq!(events(&bytes[..bytes.len() - 1]).count(), 2);
}

#[test]
fn what_is_so_is_said_once_and_again_when_it_is_so_again() {
    let mut said = Said::default();
    let (a, b) = ((rel("a"), "held"), (rel("b"), "large"));
    assert_eq!(said.news([a.clone(), b.clone()]), [a.clone(), b.clone()]);
    assert_eq!(said.news([a.clone(), b.clone()]), []);
    assert_eq!(said.news([(rel("a"), "large")]), [(rel("a"), "large")]);
    assert_eq!(said.news([a.clone(), b.clone()]), [a, b]);
}
