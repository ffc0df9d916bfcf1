use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use super::*;

struct Home {
    temp: tempfile::TempDir,
    members: Vec<MemberPlace>,
}

impl Home {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join(".claude")).unwrap();
        let members = vec![MemberPlace {
            path: path("mcp.json"),
            file: temp.path().join(".claude.json"),
            member: "mcpServers".into(),
        }];
        Self { temp, members }
    }

    fn root(&self) -> PathBuf {
        self.temp.path().join(".claude")
    }

    fn put(&self, name: &str, text: &str) {
        let file = self.root().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    fn select(&self, cache: &mut Cache, now_ns: i128) -> Selection {
        let within = [self.temp.path().to_owned()];
        let source = Source {
            root: &self.root(),
            members: &self.members,
            within: &within,
            now_ns,
        };
        select(source, cache).unwrap()
    }
}

fn path(text: &str) -> ProfilePath {
    ProfilePath::parse(text).unwrap()
}

fn selected(selection: &Selection) -> Vec<&str> {
    selection
        .manifest
        .iter()
        .map(|(path, _)| path.as_str())
        .collect()
}

fn left_out(selection: &Selection) -> Vec<(&str, Why)> {
    let left = selection.left_out.iter();
    left.map(|left| (left.path.as_str(), left.why)).collect()
}

#[test]
fn the_profile_of_a_home_that_was_used() {
    let home = Home::new();
    for name in [
        "CLAUDE.md",
        "settings.json",
        "settings.local.json",
        ".credentials.json",
        "history.jsonl",
        "projects/-home-ada/1.jsonl",
        "todos/1.json",
        "agents/reviewer.md",
        "commands/git/push.md",
        "commands/git/push.md~",
        "skills/deploy/SKILL.md",
        "skills/deploy/.env",
        "skills/deploy/node_modules/x.js",
        "skills/deploy/.git/config",
        "hooks/run.log",
        "notes.txt",
        "mcp.json",
    ] {
        home.put(name, name);
    }
    let run = home.root().join("hooks/run.sh");
    fs::write(&run, "#!").unwrap();
    fs::set_permissions(&run, fs::Permissions::from_mode(0o755)).unwrap();
    let state = "{\"oauthAccount\": 1, \"mcpServers\": {\"a\": {\"command\": \"x\"}}}";
    fs::write(home.temp.path().join(".claude.json"), state).unwrap();

    let selection = home.select(&mut Cache::default(), 0);
    assert_eq!(
        selected(&selection),
        [
            "CLAUDE.md",
            "agents/reviewer.md",
            "commands/git/push.md",
            "hooks/run.sh",
            "mcp.json",
            "settings.json",
            "skills/deploy/SKILL.md",
        ]
    );
    assert!(
        selection
            .manifest
            .get(&path("hooks/run.sh"))
            .unwrap()
            .executable
    );
    let servers = selection.content(&path("mcp.json")).unwrap();
    let servers = String::from_utf8(servers).unwrap();
    assert!(
        servers.contains("\"command\": \"x\"") && !servers.contains("oauth"),
        "{servers}"
    );
    assert_eq!(
        left_out(&selection),
        [
            (".credentials.json", Why::Credentials),
            ("commands/git/push.md~", Why::Editor),
            ("history.jsonl", Why::History),
            ("hooks/run.log", Why::Log),
            ("mcp.json", Why::Foreign),
            ("notes.txt", Why::Foreign),
            ("projects", Why::History),
            ("settings.local.json", Why::ThisMachine),
            ("skills/deploy/.env", Why::Credentials),
            ("skills/deploy/.git", Why::Repository),
            ("skills/deploy/node_modules", Why::Installed),
            ("todos", Why::History),
        ]
    );
    assert!(selection.unreadable.is_empty());
    assert!(!selection.ignores_case);
}

#[test]
fn what_a_profile_can_meet_on_a_disk() {
    let home = Home::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("passwd"), "").unwrap();
    home.put("agents/real.md", "real");
    let root = home.root();
    let link = |to: &Path, name: &str| symlink(to, root.join(name)).unwrap();
    fs::create_dir_all(home.temp.path().join("dotfiles/skills/x")).unwrap();
    fs::write(home.temp.path().join("dotfiles/skills/x/SKILL.md"), "x").unwrap();
    fs::create_dir(home.temp.path().join(".ssh")).unwrap();
    fs::write(home.temp.path().join(".ssh/id"), "").unwrap();
    link(Path::new("../dotfiles/skills"), "skills");
    link(Path::new("real.md"), "agents/alias.md");
    link(Path::new("loop"), "agents/loop");
    link(Path::new("../agents"), "agents/up");
    link(Path::new("absent"), "agents/nothing");
    link(&outside.path().join("passwd"), "agents/passwd");
    link(Path::new("../../.ssh/id"), "agents/key");
    let pipe = root.join("agents/pipe");
    let mode = rustix::fs::Mode::RUSR;
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(root.join("agents/socket")).unwrap();
    let name = std::ffi::OsStr::from_bytes(b"\xff.md");
    fs::write(root.join("agents").join(name), "").unwrap();
    home.put("agents/e\u{301}.md", "");
    let large = fs::File::create(root.join("agents/large.md")).unwrap();
    large.set_len(crate::profile::FILE_BYTES_MAX + 1).unwrap();

    let selection = home.select(&mut Cache::default(), 0);
    assert_eq!(
        selected(&selection),
        ["agents/alias.md", "agents/real.md", "skills/x/SKILL.md"]
    );
    assert_eq!(
        left_out(&selection),
        [
            ("agents/e\u{301}.md", Why::Name(Reason::NotComposed)),
            ("agents/key", Why::Credentials),
            ("agents/large.md", Why::TooLarge),
            ("agents/loop", Why::Circle),
            ("agents/nothing", Why::Dangling),
            ("agents/passwd", Why::Outside),
            ("agents/pipe", Why::NotAFile),
            ("agents/socket", Why::NotAFile),
            ("agents/up", Why::Circle),
            ("agents/\u{fffd}.md", Why::Name(Reason::NotUtf8)),
        ]
    );
    assert!(selection.unreadable.contains("agents/pipe"));
    // It can be made through the link, unless it was there: then nobody knows whether it is gone.
    let unreadable = selection.unreadable(&Manifest::default());
    assert!(!unreadable.contains("agents/nothing"));
    let entry = crate::profile::Entry::of(b"", false);
    let base = Manifest::from_entries([(path("agents/nothing"), entry)]).unwrap();
    assert!(selection.unreadable(&base).contains("agents/nothing"));
}

#[test]
fn files_that_did_not_change_are_not_read() {
    let home = Home::new();
    for n in 0..20 {
        home.put(&format!("agents/{n}.md"), "text");
    }
    let mut cache = Cache::default();
    // Long after the files were written, so that their times can be trusted.
    let later = i128::from(i64::MAX);
    let first = home.select(&mut cache, later);
    assert_eq!(first.read, 20);
    let second = home.select(&mut cache, later);
    assert_eq!((second.read, &second.manifest), (0, &first.manifest));
    // The same size and time, another inode.
    let file = home.root().join("agents/3.md");
    let times = fs::metadata(&file).unwrap().modified().unwrap();
    home.put("agents/new", "TEXT");
    fs::rename(home.root().join("agents/new"), &file).unwrap();
    fs::File::open(&file).unwrap().set_modified(times).unwrap();
    let third = home.select(&mut cache, later);
    assert_eq!(third.read, 1);
    assert_ne!(third.manifest, first.manifest);
    assert!(
        first.content(&path("agents/3.md")).is_err(),
        "it is not what was selected"
    );
}

#[test]
fn a_directory_with_the_name_of_a_file_is_no_part_of_it() {
    let home = Home::new();
    home.put("CLAUDE.md/x", "");
    home.put("agents", "");
    let selection = home.select(&mut Cache::default(), 0);
    assert!(selection.manifest.is_empty());
    let other = [("CLAUDE.md", Why::OtherKind), ("agents", Why::OtherKind)];
    assert_eq!(left_out(&selection), other);
    let unreadable = ["CLAUDE.md", "agents"].map(str::to_owned).into();
    assert_eq!(selection.unreadable, unreadable);
}

#[test]
fn no_directory_is_an_empty_profile_and_a_broken_file_is_told() {
    let home = Home::new();
    fs::remove_dir(home.root()).unwrap();
    assert!(home.select(&mut Cache::default(), 0).manifest.is_empty());
    fs::write(home.temp.path().join(".claude.json"), "{broken").unwrap();
    let selection = home.select(&mut Cache::default(), 0);
    assert_eq!(left_out(&selection), [("mcp.json", Why::NotJson(1))]);
    assert!(selection.unreadable.contains("mcp.json"));
}
