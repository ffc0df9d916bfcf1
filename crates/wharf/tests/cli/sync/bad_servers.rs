//! Servers that answer anything but what they should: refused with the reason, nothing written.

use super::stub::{Stub, answer, frame, tree};
use super::{Machine, filters};
use crate::home::Home;

/// What a machine with one file says of such a server. Nothing of its directory has changed.
fn said(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> String {
    let stub = Stub::start(answer);
    let machine = Machine { home: Home::new() };
    machine.write(".claude/CLAUDE.md", "mine\n");
    machine.write(".claude.json", "{\"own\": 1}\n");
    let (before, json) = (machine.files(), machine.read(".claude.json"));
    let mut command = machine
        .home
        .wharf(&["sync", "--force", "--api-url", &stub.url]);
    let output = command.env("WHARF_TOKEN", "whk_x").output().unwrap();
    assert_eq!(machine.files(), before);
    assert_eq!(machine.read(".claude.json"), json);
    assert_eq!(machine.read("state/evil"), None);
    machine.home.show(&output)
}

type Files = &'static [(&'static str, &'static [u8], u64)];

/// A server with this tree, whose contents are these bytes.
fn contents(files: Files, blobs: Vec<u8>) -> impl Fn(&str) -> Vec<u8> + Send + Sync + 'static {
    move |path| match path {
        "GET /api/v1/profile/tree" => tree(files),
        _ => answer("application/x-wharf-blobs", &blobs),
    }
}

const HTML: &[u8] = b"<!DOCTYPE html><html><body>Please log in to the network.</body></html>";

#[test]
fn another_program_answers() {
    let _filters = filters();
    insta::assert_snapshot!("html", said(|_| answer("text/html", HTML)));
    insta::assert_snapshot!("html_as_json", said(|_| answer("application/json", HTML)));
    insta::assert_snapshot!(
        "html_for_contents",
        said(|path| match path {
            "GET /api/v1/profile/tree" => tree(&[("agents/a.md", b"a\n", 2)]),
            _ => answer("text/html; charset=utf-8", HTML),
        })
    );
    insta::assert_snapshot!(
        "elsewhere",
        said(|_| {
            b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
                .to_vec()
        })
    );
    insta::assert_snapshot!(
        "unasked",
        said(|_| {
            b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\nconnection: close\r\n\r\n".to_vec()
        })
    );
    insta::assert_snapshot!(
        "another_problem",
        said(|_| {
            b"HTTP/1.1 500 X\r\ncontent-type: text/plain\r\ncontent-length: 4\r\n\r\noops".to_vec()
        })
    );
}

#[test]
fn an_answer_breaks_off() {
    let half = said(|_| {
        let whole = tree(&[("agents/a.md", b"a\n", 2)]);
        whole[..whole.len() - 10].to_vec()
    });
    assert!(half.contains("broke") && half.ends_with("exit 9"), "{half}");
    let _filters = filters();
    let whole = frame(2, b"a\n", b"a\n");
    let cut = whole[..whole.len() - 1].to_vec();
    insta::assert_snapshot!(
        "half_a_content",
        said(contents(&[("agents/a.md", b"a\n", 2)], cut))
    );
    insta::assert_snapshot!(
        "no_content",
        said(contents(&[("agents/a.md", b"a\n", 2)], Vec::new()))
    );
}

#[test]
fn a_content_is_not_what_it_is_said_to_be() {
    let _filters = filters();
    const FILES: Files = &[("agents/a.md", b"a\n", 2)];
    const LARGER: Files = &[("agents/a.md", b"a\n", 3)];
    const SERVERS: &[u8] = b"{\"mcpServers\":{},\"own\":2}";
    const MORE: Files = &[("mcp.json", SERVERS, 25)];
    insta::assert_snapshot!(
        "other_bytes",
        said(contents(FILES, frame(2, b"a\n", b"b\n")))
    );
    insta::assert_snapshot!(
        "another_size",
        said(contents(LARGER, frame(2, b"a\n", b"a\n")))
    );
    insta::assert_snapshot!(
        "another_file",
        said(contents(FILES, frame(2, b"b\n", b"b\n")))
    );
    insta::assert_snapshot!(
        "more_than_the_servers",
        said(contents(MORE, frame(25, SERVERS, SERVERS)))
    );
}

#[test]
fn paths_lead_out() {
    let _filters = filters();
    for path in [
        "../state/evil",
        "/tmp/evil",
        "agents/../../state/evil",
        "agents\\..\\evil",
        "agents/a\u{1b}[2J.md",
        "hooks/.git/hooks/post-checkout",
    ] {
        let of = path.to_owned();
        let said = said(move |_| tree(&[(&of, b"a\n", 2)]));
        assert!(
            said.contains("what the server lists is not taken"),
            "{path}: {said}"
        );
        assert!(
            said.ends_with("exit 1") && !said.contains('\u{1b}'),
            "{path}: {said}"
        );
    }
    insta::assert_snapshot!(
        "with_the_reason",
        said(|_| tree(&[("../state/evil", b"a\n", 2)]))
    );
    insta::assert_snapshot!(
        "a_file_and_a_directory",
        said(|_| tree(&[("agents/a", b"a\n", 2), ("agents/a/b", b"a\n", 2)]))
    );
    // What is no part of a profile is left there.
    insta::assert_snapshot!(
        "not_of_a_profile",
        said(|_| tree(&[(".credentials.json", b"a\n", 2), ("projects/x", b"a\n", 2)]))
    );
}

#[test]
fn there_is_too_much() {
    let _filters = filters();
    insta::assert_snapshot!(
        "files",
        said(|_| {
            let names: Vec<String> = (0..100_000).map(|n| format!("agents/{n}")).collect();
            let files: Vec<_> = names
                .iter()
                .map(|name| (name.as_str(), &b"a\n"[..], 2))
                .collect();
            tree(&files)
        })
    );
    insta::assert_snapshot!(
        "a_gigabyte",
        said(|_| tree(&[("agents/a.md", b"a\n", 1 << 30)]))
    );
    insta::assert_snapshot!(
        "a_gigabyte_arrives",
        said(contents(
            &[("agents/a.md", b"a\n", 2)],
            frame(1 << 30, b"a\n", b"a\n")
        ))
    );
    insta::assert_snapshot!(
        "an_endless_list",
        said(|_| {
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1073741824\r\n\r\n{"
            .to_vec()
        })
    );
}
