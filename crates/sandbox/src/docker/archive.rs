//! What an image is made of, as an engine takes it: archives in the form of tar.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use bytes::Bytes;
use tokio::sync::mpsc;

/// One block of an archive.
const BLOCK: usize = 512;
/// The bytes that are read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// Chunks that wait for the engine to take them.
const AHEAD: usize = 4;

/// An archive with one file in it, in the form of POSIX.1-1988 (`ustar`).
pub(super) fn of_file(name: &str, text: &[u8]) -> Vec<u8> {
    let size = format!("{:011o}\0", text.len());
    let fields: [(usize, &[u8]); 9] = [
        (0, name.as_bytes()),
        (100, b"0000644\0"),
        (108, b"0000000\0"),
        (116, b"0000000\0"),
        (124, size.as_bytes()),
        (136, b"00000000000\0"),
        // The sum of the header is taken with blanks in its own place.
        (148, b"        "),
        (156, b"0"),
        (257, b"ustar\x0000"),
    ];
    let mut header = [0_u8; BLOCK];
    let mut set = |at: usize, bytes: &[u8]| {
        for (place, byte) in header.iter_mut().skip(at).zip(bytes) {
            *place = *byte;
        }
    };
    for (at, bytes) in fields {
        set(at, bytes);
    }
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    let sum = format!("{sum:06o}\0 ");
    for (place, byte) in header.iter_mut().skip(148).zip(sum.as_bytes()) {
        *place = *byte;
    }
    let mut archive = header.to_vec();
    archive.extend_from_slice(text);
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

/// The root of a system: an archive, or a directory of which `tar` makes one on its way.
enum Root {
    Archive(File),
    Directory(Child, ChildStdout),
}

impl Root {
    fn open(path: &Path) -> io::Result<Self> {
        if !fs::metadata(path)?.is_dir() {
            return File::open(path).map(Self::Archive);
        }
        let mut tar = Command::new("tar")
            .args(["--numeric-owner", "--one-file-system", "-cf", "-", "-C"])
            .arg(path)
            .arg(".")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        match tar.stdout.take() {
            Some(output) => Ok(Self::Directory(tar, output)),
            None => Err(io::Error::other("tar has no output")),
        }
    }

    fn read(&mut self, chunk: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Archive(file) => file.read(chunk),
            Self::Directory(_, output) => output.read(chunk),
        }
    }

    /// Whether it was all.
    fn end(&mut self) -> io::Result<()> {
        match self {
            Self::Archive(_) => Ok(()),
            Self::Directory(tar, _) => {
                let status = tar.wait()?;
                if status.success() {
                    return Ok(());
                }
                Err(io::Error::other(format!("tar of the directory: {status}")))
            }
        }
    }
}

impl Drop for Root {
    fn drop(&mut self) {
        if let Self::Directory(tar, _) = self {
            let _gone_already = tar.kill();
            let _nothing_to_wait_for = tar.wait();
        }
    }
}

/// The archive of a root, piece by piece, read on a thread of its own. It ends with the receiver.
pub(super) fn of_root(path: &Path) -> io::Result<mpsc::Receiver<io::Result<Bytes>>> {
    let mut root = Root::open(path)?;
    let (sender, pieces) = mpsc::channel(AHEAD);
    std::thread::Builder::new()
        .name("sandbox-image".to_owned())
        .spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_BYTES];
                let piece = match root.read(&mut chunk) {
                    Ok(0) => match root.end() {
                        Ok(()) => return,
                        Err(error) => Err(error),
                    },
                    Ok(read) => {
                        chunk.truncate(read);
                        Ok(Bytes::from(chunk))
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_last = piece.is_err();
                if sender.blocking_send(piece).is_err() || is_last {
                    return;
                }
            }
        })?;
    Ok(pieces)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_of_one_file_is_what_tar_reads() {
        let text = b"FROM nothing\n".repeat(100);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("a.tar");
        fs::write(&file, of_file("Dockerfile", &text)).unwrap();
        let read = Command::new("tar")
            .arg("-xOf")
            .arg(&file)
            .arg("Dockerfile")
            .output()
            .unwrap();
        assert!(read.status.success(), "{read:?}");
        assert_eq!(read.stdout, text);
        assert_eq!(read.stderr, b"");
    }

    #[test]
    fn a_directory_and_its_archive_are_the_same_root() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("root");
        fs::create_dir(&root).unwrap();
        fs::write(root.join("file"), vec![7; 3 * CHUNK_BYTES]).unwrap();
        let whole = |path: &Path| {
            let mut pieces = of_root(path).unwrap();
            let mut all = Vec::new();
            while let Some(piece) = pieces.blocking_recv() {
                all.extend_from_slice(&piece.unwrap());
            }
            all
        };
        let archive = whole(&root);
        let file = directory.path().join("root.tar");
        fs::write(&file, &archive).unwrap();
        assert_eq!(whole(&file), archive);
        assert!(of_root(&directory.path().join("nothing")).is_err());
    }

    #[test]
    fn a_root_that_cannot_be_read_to_its_end_is_no_root() {
        let directory = tempfile::tempdir().unwrap();
        // More than waits for whoever reads, so that it is gone before tar comes to it.
        let most = vec![7; (AHEAD + 4) * CHUNK_BYTES];
        fs::write(directory.path().join("a"), most).unwrap();
        let mut pieces = of_root(directory.path()).unwrap();
        pieces.blocking_recv().unwrap().unwrap();
        fs::write(directory.path().join("a"), "shorter").unwrap();
        let mut last = Ok(Bytes::new());
        while let Some(piece) = pieces.blocking_recv() {
            last = piece;
        }
        let said = last.unwrap_err().to_string();
        assert!(said.contains("tar of the directory"), "{said}");
    }
}
