//! Random histories of an organization, a team and a person whose machine sends views: what was
//! changed is what is seen afterwards, and nothing else becomes the person's own.

use std::collections::BTreeMap;

use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Map, Value};
use wharf_profiles::{Condition, Error, Layers, Owner, Sha256, Upload};

use crate::support::{Place, ada, author};
use crate::view::{Files, files_of, layers, org, sent, team, try_put};

const CASES: u32 = 24;
const TEXT: &str = "CLAUDE.md";
/// The last two cannot be beside each other.
const PLAIN: [&str; 4] = [
    "commands/c.md",
    "skills/x/SKILL.md",
    "agents/a",
    "agents/a/b",
];
const JSON: [&str; 2] = ["settings.json", "mcp.JSON"];
const TEXTS: [&str; 9] = [
    "",
    " \n",
    "one\n",
    "one\ntwo",
    "returns\r\nmore\r\n",
    "before\n<!-- wharf:begin org (kept by wharf: 0123456789abcdef) -->\nabout\n<!-- wharf:end -->\nbehind\n",
    "<!-- wharf:begin -->\nonly the begin\n",
    "<!-- wharf:end -->\n",
    "<!-- wharf:begin org -->\nfirst\n<!-- wharf:end -->\n",
];
const KEYS: [&str; 3] = ["a", "b", "c"];

/// What happens.
#[derive(Clone, Debug)]
enum Event {
    /// A layer is written as a whole, by others than the machine: 0 is the organization's.
    Write { layer: usize, edits: Vec<Edit> },
    /// The person's text begins with a copy of the block, for whatever reason.
    CopyBlock,
    /// The machine sends what it got, changed.
    Push(Vec<Edit>),
    /// The machine sends what it got before somebody else wrote.
    Late { layer: usize, edit: Edit },
}

#[derive(Clone, Debug)]
enum Edit {
    Text(usize),
    /// A line at the end of the text.
    Line,
    Plain {
        at: usize,
        content: u8,
        runs: bool,
    },
    Remove(usize),
    /// A member at a path of keys, set or taken away.
    Member {
        at: usize,
        keys: Vec<usize>,
        value: Option<Given>,
    },
    /// Text that is no JSON.
    Broken {
        at: usize,
    },
    Runs {
        at: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum Given {
    Number(u8),
    Object,
    List,
}

fn edit() -> impl Strategy<Value = Edit> {
    let value = prop_oneof![
        3 => (0..3_u8).prop_map(|it| Some(Given::Number(it))),
        1 => Just(Some(Given::Object)),
        1 => Just(Some(Given::List)),
        2 => Just(None),
    ];
    let keys = prop::collection::vec(0..KEYS.len(), 1..4);
    let json = 0..JSON.len();
    let plain = 0..PLAIN.len();
    let all = 0..PLAIN.len() + JSON.len() + 1;
    prop_oneof![
        5 => (0..TEXTS.len()).prop_map(Edit::Text),
        3 => Just(Edit::Line),
        3 => (plain, 0..3_u8, any::<bool>())
            .prop_map(|(at, content, runs)| Edit::Plain { at, content, runs }),
        2 => all.clone().prop_map(Edit::Remove),
        6 => (json.clone(), keys, value)
            .prop_map(|(at, keys, value)| Edit::Member { at, keys, value }),
        1 => json.prop_map(|at| Edit::Broken { at }),
        1 => all.prop_map(|at| Edit::Runs { at }),
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let edits = || prop::collection::vec(edit(), 0..4);
    prop_oneof![
        4 => (0..3_usize, edits()).prop_map(|(layer, edits)| Event::Write { layer, edits }),
        2 => Just(Event::CopyBlock),
        6 => edits().prop_map(Event::Push),
        1 => (0..3_usize, edit()).prop_map(|(layer, edit)| Event::Late { layer, edit }),
    ]
}

#[test]
fn what_is_sent_is_what_is_seen_and_nothing_else_becomes_ones_own() {
    let config = Config {
        cases: number("WHARF_FAULT_ROUNDS", CASES),
        failure_persistence: None,
        ..Config::default()
    };
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&number("WHARF_FAULT_SEED", 7).to_be_bytes());
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let mut runner = TestRunner::new_with_rng(config, random);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let written = |layer| {
        let edits = prop::collection::vec(edit(), 3..9);
        edits.prop_map(move |edits| Event::Write { layer, edits })
    };
    let events = prop::collection::vec(event(), 1..14);
    let histories = (written(0), written(2), events);
    let done = runner.run(&histories, |(first, second, events)| {
        let world = World {
            place: Place::new(),
            others: Layers::new(vec![org(), team(), Owner::user("nobody").unwrap()]).unwrap(),
        };
        runtime.block_on(async {
            for event in [first, second].iter().chain(&events) {
                world.happens(event).await;
            }
        });
        Ok(())
    });
    done.unwrap();
}

struct World {
    place: Place,
    /// The outer layers, around somebody who never saved anything.
    others: Layers,
}

impl World {
    async fn happens(&self, event: &Event) {
        match event {
            Event::Write { layer, edits } => {
                let owner = [org(), team(), ada().clone()][*layer].clone();
                let mut files = self.files(&owner).await;
                // Of the organization's and the team's, none is broken: all of it would be one then.
                let edits = edits.iter().filter(|edit| *layer == 2 || !edit.breaks());
                for edit in edits {
                    edit.apply(&mut files, "");
                }
                self.write(&owner, &files).await;
            }
            Event::CopyBlock => {
                let mut files = self.files(ada()).await;
                let text = self.block().await + "mine\n";
                files.insert(TEXT.to_owned(), (text, false));
                self.write(ada(), &files).await;
            }
            Event::Push(edits) => self.push(edits).await,
            Event::Late { layer, edit } => self.late(*layer, edit).await,
        }
    }

    async fn push(&self, edits: &[Edit]) {
        let (version, seen) = self.seen(layers()).await;
        let given = self.seen(&self.others).await.1;
        let own = self.files(ada()).await;
        let mut files = seen.clone();
        let block = self.block().await;
        for edit in edits {
            edit.apply(&mut files, &block);
        }
        let commit = self.place.profiles.version(ada()).await.unwrap();
        let upload = sent(&files, &seen);
        let put = try_put(&self.place, upload, Condition::Is(&version)).await;
        let put = put.unwrap_or_else(|error| panic!("{error}: {files:?}"));
        assert!(!put.block_ignored, "{files:?}");
        let (now, after) = self.seen(layers()).await;
        assert_eq!(now, put.view.version);
        if files == seen {
            assert_eq!(now, version, "nothing was changed");
            let same = self.place.profiles.version(ada()).await.unwrap();
            assert_eq!(same, commit);
        }
        assert_eq!(forms(&after), forms(&expected(&files, &given, &block)));
        let left = self.files(ada()).await;
        for (path, file) in &left {
            let was = own.get(path);
            assert!(
                was == Some(file) || given.get(path) != Some(file),
                "{path} is as the outer layers have it"
            );
            if let (true, Some(now), Some(sent)) =
                (is_json(path), object(&file.0), object(&files[path].0))
            {
                // What is no object counts alone: one that comes after it is all new, but for what
                // the outer layers say as well.
                let is_alone = was.is_some_and(|was| object(&was.0).is_none());
                let from = if is_alone { &given } else { &seen };
                let seen = from.get(path).and_then(|from| object(&from.0));
                let was = was.and_then(|was| object(&was.0)).unwrap_or_default();
                only_changes(&now, &was, &seen.unwrap_or_default(), &sent);
            }
        }
    }

    async fn late(&self, layer: usize, edit: &Edit) {
        let (version, seen) = self.seen(layers()).await;
        let before = self.place.profiles.version(ada()).await.unwrap();
        let event = Event::Write {
            layer,
            edits: vec![edit.clone()],
        };
        Box::pin(self.happens(&event)).await;
        let (now, _) = self.seen(layers()).await;
        let mut files = seen.clone();
        files.insert("late.md".to_owned(), ("late".to_owned(), false));
        let written = self.place.profiles.version(ada()).await.unwrap();
        let put = try_put(&self.place, sent(&files, &seen), Condition::Is(&version)).await;
        if now == version {
            assert_eq!(before, written);
            put.unwrap();
            return;
        }
        let error = put.unwrap_err();
        assert!(matches!(error, Error::Stale { current } if current == now));
        let after = self.place.profiles.version(ada()).await.unwrap();
        assert_eq!(after, written);
    }

    async fn seen(&self, layers: &Layers) -> (String, Files) {
        let view = self.place.profiles.view(layers).await.unwrap();
        let files = files_of(&self.place, layers, &view).await;
        (view.version.clone(), files)
    }

    /// What is before a person's own text.
    async fn block(&self) -> String {
        let mut files = self.seen(&self.others).await.1;
        files.remove(TEXT).map_or(String::new(), |(text, _)| text)
    }

    async fn files(&self, owner: &Owner) -> Files {
        let profiles = &self.place.profiles;
        let tree = profiles.tree(owner, None).await.unwrap();
        let hashes = tree.files.iter().map(|file| file.sha256).collect();
        let blobs = profiles.blobs(owner, hashes).await.unwrap();
        let blobs: BTreeMap<Sha256, Bytes> = blobs.into_iter().collect();
        let files = tree.files.iter().map(|file| {
            let text = String::from_utf8(blobs[&file.sha256].to_vec()).unwrap();
            (file.path.to_string(), (text, file.executable))
        });
        files.collect()
    }

    async fn write(&self, owner: &Owner, files: &Files) {
        let mut upload = Upload::new();
        for (path, (text, runs)) in files {
            let content = Bytes::copy_from_slice(text.as_bytes());
            let hash = Sha256::of(&content);
            upload.file(path, &hash.to_string(), *runs).unwrap();
            upload.content(hash, content).unwrap();
        }
        let profiles = &self.place.profiles;
        let put = profiles.put_tree(owner, upload, "", author(), Condition::Any);
        put.await.unwrap();
    }
}

impl Edit {
    fn breaks(&self) -> bool {
        matches!(self, Self::Broken { .. })
    }

    /// Changes files as a person would, `block` being what stands before their own text.
    fn apply(&self, files: &mut Files, block: &str) {
        let path = |at: usize| {
            let all = PLAIN.iter().chain(&JSON).chain([&TEXT]);
            all.copied().nth(at).unwrap().to_owned()
        };
        match self {
            Self::Text(at) => {
                let runs = files.get(TEXT).is_some_and(|it| it.1);
                files.insert(TEXT.to_owned(), (block.to_owned() + TEXTS[*at], runs));
            }
            Self::Line => {
                let (text, _) = files.entry(TEXT.to_owned()).or_default();
                text.push_str("a line\n");
            }
            Self::Plain { at, content, runs } => {
                // One of these two only.
                match *at {
                    2 => files.remove(PLAIN[3]),
                    3 => files.remove(PLAIN[2]),
                    _ => None,
                };
                let content = (format!("content {content}"), *runs);
                files.insert(PLAIN[*at].to_owned(), content);
            }
            Self::Remove(at) => {
                files.remove(&path(*at));
            }
            Self::Member { at, keys, value } => {
                let (text, _) = files.entry(JSON[*at].to_owned()).or_default();
                let mut root = Value::Object(object(text).unwrap_or_default());
                let value = value.map(|given| match given {
                    Given::Number(number) => number.into(),
                    Given::Object => Value::Object(Map::new()),
                    Given::List => vec!["x"].into(),
                });
                set(&mut root, keys, value);
                *text = format!("{root:#}\n");
            }
            Self::Broken { at } => {
                let (text, _) = files.entry(JSON[*at].to_owned()).or_default();
                *text = "{ not json".to_owned();
            }
            Self::Runs { at } => {
                if let Some((_, runs)) = files.get_mut(&path(*at)) {
                    *runs = !*runs;
                }
            }
        }
    }
}

fn set(root: &mut Value, keys: &[usize], value: Option<Value>) {
    let Some((key, inner)) = keys.split_first() else {
        return;
    };
    let key = KEYS[*key];
    if !root.is_object() {
        *root = Value::Object(Map::new());
    }
    let members = root.as_object_mut().unwrap();
    match value {
        None if inner.is_empty() => {
            members.remove(key);
        }
        Some(value) if inner.is_empty() => {
            members.insert(key.to_owned(), value);
        }
        value => set(members.entry(key).or_insert(Value::Null), inner, value),
    }
}

fn is_json(path: &str) -> bool {
    JSON.contains(&path)
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text).ok()
}

/// What is seen once `sent` was taken, in a world where outer layers give `given`.
fn expected(sent: &Files, given: &Files, block: &str) -> Files {
    let mut files = sent.clone();
    for (path, (text, runs)) in given {
        let blocked = match path.as_str() {
            "agents/a" => sent.contains_key("agents/a/b"),
            "agents/a/b" => sent.contains_key("agents/a"),
            _ => false,
        };
        if !blocked && !sent.contains_key(path) {
            files.insert(path.clone(), (text.clone(), *runs));
        }
        let Some((sent_text, _)) = files.get_mut(path) else {
            continue;
        };
        if is_json(path)
            && let (Some(outer), Some(inner)) = (object(text), object(sent_text))
        {
            let mut value = Value::Object(outer);
            lay_over(&mut value, Value::Object(inner));
            *sent_text = value.to_string();
        }
    }
    if let Some((text, _)) = files.get_mut(TEXT) {
        // The block's lines end as the person's do.
        let returns = block.replace('\n', "\r\n");
        let rest = text
            .strip_prefix(block)
            .or_else(|| text.strip_prefix(&returns));
        let own = rest.unwrap_or(text);
        let with_return = own.contains("\r\n");
        let block = if with_return { &returns } else { block };
        *text = block.to_owned() + own;
    }
    files
}

fn lay_over(outer: &mut Value, inner: Value) {
    match (outer, inner) {
        (Value::Object(outer), Value::Object(inner)) => {
            for (key, value) in inner {
                lay_over(outer.entry(key).or_insert(Value::Null), value);
            }
        }
        (outer, inner) => *outer = inner,
    }
}

/// Whatever is one's own now was before, or was changed by what was sent.
fn only_changes(
    now: &Map<String, Value>,
    was: &Map<String, Value>,
    seen: &Map<String, Value>,
    sent: &Map<String, Value>,
) {
    let inner = |side: &Map<String, Value>, key: &str| {
        let object = side.get(key).and_then(Value::as_object);
        object.cloned().unwrap_or_default()
    };
    for (key, value) in now {
        if was.get(key) == Some(value) {
            continue;
        }
        assert_ne!(seen.get(key), sent.get(key), "{key} was not changed");
        if let (Value::Object(now), Some(Value::Object(_))) = (value, seen.get(key)) {
            only_changes(now, &inner(was, key), &inner(seen, key), &inner(sent, key));
        }
    }
}

/// What a JSON file says, or the text of another; and whether it may be run.
type Form<'a> = (Result<Map<String, Value>, &'a str>, bool);

/// Files in a form in which they can be compared: of JSON, what it says.
fn forms(files: &Files) -> BTreeMap<&str, Form<'_>> {
    let form = |path: &str, text| match object(text) {
        Some(object) if is_json(path) => Ok(object),
        _ => Err(text),
    };
    files
        .iter()
        .map(|(path, (text, runs))| (path.as_str(), (form(path, text), *runs)))
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "the fault tests' two settings")]
fn number(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok();
    value.and_then(|it| it.parse().ok()).unwrap_or(default)
}
