//! What is too much, or no tree at all: refused before more of it is read than has to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::{Body, Bytes};
use serde_json::{Value, json};
use wharf_profiles::limits::{FILE_MAX, FILES_MAX, TREE_MAX};

use crate::profile_trees::{OWN, TREE, blobs, send};
use crate::support::accounts::with_team;
use crate::support::trees::{body, contents, framed, hash, whole};

#[test]
fn what_is_no_tree_is_refused_and_nothing_is_written() {
    with_team(async |team| {
        let ada = team.first().await;
        let good = whole(&[("a.md", "content")]);
        let mut damaged = good.clone();
        *damaged.last_mut().unwrap() ^= 1;
        let html = b"<!DOCTYPE html><html><body>502 Bad Gateway</body></html>".to_vec();
        let huge = [
            &body(&json!({"files": []}), &[]),
            &(1_u32 << 30).to_be_bytes()[..],
            &[0; 32],
        ];
        for (what, sent, status, code) in [
            ("nothing", Vec::new(), 422, "invalid_request"),
            ("half a size", vec![0, 0], 422, "invalid_request"),
            (
                "half a manifest",
                good[..20].to_vec(),
                422,
                "invalid_request",
            ),
            (
                "half a content",
                good[..good.len() - 1].to_vec(),
                422,
                "bad_stream",
            ),
            (
                "half a header",
                good[..good.len() - 30].to_vec(),
                422,
                "bad_stream",
            ),
            ("another content", damaged, 422, "damaged"),
            ("a page", html, 413, "body_too_large"),
            (
                "no manifest",
                body(&json!([1]), &[]),
                422,
                "invalid_request",
            ),
            ("no files", body(&json!({}), &[]), 422, "invalid_request"),
            (
                "a number",
                body(&json!({"files": [{"path": 1, "sha256": ""}]}), &[]),
                422,
                "invalid_request",
            ),
            (
                "no hash",
                body(&json!({"files": [{"path": "a", "sha256": "x"}]}), &[]),
                422,
                "refused",
            ),
            ("a gigabyte", huge.concat(), 413, "too_large"),
        ] {
            for path in [OWN, TREE] {
                let answer = send(&team, &ada, path, sent.clone()).await;
                assert_eq!(
                    answer.problem(),
                    (status, code.to_owned()),
                    "{what}: {}",
                    answer.text()
                );
            }
        }
        let ask = team.with(&ada.access, "PUT", OWN).body(good.clone());
        assert_eq!(ask.send().await.problem().0, 415);
        let ask = team
            .with(&ada.access, "PUT", OWN)
            .tree(good)
            .header("content-encoding", "gzip");
        assert_eq!(ask.send().await.problem().0, 415);
        assert!(!team.profiles.exists());
    });
}

/// A body of these pieces, and how many of them were read.
fn counted(pieces: Vec<Vec<u8>>) -> (Body, Arc<AtomicUsize>) {
    let read = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&read);
    let pieces = pieces.into_iter().map(move |piece| {
        seen.fetch_add(1, Ordering::Relaxed);
        Ok::<_, std::io::Error>(Bytes::from(piece))
    });
    (Body::from_stream(futures_util::stream::iter(pieces)), read)
}

#[test]
fn bounds_are_looked_at_before_what_would_break_them_is_read() {
    with_team(async |team| {
        let ada = team.first().await;
        let one = body(&json!({"files": []}), &[]);
        let gigabyte = [(1_u32 << 30).to_be_bytes().as_slice(), &[0; 32]].concat();
        let (sent, read) = counted(vec![one.clone(), gigabyte, vec![0; 1000], vec![0; 1000]]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 2);

        let manifest_size = (8 * 1024 * 1024 + 1_u32).to_be_bytes().to_vec();
        let (sent, read) = counted(vec![manifest_size, vec![b' '; 1000]]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "body_too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 1);

        // Of what nobody may change nothing is read.
        let bob = team.join(&ada, "bob@example.com", "member").await;
        let (sent, read) = counted(vec![one.clone()]);
        let org = "/api/v1/profile/tree?profile=org";
        assert_eq!(send(&team, &bob, org, sent).await.problem().0, 403);
        assert_eq!(read.load(Ordering::Relaxed), 0);

        let files = |count: usize| {
            let files =
                (0..count).map(|it| json!({"path": format!("f/{it}"), "sha256": hash(b"")}));
            json!({"files": files.collect::<Vec<_>>()})
        };
        let (sent, read) = counted(vec![body(&files(FILES_MAX + 1), &[]), framed(b"")]);
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (422, "too_many".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), 1);
        let most = send(&team, &ada, OWN, body(&files(FILES_MAX), &framed(b""))).await;
        assert_eq!(most.status, 200, "{}", most.text());
        assert_eq!(most.json()["files"].as_array().unwrap().len(), FILES_MAX);
    });
}

#[test]
fn a_file_and_all_files_together_have_a_size() {
    with_team(async |team| {
        let ada = team.first().await;
        let content = |first: u8, size: usize| {
            let mut content = vec![b'x'; size];
            content[0] = first;
            content
        };
        let file = |name: &str, content: &[u8]| json!({"path": name, "sha256": hash(content)});
        let most = content(b'a', FILE_MAX);
        let sent = body(&json!({"files": [file("a", &most)]}), &framed(&most));
        assert_eq!(send(&team, &ada, OWN, sent).await.status, 200);
        let more = content(b'a', FILE_MAX + 1);
        let sent = body(&json!({"files": [file("a", &more)]}), &framed(&more));
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );

        let count = u8::try_from(TREE_MAX / FILE_MAX).unwrap();
        let all: Vec<Vec<u8>> = (0..count).map(|it| content(b'a' + it, FILE_MAX)).collect();
        let named: Vec<Value> = all
            .iter()
            .enumerate()
            .map(|(n, it)| file(&n.to_string(), it))
            .collect();
        let mut pieces = vec![body(&json!({"files": named}), &[])];
        pieces.extend(all.iter().map(|it| framed(it)));
        let (sent, read) = counted([pieces.clone(), vec![framed(b"y"), framed(b"z")]].concat());
        assert_eq!(
            send(&team, &ada, OWN, sent).await.problem(),
            (413, "too_large".into())
        );
        assert_eq!(read.load(Ordering::Relaxed), usize::from(count) + 2);
        let (sent, _) = counted(pieces);
        let answer = send(&team, &ada, OWN, sent).await;
        assert_eq!(answer.status, 200, "{}", answer.text());

        let hashes: Vec<String> = all.iter().map(|it| hash(it)).collect();
        let answer = blobs(&team, &ada, "?profile=me", &hashes).await;
        assert_eq!(
            answer.header("content-length"),
            (TREE_MAX + 8 * 36).to_string()
        );
        assert_eq!(answer.body.len(), TREE_MAX + 8 * 36);
    });
}

#[test]
fn contents_are_asked_for_by_hashes_within_a_bound() {
    with_team(async |team| {
        let ada = team.first().await;
        let many: Vec<String> = (0..=FILES_MAX)
            .map(|it| hash(it.to_string().as_bytes()))
            .collect();
        let answer = blobs(&team, &ada, "", &many).await;
        assert_eq!(answer.problem(), (422, "invalid_request".to_owned()));
        let answer = blobs(&team, &ada, "", &many[1..]).await;
        assert_eq!(answer.problem(), (422, "missing_contents".to_owned()));
        assert_eq!(
            answer.json()["missing"].as_array().unwrap().len(),
            FILES_MAX
        );
        let answer = blobs(&team, &ada, "", &["x".into(), hash(b""), "y".into()]).await;
        let errors = answer.json()["errors"].clone();
        assert_eq!(
            (&errors[0]["field"], &errors[1]["field"]),
            (&json!("sha256[0]"), &json!("sha256[2]"))
        );
        let nothing = blobs(&team, &ada, "", &[]).await;
        assert!(contents(&nothing).is_empty());
    });
}
