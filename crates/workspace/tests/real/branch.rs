//! What changed there, as a branch.

use std::fs;

use wharf_workspace::pull::branch::{Commit, Git, branch};

use crate::place::{Place, tree};
use crate::pull::{before, change};

const COMMIT: Commit<'_> = Commit {
    branch: "wharf/work",
    message: "What the agent did\n\nAll of it.\n",
    author: "Ada's agent",
    email: "ada@example.com",
    at: 1_700_000_000,
};

fn git() -> Git {
    Git {
        program: "git".into(),
        env: vec![("PATH".into(), std::env::var_os("PATH").unwrap())],
    }
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
        let (git, commit) = (git(), COMMIT);
        let branched = branch(&incoming, &place.root, &git, &commit).unwrap();
        assert_eq!(branched.within, []);
        let made = branched.commit.unwrap();
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
async fn a_repository_within_is_left_as_it_is_named() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a", "1\n");
    place.write("sub/x", "1\n");
    place.git(&place.root, &["init", "-q", "-b", "main"]);
    place.git(&place.root, &["add", "a"]);
    let link = "160000,0123456789012345678901234567890123456789,sub";
    place.git(&place.root, &["update-index", "--add", "--cacheinfo", link]);
    let who = ["-c", "user.name=a", "-c", "user.email=a@b"];
    place.git(
        &place.root,
        &[&who[..], &["commit", "-q", "-m", "first"]].concat(),
    );
    place.push().await;
    place.write_there("a", "2\n");
    place.write_there("sub/x", "2\n");
    let incoming = place.fetch().await;
    let made = branch(&incoming, &place.root, &git(), &COMMIT).unwrap();
    let within: Vec<_> = made.within.iter().map(ToString::to_string).collect();
    let tree = place.git(&place.root, &["ls-tree", "-r", "wharf/work"]);
    assert_eq!(within, ["sub/x"]);
    assert!(tree.contains("160000 commit 0123456789"), "{tree}");
}
