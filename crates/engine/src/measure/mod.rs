//! Counts what a command would delete, move or change, before it does.
//!
//! Read-only: directories are listed and entries looked at, nothing is opened. Symbolic links are
//! never followed below a path, as the commands themselves do not follow them. Counting ends when
//! its time is over, and then says "at least". It waits for the disk, so it belongs on a thread
//! that may block.
//!
//! The plan comes from `wharf_shell::measure`; `walk.rs` counts one path, `expand.rs` finds the
//! paths that a pattern stands for.

mod expand;
mod walk;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::Serialize;
use wharf_shell::Span;
use wharf_shell::measure::{Action, MeasureItem, MeasurePlan, Reach, Unmeasured};

use walk::{Selection, Walk};

/// Entries that are looked at in one measurement, however much time there is.
pub const MAX_ENTRIES: u64 = 2_000_000;

/// Entries of one directory that are held at once.
pub const MAX_LISTED: usize = 200_000;

/// Paths that one pattern may stand for.
pub const MAX_MATCHES: usize = 20_000;

/// What a command would touch, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Everything that is not a directory.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Lengths of the regular files, as `ls -l` shows them.
    pub bytes: u64,
    /// There may be more: the time was over, a directory could not be read, or a part of the
    /// command cannot be measured.
    pub at_least: bool,
    /// Directories that could not be read.
    pub unreadable: u64,
    /// The same for each path or pattern of the command, in its order.
    pub items: Vec<MeasuredItem>,
    /// What was not measured, and why.
    pub unmeasured: Vec<Unmeasured>,
}

/// What a command would touch by one of its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MeasuredItem {
    /// What happens to it.
    pub action: Action,
    /// The word in the text.
    pub span: Span,
    /// The path or pattern, absolute.
    pub path: String,
    /// Everything that is not a directory.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Lengths of the regular files.
    pub bytes: u64,
    /// There may be more.
    pub at_least: bool,
}

/// Counts what is in the plan, for no longer than `within`.
///
/// A path that two words name is counted once, for the word whose path comes first.
#[must_use]
pub fn measure(plan: &MeasurePlan, within: Duration) -> Measured {
    let until = Instant::now().checked_add(within);
    measure_with(plan, Walk::new(until, MAX_ENTRIES, MAX_LISTED))
}

fn measure_with(plan: &MeasurePlan, mut walk: Walk) -> Measured {
    let mut items: Vec<MeasuredItem> = plan.items.iter().map(nothing_yet).collect();
    let mut targets: Vec<Target> = Vec::new();
    for (index, item) in plan.items.iter().enumerate() {
        let found = expand::expand(item, &mut walk);
        if let Some(measured) = items.get_mut(index) {
            measured.at_least |= found.cut;
        }
        let paths = found.paths.into_iter();
        targets.extend(paths.map(|path| Target { path, index }));
    }
    // What lies below another target comes right behind it.
    targets.sort();
    let mut covering: Option<(PathBuf, &MeasureItem)> = None;
    for target in targets {
        let (Some(item), Some(measured)) =
            (plan.items.get(target.index), items.get_mut(target.index))
        else {
            continue;
        };
        let covers = |(root, other): &(PathBuf, &MeasureItem)| {
            let same = target.path == *root && item.reach == other.reach;
            let below = target.path.starts_with(root) && matches!(other.reach, Reach::Tree { .. });
            other.action == item.action && (below || same && item.filters == other.filters)
        };
        if covering.as_ref().is_some_and(covers) {
            continue;
        }
        walk.begin();
        walk.count(&target.path, &Selection::of(item));
        let counted = walk.counted();
        measured.files += counted.files;
        measured.directories += counted.directories;
        measured.bytes += counted.bytes;
        measured.at_least |= counted.cut || counted.unreadable > 0;
        covering = Some((target.path, item));
    }
    sum(items, walk.unreadable(), plan)
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Target {
    path: PathBuf,
    index: usize,
}

fn nothing_yet(item: &MeasureItem) -> MeasuredItem {
    MeasuredItem {
        action: item.action,
        span: item.span,
        path: item.path.clone(),
        files: 0,
        directories: 0,
        bytes: 0,
        at_least: false,
    }
}

fn sum(items: Vec<MeasuredItem>, unreadable: u64, plan: &MeasurePlan) -> Measured {
    let mut all = Measured {
        at_least: !plan.unmeasured.is_empty(),
        unreadable,
        unmeasured: plan.unmeasured.clone(),
        ..Measured::default()
    };
    for item in &items {
        all.files += item.files;
        all.directories += item.directories;
        all.bytes += item.bytes;
        all.at_least |= item.at_least;
    }
    all.items = items;
    all
}

#[cfg(test)]
mod tests;
