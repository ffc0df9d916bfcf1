//! The way back: what changed there, as a patch, as a branch, and applied.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use wharf_workspace::bases::Bases;
use wharf_workspace::pull::apply::{Applied, ConflictWhy, Here, apply};
use wharf_workspace::pull::diff::{Patch, patch};
use wharf_workspace::pull::{Bounds, Incoming, Pull, RefusedWhy, fetch, settle};
use wharf_workspace::scan::Scanned;

use crate::place::{Place, odd_names, path_of, set_mode, tree};

impl Place {
    pub(crate) fn keep_bases(&self) {
        let agreement = self.agreement();
        let mut bases = Bases::open(&self.shelf.bases());
        let others = self.shelf.agreements();
        bases
            .keep(agreement.manifest(), &others, &self.root)
            .unwrap();
    }

    pub(crate) async fn fetch_within(&self, bounds: &Bounds) -> Incoming {
        let (far, scanned, agreement) = (self.ask().await, self.scan(), self.agreement());
        let spool = self.temp.path().join("spool");
        let asked = Pull {
            place: &self.far,
            root: &self.root,
            excludes: None,
            spool: &spool,
            local: &scanned.manifest,
            agreement: &agreement,
            far: &far,
            provided: &self.options.provided,
            bounds,
        };
        fetch(&*self.opener, asked).await.unwrap()
    }

    pub(crate) async fn fetch(&self) -> Incoming {
        self.fetch_within(&Bounds::default()).await
    }

    async fn apply(&self, force: bool) -> Applied {
        self.apply_over(self.scan(), force, false).await
    }

    /// With what was seen here some time ago.
    async fn apply_over(&self, scanned: Scanned, force: bool, rules: bool) -> Applied {
        let incoming = self.fetch().await;
        let (far, agreement) = (self.ask().await, self.agreement());
        let here = Here {
            root: &self.root,
            local: &scanned.manifest,
            agreement: &agreement,
            bases: &Bases::open(&self.shelf.bases()),
            view: &far.view,
            force,
            rules,
        };
        let applied = apply(&incoming, here, None).unwrap();
        applied
            .agreement
            .save(&self.shelf.agreement("box"))
            .unwrap();
        let token = applied.agreement.token();
        settle(&*self.opener, &self.far, &far, token).await.unwrap();
        applied
    }

    pub(crate) async fn patch(&self) -> Patch {
        let incoming = self.fetch().await;
        let agreement = self.agreement();
        let bases = Bases::open(&self.shelf.bases());
        patch(&incoming, &self.root, agreement.manifest(), &bases).unwrap()
    }

    pub(crate) fn git(&self, at: &Path, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args(arguments)
            .current_dir(at)
            .env("HOME", self.temp.path())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }
}

fn names(paths: &[wharf_workspace::path::RelPath]) -> Vec<String> {
    paths.iter().map(ToString::to_string).collect()
}

/// Changes of many kinds, made there.
pub(crate) fn change(place: &Place) {
    let there = place.there();
    place.write_there("edited", "one\n2\nthree\n");
    place.write_there("no end", "changed, no end");
    place.write_there("new/deep er/file", "new\n");
    place.write_there("caf\u{e9}\n\"x\"", "odd\n");
    place.write_there("program", "#!/bin/sh\n");
    set_mode(&there.join("program"), 0o755);
    set_mode(&there.join("mode"), 0o755);
    fs::remove_file(there.join("gone")).unwrap();
    fs::remove_file(there.join("dir/last")).unwrap();
    symlink("edited", there.join("link")).unwrap();
    fs::remove_file(there.join("relinked")).unwrap();
    symlink("mode", there.join("relinked")).unwrap();
    place.write_there("emptied", "");
}

pub(crate) fn before(place: &Place) {
    for (name, text) in [
        ("edited", "one\ntwo\nthree\n"),
        ("no end", "no end"),
        ("mode", "m\n"),
        ("gone", "gone\n"),
        ("dir/last", "last\n"),
        ("emptied", "full\n"),
        ("untouched", "u\n"),
    ] {
        place.write(name, text);
    }
    symlink("edited", place.root.join("relinked")).unwrap();
}

#[tokio::test]
async fn what_changed_there_alone_is_taken_once() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    before(&place);
    place.push().await;
    change(&place);
    let applied = place.apply(false).await;
    assert_eq!(applied.conflicts, []);
    let (mut here, mut there) = (tree(&place.root), tree(&place.there()));
    for all in [&mut here, &mut there] {
        all.values_mut().for_each(|what| what.1 = 0);
        // A directory that is empty there is nobody's change.
        all.remove(&b"dir"[..]);
    }
    assert_eq!(here, there);
    // Both know it now: nothing more is to be taken, and nothing to be sent.
    assert_eq!(place.fetch().await.changes(), []);
    let (_, plan) = place.plan().await;
    assert!(plan.is_empty() && plan.kept.is_empty(), "{plan:?}");
}

#[tokio::test]
async fn names_of_all_kinds_come_back() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a", "1");
    place.push().await;
    for name in odd_names() {
        fs::write(path_of(&place.there(), &name), &name).unwrap();
    }
    let applied = place.apply(false).await;
    assert_eq!(applied.conflicts, []);
    for name in odd_names() {
        let here = fs::read(path_of(&place.root, &name));
        assert_eq!(here.ok().as_ref(), Some(&name), "{}", name.escape_ascii());
    }
}

#[tokio::test]
async fn changes_on_both_sides_are_merged_or_marked_and_none_is_lost() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    let text = |second: &str, ninth: &str| format!("1\n{second}\n3\n4\n5\n6\n7\n8\n{ninth}\n");
    for name in ["merged", "marked", "no-base"] {
        place.write(name, text("2", "9"));
    }
    for name in ["binary", "gone-here", "gone-there"] {
        place.write(name, "\0old");
    }
    place.push().await;
    place.keep_bases();
    for name in ["merged", "marked"] {
        place.write(name, text("mine", "9"));
    }
    place.write_there("merged", text("2", "theirs"));
    place.write_there("marked", text("theirs", "9"));
    place.write("binary", "\0mine");
    place.write_there("binary", "\0theirs");
    fs::remove_file(place.root.join("gone-here")).unwrap();
    place.write_there("gone-here", "\0theirs");
    fs::remove_file(place.there().join("gone-there")).unwrap();
    place.write("gone-there", "\0mine");
    place.write("new", "mine\n");
    place.write_there("new", "theirs\n");
    place.write(".gitignore", "secret\n");
    place.write("secret", "mine");
    place.write_there("secret", "theirs");
    let applied = place.apply(false).await;
    let here = |name: &str| fs::read_to_string(place.root.join(name)).unwrap();
    assert_eq!(names(&applied.merged), ["merged"]);
    assert_eq!(here("merged"), text("mine", "theirs"));
    assert_eq!(names(&applied.marked), ["marked", "new"]);
    assert!(
        here("marked").contains("<<<<<<< here\nmine\n"),
        "{}",
        here("marked")
    );
    assert!(here("marked").contains("theirs\n>>>>>>> there"));
    assert!(here("new").contains("mine\n") && here("new").contains("theirs\n"));
    let conflicts: Vec<_> = applied
        .conflicts
        .iter()
        .map(|conflict| (conflict.path.to_string(), conflict.why))
        .collect();
    let expected = [
        ("binary".to_owned(), ConflictWhy::BothChanged),
        ("gone-here".to_owned(), ConflictWhy::GoneHere),
        ("gone-there".to_owned(), ConflictWhy::GoneThere),
    ];
    assert_eq!(conflicts, expected);
    assert_eq!(here("binary"), "\0mine");
    assert_eq!(here("gone-there"), "\0mine");
    assert_eq!(
        here("secret"),
        "mine",
        "what is ignored here is not theirs to write"
    );
    // What was not taken is offered again.
    assert_eq!(place.fetch().await.changes().len(), 3);
    place.apply(true).await;
    assert_eq!(here("binary"), "\0theirs");
    assert!(!place.root.join("gone-there").exists());
    assert_eq!(place.fetch().await.changes(), []);
}

#[tokio::test]
async fn a_patch_makes_here_what_is_there() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    before(&place);
    place.push().await;
    place.keep_bases();
    place.git(&place.root, &["init", "-q"]);
    change(&place);
    let made = place.patch().await;
    assert_eq!((made.unshown, made.beside_local), (vec![], vec![]));
    let file = place.temp.path().join("patch");
    fs::write(&file, &made.bytes).unwrap();
    place.git(&place.root, &["apply", file.to_str().unwrap()]);
    let (mut here, mut there) = (tree(&place.root), tree(&place.there()));
    here.retain(|path, _| !path.starts_with(b".git"));
    for all in [&mut here, &mut there] {
        all.values_mut().for_each(|what| what.1 = 0);
        all.remove(&b"dir"[..]);
    }
    assert_eq!(here, there);
}

#[tokio::test]
async fn what_rules_leave_out_there_is_nobodys_change() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write(".gitignore", "*.log\n");
    place.write("web/a", "1");
    place.push().await;
    place.write_there("x.log", "no");
    place.write_there("web/.gitignore", "node_modules/\n");
    for at in 0..50 {
        place.write_there(&format!("web/node_modules/m{at}/index.js"), "no");
    }
    place.write_there("web/b", "yes");
    place.write_there(".git/hooks/post-checkout", "no");
    let incoming = place.fetch().await;
    let paths: Vec<_> = incoming
        .changes()
        .iter()
        .map(|change| change.path.to_string())
        .collect();
    assert_eq!(paths, ["web/.gitignore", "web/b"]);
    assert_eq!(incoming.refused, []);
}

#[tokio::test]
async fn what_is_hostile_is_refused_and_said() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a/b", "1");
    place.push().await;
    let there = place.there();
    for (name, target) in [
        ("absolute", "/etc/passwd"),
        ("up", "../outside"),
        ("a/upper", "../../outside"),
        ("through", "a/../../outside"),
        ("hooks", ".git/hooks"),
        ("fine", "a/b"),
        ("a/fine", "../a/b"),
    ] {
        symlink(target, there.join(name)).unwrap();
    }
    Command::new("mkfifo")
        .arg(there.join("pipe"))
        .status()
        .unwrap();
    fs::File::create(there.join("terabyte"))
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    fs::write(there.join("at-bound"), vec![b'x'; 1000]).unwrap();
    fs::write(there.join("over-bound"), vec![b'x'; 1001]).unwrap();
    fs::write(there.join("suid"), "s").unwrap();
    fs::set_permissions(there.join("suid"), fs::Permissions::from_mode(0o6755)).unwrap();
    let bounds = Bounds {
        file_bytes: 1000,
        total_bytes: 100_000,
    };
    let incoming = place.fetch_within(&bounds).await;
    let refused: Vec<_> = incoming
        .refused
        .iter()
        .map(|refused| (refused.path.to_string(), refused.why))
        .collect();
    let expected = [
        ("a/upper", RefusedWhy::LinkOutside),
        ("absolute", RefusedWhy::LinkOutside),
        ("hooks", RefusedWhy::LinkOutside),
        ("over-bound", RefusedWhy::TooLarge),
        ("pipe", RefusedWhy::Special),
        ("terabyte", RefusedWhy::TooLarge),
        ("through", RefusedWhy::LinkOutside),
        ("up", RefusedWhy::LinkOutside),
    ];
    assert_eq!(refused, expected.map(|(path, why)| (path.to_owned(), why)));
    let paths: Vec<_> = incoming
        .changes()
        .iter()
        .map(|change| change.path.to_string())
        .collect();
    assert_eq!(paths, ["a/fine", "at-bound", "fine", "suid"]);
    // A file that is a link here is replaced and not written through.
    let outside = place.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::remove_dir_all(place.root.join("a")).unwrap();
    symlink(&outside, place.root.join("a")).unwrap();
    place.write_there("a/b", "2");
    let applied = place.apply(true).await;
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{applied:?}");
    let mode = fs::metadata(place.root.join("suid"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o7777, 0o755);
}

#[tokio::test]
async fn what_is_saved_here_after_the_look_is_not_lost() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    for name in ["text", "binary", "gone", "as-it-was"] {
        place.write(name, "\0old");
    }
    place.push().await;
    place.keep_bases();
    for name in ["text", "binary", "new", "as-it-was"] {
        place.write_there(name, "\0of there");
    }
    fs::remove_file(place.there().join("gone")).unwrap();
    let looks = [(false, place.scan()), (true, place.scan())];
    for name in ["text", "binary", "new", "gone"] {
        place.write(name, "saved a moment ago");
    }
    for (force, scanned) in looks {
        let applied = place.apply_over(scanned, force, false).await;
        for name in ["text", "binary", "new", "gone"] {
            let here = fs::read_to_string(place.root.join(name)).unwrap();
            assert_eq!(here, "saved a moment ago", "{name}, {force}: {applied:?}");
            assert!(
                applied
                    .conflicts
                    .iter()
                    .any(|conflict| conflict.path.to_string() == name),
                "{applied:?}"
            );
        }
    }
    let here = fs::read_to_string(place.root.join("as-it-was")).unwrap();
    assert_eq!(here, "\0of there");
}

#[tokio::test]
async fn permissions_that_were_changed_here_stay() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    for name in ["program", "deleted", "both"] {
        place.write(name, "\0old");
    }
    place.push().await;
    for name in ["program", "deleted"] {
        set_mode(&place.root.join(name), 0o755);
    }
    set_mode(&place.root.join("both"), 0o700);
    place.write_there("program", "\0new");
    fs::remove_file(place.there().join("deleted")).unwrap();
    set_mode(&place.there().join("both"), 0o600);
    let applied = place.apply(false).await;
    let mode = |name: &str| {
        let found = fs::metadata(place.root.join(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    assert_eq!(names(&applied.taken), ["program"]);
    assert_eq!(fs::read(place.root.join("program")).unwrap(), b"\0new");
    assert_eq!((mode("program"), mode("both")), (0o755, 0o700));
    let why = applied.conflicts[0].why;
    assert_eq!(why, ConflictWhy::GoneThere, "{applied:?}");
    // They are sent, as a change of here.
    place.push().await;
    let found = fs::metadata(place.there().join("program")).unwrap();
    assert_eq!(found.permissions().mode() & 0o777, 0o755);
}

#[tokio::test]
async fn rules_of_there_need_a_yes_of_their_own() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write(".gitignore", ".secrets\n");
    place.write(".secrets", "mine");
    place.push().await;
    place.write_there(".gitignore", "\n");
    place.write_there("sub/.wharfignore", "!.secrets\n");
    for force in [false, true] {
        let applied = place.apply_over(place.scan(), force, false).await;
        let whys: Vec<_> = applied.conflicts.iter().map(|one| one.why).collect();
        assert_eq!(whys, [ConflictWhy::Rules; 2], "{applied:?}");
    }
    place.push().await;
    assert!(!place.there().join(".secrets").exists());
    let applied = place.apply_over(place.scan(), false, true).await;
    assert_eq!(names(&applied.taken), [".gitignore", "sub/.wharfignore"]);
}

#[tokio::test]
async fn a_patch_tells_what_became_something_else_and_reads_through_no_link() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("to-link", "text\n");
    symlink("to-link", place.root.join("to-file")).unwrap();
    place.write("dir/read", "inside\n");
    place.push().await;
    fs::remove_file(place.there().join("to-link")).unwrap();
    symlink("dir/read", place.there().join("to-link")).unwrap();
    fs::remove_file(place.there().join("to-file")).unwrap();
    place.write_there("to-file", "now a file\n");
    let made = place.patch().await;
    let file = place.temp.path().join("patch");
    fs::write(&file, &made.bytes).unwrap();
    place.git(&place.root, &["init", "-q"]);
    place.git(&place.root, &["apply", file.to_str().unwrap()]);
    assert!(place.root.join("to-link").is_symlink());
    assert!(!place.root.join("to-file").is_symlink());

    let outside = place.temp.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("read"), "not of the workspace\n").unwrap();
    place.write_there("dir/read", "changed\n");
    let scanned_before = place.root.join("dir");
    fs::remove_dir_all(&scanned_before).unwrap();
    symlink(&outside, scanned_before).unwrap();
    let made = place.patch().await;
    let text = String::from_utf8_lossy(&made.bytes).into_owned();
    assert!(!text.contains("not of the workspace"), "{text}");
}
