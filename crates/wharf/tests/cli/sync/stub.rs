//! A server whose answers are any bytes at all.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use serde_json::{Value, json};
use wharf_sync::profile::Digest;

/// Its thread ends with the process.
pub(crate) struct Stub {
    pub(crate) url: String,
}

impl Stub {
    /// One that answers a method and path with what `answer` gives.
    pub(crate) fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let answer = Arc::clone(&answer);
                thread::spawn(move || serve(&socket, &*answer));
            }
        });
        Self { url }
    }
}

fn serve(socket: &TcpStream, answer: &dyn Fn(&str) -> Vec<u8>) {
    let mut reader = BufReader::new(socket);
    let (mut first, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim_end().is_empty() {
            break;
        }
        if first.is_empty() {
            first = line;
        }
    }
    if reader.read_exact(&mut vec![0; length]).is_err() {
        return;
    }
    let path = first.trim_end().trim_end_matches(" HTTP/1.1");
    let mut socket = socket;
    let _gone = socket.write_all(&answer(path));
}

/// An answer with this media type.
pub(crate) fn answer(media: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// A tree of these files: path, content, and the size that it announces.
pub(crate) fn tree(files: &[(&str, &[u8], u64)]) -> Vec<u8> {
    let files = files.iter().map(|(path, content, size)| {
        json!({ "path": path, "sha256": Digest::of(content), "size": size })
    });
    let files: Vec<Value> = files.collect();
    let tree = json!({
        "owner": "user/x", "version": "1", "commit_sha": "1", "updated_at": null,
        "layers": [], "files": files,
    });
    answer("application/json", tree.to_string().as_bytes())
}

/// A content as it travels, under the digest of `of`.
pub(crate) fn frame(size: u32, of: &[u8], bytes: &[u8]) -> Vec<u8> {
    [&size.to_be_bytes()[..], Digest::of(of).as_bytes(), bytes].concat()
}
