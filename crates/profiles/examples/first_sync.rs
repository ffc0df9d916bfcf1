//! How long a first sync of 500 files (5 MB) takes here, and a view of them afterwards.
//!
//! `cargo run --release -p wharf-profiles --example first_sync [DIRECTORY]`; the directory decides
//! which disk it is. Each line is the median of the rounds, in milliseconds, and the best of them.

#![expect(clippy::print_stdout, reason = "a measurement says what it found")]

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use wharf_model::{Clock, Timestamp};
use wharf_profiles::frames::{self, Decoder};
use wharf_profiles::{Author, Condition, Layers, Owner, Profiles, Sha256, Upload};

const FILES: usize = 500;
const ROUNDS: usize = 15;

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000)
    }
}

/// Text that does not compress to nothing: words in an order of its own for each file.
fn contents() -> Vec<Bytes> {
    let words = [
        "skill ", "the ", "run ", "agent ", "is ", "a ", "file\n", "of ",
    ];
    let mut state = 1_u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        usize::try_from(state >> 60).unwrap_or_default()
    };
    let mut content = || {
        let mut text = String::new();
        while text.len() < 10_000 {
            text.push_str(words.get(next() % words.len()).copied().unwrap_or_default());
            text.push(char::from(b'a' + u8::try_from(next()).unwrap_or_default()));
        }
        Bytes::from(text)
    };
    (0..FILES).map(|_| content()).collect()
}

/// As a client sends them.
fn stream(contents: &[Bytes]) -> Bytes {
    let mut stream = BytesMut::new();
    for content in contents {
        stream.extend_from_slice(&frames::header(&Sha256::of(content), content));
        stream.extend_from_slice(content);
    }
    stream.freeze()
}

fn path(number: usize) -> String {
    format!("skills/s{}/{number}.md", number % 50)
}

#[derive(Default)]
struct Times(Vec<(&'static str, Vec<f64>)>);

impl Times {
    fn add(&mut self, what: &'static str, since: Instant) {
        let time = since.elapsed().as_secs_f64() * 1000.0;
        match self.0.iter_mut().find(|(name, _)| *name == what) {
            Some((_, times)) => times.push(time),
            None => self.0.push((what, vec![time])),
        }
    }

    fn print(mut self) {
        for (what, times) in &mut self.0 {
            times.sort_by(f64::total_cmp);
            let median = times.get(times.len() / 2).copied().unwrap_or_default();
            let best = times.first().copied().unwrap_or_default();
            println!("{what:40} {median:9.3}  {best:9.3}");
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let dir = std::env::args().nth(1);
    let dir = dir.map_or_else(std::env::temp_dir, PathBuf::from);
    let contents = contents();
    let stream = stream(&contents);
    let author = Author {
        name: "Ada".to_owned(),
        email: "ada@example.com".to_owned(),
    };
    let owner = Owner::user("ada")?;
    let org = Owner::organization("org")?;
    let alone = Layers::new(vec![owner.clone()])?;
    let both = Layers::new(vec![org.clone(), owner.clone()])?;
    let mut times = Times::default();
    for _ in 0..ROUNDS {
        let temp = tempfile::tempdir_in(&dir)?;
        let open = || Profiles::open(temp.path().join("profiles"), Arc::new(Fixed));
        let profiles = open();
        let started = Instant::now();
        let mut upload = Upload::new();
        for (number, content) in contents.iter().enumerate() {
            let hash = Sha256::of(content).to_string();
            upload.file(&path(number), &hash, false)?;
        }
        times.add("hashes and manifest", started);
        let started = Instant::now();
        let mut decoder = Decoder::new();
        for chunk in stream.chunks(64 * 1024) {
            decoder.push(chunk, &mut upload)?;
        }
        decoder.end()?;
        times.add("contents taken from the stream", started);
        let started = Instant::now();
        let put = profiles.put_view(&alone, upload, "", &author, Condition::Any);
        let put = put.await?;
        times.add("put_view, all new", started);

        let hashes: Vec<Sha256> = put.view.files.iter().map(|it| it.file.sha256).collect();
        for (what, profiles) in [
            ("view_blobs, warm", &profiles),
            ("view_blobs, cold", &open()),
        ] {
            let started = Instant::now();
            let blobs = profiles.view_blobs(&alone, hashes.clone()).await?;
            times.add(what, started);
            assert_eq!(blobs.len(), FILES);
        }
        let cold = open();
        let started = Instant::now();
        cold.view(&alone).await?;
        times.add("view, one layer, cold", started);
        let started = Instant::now();
        cold.view(&alone).await?;
        times.add("view, one layer, warm", started);

        let text = "the organization's".to_owned();
        let put = profiles.put(&org, &text, "", &author, Condition::Any);
        put.await?;
        let started = Instant::now();
        let view = profiles.view(&both).await?;
        times.add("view, two layers, put together", started);
        let started = Instant::now();
        profiles.view(&both).await?;
        times.add("view, two layers, warm", started);
        let mut upload = Upload::new();
        for file in &view.files {
            let hash = file.file.sha256.to_string();
            upload.file(file.file.path.as_str(), &hash, false)?;
        }
        let new = Bytes::from_static(b"new");
        let hash = Sha256::of(&new);
        upload.file("agents/new.md", &hash.to_string(), false)?;
        upload.content(hash, new)?;
        let condition = Condition::Is(&view.version);
        let started = Instant::now();
        profiles
            .put_view(&both, upload, "", &author, condition)
            .await?;
        times.add("put_view, one file new", started);
    }
    println!("{:40} {:>9}  {:>9}", "ms", "median", "best");
    times.print();
    Ok(())
}
