//! A tar archive (ustar) of a few small files, packed with gzip.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Everything in an archive comes in pieces of this size.
const BLOCK: usize = 512;
/// The longest name that fits without a prefix.
const NAME_BYTES_MAX: usize = 100;
/// The longest prefix, which ends before a slash.
const PREFIX_BYTES_MAX: usize = 155;
/// A file that its owner alone may read.
pub(crate) const PRIVATE: u32 = 0o600;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    /// Its path, relative, with slashes.
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
    /// Its permissions.
    pub(crate) mode: u32,
}

/// The archive with these files.
///
/// # Errors
/// When a name is too long for the format.
pub(crate) fn pack(files: &[Member], seconds: i64) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for file in files {
        packed.write_all(&header(file, seconds)?)?;
        packed.write_all(&file.bytes)?;
        let rest = file.bytes.len().next_multiple_of(BLOCK) - file.bytes.len();
        packed.write_all(&vec![0; rest])?;
    }
    packed.write_all(&[0; 2 * BLOCK])?;
    packed.finish()
}

/// Prefix and name, divided at a slash where it does not fit whole.
fn divided(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME_BYTES_MAX {
        return Some(("", path));
    }
    let mut slashes = path.match_indices('/').map(|(at, _)| at);
    let at = slashes.find(|at| path.len() - at - 1 <= NAME_BYTES_MAX)?;
    let (prefix, name) = path.split_at_checked(at)?;
    (at <= PREFIX_BYTES_MAX).then_some((prefix, name.strip_prefix('/')?))
}

fn header(file: &Member, seconds: i64) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::other(format!("{} is too long a name", file.name));
    let (prefix, name) = divided(&file.name).ok_or_else(too_long)?;
    let mut fields: Vec<u8> = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        fields.extend_from_slice(text.as_bytes());
        fields.extend(std::iter::repeat_n(0, width.saturating_sub(text.len())));
    };
    field(name, NAME_BYTES_MAX);
    field(&format!("{:07o}", file.mode & 0o7777), 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{:011o}", file.bytes.len()), 12);
    field(&format!("{seconds:011o}"), 12);
    // The sum is made with blanks in its own place.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar\0", 6);
    field("00", 2);
    // Names and numbers of owners and of devices, which a plain file has none of.
    field("", PREFIX_AT - 265);
    field(prefix, PREFIX_BYTES_MAX);
    field("", BLOCK - PREFIX_AT - PREFIX_BYTES_MAX);
    let sum: u32 = fields.iter().map(|byte| u32::from(*byte)).sum();
    let sum = format!("{sum:06o}\0 ");
    let place = SUM_AT..SUM_AT + sum.len();
    if let Some(place) = fields.get_mut(place) {
        place.copy_from_slice(sum.as_bytes());
    }
    Ok(fields)
}

/// Where the sum of a header stands in it.
const SUM_AT: usize = 148;
/// Where the prefix does.
const PREFIX_AT: usize = 345;

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::process::{Command, Stdio};

    use super::*;

    fn member(name: &str, text: &str) -> Member {
        Member {
            name: name.to_owned(),
            bytes: text.into(),
            mode: 0o751,
        }
    }

    #[test]
    fn tar_reads_it() {
        let long = format!(
            "{}/{}",
            "d".repeat(PREFIX_BYTES_MAX),
            "n".repeat(NAME_BYTES_MAX)
        );
        let files = [
            member("a/one.txt", "first\n"),
            member("a/tw\u{f6}.txt", &"x".repeat(1000)),
            member("a/none.txt", ""),
            member(&long, "far"),
        ];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.tar.gz");
        std::fs::write(&file, pack(&files, 1_700_000_000).unwrap()).unwrap();
        let read = Command::new("tar")
            .arg("-xzpf")
            .arg(&file)
            .current_dir(dir.path())
            .stderr(Stdio::inherit())
            .status();
        assert!(read.unwrap().success());
        for Member { name, bytes, mode } in &files {
            let file = dir.path().join(name);
            assert_eq!(&std::fs::read(&file).unwrap(), bytes, "{name}");
            let found = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(found & 0o777, *mode, "{name}");
        }
        let longer = "n".repeat(NAME_BYTES_MAX + 1);
        assert!(pack(&[member(&longer, "")], 0).is_err());
        let deeper = format!("{}/n", "d".repeat(PREFIX_BYTES_MAX + 1));
        assert!(pack(&[member(&deeper, "")], 0).is_err());
    }
}
