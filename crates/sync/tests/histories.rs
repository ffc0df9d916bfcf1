//! Random histories of two machines and the web: no edit is ever lost.
//!
//! Whatever somebody wrote to a file, on either machine or on the web, is afterwards on a machine,
//! in the server's history, or in a backup, unless the same person wrote over it. Programs end and
//! power goes at random calls, people write between a plan and its apply, the server moves between
//! a plan and its push. At the end both machines are brought together, and have to become the same.

#![expect(
    clippy::print_stdout,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests fail by panicking, as tests do"
)]

#[path = "world/disk.rs"]
mod disk;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;

use disk::{Fault, Faulty};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tempfile::TempDir;
use wharf_sync::apply::{Error, Workplace};
use wharf_sync::plan::{Contents, Options, Plan, Side, plan};
use wharf_sync::profile::{Digest, Entry, Manifest, ProfilePath};
use wharf_sync::select::{Cache, Selection, Source, select};
use world::{files, ground, path, temp};

/// Few, so that they meet; with one that is a file here and a directory there.
const PATHS: [&str; 6] = [
    "CLAUDE.md",
    "agents/a",
    "agents/a/b",
    "agents/c",
    "skills/x/SKILL.md",
    "mcp.json",
];

/// What somebody or something does.
#[derive(Debug, Clone)]
enum Event {
    Edit {
        machine: usize,
        at: usize,
    },
    Delete {
        machine: usize,
        at: usize,
    },
    Mode {
        machine: usize,
        at: usize,
    },
    WebEdit {
        at: usize,
    },
    WebDelete {
        at: usize,
    },
    Sync {
        machine: usize,
        how: How,
        fault: Option<(usize, Fault)>,
        meanwhile: Option<usize>,
    },
    Push {
        machine: usize,
        raced: bool,
        ended: bool,
    },
    Undo {
        machine: usize,
        back: usize,
        force: bool,
    },
}

#[derive(Debug, Clone, Copy)]
enum How {
    Plain,
    Local,
    Remote,
    Force,
}

fn event() -> impl Strategy<Value = Event> {
    let machine = 0..2_usize;
    let at = 0..PATHS.len();
    let how = prop_oneof![
        4 => Just(How::Plain),
        1 => Just(How::Local),
        1 => Just(How::Remote),
        1 => Just(How::Force),
    ];
    let kind = prop_oneof![
        Just(Fault::Once),
        Just(Fault::Before),
        Just(Fault::After),
        Just(Fault::Power),
        Just(Fault::Full)
    ];
    let fault = prop_oneof![2 => Just(None), 1 => (1..60_usize, kind).prop_map(Some)];
    let meanwhile = prop_oneof![4 => Just(None), 1 => (0..PATHS.len()).prop_map(Some)];
    prop_oneof![
        6 => (machine.clone(), at.clone()).prop_map(|(machine, at)| Event::Edit { machine, at }),
        2 => (machine.clone(), at.clone()).prop_map(|(machine, at)| Event::Delete { machine, at }),
        1 => (machine.clone(), at.clone()).prop_map(|(machine, at)| Event::Mode { machine, at }),
        3 => at.clone().prop_map(|at| Event::WebEdit { at }),
        1 => at.prop_map(|at| Event::WebDelete { at }),
        8 => (machine.clone(), how, fault, meanwhile).prop_map(|(machine, how, fault, meanwhile)| {
            Event::Sync { machine, how, fault, meanwhile }
        }),
        5 => (machine.clone(), prop::bool::weighted(0.2), prop::bool::weighted(0.2))
            .prop_map(|(machine, raced, ended)| Event::Push { machine, raced, ended }),
        1 => (machine, 0..3_usize, any::<bool>())
            .prop_map(|(machine, back, force)| Event::Undo { machine, back, force }),
    ]
}

/// The server: every version that ever was, the last one the head.
struct Server {
    history: Vec<Manifest>,
    blobs: Contents,
}

impl Server {
    fn head(&self) -> &Manifest {
        self.history.last().unwrap()
    }

    fn put(&mut self, content: &str) -> Entry {
        let entry = Entry::of(content.as_bytes(), false);
        self.blobs
            .insert(entry.sha256, Arc::from(content.as_bytes()));
        entry
    }

    /// Compare and swap, as `If-Match` does it.
    fn replace(&mut self, seen: usize, tree: Manifest) -> bool {
        let is_head = seen == self.history.len();
        if is_head {
            self.history.push(tree);
        }
        is_head
    }

    fn contents(&self) -> BTreeSet<Digest> {
        let versions = self.history.iter();
        versions
            .flat_map(|version| version.iter().map(|(_, entry)| entry.sha256))
            .collect()
    }
}

struct World {
    temp: TempDir,
    server: Server,
    count: u64,
    /// What nobody may lose: marks of contents that were written, by where they are.
    wanted: BTreeSet<String>,
}

impl World {
    fn new() -> Self {
        let temp = temp();
        for machine in 0..2 {
            fs::create_dir_all(temp.path().join(machine.to_string()).join(".claude")).unwrap();
        }
        Self {
            temp,
            server: Server {
                history: vec![Manifest::default()],
                blobs: Contents::new(),
            },
            count: 0,
            wanted: BTreeSet::new(),
        }
    }

    fn home(&self, machine: usize) -> std::path::PathBuf {
        self.temp.path().join(machine.to_string())
    }

    fn file(&self, machine: usize, at: usize) -> std::path::PathBuf {
        match PATHS[at] {
            "mcp.json" => self.home(machine).join(".claude.json"),
            name => self.home(machine).join(".claude").join(name),
        }
    }

    /// A content that never was before.
    fn content(&mut self, at: usize) -> (String, String) {
        self.count += 1;
        let mark = format!("[[{}]]", self.count);
        let text = match PATHS[at] {
            "mcp.json" => format!("{{\n  \"mcpServers\": {{\n    \"{mark}\": {{}}\n  }}\n}}\n"),
            _ => format!("text {mark}\n"),
        };
        (mark, text)
    }

    /// Somebody writes over a file, so that what it held is theirs to lose.
    fn gives_up(&mut self, file: &std::path::Path) {
        let held = fs::read_to_string(file).unwrap_or_default();
        self.wanted.retain(|mark| !held.contains(mark.as_str()));
    }

    fn edit(&mut self, machine: usize, at: usize) {
        let file = self.file(machine, at);
        if file.is_dir() || fs::create_dir_all(file.parent().unwrap()).is_err() {
            return;
        }
        self.gives_up(&file);
        let (mark, text) = self.content(at);
        fs::write(&file, text).unwrap();
        self.wanted.insert(mark);
    }

    fn delete(&mut self, machine: usize, at: usize) {
        let file = self.file(machine, at);
        if file.is_file() {
            self.gives_up(&file);
            fs::remove_file(&file).unwrap();
        }
    }

    fn mode(&self, machine: usize, at: usize) {
        let file = self.file(machine, at);
        if let Ok(found) = fs::metadata(&file)
            && found.is_file()
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = found.permissions().mode() ^ 0o100;
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        }
    }

    fn web(&mut self, at: usize, edit: bool) {
        let mut tree = self.server.head().clone();
        let name = path(PATHS[at]);
        let entry = edit.then(|| {
            let (mark, text) = self.content(at);
            self.wanted.insert(mark);
            self.server.put(&text)
        });
        tree.set(name, entry);
        // The server refuses a tree that contradicts itself, as it does any other client's.
        if let Ok(tree) = Manifest::from_text(&tree.to_text()) {
            self.server.history.push(tree);
        } else {
            self.wanted.remove(&format!("[[{}]]", self.count));
        }
    }

    fn open(&mut self, machine: usize, disk: Faulty) -> Result<Workplace<Faulty>, Error> {
        self.count += 1;
        Workplace::open_on(ground(&self.home(machine), self.count), disk)
    }

    fn select(&self, machine: usize) -> Selection {
        let ground = ground(&self.home(machine), 0);
        let source = Source {
            root: &ground.root,
            members: &ground.members,
            within: &ground.within,
            now_ns: 0,
        };
        select(source, &mut Cache::default()).unwrap()
    }

    fn plan(&self, place: &Workplace<Faulty>, selection: &Selection, how: How) -> Plan {
        let options = Options {
            prefer: match how {
                How::Local => Some(Side::Local),
                How::Remote => Some(Side::Remote),
                How::Plain | How::Force => None,
            },
            force: matches!(how, How::Force),
            unreadable: selection.unreadable(&place.base().manifest),
            ..Options::default()
        };
        let local = place.base().seen(&selection.manifest);
        plan(&place.base().manifest, &local, self.server.head(), &options)
    }

    fn sync(
        &mut self,
        machine: usize,
        how: How,
        fault: Option<(usize, Fault)>,
        meanwhile: Option<usize>,
    ) -> Option<Plan> {
        let mut place = self.open(machine, Faulty::new(fault)).ok()?;
        let selection = self.select(machine);
        let plan = self.plan(&place, &selection, how);
        let changes = plan.changes(&self.server.blobs).unwrap();
        if let Some(at) = meanwhile {
            self.edit(machine, at);
        }
        let version = self.server.history.len().to_string();
        let next = place.base().next(&version, plan.agreed());
        place.apply(&changes, next, 0).ok()?;
        Some(plan)
    }

    fn push(&mut self, machine: usize, raced: bool, ended: bool) {
        let Ok(mut place) = self.open(machine, Faulty::new(None)) else {
            return;
        };
        let selection = self.select(machine);
        let plan = self.plan(&place, &selection, How::Plain);
        let push = plan.push();
        let Ok(tree) = Manifest::from_text(&push.tree.to_text()) else {
            return;
        };
        let seen = self.server.history.len();
        if raced {
            self.web(0, true);
        }
        if push.is_empty() {
            return;
        }
        for sent in &push.sent {
            if let Some(entry) = sent.entry
                && !self.server.blobs.contains_key(&entry.sha256)
            {
                let content = selection.content(&sent.path).unwrap();
                self.server.blobs.insert(entry.sha256, content.into());
            }
        }
        if self.server.replace(seen, tree) && !ended {
            let agreed = push.agreed(&place.base().manifest);
            let version = self.server.history.len().to_string();
            let next = place.base().next(&version, agreed);
            place.agree(next).unwrap();
        }
    }

    fn undo(&mut self, machine: usize, back: usize, force: bool) {
        let Ok(mut place) = self.open(machine, Faulty::new(None)) else {
            return;
        };
        let operations = place.operations().unwrap();
        if let Some(operation) = operations.get(back) {
            // What stands in the way is told, and nothing is touched then.
            let _ = place.undo(operation.number, force, 0);
        }
    }

    fn step(&mut self, event: &Event) {
        match *event {
            Event::Edit { machine, at } => self.edit(machine, at),
            Event::Delete { machine, at } => self.delete(machine, at),
            Event::Mode { machine, at } => self.mode(machine, at),
            Event::WebEdit { at } => self.web(at, true),
            Event::WebDelete { at } => self.web(at, false),
            Event::Sync {
                machine,
                how,
                fault,
                meanwhile,
            } => {
                drop(self.sync(machine, how, fault, meanwhile));
            }
            Event::Push {
                machine,
                raced,
                ended,
            } => self.push(machine, raced, ended),
            Event::Undo {
                machine,
                back,
                force,
            } => self.undo(machine, back, force),
        }
    }

    /// What is on a machine and was never on the server: edits that nobody may overwrite unasked.
    fn unsent(&self, machine: usize) -> BTreeMap<ProfilePath, Digest> {
        let versions = self.server.contents();
        let selection = self.select(machine);
        let files = selection
            .manifest
            .iter()
            .map(|(path, entry)| (path.clone(), entry.sha256));
        files
            .filter(|(_, digest)| !versions.contains(digest))
            .collect()
    }

    /// The marks that are nowhere.
    fn lost(&self) -> Vec<String> {
        let mut all = String::new();
        for machine in 0..2 {
            all.extend(files(&self.home(machine)).into_iter().map(|(_, text)| text));
        }
        let versions = self.server.contents();
        for (digest, bytes) in &self.server.blobs {
            if versions.contains(digest) {
                all.push_str(&String::from_utf8_lossy(bytes));
            }
        }
        let lost = self
            .wanted
            .iter()
            .filter(|mark| !all.contains(mark.as_str()));
        lost.cloned().collect()
    }

    /// Brings both machines together, and says what they are then.
    fn together(&mut self) -> [BTreeMap<ProfilePath, Entry>; 3] {
        for machine in [0, 1, 0] {
            // What a fault left is completed first, and the way is cleared by force: files that
            // only one side has may still stand where the other has a directory.
            self.sync(machine, How::Remote, None, None).unwrap();
            self.push(machine, false, false);
        }
        let tree = |manifest: &Manifest| manifest.iter().map(|(p, e)| (p.clone(), *e)).collect();
        let head = tree(self.server.head());
        [0, 1]
            .map(|machine| {
                let place = self.open(machine, Faulty::new(None)).unwrap();
                let selection = self.select(machine);
                tree(&place.base().seen(&selection.manifest))
            })
            .into_iter()
            .chain([head])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap()
    }
}

fn history(events: &[Event]) -> Result<(), TestCaseError> {
    let mut world = World::new();
    for (at, event) in events.iter().enumerate() {
        let plain = match event {
            Event::Sync {
                machine,
                how: How::Plain,
                meanwhile: None,
                ..
            } => Some(*machine),
            _ => None,
        };
        let unsent = plain.map(|machine| {
            // What somebody asked for before may still have to be completed.
            drop(world.open(machine, Faulty::new(None)));
            (machine, world.unsent(machine))
        });
        world.step(event);
        if let Some((machine, unsent)) = unsent {
            // A fault may have left an operation that a start with a working disk ends.
            drop(world.open(machine, Faulty::new(None)));
            prop_assert_eq!(
                unsent,
                world.unsent(machine),
                "overwritten at step {}: {:?}",
                at,
                event
            );
        }
        let lost = world.lost();
        prop_assert!(lost.is_empty(), "{lost:?} lost at step {at}: {event:?}");
    }
    let [first, second, head] = world.together();
    let clashes = |tree: &BTreeMap<ProfilePath, Entry>| {
        tree.contains_key(&path("agents/a")) || tree.contains_key(&path("agents/a/b"))
    };
    // A file on one side and a directory on the other is for a person to solve.
    if !clashes(&first) && !clashes(&second) && !clashes(&head) {
        prop_assert_eq!(&first, &head);
        prop_assert_eq!(&second, &head);
    }
    let lost = world.lost();
    prop_assert!(
        lost.is_empty(),
        "{lost:?} lost while both were brought together"
    );
    Ok(())
}

/// `WHARF_FAULT_ROUNDS` histories from `WHARF_FAULT_SEED`.
fn histories(rounds: u32) {
    let given = |name: &str| option_env_value(name);
    let rounds = given("WHARF_FAULT_ROUNDS").map_or(rounds, |value| value.parse().unwrap());
    let seed = given("WHARF_FAULT_SEED").map_or(7, |value| value.parse::<u64>().unwrap());
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        cases: rounds,
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let events = prop::collection::vec(event(), 5..40);
    let result = runner.run(&events, |events| history(&events));
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
    println!("{rounds} histories from seed {seed}: nothing lost");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the number of rounds is given to tests by the environment"
)]
fn option_env_value(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

#[test]
fn no_edit_is_lost() {
    histories(300);
}

#[test]
#[ignore = "minutes; run before a release"]
fn no_edit_is_lost_in_ten_thousand_histories() {
    histories(10_000);
}
