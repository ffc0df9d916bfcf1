//! Which layer counts, where several have a file or a value.

use wharf_profiles::{Condition, Error};

use crate::support::{Place, ada};
use crate::view::{changed, org, own, push, put, seen, sent, team, try_put};

#[tokio::test]
async fn what_is_ones_own_hides_what_cannot_be_beside_it() {
    let place = Place::new();
    put(
        &place,
        &org(),
        &[("agents/a", "org's"), ("Commands/c.md", "org's")],
    )
    .await;
    let (view, given) = seen(&place).await;
    let mut files = given.clone();
    files.remove("agents/a");
    files.remove("Commands/c.md");
    files = changed(&files, "agents/a/b", "mine");
    files = changed(&files, "commands/c.md", "mine");
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given, files);

    // Two that cannot be beside each other cannot be sent.
    let both = changed(&given, "agents/a", "org's");
    let condition = Condition::Is(&view.version);
    let upload = sent(&both, &given);
    let put_view = try_put(&place, upload, condition);
    assert!(matches!(put_view.await, Err(Error::Refused(_))));

    // The team's file hides the organization's, and the person's hides the team's.
    let place = Place::new();
    put(&place, &org(), &[("x/y", "same"), ("x/z", "z")]).await;
    put(&place, &team(), &[("X", "team's")]).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given.keys().collect::<Vec<_>>(), ["X"]);
    let mut files = changed(&given, "x/y", "same");
    files.remove("X");
    push(&place, &view, &files, &given).await;
    let seen = seen(&place).await.1;
    assert_eq!(seen, changed(&files, "x/z", "z"));
    assert_eq!(own(&place).await, [("x/y".to_owned(), "same".to_owned())]);
}

#[tokio::test]
async fn what_is_no_object_counts_as_a_whole() {
    let place = Place::new();
    let theirs = [
        ("a.json", "[1]"),
        ("b.json", r#"{"x": 1}"#),
        ("c.json", r#"{"x": 1}"#),
    ];
    put(&place, &org(), &theirs).await;
    let mine = [("c.json", "{ not json")];
    put(&place, ada(), &mine).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given["c.json"].0, "{ not json");
    let mut files = changed(&given, "a.json", r#"{"mine": 1}"#);
    files = changed(&files, "b.json", "[\"mine\"]");
    files = changed(&files, "c.json", "{ still not json");
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    assert_eq!(given, files);
    let files = changed(&given, "c.json", r#"{"y": 1}"#);
    push(&place, &view, &files, &given).await;
    let (view, given) = seen(&place).await;
    let value: serde_json::Value = serde_json::from_str(&given["c.json"].0).unwrap();
    assert_eq!(value, serde_json::json!({"x": 1, "y": 1}));

    // The same in other words is no change.
    let files = changed(&given, "c.json", r#"{"y":1,"x":1}"#);
    let again = push(&place, &view, &files, &given).await;
    assert_eq!(again.view, view);
}

#[tokio::test]
async fn an_object_after_what_was_none_leaves_to_the_layers_what_is_theirs() {
    let place = Place::new();
    let theirs = [("c.json", r#"{"x": 1, "y": {"a": 1}}"#)];
    put(&place, &org(), &theirs).await;
    put(&place, ada(), &[("c.json", "{ not json")]).await;
    let (view, given) = seen(&place).await;
    let mended = r#"{"x": 1, "y": {"a": 1, "b": 2}}"#;
    let files = changed(&given, "c.json", mended);
    push(&place, &view, &files, &given).await;
    let left = own(&place).await;
    assert_eq!(left.len(), 1);
    let value: serde_json::Value = serde_json::from_str(&left[0].1).unwrap();
    assert_eq!(value, serde_json::json!({"y": {"b": 2}}));
    put(&place, &org(), &[("c.json", r#"{"x": 3}"#)]).await;
    let now = seen(&place).await.1;
    let value: serde_json::Value = serde_json::from_str(&now["c.json"].0).unwrap();
    assert_eq!(value, serde_json::json!({"x": 3, "y": {"b": 2}}));

    // As the layers have it, nothing of it is one's own.
    put(&place, ada(), &[("c.json", "{ not json")]).await;
    let (view, given) = seen(&place).await;
    let files = changed(&given, "c.json", r#"{"x":3}"#);
    push(&place, &view, &files, &given).await;
    assert_eq!(own(&place).await, []);
}

#[tokio::test]
async fn a_number_with_many_digits_keeps_them() {
    let place = Place::new();
    put(&place, &org(), &[("c.json", r#"{"x": 1}"#)]).await;
    let text = |last: u8| format!(r#"{{"id": 1234567890123456789012{last}}}"#);
    let (mut view, mut given) = seen(&place).await;
    for text in [text(3), text(4)] {
        let files = changed(&given, "c.json", &text);
        push(&place, &view, &files, &given).await;
        (view, given) = seen(&place).await;
        assert_eq!(given["c.json"].0, text);
        assert_eq!(own(&place).await, [("c.json".to_owned(), text)]);
    }
}
