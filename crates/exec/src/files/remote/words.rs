//! What a host without SFTP is told, as text: one line of POSIX sh each, behind which the input is
//! free. Paths are spelt so that no byte of them means anything (`spell`).
//!
//! Beyond POSIX only `stat` (of GNU, busybox or BSD, else `ls` without the time), `readlink`, `head
//! -c` for files of `/proc`, and a program for SHA-256 where there is one.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::files::path::{MAX_LINKS, Place};
use crate::files::{Links, Owner};

// 40 and what is not named here: the host's words say what is wrong.
/// A directory where a file is meant.
pub(super) const IS_DIRECTORY: u32 = 43;
/// No directory where one is meant.
pub(super) const NOT_DIRECTORY: u32 = 44;
/// A pipe, a socket, a device.
pub(super) const NOT_REGULAR: u32 = 45;
/// It is there already.
pub(super) const EXISTS: u32 = 46;
/// Links without end.
pub(super) const TOO_MANY_LINKS: u32 = 49;
/// There is no program for digests.
pub(super) const NO_DIGEST: u32 = 50;

/// What `dd` moves at once. Ranges begin at multiples of it.
pub(super) const BLOCK: usize = 64 * 1024;

/// `s [-L] PATH` says mode, owner, size and time.
const STAT: &str = r#"s() { case $q in "") ls -ldn "$@";; *) stat "$q" "$r" "$@";; esac; }; "#;
const STAT_FORM: &str = "if stat -c %s / >/dev/null 2>&1; then q=-c; r='%f %u %g %s %Y'; \
     elif stat -f %z / >/dev/null 2>&1; then q=-f; r='%Xp %u %g %z %m'; else q=; r=; fi; export q r; ";
/// `f PATH` ends with what the system says of a path that cannot be used.
const FAIL: &str = "f() { ls -ldL \"$1\" >/dev/null; exit 40; }; ";

/// A word that is this path.
fn spell(path: &Path) -> String {
    let mut text = String::from("$(printf '");
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' => {
                text.push(char::from(*byte));
            }
            _ => text.push_str(&format!("\\{byte:03o}")),
        }
    }
    // Newlines at the end would be dropped.
    text.push_str("x')");
    text
}

/// Sets a variable to a path.
fn set(name: char, path: &Path) -> String {
    format!("{name}={}; {name}=${{{name}%x}}; ", spell(path))
}

/// Sets `p`.
fn path(place: &Place) -> String {
    match place {
        Place::Root(path) => set('p', path),
        Place::Home(rest) if rest.as_os_str().is_empty() => "p=${HOME:?}; ".to_owned(),
        Place::Home(rest) => format!("{}p=${{HOME:?}}/$p; ", set('p', rest)),
    }
}

pub(super) fn stat(place: &Place, links: Links) -> String {
    let links = match links {
        Links::Follow => "-L ",
        Links::Stay => "",
    };
    format!("{}{STAT_FORM}{STAT}s {links}\"$p\" || exit 40", path(place))
}

/// Names and what is known of them in turn, with a zero byte behind each.
pub(super) fn list(place: &Place) -> String {
    format!(
        "{}{FAIL}{STAT_FORM}[ -d \"$p\" ] || f \"$p/.\"; \
         find \"$p/.\" ! -name . -prune -exec sh -c '{STAT}for f do printf \"%s\\000\" \"$f\"; \
         s \"$f\" 2>/dev/null; printf \"\\000\"; done' sh {{}} + || exit 40",
        path(place)
    )
}

/// What the file is; then, for each line with a block and a count of blocks, these blocks, the mark
/// and whether that went well. For `x` the beginning of a file that says it has no bytes.
pub(super) fn read(place: &Place, mark: &str, most: usize) -> String {
    format!(
        "{}{FAIL}{STAT_FORM}{STAT}[ -d \"$p\" ] && exit 43; [ -e \"$p\" ] || f \"$p\"; \
         [ -f \"$p\" ] || exit 45; true <\"$p\" || exit 40; s -L \"$p\" || exit 40; printf '\\000'; \
         while read -r a b; do case $a in x) cat <\"$p\" | head -c {most};; \
         *) dd if=\"$p\" bs={BLOCK} skip=\"$a\" count=\"$b\" 2>/dev/null;; esac; printf '{mark}%d.' $?; done",
        path(place)
    )
}

/// The digest in hexadecimal, first of all, and a zero byte. Waits for the end of its input then.
pub(super) fn digest(place: &Place) -> String {
    format!(
        "{}{FAIL}[ -d \"$p\" ] && exit 43; [ -e \"$p\" ] || f \"$p\"; [ -f \"$p\" ] || exit 45; \
         true <\"$p\" || exit 40; w() {{ command -v \"$1\" >/dev/null 2>&1; }}; \
         if w sha256sum; then sha256sum <\"$p\"; elif w shasum; then shasum -a 256 <\"$p\"; \
         elif w sha256; then sha256 <\"$p\"; elif w openssl; then openssl dgst -sha256 -r <\"$p\"; \
         else exit 50; fi || exit 40; printf '\\000'; read -r x; exit 0",
        path(place)
    )
}

pub(super) fn remove(place: &Place) -> String {
    format!(
        "{}{FAIL}if [ -h \"$p\" ]; then rm -f \"$p\"; elif [ -d \"$p\" ]; then rmdir \"$p\"; \
         elif [ -e \"$p\" ]; then rm -f \"$p\"; else f \"$p\"; fi || exit 40",
        path(place)
    )
}

/// What is not there is removed already.
pub(super) fn forget(file: &Path) -> String {
    format!("{}rm -f \"$p\" || exit 40", set('p', file))
}

pub(super) fn make_directory(place: &Place, mode: Option<u32>) -> String {
    let mode = mode.map_or_else(String::new, |mode| format!("-m {:o} ", mode & 0o7777));
    format!(
        "{}if [ -d \"$p\" ]; then :; elif [ -e \"$p\" ]; then exit 44; else mkdir -p {mode}\"$p\" || exit 40; fi",
        path(place)
    )
}

/// Where the links at the end lead, and what is there, a zero byte behind each.
pub(super) fn target(place: &Place) -> String {
    format!(
        "{}{FAIL}{STAT_FORM}{STAT}n=0; while [ -h \"$p\" ]; do n=$((n+1)); [ $n -gt {MAX_LINKS} ] && exit 49; \
         l=$(readlink \"$p\" && printf x) || exit 40; l=${{l%?x}}; \
         case $l in /*) p=$l;; *) p=${{p%/*}}/$l;; esac; done; d=${{p%/*}}; \
         [ -d \"${{d:-/}}\" ] || f \"${{d:-/}}/.\"; \
         printf '%s\\000' \"$p\"; if [ -e \"$p\" ]; then s \"$p\" || exit 40; fi; printf '\\000'",
        path(place)
    )
}

/// Makes a file, or takes one that is there, and says its length. Then reads where to go on, cuts
/// off what is behind that, and takes the input. Says `+` when it has taken all of it.
pub(super) fn begin(first: &Path, is_partial: bool) -> String {
    let make = if is_partial {
        "[ -h \"$t\" ] && exit 45; if [ -e \"$t\" ]; then [ -d \"$t\" ] && exit 43; \
         [ -f \"$t\" ] || exit 45; true >>\"$t\" || exit 40; else (umask 077; true >>\"$t\") || exit 40; fi; "
    } else {
        // With -C what is there already is left alone.
        "(umask 077; set -C; true >\"$t\") || exit 40; "
    };
    format!(
        "{}{make}n=$(wc -c <\"$t\") || exit 40; printf '%d\\000' \"$n\"; read -r k || exit 41; \
         [ \"$k\" -eq \"$n\" ] || dd if=/dev/null of=\"$t\" bs=1 count=0 seek=\"$k\" 2>/dev/null || exit 40; \
         cat >>\"$t\" || exit 40; printf +",
        set('t', first)
    )
}

/// How a file gets its name.
pub(super) struct Finish<'a> {
    pub(super) first: &'a Path,
    pub(super) target: &'a Path,
    pub(super) length: u64,
    pub(super) mode: u32,
    /// The mode where the owner cannot be kept.
    pub(super) bare_mode: u32,
    pub(super) owner: Option<Owner>,
    pub(super) only_new: bool,
}

/// Says 1 where the owner was kept, else 0, and what the file is then.
pub(super) fn finish(finish: &Finish<'_>) -> String {
    let give = finish.owner.map_or_else(String::new, |owner| {
        let Owner { uid, gid } = owner;
        format!("chown {uid}:{gid} \"$t\" 2>/dev/null || {{ k=0; m={:o}; chgrp {gid} \"$t\" 2>/dev/null; }}; ", finish.bare_mode)
    });
    let place = if finish.only_new {
        "{ [ -e \"$p\" ] || [ -h \"$p\" ]; } && exit 46; ln \"$t\" \"$p\" || { [ -e \"$p\" ] && exit 46; exit 40; }; rm -f \"$t\"; "
    } else {
        "[ -d \"$p\" ] && exit 43; mv -f \"$t\" \"$p\" || exit 40; "
    };
    format!(
        "{}{}{STAT_FORM}{STAT}n=$(wc -c <\"$t\") || exit 40; [ \"$n\" -eq {} ] || exit 41; k=1; m={:o}; {give}\
         chmod \"$m\" \"$t\" || exit 40; dd if=/dev/null of=\"$t\" conv=notrunc,fsync 2>/dev/null; \
         {place}printf '%s\\000' \"$k\"; s \"$p\" || exit 40",
        set('t', finish.first),
        set('p', finish.target),
        finish.length,
        finish.mode,
    )
}

/// Gives `first` the name `target`, whatever has it now.
pub(super) fn replace(first: &Path, target: &Path) -> String {
    format!(
        "{}{}[ -d \"$p\" ] && exit 43; mv -f \"$t\" \"$p\" || exit 40",
        set('t', first),
        set('p', target)
    )
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::process::Command;

    use super::*;

    #[test]
    fn every_byte_of_a_path_arrives_in_every_shell() {
        let bytes: Vec<u8> = (1..=255).chain(*b"\n\n").collect();
        let path = Path::new(OsStr::from_bytes(&bytes));
        let text = format!("LC_ALL=C; {}printf %s \"$p\"", set('p', path));
        assert!(!text.contains('\n'));
        for shell in ["sh", "bash", "dash", "busybox sh"] {
            let mut words = shell.split(' ');
            let program = words.next().unwrap();
            let Ok(said) = Command::new(program)
                .args(words)
                .args(["-c", &text])
                .output()
            else {
                continue;
            };
            assert_eq!(said.stdout, bytes, "{shell}");
        }
    }
}
