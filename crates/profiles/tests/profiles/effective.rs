//! Layers: organization, team, user.

use serde_json::{Value, json};
use wharf_profiles::limits::{BLOBS_BYTES_MAX, CONTENT_MAX, FILE_MAX, TREE_MAX};
use wharf_profiles::{Condition, Error, Layers, Owner, Sha256, View};

use crate::support::{Place, ada, author, upload};

fn org() -> Owner {
    Owner::organization("org_1").unwrap()
}

fn team() -> Owner {
    Owner::team("team_1").unwrap()
}

fn layers() -> Layers {
    Layers::new(vec![ada().clone(), team(), org()]).unwrap()
}

async fn put(place: &Place, owner: &Owner, files: &[(&str, &str)]) {
    let put = place
        .profiles
        .put_tree(owner, upload(files), "", author(), Condition::Any);
    put.await.unwrap();
}

async fn content(place: &Place, view: &View, path: &str) -> String {
    let mut files = view.files.iter();
    let file = files.find(|it| it.file.path.as_str() == path).unwrap();
    let hashes = vec![file.file.sha256];
    let blobs = place.profiles.view_blobs(&layers(), hashes).await;
    let (hash, content) = blobs.unwrap().remove(0);
    assert_eq!(hash, Sha256::of(&content));
    assert_eq!(content.len() as u64, file.file.size);
    String::from_utf8(content.to_vec()).unwrap()
}

#[tokio::test]
async fn contents_follow_one_another_from_the_outside_in() {
    let place = Place::new();
    let effective = place.profiles.effective(&layers()).await.unwrap();
    assert_eq!((effective.content.as_str(), effective.parts.len()), ("", 0));
    assert!(!effective.org_applied() && !effective.user_applied());

    put(&place, ada(), &[("CLAUDE.md", "user\n")]).await;
    let alone = place.profiles.effective(&layers()).await.unwrap();
    assert_eq!(alone.content, "user\n");
    assert_ne!(alone.version, effective.version);

    put(&place, &org(), &[("CLAUDE.md", "org\nmore")]).await;
    put(&place, &team(), &[("CLAUDE.md", " \n")]).await;
    let both = place.profiles.effective(&layers()).await.unwrap();
    assert_eq!(both.content, "org\nmore\n\nuser\n");
    assert!(both.org_applied() && both.user_applied());
    assert!(!both.team_applied(), "what is blank is not applied");
    let lines: Vec<_> = both
        .parts
        .iter()
        .map(|part| (part.origin.owner.clone(), part.first_line, part.last_line))
        .collect();
    assert_eq!(lines, [(org(), 1, 2), (ada().clone(), 4, 4)]);

    put(&place, &team(), &[("CLAUDE.md", "team\n")]).await;
    let all = place.profiles.effective(&layers()).await.unwrap();
    assert_eq!(all.content, "org\nmore\n\nteam\n\nuser\n");
    let again = place.profiles.effective(&layers()).await.unwrap();
    assert_eq!(again, all);
}

#[tokio::test]
async fn files_are_overlaid_and_json_is_merged_with_its_origins() {
    let place = Place::new();
    let shared = ("commands/shared.md", "org's");
    put(
        &place,
        &org(),
        &[
            shared,
            ("commands/org.md", "only org"),
            (
                "settings.json",
                r#"{"model": "opus", "env": {"A": "1", "B": "1"}}"#,
            ),
            ("Agents/x.md", "other case"),
            ("broken.json", "{}"),
        ],
    )
    .await;
    put(
        &place,
        ada(),
        &[
            ("commands/shared.md", "user's"),
            ("settings.json", r#"{"env": {"B": "2"}}"#),
            ("agents/y.md", "agent"),
            ("broken.json", "{ not json"),
        ],
    )
    .await;
    let view = place.profiles.view(&layers()).await.unwrap();
    let files: Vec<(&str, usize)> = view
        .files
        .iter()
        .map(|it| (it.file.path.as_str(), it.origins.len()))
        .collect();
    assert_eq!(
        files,
        [
            ("agents/y.md", 1),
            ("broken.json", 1),
            ("commands/org.md", 1),
            ("commands/shared.md", 1),
            ("settings.json", 2),
        ]
    );
    assert_eq!(content(&place, &view, "commands/shared.md").await, "user's");
    assert_eq!(content(&place, &view, "commands/org.md").await, "only org");
    assert_eq!(content(&place, &view, "broken.json").await, "{ not json");
    let merged = content(&place, &view, "settings.json").await;
    let merged: Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(
        merged,
        json!({"model": "opus", "env": {"A": "1", "B": "2"}})
    );
    let settings = &view.files[4];
    let keys = async |path: &str| {
        let keys = place.profiles.effective_keys(&layers(), path).await;
        let keys = keys.unwrap().into_iter();
        let mut keys: Vec<_> = keys.map(|(key, from)| (key, from.owner)).collect();
        keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        keys
    };
    let wanted = [
        ("/env/A", org()),
        ("/env/B", ada().clone()),
        ("/model", org()),
    ];
    let wanted = wanted.map(|(key, owner)| (key.to_owned(), owner));
    assert_eq!(keys("settings.json").await, wanted);
    for path in ["commands/shared.md", "broken.json", "nothing.json"] {
        assert_eq!(keys(path).await, [], "{path}");
    }
    assert_eq!(settings.origins[0].owner, org());
    assert_eq!(settings.origins[1].owner, *ada());
}

/// Files beside the text may be past every bound together: they are not its matter.
#[tokio::test]
async fn a_text_has_the_bound_of_a_file_and_needs_no_other() {
    let place = Place::new();
    let line = |length: usize| "x".repeat(length);
    let large: Vec<(String, String)> = (0..5)
        .map(|at| (format!("{at}"), format!("{at}").repeat(FILE_MAX)))
        .collect();
    let large = large
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()));
    let large: Vec<(&str, &str)> = large.collect();
    put(&place, ada(), &large).await;
    let others: Vec<(String, &str)> = large
        .iter()
        .map(|(path, text)| (format!("of-org-{path}"), *text))
        .collect();
    let others: Vec<(&str, &str)> = others
        .iter()
        .map(|(path, it)| (path.as_str(), *it))
        .collect();
    put(&place, &org(), &others).await;
    let view = place.profiles.view(&layers()).await;
    assert!(matches!(view, Err(Error::TooLarge { limit, .. }) if limit == TREE_MAX));
    assert!(place.profiles.effective(&layers()).await.is_ok());

    let teams = |count: usize| (0..count).map(|n| Owner::team(&format!("t{n}")).unwrap());
    let all = |count: usize| Layers::new(teams(count).collect()).unwrap();
    let whole = FILE_MAX / CONTENT_MAX;
    for team in teams(whole + 1) {
        put(&place, &team, &[("CLAUDE.md", &line(CONTENT_MAX))]).await;
    }
    let fits = place.profiles.effective(&all(whole)).await.unwrap();
    assert_eq!(fits.parts.len(), whole);
    let more = place.profiles.effective(&all(whole + 1)).await;
    assert!(matches!(more, Err(Error::TooLarge { limit, .. }) if limit == FILE_MAX));
}

/// What was in a layer once may be asked for as well, so that more than a view can be.
#[tokio::test]
async fn an_answer_of_several_layers_has_one_bound() {
    let place = Place::new();
    let mut hashes = Vec::new();
    for (owner, name) in [(org(), "a"), (ada().clone(), "b")] {
        let large = |at: usize| (format!("{at}"), format!("{name}{at}").repeat(FILE_MAX / 2));
        let mut files: Vec<(String, String)> = (0..4).map(large).collect();
        files.push(("small".to_owned(), name.to_owned()));
        let files: Vec<(&str, &str)> = files
            .iter()
            .map(|(path, text)| (path.as_str(), text.as_str()))
            .collect();
        put(&place, &owner, &files).await;
        put(&place, &owner, &[("x.md", "x")]).await;
        hashes.extend(files.iter().map(|(_, text)| Sha256::of(text.as_bytes())));
    }
    let small = hashes.remove(4);
    hashes.pop();
    let fits = place.profiles.view_blobs(&layers(), hashes.clone()).await;
    let bytes: usize = fits.unwrap().iter().map(|(_, it)| it.len()).sum();
    assert_eq!(bytes, BLOBS_BYTES_MAX);
    hashes.push(small);
    let refused = place.profiles.view_blobs(&layers(), hashes).await;
    assert!(matches!(refused, Err(Error::TooLarge { limit, .. }) if limit == BLOBS_BYTES_MAX));
}

#[test]
fn layers_have_bounds() {
    let teams = |count: usize| {
        (0..count)
            .map(|n| Owner::team(&format!("t{n}")).unwrap())
            .collect::<Vec<_>>()
    };
    assert!(Layers::new(teams(wharf_profiles::limits::TEAMS_MAX)).is_ok());
    assert!(Layers::new(teams(wharf_profiles::limits::TEAMS_MAX + 1)).is_err());
    assert!(Layers::new(vec![ada().clone(), Owner::user("bob").unwrap()]).is_err());
}
