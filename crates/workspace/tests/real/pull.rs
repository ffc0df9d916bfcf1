//! The way back: what changed there, as a patch, as a branch, and applied.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use wharf_workspace::bases::Bases;
use wharf_workspace::pull::apply::{Applied, ConflictWhy, Here, apply};
use wharf_workspace::pull::branch::{Commit, Git, branch};
use wharf_workspace::pull::diff::{Patch, patch};
use wharf_workspace::pull::{Bounds, Incoming, Pull, RefusedWhy, fetch, settle};

use crate::place::{Place, odd_names, path_of, set_mode, tree};

impl Place {
    pub(crate) fn keep_bases(&self) {
        let agreement = self.agreement();
        let mut bases = Bases::open(&self.shelf.bases());
        bases.keep(agreement.manifest(), &self.root).unwrap();
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
        let incoming = self.fetch().await;
        let (far, scanned, agreement) = (self.ask().await, self.scan(), self.agreement());
        let here = Here {
            root: &self.root,
            local: &scanned.manifest,
            agreement: &agreement,
            bases: &Bases::open(&self.shelf.bases()),
            view: &far.view,
            force,
        };
        let applied = apply(&incoming, here, None).unwrap();
        applied
            .agreement
            .save(&self.shelf.agreement("box"))
            .unwrap();
        settle(&*self.opener, &self.far).await.unwrap();
        applied
    }

    async fn patch(&self) -> Patch {
        let incoming = self.fetch().await;
        let agreement = self.agreement();
        let bases = Bases::open(&self.shelf.bases());
        patch(&incoming, &self.root, agreement.manifest(), &bases).unwrap()
    }

    fn git(&self, at: &Path, arguments: &[&str]) -> String {
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
fn change(place: &Place) {
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

fn before(place: &Place) {
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
async fn a_branch_has_the_changes_and_nothing_here_is_touched() {
    for nested in [false, true] {
        let Some(mut place) = Place::behind_sshd() else {
            return;
        };
        let top = place.root.clone();
        if nested {
            place.root = top.join("in ner/dir");
            fs::create_dir_all(&place.root).unwrap();
        }
        before(&place);
        place.write(".gitattributes", "*.crlf text eol=crlf\n");
        place.write("a.crlf", "1\r\n");
        place.git(&top, &["init", "-q", "-b", "main"]);
        place.git(&top, &["add", "."]);
        let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
        place.git(&top, &[&who[..], &["commit", "-q", "-m", "first"]].concat());
        place.push().await;
        change(&place);
        place.write_there("a.crlf", "1\r\n2\r\n");
        place.write("mine", "uncommitted");
        let (status, index) = (
            place.git(&top, &["status", "--porcelain"]),
            fs::read(top.join(".git/index")).unwrap(),
        );
        let incoming = place.fetch().await;
        let git = Git {
            program: "git".into(),
            env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
        };
        let commit = Commit {
            branch: "wharf/work",
            message: "What the agent did\n\nAll of it.\n",
            author: "Ada's agent",
            email: "ada@example.com",
            at: 1_700_000_000,
        };
        let made = branch(&incoming, &place.root, &git, &commit)
            .unwrap()
            .unwrap();
        assert_eq!(fs::read(top.join(".git/index")).unwrap(), index);
        assert_eq!(place.git(&top, &["status", "--porcelain"]), status);
        assert_eq!(place.git(&top, &["rev-parse", "wharf/work"]).trim(), made);
        assert_eq!(
            place.git(&top, &["rev-parse", "wharf/work^"]),
            place.git(&top, &["rev-parse", "main"])
        );
        let said = place.git(
            &top,
            &["log", "-1", "--format=%an <%ae> %at%n%B", "wharf/work"],
        );
        let expected = "Ada's agent <ada@example.com> 1700000000\nWhat the agent did\n\nAll of it.";
        assert_eq!(said.trim(), expected);
        // Checked out elsewhere, it is what is there.
        let out = place.temp.path().join("out");
        place.git(
            &top,
            &["worktree", "add", "-q", out.to_str().unwrap(), "wharf/work"],
        );
        let out = if nested { out.join("in ner/dir") } else { out };
        let strip = |mut all: std::collections::BTreeMap<Vec<u8>, (u32, i64, Vec<u8>)>| {
            all.retain(|path, _| path != b".git" && path != b"dir");
            let kept = |what: &(u32, i64, Vec<u8>)| (what.0 & 0o170_100, what.2.clone());
            all.iter()
                .map(|(path, what)| (path.clone(), kept(what)))
                .collect::<Vec<_>>()
        };
        assert_eq!(strip(tree(&out)), strip(tree(&place.there())));
        let again = branch(&incoming, &place.root, &git, &commit);
        assert!(matches!(
            again,
            Err(wharf_workspace::Error::BranchExists { .. })
        ));
    }
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
