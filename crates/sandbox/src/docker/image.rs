//! What containers are made of.

use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use bollard::query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder};
use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::archive;
use super::engine::{Engine, IMAGE_PATIENCE};
use crate::error::Error;
use crate::local::launch::blocking;

/// How our own image is made.
const DOCKERFILE: &str = include_str!("../../docker/Dockerfile");
/// What it is called there.
const OWN: &str = "wharf-sandbox";
/// What is called so was imported from this machine.
const IMPORTED: &str = "wharf-root";
/// Characters of the hash that tells images of one name apart.
const DIGITS: usize = 16;

/// What a sandbox starts from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Image {
    /// An image of our own, which the engine builds when it is needed first; for that it has to
    /// reach Debian.
    #[default]
    Own,
    /// An image that the engine has or can fetch, by its name.
    Named(String),
    /// The root of a system on this machine, a directory or an archive, which is given to the
    /// engine when it is needed first and when it is newer.
    Root(PathBuf),
}

impl Image {
    /// Reads one as people write it: a path, a name, or nothing for our own.
    ///
    /// # Errors
    /// In words, when the text is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::Own);
        }
        if text.starts_with('/') {
            return Ok(Self::Root(text.into()));
        }
        let is_name = text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
            && text.starts_with(|first: char| first.is_ascii_alphanumeric());
        if is_name {
            return Ok(Self::Named(text.to_owned()));
        }
        Err(format!(
            "`{}` names no image; write NAME:TAG, or the path of a root directory or an archive of \
             one",
            text.escape_debug()
        ))
    }
}

impl fmt::Display for Image {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own => f.write_str(OWN),
            Self::Named(name) => f.write_str(name),
            Self::Root(path) => write!(f, "{}", path.display()),
        }
    }
}

impl Image {
    /// The name of the image at the engine, which is brought there if it is not.
    pub(super) async fn ensure(&self, engine: &Engine) -> Result<String, Error> {
        let (name, tag) = match self {
            Self::Own => (OWN.to_owned(), digest(&[DOCKERFILE.as_bytes()])),
            Self::Named(name) => split(name),
            Self::Root(path) => {
                let looked = path.clone();
                let tag = blocking(move || stamp(&looked)).await?;
                (
                    IMPORTED.to_owned(),
                    tag.map_err(|error| unread(path, &error))?,
                )
            }
        };
        let whole = match self {
            Self::Named(name) if name.contains('@') => name.clone(),
            _ => format!("{name}:{tag}"),
        };
        if engine.image(&whole).await?.is_some() {
            return Ok(whole);
        }
        let brought = async {
            match self {
                Self::Own => build(engine, &whole).await,
                Self::Named(_) => fetch(engine, &name, &tag).await,
                Self::Root(path) => import(engine, path, &name, &tag).await,
            }
        };
        match tokio::time::timeout(IMAGE_PATIENCE, brought).await {
            Ok(brought) => brought.map(|()| whole),
            Err(_) => Err(Error::Late {
                what: "the Docker engine, with the image of sandboxes,",
                limit: IMAGE_PATIENCE,
            }),
        }
    }
}

async fn build(engine: &Engine, name: &str) -> Result<(), Error> {
    let options = BuildImageOptionsBuilder::default()
        .dockerfile("Dockerfile")
        .t(name)
        .rm(true)
        .forcerm(true)
        .build();
    let context = Bytes::from(archive::of_file("Dockerfile", DOCKERFILE.as_bytes()));
    let context = bollard::body_full(context);
    let mut steps = engine.docker.build_image(options, None, Some(context));
    while let Some(step) = steps.next().await {
        step.map_err(|fault| {
            let why = engine.fault(&fault);
            Error::Host(format!(
                "{why}; that was while building the image of sandboxes, for which it has to reach \
                 Debian. Name an image that is there in sandbox.docker_image"
            ))
        })?;
    }
    Ok(())
}

async fn fetch(engine: &Engine, name: &str, tag: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::default()
        .from_image(name)
        .tag(tag)
        .build();
    let mut steps = engine.docker.create_image(Some(options), None, None);
    while let Some(step) = steps.next().await {
        step.map_err(|fault| {
            let why = engine.fault(&fault);
            Error::Host(format!(
                "{why}; that was while fetching the image {name}:{tag}, which sandbox.docker_image \
                 names"
            ))
        })?;
    }
    Ok(())
}

async fn import(engine: &Engine, path: &Path, name: &str, tag: &str) -> Result<(), Error> {
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo(name)
        .tag(tag)
        .build();
    let pieces = archive::of_root(path).map_err(|error| unread(path, &error))?;
    let pieces = stream::unfold(pieces, |mut pieces| async move {
        let piece = pieces.recv().await?;
        Some((piece, pieces))
    });
    let body = bollard::body_try_stream(pieces);
    let mut steps = engine.docker.create_image(Some(options), Some(body), None);
    while let Some(step) = steps.next().await {
        step.map_err(|fault| {
            let why = engine.fault(&fault);
            Error::Host(format!(
                "{why}; that was while importing {}",
                path.display()
            ))
        })?;
    }
    Ok(())
}

fn unread(path: &Path, error: &io::Error) -> Error {
    Error::Invalid(format!(
        "the root of sandboxes in {} cannot be read ({error}); sandbox.docker_image names it",
        path.display()
    ))
}

/// A name and its tag; a name that ends in a digest has none.
fn split(name: &str) -> (String, String) {
    if let Some((name, digest)) = name.split_once('@') {
        return (name.to_owned(), digest.to_owned());
    }
    match name.rsplit_once(':') {
        // A colon before a slash is that of a port.
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (name.to_owned(), "latest".to_owned()),
    }
}

/// What tells one state of a root from another: where it is, and when it was changed.
fn stamp(path: &Path) -> io::Result<String> {
    let found = std::fs::metadata(path)?;
    let seen = [found.ino(), found.size()];
    let times = [found.mtime(), found.mtime_nsec()];
    let seen = seen.iter().flat_map(|it| it.to_le_bytes());
    let times = times.iter().flat_map(|it| it.to_le_bytes());
    let seen: Vec<u8> = seen.chain(times).collect();
    Ok(digest(&[path.as_os_str().as_encoded_bytes(), &seen]))
}

fn digest(parts: &[&[u8]]) -> String {
    let hash = Sha256::digest(parts.concat());
    let digits = hash.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<String>().chars().take(DIGITS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_a_path_a_name_or_our_own() {
        assert_eq!(Image::parse(""), Ok(Image::Own));
        let path = Image::parse("/srv/root.tar");
        assert_eq!(path, Ok(Image::Root("/srv/root.tar".into())));
        for name in [
            "debian",
            "debian:12",
            "h.example:5000/a/b_c",
            "a@sha256:00ff",
        ] {
            assert_eq!(Image::parse(name), Ok(Image::Named(name.to_owned())));
        }
        for wrong in ["-x", "a b", "./root", "a\n", "$(id)"] {
            let said = Image::parse(wrong).unwrap_err();
            assert!(said.contains("names no image"), "{wrong:?}: {said}");
        }
    }

    #[test]
    fn a_tag_is_not_a_port() {
        let of = |name: &str| {
            let (name, tag) = split(name);
            format!("{name} {tag}")
        };
        assert_eq!(of("debian"), "debian latest");
        assert_eq!(of("debian:12"), "debian 12");
        assert_eq!(of("h:5000/a"), "h:5000/a latest");
        assert_eq!(of("h:5000/a:1"), "h:5000/a 1");
        assert_eq!(of("a@sha256:00"), "a sha256:00");
    }
}
