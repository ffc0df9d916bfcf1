//! A tar archive (ustar) of a few small text files, packed with gzip.

use std::io::{self, Write as _};

use flate2::Compression;
use flate2::write::GzEncoder;

/// Everything in an archive comes in pieces of this size.
const BLOCK: usize = 512;
/// The longest name that fits without a prefix.
const NAME_BYTES_MAX: usize = 100;

/// The archive with these files, each readable for its owner alone.
pub(super) fn pack(files: &[(String, String)], seconds: i64) -> io::Result<Vec<u8>> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    for (name, text) in files {
        packed.write_all(&header(name, text.len(), seconds)?)?;
        packed.write_all(text.as_bytes())?;
        let rest = text.len().next_multiple_of(BLOCK) - text.len();
        packed.write_all(&vec![0; rest])?;
    }
    packed.write_all(&[0; 2 * BLOCK])?;
    packed.finish()
}

fn header(name: &str, size: usize, seconds: i64) -> io::Result<Vec<u8>> {
    if name.len() > NAME_BYTES_MAX || !name.is_ascii() {
        return Err(io::Error::other(format!("{name} is too long a name")));
    }
    let mut fields: Vec<u8> = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        fields.extend_from_slice(text.as_bytes());
        fields.extend(std::iter::repeat_n(0, width.saturating_sub(text.len())));
    };
    field(name, NAME_BYTES_MAX);
    field("0000600", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{size:011o}"), 12);
    field(&format!("{seconds:011o}"), 12);
    // The sum is made with blanks in its own place.
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar\0", 6);
    field("00", 2);
    field("", BLOCK - 265);
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

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn tar_reads_it() {
        let files = [
            ("a/one.txt".to_owned(), "first\n".to_owned()),
            ("a/two.txt".to_owned(), "x".repeat(1000)),
            ("a/none.txt".to_owned(), String::new()),
        ];
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x.tar.gz");
        std::fs::write(&file, pack(&files, 1_700_000_000).unwrap()).unwrap();
        let read = Command::new("tar")
            .arg("-xzf")
            .arg(&file)
            .current_dir(dir.path())
            .stderr(Stdio::inherit())
            .status();
        assert!(read.unwrap().success());
        for (name, text) in &files {
            assert_eq!(
                &std::fs::read_to_string(dir.path().join(name)).unwrap(),
                text
            );
        }
        assert!(pack(&[("x".repeat(101), String::new())], 0).is_err());
    }
}
