//! Contents fetched: names go in, archives come out. `xargs` makes as many archives as the names
//! need, one behind the other.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc;
use wharf_ssh::{Channel, Opener, RemoteExit};

use super::unpack::{Got, Unpacking};
use super::{Pull, Refused, RefusedWhy};
use crate::Error;
use crate::far::{FarEntry, FarKind, head, last, line};
use crate::path::RelPath;

/// What is handed over at once, and how many of these wait.
const PIECE_BYTES: usize = 64 * 1024;
const PIECES_WAITING: usize = 16;

/// Fetches what is wanted into `tree`. Something that cannot be had is missing in the answer, and
/// in `refused` where it was not wanted for a reason.
pub(super) async fn fetch(
    opener: &dyn Opener,
    asked: &Pull<'_>,
    wanted: &BTreeMap<RelPath, FarEntry>,
    tree: &Path,
    refused: &mut Vec<Refused>,
) -> Result<BTreeMap<RelPath, Got>, Error> {
    let files: BTreeMap<RelPath, FarEntry> = wanted
        .iter()
        .filter(|(_, there)| there.kind != FarKind::Dir)
        .map(|(path, there)| (path.clone(), there.clone()))
        .collect();
    if files.is_empty() {
        return Ok(BTreeMap::new());
    }
    let mut names = Vec::new();
    for path in files.keys() {
        names.extend_from_slice(b"./");
        names.extend_from_slice(path.as_bytes());
        names.push(0);
    }
    // A file that went meanwhile is missing in the archive, and said there on stderr. GNU's tar
    // takes `\n` in a name for a line break unless it is told not to.
    let script = format!(
        "{}cd \"$D\" || exit 45\n\
         if tar --no-unquote --version >/dev/null 2>&1; then q=--no-unquote; else q=; fi\n\
         xargs -0 tar -cf - --no-recursion $q\n[ $? -lt 124 ]\n",
        head(asked.place)
    );
    let Channel {
        mut stdin,
        mut stdout,
        mut stderr,
        exit,
    } = opener.open(&line(&script)).await.map_err(Error::Open)?;
    let (sender, receiver) = mpsc::channel(PIECES_WAITING);
    let unpacking = Unpacking::new(files, tree.to_owned(), asked.bounds.clone());
    let mut unpacking = tokio::task::spawn_blocking(move || unpacking.run(Pieces::new(receiver)));
    let writing = async move {
        let written = stdin.write_all(&names).await;
        written.and(stdin.shutdown().await)
    };
    let reading = async move {
        loop {
            let mut piece = vec![0; PIECE_BYTES];
            let count = stdout.read(&mut piece).await?;
            piece.truncate(count);
            // Whoever unpacks may have had enough.
            if count == 0 || sender.send(piece).await.is_err() {
                drop(sender);
                return io::Result::Ok(());
            }
        }
    };
    let unpacked = async {
        let done = (&mut unpacking).await.map_err(io::Error::other);
        done.and_then(|done| done)
            .map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => Error::answer(error.to_string()),
                _ => Error::write(tree)(error),
            })
    };
    let reading = async { reading.await.map_err(Error::Cut) };
    let talking = async {
        let (_written, said) = tokio::join!(writing, last(&mut stderr));
        Ok(said)
    };
    // Whoever has had enough does not wait for the others: the far side says nothing more while
    // nobody takes what it has to say. What is dropped then ends it.
    let went = async { tokio::try_join!(unpacked, reading, talking) }.await;
    if went.is_err() && !unpacking.is_finished() {
        // It has nothing more to read. What it still writes is there before anybody takes it away.
        let _cut = unpacking.await;
    }
    let (unpacked, (), said) = went?;
    let exit = exit.await.unwrap_or(RemoteExit::Silent);
    match exit {
        RemoteExit::Code(0) => {}
        RemoteExit::Lost(why) => return Err(Error::Cut(io::Error::other(why))),
        exit => {
            return Err(Error::Far {
                step: "fetching changes",
                exit,
                said,
            });
        }
    }
    let outside = unpacked.outside.into_iter();
    refused.extend(outside.map(|path| Refused {
        path,
        why: RefusedWhy::LinkOutside,
    }));
    let large = unpacked.large.into_iter();
    refused.extend(large.map(|path| Refused {
        path,
        why: RefusedWhy::TooLarge,
    }));
    Ok(unpacked.got)
}

/// What comes over the network, read by a thread.
struct Pieces {
    receiver: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    at: usize,
}

impl Pieces {
    const fn new(receiver: mpsc::Receiver<Vec<u8>>) -> Self {
        Self {
            receiver,
            piece: Vec::new(),
            at: 0,
        }
    }
}

impl io::Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at >= self.piece.len() {
            match self.receiver.blocking_recv() {
                Some(piece) => (self.piece, self.at) = (piece, 0),
                None => return Ok(0),
            }
        }
        let rest = self.piece.get(self.at..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), rest.get(..count)) {
            to.copy_from_slice(from);
        }
        self.at += count;
        Ok(count)
    }
}
