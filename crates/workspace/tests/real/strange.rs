//! Far sides that know another agreement than this side, or none.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use wharf_workspace::identity::{Grounds, Workspace};
use wharf_workspace::look::Held;
use wharf_workspace::plan::{Options, Plan, Provided};
use wharf_workspace::pull::Bounds;
use wharf_workspace::round::{Choice, Round, Setting};
use wharf_workspace::walk::GitForm;

use crate::place::{NOW_NS, Place};

impl Place {
    pub(crate) async fn round(&self) -> Round {
        self.try_round().await.unwrap()
    }

    pub(crate) async fn try_round(&self) -> Result<Round, wharf_workspace::Error> {
        let shelf = self.temp.path().join("shelf");
        let grounds = Grounds {
            home: "/nowhere".into(),
            state: shelf.clone(),
        };
        let setting = Setting {
            workspace: Workspace::at(&self.root, "device", &grounds).unwrap(),
            place: self.far.clone(),
            sandbox: "box".to_owned(),
            shelf,
            excludes: None,
            git: GitForm::Leave,
            large: u64::MAX,
            threads: 2,
        };
        self.turn.set(self.turn.get() + 1);
        let now = NOW_NS + self.turn.get();
        Round::begin(setting, &*self.opener, now).await
    }

    async fn sync(&self) -> Plan {
        let round = self.round().await;
        let plan = round.plan(&Held::default(), &Options::default());
        let pushed = round.push(&*self.opener, &plan, false, Arc::new(|_| ()));
        assert_eq!(pushed.await.unwrap().kept, []);
        plan
    }

    async fn assert_settled(&self) {
        let round = self.round().await;
        let plan = round.plan(&Held::default(), &Options::default());
        assert!(!round.far.is_strange);
        assert!(plan.is_empty() && plan.kept.is_empty(), "{plan:?}");
        let incoming = round
            .fetch(&*self.opener, &Provided::default(), &Bounds::default())
            .await
            .unwrap();
        assert_eq!(incoming.changes(), []);
    }
}

fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(status.unwrap().success());
}

#[tokio::test]
async fn one_that_was_made_anew_gets_all() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a/b", "1");
    place.write("c", "2");
    place.sync().await;
    fs::remove_dir_all(place.there().parent().unwrap()).unwrap();
    fs::remove_file(place.root.join("c")).unwrap();
    place.sync().await;
    place.assert_same();
    place.assert_settled().await;
}

#[tokio::test]
async fn one_that_was_set_back_loses_nothing_and_gets_what_it_has_not() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    for name in ["changed", "deleted", "same"] {
        place.write(name, "1");
    }
    place.sync().await;
    let (far, kept) = (
        place.there().parent().unwrap().to_owned(),
        place.temp.path().join("kept"),
    );
    copy(&far, &kept);
    place.write("changed", "longer");
    place.write("new", "1");
    fs::remove_file(place.root.join("deleted")).unwrap();
    place.sync().await;
    fs::remove_dir_all(&far).unwrap();
    copy(&kept, &far);
    let plan = place.sync().await;
    let there = |name: &str| fs::read_to_string(place.there().join(name)).ok();
    assert_eq!(there("new").as_deref(), Some("1"), "{plan:?}");
    assert_eq!(there("changed").as_deref(), Some("1"));
    assert_eq!(there("deleted").as_deref(), Some("1"));
    let conflicts: Vec<_> = plan.conflicts().map(|kept| kept.path.to_string()).collect();
    assert_eq!(conflicts, ["changed"]);
}

#[tokio::test]
async fn an_answer_that_is_lost_is_found_again() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("a/b", "1");
    place.write("gone", "1");
    place.sync().await;
    let agreed = fs::read(place.shelf.agreement("box")).unwrap();
    place.write("a/b", "longer");
    place.write("new/c", "1");
    fs::remove_file(place.root.join("gone")).unwrap();
    place.sync().await;
    fs::write(place.shelf.agreement("box"), agreed).unwrap();
    let plan = place.sync().await;
    assert!(plan.is_empty() && plan.kept.is_empty(), "{plan:?}");
    place.assert_same();
    place.assert_settled().await;
}

#[tokio::test]
async fn what_is_taken_from_a_strange_one_is_agreed_on_then() {
    let Some(place) = Place::behind_sshd() else {
        return;
    };
    place.write("same", "1");
    place.write("mine", "1");
    place.sync().await;
    fs::remove_file(place.shelf.agreement("box")).unwrap();
    place.write_there("theirs/x", "2");
    let round = place.round().await;
    let incoming = round
        .fetch(&*place.opener, &Provided::default(), &Bounds::default())
        .await
        .unwrap();
    let applied = round.apply(&*place.opener, &incoming, Choice::default());
    assert_eq!(applied.await.unwrap().conflicts, []);
    assert_eq!(fs::read(place.root.join("theirs/x")).unwrap(), b"2");
    place.assert_settled().await;
}
