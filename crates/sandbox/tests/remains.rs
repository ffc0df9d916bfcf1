//! What is left where something broke: a crash, a full disk, a tree that cannot be walked.

mod support;

use std::fs;

use support::Bench;
use wharf_model::Timestamp;
use wharf_sandbox::{
    Capability, Destination, Egress, Error, Health, LauncherProgram, Provider as _, SnapshotId,
    Source, Spec,
};

#[tokio::test]
async fn a_record_that_cannot_be_read_is_no_remainder() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let other = bench.create("b").await;
    let file = bench.directory(&sandbox.id).join("record.json");
    let whole = fs::read_to_string(&file).unwrap();
    let newer = whole.replace("\"version\":1", "\"version\":2");
    assert_ne!(newer, whole);
    let half = whole.trim_end().trim_end_matches('}');
    for broken in [half, "", &newer] {
        fs::write(&file, broken).unwrap();
        let swept = bench.provider.sweep(Timestamp::from_millis(1)).await;
        let swept = swept.unwrap();
        assert_eq!(swept.remains, []);
        assert_eq!(swept.stuck.len(), 1, "{:?}", swept.stuck);
        assert!(swept.stuck[0].contains(sandbox.id.as_str()));
        // It hides none of the others.
        let listed = bench.provider.list().await.unwrap();
        assert_eq!(listed, std::slice::from_ref(&other));
    }
    // Nobody has touched it.
    assert!(bench.ssh(&sandbox, "user", "true").await.worked());
    fs::write(&file, whole).unwrap();
    assert_eq!(bench.provider.list().await.unwrap().len(), 2);
    bench.end().await;
}

#[tokio::test]
async fn an_end_needs_no_room_for_its_record() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    // Nothing can be written in the place where the next record would be, as on a full disk.
    let next = bench.directory(&sandbox.id).join("record.new");
    fs::remove_file(&next).unwrap();
    fs::create_dir(&next).unwrap();
    let until = Some(Timestamp::from_millis(1));
    bench.provider.extend(&sandbox.id, until).await.unwrap_err();
    bench.provider.terminate(&sandbox.id).await.unwrap();
    bench.end().await;
}

#[tokio::test]
async fn a_deep_tree_is_ended_like_any_other() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let made =
        "cd workspace && perl -e 'for (1..20000) { mkdir \"d\" or die; chdir \"d\" or die }'";
    let made = bench.ssh(&sandbox, "user", made).await;
    assert!(made.worked(), "{made:?}");
    bench.provider.terminate(&sandbox.id).await.unwrap();
    bench.end().await;
}

#[tokio::test]
async fn one_that_a_crash_has_left_standing_still_goes_on() {
    let bench = Bench::new();
    if !bench.provider.capabilities().has(Capability::Pause) {
        return bench.end().await;
    }
    let sandbox = bench.create("a").await;
    bench.provider.pause(&sandbox.id).await.unwrap();
    let file = bench.directory(&sandbox.id).join("record.json");
    let record = fs::read_to_string(&file).unwrap();
    let going = record.replace("\"paused\":true", "\"paused\":false");
    assert_ne!(going, record);
    fs::write(&file, going).unwrap();
    let bench = bench.restart().await;
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(again.health, Health::Running);
    assert!(bench.ssh(&again, "user", "true").await.worked());
    bench.end().await;
}

#[tokio::test]
async fn a_paused_one_is_still_paused_after_a_restart() {
    let bench = Bench::new();
    if !bench.provider.capabilities().has(Capability::Pause) {
        return bench.end().await;
    }
    let sandbox = bench.create("a").await;
    bench.provider.pause(&sandbox.id).await.unwrap();
    let bench = bench.restart().await;
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(again.health, Health::Paused);
    bench.end().await;
}

#[tokio::test]
async fn the_way_in_is_there_without_the_way_out() {
    let bench = Bench::new();
    let mut spec = bench.spec();
    spec.egress = Egress::Only(vec![Destination::parse("example.org").unwrap()]);
    let sandbox = bench.provider.create("a", spec).await.unwrap();
    assert_eq!(sandbox.notes, Vec::<String>::new());
    let taking = "perl -MIO::Socket::INET -e 'while (!$s) { select undef, undef, undef, 0.01; \
                  $s = IO::Socket::INET->new(Listen => 1, LocalAddr => \"127.0.0.1:3128\", \
                  ReuseAddr => 1) } sleep 600' > /dev/null 2>&1 &";
    assert!(bench.ssh(&sandbox, "user", taking).await.worked());
    let bench = bench.restart().await;
    let listening = format!("/proc/{}/net/tcp", bench.init(&sandbox.id));
    while !fs::read_to_string(&listening).unwrap().contains(":0C38 ") {
        tokio::task::yield_now().await;
    }
    let again = bench.provider.connect(&sandbox.id).await.unwrap();
    let notes = again.notes.join("\n");
    assert!(notes.contains("no way out"), "{notes}");
    assert!(bench.ssh(&again, "user", "pkill perl").await.worked());
    // And it is opened when there is room for it, without another way in.
    let open = bench.provider.connect(&sandbox.id).await.unwrap();
    assert_eq!(open.notes, Vec::<String>::new());
    assert_eq!(open.ssh_port, again.ssh_port);
    bench.end().await;
}

#[tokio::test]
async fn a_snapshot_that_is_half_removed_is_none() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    let kept = bench.provider.snapshot(&sandbox.id, "s").await.unwrap();
    bench.provider.terminate(&sandbox.id).await.unwrap();
    bench.provider.shutdown().await;
    let place = tempfile::tempdir().unwrap();
    let other = Bench::at(place.path(), |options| {
        options.launcher = LauncherProgram {
            program: "/bin/false".into(),
            arguments: Vec::new(),
        };
    });
    let note = |bench: &Bench, id: &SnapshotId| {
        let kept = bench.state().join("snapshots").join(id.as_str());
        fs::create_dir_all(&kept).unwrap();
        kept.join("snapshot.json")
    };
    fs::copy(note(&bench, &kept), note(&other, &kept)).unwrap();
    // It cannot remove anything, and is cut off there.
    other.provider.forget(&kept).await.unwrap_err();
    let spec = Spec {
        source: Source::Snapshot(kept.clone()),
        ..other.spec()
    };
    let none = other.provider.create("b", spec).await.unwrap_err();
    assert!(matches!(none, Error::NoSnapshot), "{none:?}");
    other.provider.shutdown().await;
}

#[tokio::test]
async fn common_names_of_programs_and_certificates_are_there() {
    let bench = Bench::new();
    let sandbox = bench.create("a").await;
    for name in ["awk", "which", "cc"] {
        let path = format!("/usr/bin/{name}");
        if fs::metadata(&path).is_ok() {
            let there = bench
                .ssh(&sandbox, "user", &format!("test -x {path}"))
                .await;
            assert!(there.worked(), "{name}: {there:?}");
        }
    }
    let bundle = "/etc/ssl/certs/ca-certificates.crt";
    if let Ok(ours) = fs::read(bundle) {
        let theirs = bench
            .ssh(&sandbox, "user", &format!("wc -c < {bundle}"))
            .await;
        assert_eq!(theirs.out, ours.len().to_string(), "{theirs:?}");
    }
    bench.end().await;
}
