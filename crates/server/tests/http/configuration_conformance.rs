//! A good answer of each route of agent configuration, compared with what the document says.

use serde_json::json;

use crate::conformance::Seen;
use crate::support::trees::{hash, whole};
use crate::support::{Answer, Ask};

/// Tries every route once and well.
pub(crate) async fn walk(seen: &mut Seen<'_>) {
    profiles(seen).await;
    upstream(seen).await;
    catalog(seen).await;
}

async fn good(seen: &mut Seen<'_>, method: &str, template: &str, ask: Ask) -> Answer {
    let answer = seen.send(template, method, ask).await;
    let status = answer.status;
    assert!(
        status.is_success() || status == 304,
        "{method} {template}: {}",
        answer.text()
    );
    answer
}

async fn profiles(seen: &mut Seen<'_>) {
    let server = seen.server.clone();
    let (template, me) = (
        "/api/v1/configuration/{profile}",
        "/api/v1/configuration/me",
    );
    good(seen, "GET", template, server.ask("GET", me)).await;
    let put = |content: &str| server.ask("PUT", me).json(&json!({"content": content}));
    let first = good(seen, "PUT", template, put("one")).await;
    let tag = first.header("etag").to_owned();
    let ask = server.ask("GET", me).header("if-none-match", tag.clone());
    assert_eq!(good(seen, "GET", template, ask).await.status, 304);
    good(seen, "PUT", template, put("two")).await;
    let stale = put("three").header("if-match", tag.clone());
    assert_eq!(seen.send(template, "PUT", stale).await.status, 412);
    let large = put(&"x".repeat(1024 * 1024 + 1));
    assert_eq!(seen.send(template, "PUT", large).await.status, 413);

    let history = "/api/v1/configuration/{profile}/history";
    let ask = server.ask("GET", "/api/v1/configuration/me/history?limit=1");
    good(seen, "GET", history, ask).await;
    let rollback = "/api/v1/configuration/{profile}/rollback/{commit_sha}";
    let sha = tag.trim_matches('"');
    let ask = server.ask("POST", &format!("{me}/rollback/{sha}"));
    good(seen, "POST", rollback, ask).await;
    let import = "/api/v1/configuration/{profile}/import";
    let form = "--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.md\"\r\n\r\n\
                x\r\n--edge--\r\n";
    let ask = |body: &'static str| {
        let ask = server.ask("POST", "/api/v1/configuration/me/import");
        ask.header("content-type", "multipart/form-data; boundary=edge")
            .body(body)
    };
    good(seen, "POST", import, ask(form)).await;
    assert_eq!(seen.send(import, "POST", ask("")).await.status, 400);
    let path = "/api/v1/profile/effective-configuration";
    good(seen, "GET", path, server.ask("GET", path)).await;

    let tree = "/api/v1/profile/tree";
    let files = [("CLAUDE.md", "x"), ("hooks/a.sh", "true")];
    for path in [tree, "/api/v1/profile/tree?profile=me"] {
        let ask = server.ask("PUT", path).tree(whole(&files));
        let tag = good(seen, "PUT", tree, ask).await.header("etag").to_owned();
        let ask = || server.ask("GET", path);
        good(seen, "GET", tree, ask()).await;
        good(seen, "GET", tree, ask().header("if-none-match", tag)).await;
        let missing = whole(&files);
        let missing = server
            .ask("PUT", path)
            .tree(missing[..missing.len() - 1].to_vec());
        assert_eq!(seen.send(tree, "PUT", missing).await.status, 422);
    }
    let blobs = "/api/v1/profile/blobs";
    for (content, status) in [(b"x", 200), (b"y", 422)] {
        let ask = server
            .ask("POST", blobs)
            .json(&json!({"sha256": [hash(content)]}));
        assert_eq!(seen.send(blobs, "POST", ask).await.status, status);
    }
    for path in ["/api/v1/profile/history", "/api/v1/profile/diff"] {
        good(seen, "GET", path, server.ask("GET", path)).await;
        let other = server.ask("GET", &format!("{path}?profile=team:none"));
        assert_eq!(seen.send(path, "GET", other).await.status, 404);
    }
    let origins = "/api/v1/profile/origins";
    let ask = server.ask("GET", &format!("{origins}?path=settings.json"));
    good(seen, "GET", origins, ask).await;
    let ask = server.ask("GET", origins);
    assert_eq!(seen.send(origins, "GET", ask).await.status, 422);
    let rollback = "/api/v1/profile/rollback/{commit_sha}";
    let ask = server.ask("POST", &format!("/api/v1/profile/rollback/{sha}"));
    good(seen, "POST", rollback, ask).await;
}

async fn upstream(seen: &mut Seen<'_>) {
    let server = seen.server.clone();
    let folder = tempfile::tempdir().unwrap();
    let words = ["init", "-q", "--bare", "-b", "main", "up.git"];
    let made = std::process::Command::new("git")
        .args(words)
        .current_dir(folder.path())
        .status();
    assert!(made.unwrap().success());
    let url = format!("file://{}", folder.path().join("up.git").display());
    let path = "/api/v1/profile/upstream";
    let put = |url: &str| server.ask("PUT", path).json(&json!({"url": url}));
    let set = good(seen, "PUT", path, put(&url)).await.json();
    let push = "/api/v1/profile/upstream/push";
    good(seen, "POST", push, server.ask("POST", push)).await;
    let pull = "/api/v1/profile/upstream/pull";
    good(
        seen,
        "POST",
        pull,
        server.ask("POST", pull).json(&json!({})),
    )
    .await;
    good(seen, "GET", path, server.ask("GET", path)).await;
    let hook = server.ask("POST", set["webhook_path"].as_str().unwrap());
    let hook = hook.without("authorization");
    let hook = hook.header("x-gitlab-token", set["webhook_secret"].as_str().unwrap());
    good(seen, "POST", "/api/v1/profile/webhook/{id}", hook).await;
    good(seen, "PUT", path, put("file:///no/such.git")).await;
    let failed = server.ask("POST", push);
    assert_eq!(seen.send(push, "POST", failed).await.status, 502);
    good(seen, "DELETE", path, server.ask("DELETE", path)).await;
}

async fn catalog(seen: &mut Seen<'_>) {
    let server = seen.server.clone();
    let items = "/api/v1/catalog/items";
    let draft = json!({"type": "skill", "name": "pdf", "tags": ["a"], "content": "x"});
    let ask = || server.ask("POST", items).json(&draft);
    let item = good(seen, "POST", items, ask()).await.json();
    assert_eq!(seen.send(items, "POST", ask()).await.status, 400);
    let list = "/api/v1/catalog";
    good(seen, "GET", list, server.ask("GET", list)).await;
    let one = format!("{items}/{}", item["id"].as_str().unwrap());
    let template = "/api/v1/catalog/items/{id}";
    good(seen, "GET", template, server.ask("GET", &one)).await;
    let raw = server.ask("GET", &format!("{one}/raw"));
    good(seen, "GET", "/api/v1/catalog/items/{id}/raw", raw).await;
    good(seen, "PUT", template, server.ask("PUT", &one).json(&draft)).await;
    let stale = server
        .ask("PUT", &one)
        .json(&draft)
        .header("if-match", "\"1\"");
    assert_eq!(seen.send(template, "PUT", stale).await.status, 412);
    good(seen, "DELETE", template, server.ask("DELETE", &one)).await;
    let refresh = "/api/v1/catalog/refresh";
    good(seen, "POST", refresh, server.ask("POST", refresh)).await;
}
