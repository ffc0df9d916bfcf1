//! Packs: many objects in one file with an index, in the format of gitformat-pack(5), version 2.
//!
//! No deltas: what is written here is new, small, and mostly text.

use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};
use gix_object::Kind;

use super::{ObjectId, files};

/// Writes `objects`, each of them once, into one pack below `directory`, and flushes it.
///
/// Without its index a pack does not exist for git, so that the index comes last.
pub(crate) fn write(directory: &Path, objects: &[(ObjectId, Kind, Bytes)]) -> io::Result<()> {
    let count = u32::try_from(objects.len()).map_err(io::Error::other)?;
    let mut pack = Vec::new();
    pack.extend_from_slice(b"PACK");
    pack.extend_from_slice(&2_u32.to_be_bytes());
    pack.extend_from_slice(&count.to_be_bytes());
    let mut entries = Vec::with_capacity(objects.len());
    for (id, kind, content) in objects {
        let offset = pack.len();
        entry_header(&mut pack, *kind, content.len());
        let mut packed = ZlibEncoder::new(pack, Compression::fast());
        packed.write_all(content)?;
        pack = packed.finish()?;
        let mut crc = Crc::new();
        crc.update(pack.get(offset..).unwrap_or_default());
        // 64 MiB of content at the most: far from the offsets that need a second table.
        let offset = u32::try_from(offset).map_err(io::Error::other)?;
        entries.push((*id, crc.sum(), offset));
    }
    let trailer = sha1(&pack)?;
    pack.extend_from_slice(trailer.as_slice());
    entries.sort_unstable();

    let name = directory.join(format!("pack-{trailer}"));
    let draft = directory.join(format!("tmp_pack_{trailer}"));
    place(&draft, &pack, &name.with_extension("pack"))?;
    place(
        &draft,
        &index(&entries, trailer)?,
        &name.with_extension("idx"),
    )?;
    files::flush_directory(directory)
}

fn place(draft: &Path, content: &[u8], name: &Path) -> io::Result<()> {
    files::remove(draft)?;
    files::write_new(draft, content)?;
    std::fs::rename(draft, name)
}

/// The kind in three bits and the size in groups of seven, the first of them of four.
fn entry_header(into: &mut Vec<u8>, kind: Kind, size: usize) {
    let number: u8 = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let low = |size: usize, mask: usize| u8::try_from(size & mask).unwrap_or_default();
    let mut byte = (number << 4) | low(size, 0x0f);
    let mut rest = size >> 4;
    while rest > 0 {
        into.push(byte | 0x80);
        byte = low(rest, 0x7f);
        rest >>= 7;
    }
    into.push(byte);
}

fn index(entries: &[(ObjectId, u32, u32)], pack: ObjectId) -> io::Result<Vec<u8>> {
    let mut index = Vec::new();
    index.extend_from_slice(b"\xfftOc");
    index.extend_from_slice(&2_u32.to_be_bytes());
    let mut upto = 0_usize;
    for first in 0..=u8::MAX {
        let more = entries.get(upto..).unwrap_or_default();
        upto += more
            .iter()
            .take_while(|(id, _, _)| id.first_byte() <= first)
            .count();
        let count = u32::try_from(upto).map_err(io::Error::other)?;
        index.extend_from_slice(&count.to_be_bytes());
    }
    for (id, _, _) in entries {
        index.extend_from_slice(id.as_slice());
    }
    for (_, crc, _) in entries {
        index.extend_from_slice(&crc.to_be_bytes());
    }
    for (_, _, offset) in entries {
        index.extend_from_slice(&offset.to_be_bytes());
    }
    index.extend_from_slice(pack.as_slice());
    let trailer = sha1(&index)?;
    index.extend_from_slice(trailer.as_slice());
    Ok(index)
}

fn sha1(bytes: &[u8]) -> io::Result<ObjectId> {
    let mut hasher = gix_hash::hasher(gix_hash::Kind::Sha1);
    hasher.update(bytes);
    hasher.try_finalize().map_err(io::Error::other)
}
