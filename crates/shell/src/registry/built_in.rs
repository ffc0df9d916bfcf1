//! The entries that come with the program.
//!
//! The files are compiled in. At first use they are only cut into entries and indexed by name; an
//! entry is read when it is first asked for. Reading all of them takes some twenty milliseconds,
//! which the first command of a server would feel, and most are never asked for. The cut relies
//! on `[[command]]` standing in a line of its own and on the name following it; a test holds it
//! against a reading of the whole files.

use std::sync::{LazyLock, OnceLock};

use super::entry::Entry;
use super::load;
use crate::table::Table;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$((concat!($name, ".toml"), include_str!(concat!("../../data/registry/", $name, ".toml")))),*]
    };
}

/// Names and texts of the files.
pub(super) const FILES: &[(&str, &str)] = files![
    "filesystem_navigation",
    "filesystem_file_operations",
    "filesystem_search",
    "filesystem_content",
    "system_process_management",
    "system_user_management",
    "system_resource_monitoring",
    "system_services",
    "networking_connection",
    "networking_diagnostics",
    "networking_file_transfer",
    "development_vcs",
    "development_build",
    "development_test",
    "development_packages",
    "development_containers",
    "development_cluster",
    "development_cloud",
    "development_databases",
    "development_languages",
    "development_editors",
    "development_archives",
    "development_text",
];

struct Slot {
    name: &'static str,
    category: &'static str,
    text: &'static str,
    entry: OnceLock<Option<Entry>>,
}

impl Slot {
    fn entry(&self) -> Option<&Entry> {
        self.entry
            .get_or_init(|| load::built_in(self.category, self.text))
            .as_ref()
    }
}

struct Index {
    slots: Vec<Slot>,
    by_name: Table<&'static str, usize>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let slots: Vec<Slot> = FILES.iter().flat_map(|(_, text)| cut(text)).collect();
    let names = slots.iter().enumerate();
    let by_name = names.map(|(index, slot)| (slot.name, index)).collect();
    Index { slots, by_name }
});

static ALL: LazyLock<Vec<&'static Entry>> =
    LazyLock::new(|| INDEX.slots.iter().filter_map(Slot::entry).collect());

fn cut(text: &'static str) -> impl Iterator<Item = Slot> {
    let mut parts = text.split("\n[[command]]\n");
    let head = parts.next().unwrap_or_default();
    let category = value_of("category", head);
    parts.map(move |text| Slot {
        name: value_of("name", text),
        category,
        text,
        entry: OnceLock::new(),
    })
}

/// The text that the first line with this key holds.
fn value_of<'t>(key: &str, text: &'t str) -> &'t str {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key)?.strip_prefix(" = \""));
    value
        .and_then(|value| value.strip_suffix('"'))
        .unwrap_or_default()
}

/// All entries, in the order of the files.
pub(super) fn all() -> &'static [&'static Entry] {
    &ALL
}

/// The names of all entries. Reads none of them.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    INDEX.slots.iter().map(|slot| slot.name)
}

/// Whether there is such an entry. Reads none.
pub(super) fn contains(name: &str) -> bool {
    INDEX.by_name.contains_key(name)
}

pub(super) fn lookup(name: &str) -> Option<&'static Entry> {
    INDEX.slots.get(*INDEX.by_name.get(name)?)?.entry()
}
