//! A person's machine: a home directory that is synced.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use wharf_sync::apply::{Change, Ground, MemberPlace, To, Workplace};
use wharf_sync::profile::{Manifest, ProfilePath};
use wharf_sync::select::{Cache, Source, select};
use wharf_sync::targets::{Existing, Files, Target, render};

/// What the platform has.
pub(crate) struct Platform {
    files: BTreeMap<ProfilePath, (Arc<[u8]>, bool)>,
}

pub(crate) struct Machine {
    home: TempDir,
}

impl Machine {
    pub(crate) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("wharf-test-").tempdir();
        Self {
            home: home.unwrap(),
        }
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// A file of the home.
    pub(crate) fn read(&self, name: &str) -> String {
        let path = self.home().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Sends what is here.
    pub(crate) fn push(&self) -> Platform {
        let ground = self.ground(".claude");
        let source = Source {
            root: &ground.root,
            members: &ground.members,
            within: &ground.within,
            now_ns: 0,
        };
        let here = select(source, &mut Cache::default()).unwrap();
        let files = here.manifest.iter().map(|(path, entry)| {
            let content = here.content(path).unwrap();
            (path.clone(), (Arc::from(content), entry.executable))
        });
        Platform {
            files: files.collect(),
        }
    }

    /// Brings it here for Claude Code.
    pub(crate) fn sync(&self, platform: &Platform) {
        self.apply(".claude", platform);
    }

    /// Brings it here for OpenCode; what of it is lost.
    pub(crate) fn sync_opencode(&self, platform: &Platform) -> Vec<String> {
        let files = platform.files.iter();
        let profile: Files = files
            .map(|(path, (bytes, _))| (path.clone(), Arc::clone(bytes)))
            .collect();
        let beside = self.home().join(".config/opencode/opencode.jsonc");
        let existing = Existing {
            beside: fs::read_to_string(beside).ok(),
            claude_too: self.home().join(".claude").exists(),
            ..Existing::default()
        };
        let rendered = render(Target::OpenCode, &profile, &existing).unwrap();
        let files = rendered.files.into_iter().map(|(path, bytes)| {
            let executable = platform
                .files
                .get(&path)
                .is_some_and(|(_, executable)| *executable);
            (path, (bytes, executable))
        });
        let platform = Platform {
            files: files.collect(),
        };
        self.apply(".config/opencode", &platform);
        let lost = rendered.lost.iter();
        lost.map(|lost| format!("{}: {}", lost.path, lost.what))
            .collect()
    }

    fn apply(&self, root: &str, platform: &Platform) {
        let change = |(path, (bytes, executable)): (&ProfilePath, &(Arc<[u8]>, bool))| Change {
            path: path.clone(),
            expect: None,
            to: To::Content {
                bytes: Arc::clone(bytes),
                executable: *executable,
                mode: None,
            },
        };
        let changes: Vec<Change> = platform.files.iter().map(change).collect();
        let mut place = Workplace::open(self.ground(root)).unwrap();
        let next = place.base().next("v1", Manifest::default());
        place.apply(&changes, next, 0).unwrap();
    }

    fn ground(&self, root: &str) -> Ground {
        let home = self.home().to_owned();
        let servers = MemberPlace {
            path: ProfilePath::parse("mcp.json").unwrap(),
            file: home.join(".claude.json"),
            member: "mcpServers".to_owned(),
        };
        let state: PathBuf = home.join("state").join(root);
        fs::create_dir_all(&state).unwrap();
        Ground {
            root: home.join(root),
            lock: state.join("lock"),
            state,
            within: vec![home],
            members: vec![servers],
            nonce: 4,
        }
    }
}
