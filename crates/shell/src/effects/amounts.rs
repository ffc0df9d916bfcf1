//! How much is written, where that may be more than a disk holds.

use super::Call;
use crate::walk::arg::Arg;
use crate::walk::{Feed, Walker};

/// Bytes beyond which a file is taken for an attempt to fill the disk.
const LARGE: u128 = 100 << 30;

/// Notes what writes without end, or more than disks hold.
pub(super) fn run(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let endless = |arg: &&Arg<'_>| {
        matches!(
            arg.text.as_ref(),
            "/dev/zero" | "/dev/urandom" | "/dev/random" | "/dev/full"
        )
    };
    if matches!(walker.feed, Feed::Endless) {
        match call.name {
            "tail" | "sort" | "tac" | "shuf" | "wc" | "md5sum" | "sha256sum" => {
                walker.found.note("endless-input", call.span);
            }
            "gzip" | "bzip2" | "xz" | "zstd" | "lz4" | "base64" | "base32" | "xxd" | "od"
            | "hexdump" | "openssl" | "gpg" | "pv" | "dd" | "rev" | "tee" => {
                walker.output.endless = true;
            }
            _ => {}
        }
    }
    match call.name {
        "yes" => walker.output.endless = true,
        "cat" | "pv" | "base64" | "xxd" | "od" | "tr" => {
            walker.output.endless |= call.args.iter().any(|arg| endless(&arg));
        }
        "tail" | "sort" | "tac" | "rev" => {
            if let Some(arg) = call.args.iter().find(endless) {
                walker.found.note("endless-input", arg.span);
            }
        }
        "head" => {
            let sizes = super::files::value_of(call, &["-c", "--bytes"]);
            walker.output.endless = sizes.iter().any(|size| amount(&size.text) >= LARGE);
        }
        "fallocate" => {
            let sizes = super::files::value_of(call, &["-l", "--length"]);
            if sizes.iter().any(|size| amount(&size.text) > LARGE) {
                walker.found.note("fills-disk", call.span);
            }
        }
        "dd" => dd(walker, call),
        _ => {}
    }
}

fn dd(walker: &mut Walker<'_>, call: &Call<'_, '_>) {
    let value = |name: &str| call.args.iter().find_map(|arg| arg.text.strip_prefix(name));
    let endless = value("if=")
        .is_some_and(|path| matches!(path, "/dev/zero" | "/dev/urandom" | "/dev/random"));
    if !endless {
        return;
    }
    let block = value("bs=").map_or(512, amount);
    let bounded = value("count=").is_some_and(|count| amount(count).saturating_mul(block) <= LARGE);
    match value("of=") {
        Some(path) if path.starts_with("/dev/") => {}
        Some(_) if !bounded => walker.found.note("fills-disk", call.span),
        Some(_) => {}
        None => walker.output.endless = !bounded,
    }
}

/// A number of bytes with a suffix such as `10M`.
fn amount(text: &str) -> u128 {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let number: u128 = number.parse().unwrap_or(0);
    let power = match suffix.chars().next().map(|c| c.to_ascii_uppercase()) {
        Some('K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        Some('T') => 4,
        Some('P') => 5,
        Some('E') => 6,
        _ => 0,
    };
    number.saturating_mul(1024_u128.saturating_pow(power))
}
