//! An upstream: a bare repository in a folder, and a person who works with a clone of it.

use std::path::{Path, PathBuf};

use wharf_profiles::upstream::{
    Access, Address, Branch, Divergence, GitProgram, Protocols, Pulled, Pushed, Upstream,
    UpstreamError,
};
use wharf_profiles::{Condition, Error, Owner, Tree};

use crate::support::{Place, ada, author, fsck, git, upload};

struct World {
    place: Place,
    folder: tempfile::TempDir,
    upstream: Upstream,
    program: GitProgram,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        git(at, &["init", "-q", "--bare", "-b", "main", "upstream.git"]);
        git(at, &["init", "-q", "-b", "main", "clone"]);
        git(
            &at.join("clone"),
            &["remote", "add", "origin", "../upstream.git"],
        );
        std::fs::create_dir(at.join("home")).unwrap();
        let address = format!("file://{}", at.join("upstream.git").display());
        let upstream = Upstream {
            address: Address::parse(&address, Protocols { file: true }).unwrap(),
            branch: Branch::parse("main").unwrap(),
            access: Access::Open,
        };
        let program = GitProgram {
            program: "git".into(),
            search: "/usr/local/bin:/usr/bin:/bin".into(),
            home: at.join("home"),
        };
        Self {
            place: Place::new(),
            upstream,
            program,
            folder,
        }
    }

    fn clone(&self) -> PathBuf {
        self.folder.path().join("clone")
    }

    /// The other person writes a file and pushes.
    fn they_write(&self, path: &str, content: &str) {
        let file = self.clone().join(path);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, content).unwrap();
        self.they_push();
    }

    fn they_push(&self) {
        git(&self.clone(), &["add", "-A"]);
        git(&self.clone(), &["commit", "-q", "-m", "theirs"]);
        git(&self.clone(), &["push", "-q", "origin", "main"]);
    }

    async fn pull(&self, divergence: Divergence) -> Result<Pulled, Error> {
        self.pull_onto(divergence, Condition::Any).await
    }

    async fn pull_onto(
        &self,
        divergence: Divergence,
        condition: Condition<'_>,
    ) -> Result<Pulled, Error> {
        let (git, upstream) = (&self.program, &self.upstream);
        let profiles = &self.place.profiles;
        let pull = profiles.pull(ada(), git, upstream, author(), divergence, condition);
        pull.await
    }

    async fn push(&self) -> Result<Pushed, Error> {
        let profiles = &self.place.profiles;
        profiles.push(ada(), &self.program, &self.upstream).await
    }

    async fn we_write(&self, files: &[(&str, &str)]) -> Tree {
        let profiles = &self.place.profiles;
        let put = profiles.put_tree(ada(), upload(files), "", author(), Condition::Any);
        put.await.unwrap()
    }

    fn sound(&self) {
        self.place.fsck(ada());
        fsck(&self.folder.path().join("upstream.git"));
        let left = std::fs::read_dir(self.place.root().join("incoming")).unwrap();
        assert_eq!(left.count(), 0);
    }
}

fn paths(tree: &Tree) -> Vec<&str> {
    tree.files.iter().map(|file| file.path.as_str()).collect()
}

#[tokio::test]
async fn versions_go_both_ways() {
    let world = World::new();
    let empty = world.pull(Divergence::Report).await;
    assert!(matches!(
        empty,
        Err(Error::Upstream(UpstreamError::NoBranch(_)))
    ));
    assert!(matches!(
        world.push().await,
        Err(Error::Upstream(UpstreamError::Empty))
    ));

    world.they_write("CLAUDE.md", "theirs\n");
    let Pulled::Forward(tree) = world.pull(Divergence::Report).await.unwrap() else {
        panic!("nothing was taken over");
    };
    assert_eq!(paths(&tree), ["CLAUDE.md"]);
    let current = world.place.profiles.current(ada()).await.unwrap();
    assert_eq!(current.content.as_ref(), "theirs\n");
    let again = world.pull(Divergence::Report).await.unwrap();
    assert_eq!(again, Pulled::Nothing { ahead: false });

    let ours = world
        .we_write(&[("CLAUDE.md", "ours\n"), ("hooks/x.sh", "x")])
        .await;
    assert_eq!(
        world.pull(Divergence::Report).await.unwrap(),
        Pulled::Nothing { ahead: true }
    );
    assert_eq!(world.push().await.unwrap(), Pushed::Sent(ours.version));
    assert_eq!(world.push().await.unwrap(), Pushed::Nothing);
    git(
        &world.clone(),
        &["pull", "-q", "--ff-only", "origin", "main"],
    );
    let pulled = std::fs::read_to_string(world.clone().join("CLAUDE.md")).unwrap();
    assert_eq!(pulled, "ours\n");

    world.they_write("agents/a.md", "agent");
    assert!(matches!(
        world.pull(Divergence::Report).await.unwrap(),
        Pulled::Forward(_)
    ));
    let history = world.place.profiles.history(ada(), 10).await.unwrap();
    assert_eq!(history.total, 3);
    assert_eq!(history.versions[0].author.name, "Somebody");
    world.sound();
}

/// Both have `CLAUDE.md` in common; then each side writes.
async fn apart(ours: &[(&str, &str)], theirs: (&str, &str)) -> World {
    let world = World::new();
    world.they_write("CLAUDE.md", "base\n");
    world.pull(Divergence::Report).await.unwrap();
    world.we_write(ours).await;
    world.they_write(theirs.0, theirs.1);
    world
}

#[tokio::test]
async fn histories_that_went_apart_are_told_of_and_nothing_changes() {
    let world = apart(&[("CLAUDE.md", "ours\n")], ("CLAUDE.md", "theirs\n")).await;
    let before = world.place.profiles.version(ada()).await.unwrap();
    for divergence in [Divergence::Report, Divergence::Merge] {
        let Pulled::Divided(divided) = world.pull(divergence).await.unwrap() else {
            panic!("one side was taken");
        };
        assert_eq!(divided.ours, before);
        assert_eq!(divided.conflicts, ["CLAUDE.md"]);
    }
    assert_eq!(world.push().await.unwrap(), Pushed::Behind);
    assert_eq!(world.place.profiles.version(ada()).await.unwrap(), before);
    world.sound();
}

#[tokio::test]
async fn one_side_may_be_chosen_and_the_other_stays_in_the_history() {
    for (divergence, wanted) in [
        (Divergence::Ours, "ours\n"),
        (Divergence::Theirs, "theirs\n"),
    ] {
        let world = apart(&[("CLAUDE.md", "ours\n")], ("CLAUDE.md", "theirs\n")).await;
        let Pulled::Merged(tree) = world.pull(divergence).await.unwrap() else {
            panic!("nothing was made");
        };
        let profiles = &world.place.profiles;
        let current = profiles.current(ada()).await.unwrap();
        assert_eq!(current.content.as_ref(), wanted);
        let history = profiles.history(ada(), 10).await.unwrap();
        assert_eq!(history.total, 4);
        for version in &history.versions {
            let then = profiles.tree(ada(), Some(&version.commit_sha)).await;
            then.unwrap();
        }
        assert_eq!(world.push().await.unwrap(), Pushed::Sent(tree.version));
        world.sound();
    }
}

#[tokio::test]
async fn a_side_may_be_chosen_for_one_version_only() {
    let world = apart(&[("CLAUDE.md", "ours\n")], ("CLAUDE.md", "theirs\n")).await;
    let seen = world.place.profiles.version(ada()).await.unwrap();
    let saved = world.we_write(&[("CLAUDE.md", "saved meanwhile\n")]).await;
    for base in [seen.as_str(), ""] {
        let error = world.pull_onto(Divergence::Theirs, Condition::Is(base));
        let error = error.await.unwrap_err();
        assert!(matches!(error, Error::Stale { current } if current == saved.version));
    }
    let now = world.place.profiles.version(ada()).await.unwrap();
    assert_eq!(now, saved.version);
    let pulled = world.pull_onto(Divergence::Theirs, Condition::Is(&now));
    assert!(matches!(pulled.await.unwrap(), Pulled::Merged(_)));
    world.sound();
}

#[tokio::test]
async fn changes_to_different_files_are_put_together() {
    let ours = [("CLAUDE.md", "base\n"), ("commands/ours.md", "ours")];
    let world = apart(&ours, ("commands/theirs.md", "theirs")).await;
    let Pulled::Merged(tree) = world.pull(Divergence::Merge).await.unwrap() else {
        panic!("nothing was made");
    };
    assert_eq!(
        paths(&tree),
        ["CLAUDE.md", "commands/ours.md", "commands/theirs.md"]
    );
    assert_eq!(world.push().await.unwrap(), Pushed::Sent(tree.version));
    world.sound();

    let world = apart(&[("x.md", "base CLAUDE.md is gone")], ("y.md", "theirs")).await;
    let Pulled::Merged(tree) = world.pull(Divergence::Merge).await.unwrap() else {
        panic!("nothing was made");
    };
    assert_eq!(
        paths(&tree),
        ["x.md", "y.md"],
        "what one side removed is gone"
    );
    let world = apart(&[("x.md", "gone")], ("CLAUDE.md", "changed")).await;
    let divided = world.pull(Divergence::Merge).await.unwrap();
    assert!(matches!(divided, Pulled::Divided(it) if it.conflicts == ["CLAUDE.md"]));
}

#[tokio::test]
async fn what_may_not_be_in_a_profile_is_not_taken() {
    type Break = fn(&Path);
    let breaks: [(&str, Break); 5] = [
        ("symbolic link", |at| {
            std::os::unix::fs::symlink("/etc/passwd", at.join("link")).unwrap();
        }),
        ("case", |at| {
            std::fs::write(at.join("claude.md"), "x").unwrap();
        }),
        ("larger than 8 MiB", |at| {
            std::fs::write(at.join("large"), vec![0; 9 * 1024 * 1024]).unwrap();
        }),
        ("not UTF-8", |at| {
            std::fs::write(at.join("CLAUDE.md"), b"\xff").unwrap();
        }),
        (".gitattributes", |at| {
            std::fs::write(at.join(".gitattributes"), "* text\n").unwrap();
        }),
    ];
    for (reason, make) in breaks {
        let world = World::new();
        world.they_write("CLAUDE.md", "fine\n");
        world.pull(Divergence::Report).await.unwrap();
        let before = world.place.profiles.version(ada()).await.unwrap();
        make(&world.clone());
        world.they_push();
        for divergence in [Divergence::Report, Divergence::Theirs] {
            let error = world.pull(divergence).await.unwrap_err();
            assert!(
                matches!(&error, Error::Upstream(UpstreamError::Unfit(why)) if why.contains(reason)),
                "{reason}: {error}"
            );
        }
        assert_eq!(world.place.profiles.version(ada()).await.unwrap(), before);
        world.sound();
    }
}

#[tokio::test]
async fn the_profiles_themselves_are_no_upstream() {
    let mut world = World::new();
    let owner = Owner::team("t").unwrap();
    let profiles = world.place.profiles.clone();
    let put = profiles.put(&owner, "theirs", "", author(), Condition::Any);
    put.await.unwrap();
    world.we_write(&[("CLAUDE.md", "ours")]).await;
    let link = world.folder.path().join("link.git");
    std::os::unix::fs::symlink(world.place.repository(&owner), &link).unwrap();
    for path in [world.place.repository(&owner), link] {
        let address = format!("file://{}", path.display());
        world.upstream.address = Address::parse(&address, Protocols { file: true }).unwrap();
        let pulled = world.pull(Divergence::Theirs).await.map(drop);
        let pushed = world.push().await.map(drop);
        for refused in [pulled, pushed] {
            assert!(
                matches!(refused, Err(Error::Upstream(UpstreamError::Address(_)))),
                "{address}: {refused:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_upstream_that_is_not_there_is_said_so() {
    let mut world = World::new();
    let missing = world.folder.path().join("missing.git");
    let address = format!("file://{}", missing.display());
    world.upstream.address = Address::parse(&address, Protocols { file: true }).unwrap();
    let error = world.pull(Divergence::Report).await.unwrap_err();
    assert!(
        matches!(&error, Error::Upstream(UpstreamError::Failed(why)) if why.contains("missing.git"))
    );
    world.program.program = "/nonexistent/git".into();
    assert!(world.pull(Divergence::Report).await.is_err());
}
