//! Bodies of whole profiles, and the way back.

use axum::body::Bytes;
use serde_json::{Value, json};
use wharf_profiles::Sha256;
use wharf_profiles::frames::{HEADER, header};

use super::{Answer, Ask};

/// The hash of a content, in hexadecimal digits.
pub(crate) fn hash(content: &[u8]) -> String {
    Sha256::of(content).to_string()
}

/// The manifest of these files.
pub(crate) fn manifest(files: &[(&str, &str)]) -> Value {
    let files = files.iter().map(|(path, content)| {
        json!({"path": path, "sha256": hash(content.as_bytes()), "executable": path.ends_with(".sh")})
    });
    json!({"files": files.collect::<Vec<_>>()})
}

/// A content behind its header.
pub(crate) fn framed(content: &[u8]) -> Vec<u8> {
    let mut bytes = header(&Sha256::of(content), content).to_vec();
    bytes.extend_from_slice(content);
    bytes
}

/// A manifest behind its size, and what follows it.
pub(crate) fn body(manifest: &Value, contents: &[u8]) -> Vec<u8> {
    let manifest = manifest.to_string();
    let size = u32::try_from(manifest.len()).unwrap();
    [&size.to_be_bytes(), manifest.as_bytes(), contents].concat()
}

/// These files with all of their contents.
pub(crate) fn whole(files: &[(&str, &str)]) -> Vec<u8> {
    let contents: Vec<u8> = files
        .iter()
        .flat_map(|(_, content)| framed(content.as_bytes()))
        .collect();
    body(&manifest(files), &contents)
}

/// The contents of an answer, sorted.
pub(crate) fn contents(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/x-wharf-blobs");
    let mut rest = Bytes::from(answer.body.clone());
    assert_eq!(answer.header("content-length"), rest.len().to_string());
    let mut found = Vec::new();
    while !rest.is_empty() {
        let head = rest.split_to(HEADER);
        let size = u32::from_be_bytes(head[..4].try_into().unwrap());
        let content = rest.split_to(usize::try_from(size).unwrap());
        assert_eq!(Sha256::of(&content).as_bytes()[..], head[4..]);
        found.push(String::from_utf8(content.to_vec()).unwrap());
    }
    found.sort_unstable();
    found
}

impl Ask {
    /// With a body of this kind.
    pub(crate) fn tree(self, body: impl Into<axum::body::Body>) -> Self {
        self.header("content-type", "application/x-wharf-tree")
            .body(body)
    }
}
