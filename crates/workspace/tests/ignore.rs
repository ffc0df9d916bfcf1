//! Which files belong to a workspace, beside git's own answer over random trees.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "what a test needs and does not get fails the test; tests are at the edge, where the \
              environment is read"
)]

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use wharf_workspace::manifest::What;
use wharf_workspace::scan::{Cache, scan};
use wharf_workspace::state::Shelf;
use wharf_workspace::walk::{GitForm, Walk};

/// Trees that are tried. More: `WHARF_TREES=5000`.
const TREES: u64 = 60;

/// Small numbers that look random: the same for the same seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).unwrap()
    }

    fn of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }
}

const NAMES: [&str; 16] = [
    "a", "b", "ab", "abc", "a.o", "b.o", "x y", "#h", "!n", "build", "target", "a b ", "[x]",
    "foo.txt", "Foo.TXT", "*",
];

fn pattern(random: &mut Random) -> String {
    let mut text = String::new();
    if random.below(4) == 0 {
        text.push('!');
    }
    if random.below(4) == 0 {
        text.push('/');
    }
    let parts = 1 + random.below(3);
    for at in 0..parts {
        if at > 0 {
            text.push('/');
        }
        text.push_str(match random.below(4) {
            0 => random.of(&NAMES),
            1 => random.of(&[
                "*", "**", "***", "?", "a*", "*b", "*.o", "*.txt", "?b*", "a**", "**b",
            ]),
            2 => random.of(&[
                "[ab]",
                "[a-c]*",
                "[!a]",
                "[^a]b",
                "[]x]",
                "[[:alpha:]]",
                "[[:upper:]]oo*",
                "[a",
                "\\[x\\]",
                "\\*",
                "\\a",
                "\\#h",
                "\\!n",
                "a\\ b\\ ",
                "x\\ y",
                "[a\\]]",
                "[--0]",
            ]),
            _ => random.of(&["a", "b", "build", "target", "ab"]),
        });
    }
    if random.below(4) == 0 {
        text.push('/');
    }
    text.push_str(random.of(&["", "", "", "", " ", "  ", "\r", "\\ ", "\t", "\\"]));
    text
}

fn list(random: &mut Random) -> String {
    let mut text = random
        .of(&["", "", "", "\u{feff}", "# words\n", "\n"])
        .to_owned();
    for _ in 0..=random.below(5) {
        text.push_str(&pattern(random));
        text.push('\n');
    }
    if random.below(3) == 0 {
        text.pop();
    }
    text
}

fn tree(random: &mut Random, at: &Path, depth: usize) {
    for _ in 0..=random.below(5) {
        let path = at.join(random.of(&NAMES));
        if path.symlink_metadata().is_ok() {
            continue;
        }
        match random.below(if depth == 0 { 3 } else { 6 }) {
            0 => std::os::unix::fs::symlink("a", &path).unwrap(),
            1 | 2 => fs::write(&path, "").unwrap(),
            _ => {
                fs::create_dir(&path).unwrap();
                tree(random, &path, depth - 1);
            }
        }
    }
    if random.below(3) == 0 {
        fs::write(at.join(".gitignore"), list(random)).unwrap();
    }
}

fn git(at: &Path, home: &Path, arguments: &[&str]) -> Vec<u8> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(at)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", home)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "git {arguments:?}");
    output.stdout
}

fn ours(root: &Path, home: &Path) -> BTreeSet<Vec<u8>> {
    let excludes = home.join(".config/git/ignore");
    let asked = Walk {
        root,
        state: &home.join("state"),
        excludes: Some(&excludes),
        git: GitForm::Leave,
        threads: 2,
    };
    let mut cache = Cache::load(&Shelf::at(home.to_owned()));
    let scanned = scan(&asked, &mut cache, 0).unwrap();
    let entries = scanned.manifest.entries().iter();
    let files = entries.filter(|entry| entry.what != What::Dir);
    files.map(|entry| entry.path.as_bytes().to_vec()).collect()
}

fn gits(root: &Path, home: &Path) -> BTreeSet<Vec<u8>> {
    let out = git(
        root,
        home,
        &["ls-files", "-c", "-o", "--exclude-standard", "-z"],
    );
    let paths = out.split(|byte| *byte == 0).filter(|path| !path.is_empty());
    let there = paths.filter(|path| {
        let found = root.join(OsStr::from_bytes(path)).symlink_metadata();
        found.is_ok_and(|found| !found.is_dir())
    });
    there.map(<[u8]>::to_vec).collect()
}

#[test]
fn the_files_are_those_that_git_lists() {
    let trees = std::env::var("WHARF_TREES").map_or(TREES, |text| text.parse().unwrap());
    let mut count = 0;
    for seed in 1..=trees {
        let temp = tempfile::tempdir().unwrap();
        let (home, top) = (temp.path().join("home"), temp.path().join("top"));
        fs::create_dir_all(home.join(".config/git")).unwrap();
        fs::create_dir(&top).unwrap();
        let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        git(
            &top,
            &home,
            &["-c", "init.defaultBranch=main", "init", "-q"],
        );
        tree(&mut random, &top, 3);
        if random.below(3) == 0 {
            fs::write(top.join(".git/info/exclude"), list(&mut random)).unwrap();
        }
        if random.below(3) == 0 {
            fs::write(home.join(".config/git/ignore"), list(&mut random)).unwrap();
        }
        // Some are tracked, whatever the rules say.
        if random.below(2) == 0 {
            let all = git(&top, &home, &["ls-files", "-o", "-z"]);
            let version = random.of(&["2", "4"]);
            for path in all.split(|byte| *byte == 0).filter(|path| !path.is_empty()) {
                if random.below(3) == 0 {
                    let path = format!(":(literal){}", std::str::from_utf8(path).unwrap());
                    let option = format!("index.version={version}");
                    git(&top, &home, &["-c", &option, "add", "-f", "--", &path]);
                }
            }
        }
        let mut roots = vec![top.clone()];
        let below = fs::read_dir(&top).unwrap().map(|entry| entry.unwrap());
        let dirs = below.filter(|entry| entry.file_type().unwrap().is_dir());
        roots.extend(
            dirs.map(|entry| entry.path())
                .filter(|path| !path.ends_with(".git"))
                .take(1),
        );
        for root in roots {
            // Git looks at nothing in a directory that it leaves out, and we were asked for it.
            if root != top && is_left_out(&top, &home, &root) {
                continue;
            }
            let (ours, gits) = (ours(&root, &home), gits(&root, &home));
            let show = |a: &BTreeSet<Vec<u8>>, b: &BTreeSet<Vec<u8>>| -> Vec<String> {
                a.difference(b)
                    .map(|path| String::from_utf8_lossy(path).into_owned())
                    .collect()
            };
            if ours != gits {
                let kept = temp.keep();
                panic!(
                    "seed {seed}, {}: ours alone {:?}, git's alone {:?} (kept in {})",
                    root.display(),
                    show(&ours, &gits),
                    show(&gits, &ours),
                    kept.display()
                );
            }
            count += gits.len();
        }
    }
    assert!(
        count > 500,
        "the trees are too small to say anything: {count}"
    );
}

fn is_left_out(top: &Path, home: &Path, root: &Path) -> bool {
    let status = Command::new("git")
        .args(["check-ignore", "-q", "--no-index", "--"])
        .arg(root)
        .current_dir(top)
        .env("HOME", home)
        .status();
    status.unwrap().success()
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn our_own_file_is_above_all_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let (home, top) = (temp.path().join("home"), temp.path().join("top"));
    fs::create_dir(&home).unwrap();
    write(&top.join(".gitignore"), "*.log\n/secret\n");
    write(&top.join(".wharfignore"), "!keep.log\n/big/\ntracked\n");
    for name in [
        "keep.log",
        "other.log",
        "big/x",
        "tracked",
        "sub/keep.log",
        "plain",
    ] {
        write(&top.join(name), "");
    }
    write(&top.join("sub/.wharfignore"), "keep.log\n");
    git(&top, &home, &["init", "-q"]);
    git(&top, &home, &["add", "-f", "tracked"]);
    let expected = [
        ".gitignore",
        ".wharfignore",
        "keep.log",
        "plain",
        "sub/.wharfignore",
    ];
    let expected: BTreeSet<Vec<u8>> = expected
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    assert_eq!(ours(&top, &home), expected);
}

#[test]
fn a_repository_inside_begins_anew_and_a_pointer_is_followed() {
    let temp = tempfile::tempdir().unwrap();
    let (home, top) = (temp.path().join("home"), temp.path().join("top"));
    fs::create_dir(&home).unwrap();
    write(&top.join(".gitignore"), "*.log\n");
    write(&top.join("inner/a.log"), "");
    write(&top.join("inner/b.txt"), "");
    write(&top.join("module/c.txt"), "");
    write(&top.join("module/d.txt"), "");
    git(&top, &home, &["init", "-q"]);
    git(&top.join("inner"), &home, &["init", "-q"]);
    write(&top.join("inner/.git/info/exclude"), "b.txt\n");
    // A work tree whose repository is elsewhere.
    git(
        &top.join("module"),
        &home,
        &["init", "-q", "--separate-git-dir", "../../module.git"],
    );
    write(&temp.path().join("module.git/info/exclude"), "c.txt\n");
    let expected = [".gitignore", "inner/a.log", "module/d.txt"];
    let expected: BTreeSet<Vec<u8>> = expected
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    assert_eq!(ours(&top, &home), expected);
    assert_eq!(
        ours(&top.join("inner"), &home),
        BTreeSet::from([b"a.log".to_vec()])
    );
}
