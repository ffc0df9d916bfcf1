//! What this system says of a program without running it: the NAME of its manual page, or the
//! description of the package that brought it.
//!
//! Both are files that `whatis` and `dpkg -S` read as well. Those are not run: not every system has
//! them, and a process would cost more than the files.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use flate2::read::GzDecoder;
use wharf_engine::knowledge::{Manual, Said};

/// Where pages are, the administrator's before the system's.
const PAGES: &[&str] = &["/usr/local/share/man", "/usr/share/man"];
/// Where Debian's package manager keeps what it installed.
const DPKG: &str = "/var/lib/dpkg";
/// The sections that speak of programs, most used first.
const SECTIONS: &[&str] = &["1", "8", "6"];
/// Where a package's programs are.
const PROGRAMS: &[&str] = &["/bin/", "/sbin/", "/usr/bin/", "/usr/sbin/", "/usr/games/"];

/// Bytes at the beginning of a page that are read, unpacked; the NAME stands at the top.
const PAGE_BYTES: u64 = 16 * 1024;
/// Pages that only name another page are followed so often.
const MAX_LINKS: usize = 2;
/// Entries of the directory of lists that are looked at; a package has about four.
const MAX_LISTS: usize = 80_000;
/// Bytes of one such list, and of what is known about all packages.
const LIST_BYTES: u64 = 8 * 1024 * 1024;
const STATUS_BYTES: u64 = 64 * 1024 * 1024;

/// The manual pages and packages of a system.
#[derive(Debug)]
pub(crate) struct Pages {
    pages: Vec<PathBuf>,
    dpkg: PathBuf,
    owners: Mutex<Owners>,
}

/// Which package brought which program, as of a change to the lists.
#[derive(Debug, Default)]
struct Owners {
    changed: Option<SystemTime>,
    of: HashMap<String, String>,
}

impl Pages {
    /// Those of this system.
    pub(crate) fn of_this_system() -> Self {
        Self {
            pages: PAGES.iter().map(PathBuf::from).collect(),
            dpkg: PathBuf::from(DPKG),
            owners: Mutex::default(),
        }
    }

    fn in_page(&self, program: &str) -> Option<String> {
        let pages = self.pages.iter();
        let mut names = pages.flat_map(|pages| {
            let name = |section: &&str| pages.join(format!("man{section}/{program}.{section}"));
            SECTIONS.iter().map(name).collect::<Vec<_>>()
        });
        names.find_map(|page| name_in(&page, MAX_LINKS))
    }

    fn in_package(&self, program: &str) -> Option<String> {
        let lists = self.dpkg.join("info");
        let changed = fs::metadata(&lists).ok()?.modified().ok();
        let package = {
            let mut owners = self.owners.lock().unwrap_or_else(PoisonError::into_inner);
            if owners.changed != changed {
                owners.of = owners_in(&lists);
                owners.changed = changed;
            }
            owners.of.get(program)?.clone()
        };
        described(&self.dpkg.join("status"), &package)
    }
}

impl Manual for Pages {
    fn look_up(&self, program: &str) -> Option<Said> {
        let page = self.in_page(program).map(|text| Said {
            text,
            source: "manual",
        });
        page.or_else(|| {
            let text = self.in_package(program)?;
            let source = "package";
            Some(Said { text, source })
        })
    }
}

/// What a page says of itself behind its name, packed or not.
fn name_in(page: &Path, links: usize) -> Option<String> {
    let mut packed = page.as_os_str().to_owned();
    packed.push(".gz");
    let text = match File::open(page) {
        Ok(file) => beginning(file),
        Err(_) => beginning(GzDecoder::new(File::open(packed).ok()?)),
    };
    let link = text.lines().find(|line| !line.starts_with(".\\\""))?;
    if let Some(other) = link.strip_prefix(".so ") {
        let links = links.checked_sub(1)?;
        let other = other.trim();
        let inside = !other.starts_with('/') && !other.split('/').any(|part| part == "..");
        let root = page.parent()?.parent()?;
        return inside.then(|| name_in(&root.join(other), links)).flatten();
    }
    sentence(&text)
}

fn beginning(from: impl Read) -> String {
    let mut bytes = Vec::new();
    // What was read before a fault is as good as a page that ends there.
    let _cut = from.take(PAGE_BYTES).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The description in a page's NAME: `name \- what it is` of man, `.Nd what it is` of mdoc.
fn sentence(page: &str) -> Option<String> {
    let heading = |line: &str| {
        let words = line
            .strip_prefix(".SH")
            .or_else(|| line.strip_prefix(".Sh"));
        words.is_some_and(|words| words.trim().trim_matches('"').eq_ignore_ascii_case("name"))
    };
    let mut lines = page.lines().skip_while(|line| !heading(line)).skip(1);
    let mut said = String::new();
    for line in lines.by_ref() {
        if let Some(text) = line.strip_prefix(".Nd") {
            return Some(plain(text));
        }
        if line.starts_with(".S") {
            break;
        }
        // A request of the formatter may have words behind it: `.B name`.
        let words = match line.strip_prefix('.') {
            Some(request) => request.split_once(' ').map_or("", |(_, words)| words),
            None => line,
        };
        said.push_str(words);
        said.push(' ');
    }
    let said = plain(&said);
    let (_, text) = said
        .split_once(" - ")
        .or_else(|| said.split_once(" \u{2014} "))?;
    Some(text.trim().to_owned())
}

/// Without the formatter's escapes.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            plain.push(letter);
            continue;
        }
        match letters.next() {
            // `\-` is a minus, `\fB` a font, `\(em` a dash, `\&` nothing.
            Some('-') => plain.push('-'),
            Some('e') => plain.push('\\'),
            Some('f') => drop(letters.next()),
            Some('(') => match (letters.next(), letters.next()) {
                (Some('e'), Some('m')) => plain.push('\u{2014}'),
                (Some('e'), Some('n')) => plain.push('-'),
                (Some('a' | 'c'), Some('q')) => plain.push('\''),
                _ => {}
            },
            Some(' ') => plain.push(' '),
            _ => {}
        }
    }
    plain.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The programs that packages brought, by name.
fn owners_in(lists: &Path) -> HashMap<String, String> {
    let mut owners = HashMap::new();
    let Ok(listed) = fs::read_dir(lists) else {
        return owners;
    };
    for entry in listed.take(MAX_LISTS).flatten() {
        let name = entry.file_name();
        let Some(package) = name.to_str().and_then(|name| name.strip_suffix(".list")) else {
            continue;
        };
        // `package:architecture` where several may be installed.
        let package = package.split(':').next().unwrap_or(package);
        let Ok(file) = File::open(entry.path()) else {
            continue;
        };
        let lines = BufReader::new(file.take(LIST_BYTES)).lines();
        for path in lines.map_while(Result::ok) {
            let mut places = PROGRAMS.iter();
            let name = places.find_map(|place| path.strip_prefix(place));
            if let Some(name) = name.filter(|name| !name.contains('/')) {
                owners.insert(name.to_owned(), package.to_owned());
            }
        }
    }
    owners
}

/// The first line of a package's description.
fn described(status: &Path, package: &str) -> Option<String> {
    let lines = BufReader::new(File::open(status).ok()?.take(STATUS_BYTES)).lines();
    let mut here = false;
    for line in lines.map_while(Result::ok) {
        if let Some(name) = line.strip_prefix("Package: ") {
            here = name == package;
        } else if let Some(text) = line.strip_prefix("Description: ").filter(|_| here) {
            return Some(format!("{text} (package {package})"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn a_page_says_what_its_program_is() {
        for (page, said) in [
            (
                ".\\\" a comment\n.TH FROB 1\n.SH NAME\nfrob \\- turn a \\fBfrob\\fR around\n.SH SYNOPSIS\n",
                Some("turn a frob around"),
            ),
            (
                ".SH \"NAME\"\n.B frob\n\\(em turns frobs\n.SH X\n",
                Some("turns frobs"),
            ),
            (
                ".Dd x\n.Sh NAME\n.Nm frob\n.Nd turn a frob\n",
                Some("turn a frob"),
            ),
            (
                ".SH NAME\nfrob, unfrob \\- both ways\nand back\n",
                Some("both ways and back"),
            ),
            (".SH SYNOPSIS\nfrob \\- no name\n", None),
            ("", None),
        ] {
            assert_eq!(sentence(page).as_deref(), said, "{page}");
        }
    }

    #[test]
    fn pages_and_packages_are_looked_up_without_running_anything() {
        let root = tempfile::tempdir().unwrap();
        let man = root.path().join("man/man1");
        let info = root.path().join("dpkg/info");
        fs::create_dir_all(&man).unwrap();
        fs::create_dir_all(&info).unwrap();
        let packed = File::create(man.join("frob.1.gz")).unwrap();
        let mut packed = flate2::write::GzEncoder::new(packed, flate2::Compression::fast());
        packed.write_all(b".SH NAME\nfrob \\- turn\n").unwrap();
        packed.finish().unwrap();
        fs::write(man.join("unfrob.1"), ".so man1/frob.1\n").unwrap();
        fs::write(man.join("out.1"), ".so ../../../etc/passwd\n").unwrap();
        fs::write(man.join("round.1"), ".so man1/round.1\n").unwrap();
        fs::write(
            info.join("tools:amd64.list"),
            "/.\n/usr/bin/tool\n/usr/bin/x/y\n",
        )
        .unwrap();
        let status = "Package: other\nDescription: no\n\nPackage: tools\nVersion: 1\nDescription: handy tools\n long\n";
        fs::write(root.path().join("dpkg/status"), status).unwrap();
        let system = Pages {
            pages: vec![root.path().join("man")],
            dpkg: root.path().join("dpkg"),
            owners: Mutex::default(),
        };
        let said = |name: &str| system.look_up(name).map(|said| (said.text, said.source));
        assert_eq!(said("frob"), Some(("turn".to_owned(), "manual")));
        assert_eq!(said("unfrob"), Some(("turn".to_owned(), "manual")));
        let package = "handy tools (package tools)".to_owned();
        assert_eq!(said("tool"), Some((package, "package")));
        for nothing in ["out", "round", "y", "x", "missing"] {
            assert_eq!(said(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn no_more_of_a_page_is_read_than_the_bound() {
        let end = usize::try_from(PAGE_BYTES).unwrap();
        let long = "x".repeat(end + 1);
        assert_eq!(beginning(long.as_bytes()).len(), end);
    }
}
