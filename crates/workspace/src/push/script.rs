//! What the far side does when all has arrived, as a script that comes last in the stream: a stream
//! that is cut has none, and nothing of the workspace is touched.
//!
//! What is new is moved into place with its directory, which is one step for a whole tree. What
//! replaces something is moved as well, or, where it is in many directories, linked into place by
//! a few programs at once: a file system may write a file out before it replaces another by it, and
//! that is waited for. Each file is the old or the new one at every moment.

use std::collections::{BTreeMap, BTreeSet};

use crate::far::{FarPlace, GUARD, Spelt, spell};
use crate::manifest::{Entry, What};
use crate::path::{RelPath, parent};
use crate::plan::{Delete, Plan};

use super::stream::Recipe;
use super::touched::Touched;

/// A command has so many bytes of names at most.
const NAMES_BYTES_MAX: usize = 64 * 1024;
/// In more directories than this, some programs link instead of one for each moving.
const MOVES_MAX: usize = 12;
/// So many link at once.
const LINKS_AT_ONCE: usize = 8;

/// What was staged: entries that have arrived whole, and how the others are put together.
#[derive(Debug, Clone, Copy)]
pub(super) struct Staged<'a> {
    pub(super) entries: &'a [Entry],
    pub(super) recipes: &'a [(RelPath, Recipe)],
    pub(super) missed: &'a [RelPath],
    pub(super) look: Look<'a>,
}

/// What is looked at again before anything is touched, and after.
#[derive(Debug, Clone, Copy)]
pub(super) enum Look<'a> {
    /// These alone.
    At(&'a Touched),
    /// The whole workspace.
    AtAll,
    /// It is done: what was changed there meanwhile is left out already.
    Done,
}

/// The script.
pub(super) fn apply(place: &FarPlace, plan: &Plan, staged: Staged<'_>, token: &str) -> Vec<u8> {
    let mut script = Script { out: Vec::new() };
    script.text(GUARD);
    script.text("cd \"$S/stage\" || exit 45\n");
    if !staged.recipes.is_empty() {
        // A file that is half put together looks like one of which half has come.
        script.text("mv -f id busy && rm -f back || exit 45\n");
        for (number, (path, recipe)) in staged.recipes.iter().enumerate() {
            let entry = staged.entries.iter().find(|entry| entry.path == *path);
            script.recipe(number, path, recipe, entry.map(|entry| entry.mode));
        }
        script.text("mv -f busy id || exit 45\n");
    }
    script.text("cd tree || exit 45\n");
    script.each(
        "rm -rf --",
        " || exit 46\n",
        staged.missed.iter().map(RelPath::as_bytes),
    );
    script.text("if [ ! -d \"$D\" ]; then mkdir -p \"$D\" || exit 45\n");
    if let Some(owner) = &place.owner {
        let owner = spell(&format!("{}:{}", owner.user, owner.group));
        script.text(&format!("chown {owner} \"$D\" 2>/dev/null\n"));
    }
    script.text("x\nfi\n");
    match staged.look {
        Look::At(touched) => {
            script.touched(touched);
            script.text(UNCHANGED);
            script.text("fi\n");
        }
        Look::AtAll => script.text(UNCHANGED),
        Look::Done => {}
    }
    script.text("cd \"$D\" || exit 45\n");
    script.deletes(&plan.deletes);
    script.moves(staged.entries);
    script.modes(&plan.modes);
    script.text("cd \"$S\" || exit 45\n");
    if matches!(staged.look, Look::At(_)) {
        script.text(FINAL_TOUCHED);
        script.text(FINAL);
        script.text("fi\n");
    } else {
        script.text(FINAL);
    }
    script.text(&format!(
        "echo - > token && mv -f final listing && printf '%s\\n' {} > token.new && \
         mv -f token.new token || exit 48\n",
        spell(token)
    ));
    script.text(ANSWER);
    script.out
}

/// Ends with what was changed there since the look, if anything was, before anything is touched:
/// this side knows what of it is in the way.
const UNCHANGED: &str = r#"cd "$S" && (l "$D") > then || exit 41
if ! cmp -s now.$N then 2>/dev/null; then
  d now.$N then
  echo changed
  if [ $e -le 1 ]; then echo diff; cat changed; else echo both; cat now.$N; echo //; cat then; fi
  echo //
  exit 0
fi
"#;

/// The list of the workspace as it is left.
const FINAL: &str = r#"(l "$D") > final || exit 41
d now.$N final
was=now.$N; is=final
"#;

/// The same where only what is touched was looked at: what the look said of all else stays, and is
/// compared by the next one.
const FINAL_TOUCHED: &str = r#"if [ $w = n ]; then
  (cd "$D" && v) > after
  grep -aFxv -f seen now.$N | o - after > final || exit 41
  d seen after
  was=seen; is=after
else
"#;

/// Says what became of it, and leaves nothing. What is in the stage takes a while to go, on some file
/// systems, and nobody waits for it.
const ANSWER: &str = r#"if [ $e -le 1 ]; then echo diff; cat changed
else
  if [ $is = final ]; then is=listing; fi
  echo both; cat $was; echo //; cat $is
fi
echo //
mv -f stage gone.$$
rm -f now.* changed then seen after
(rm -rf gone.*) </dev/null >/dev/null 2>&1 &
"#;

struct Script {
    out: Vec<u8>,
}

impl Script {
    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn path(&mut self, before: &str, path: &[u8]) {
        self.text(before);
        Spelt(path).put(&mut self.out);
    }

    /// A command over many names, as often as it takes.
    fn each<'a>(&mut self, start: &str, end: &str, names: impl IntoIterator<Item = &'a [u8]>) {
        let mut open = None;
        for name in names {
            let begun = *open.get_or_insert_with(|| {
                self.out.extend_from_slice(start.as_bytes());
                self.out.len()
            });
            self.path(" ./", name);
            if self.out.len() - begun >= NAMES_BYTES_MAX {
                self.text(end);
                open = None;
            }
        }
        if open.is_some() {
            self.text(end);
        }
    }

    /// Looks at what is touched alone. `w` is `n` if all of it is as the look has said; anything else
    /// and the whole workspace is compared, to say what it is.
    fn touched(&mut self, touched: &Touched) {
        self.text("v() {\n");
        self.each("q", "\n", touched.names());
        self.text(&format!(
            "return 0\n}}\n\
             cd \"$S\" || exit 45\nw=y\n\
             if [ $p = g ]; then\n(cd \"$D\" && v) > seen\n\
             if [ \"$(grep -aFxc -f seen now.$N)\" = {0} ] && [ \"$(grep -ac '' seen)\" = {0} ]; \
             then w=n; fi\nfi\n\
             if [ $w = y ]; then\n",
            touched.there()
        ));
    }

    fn deletes(&mut self, deletes: &[Delete]) {
        let files = deletes.iter().filter(|delete| !delete.is_dir);
        let files = files.map(|delete| delete.path.as_bytes());
        self.each("rm -f --", " || exit 46\n", files);
        // What is in a directory comes behind it in the order of paths.
        let dirs = deletes.iter().rev().filter(|delete| delete.is_dir);
        let dirs = dirs.map(|delete| delete.path.as_bytes());
        // One that somebody has put something into meanwhile stays.
        self.each("rmdir --", " 2>/dev/null\n", dirs);
    }

    fn moves(&mut self, entries: &[Entry]) {
        let new: BTreeSet<&[u8]> = entries
            .iter()
            .filter(|entry| entry.what == What::Dir)
            .map(|entry| entry.path.as_bytes())
            .collect();
        let is_below_new = |path: &RelPath| path.ancestors().any(|above| new.contains(above));
        let mut dirs: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
        let mut files: BTreeMap<&[u8], Vec<&[u8]>> = BTreeMap::new();
        for entry in entries.iter().filter(|entry| !is_below_new(&entry.path)) {
            let group = if entry.what == What::Dir {
                &mut dirs
            } else {
                &mut files
            };
            let path = entry.path.as_bytes();
            group
                .entry(parent(path).unwrap_or_default())
                .or_default()
                .push(path);
        }
        self.text("cd \"$S/stage/tree\" || exit 45\n");
        for (parent, names) in dirs {
            self.group(parent, &names);
        }
        if files.len() <= MOVES_MAX {
            for (parent, names) in files {
                self.group(parent, &names);
            }
        } else {
            let names: Vec<&[u8]> = files.values().flatten().copied().collect();
            self.links(&names);
            // Where linking is not possible, what it has not done is moved. Copies would give the
            // directories that are there other owners and permissions.
            self.text("if [ -n \"$bad\" ]; then\n");
            for (parent, names) in files {
                self.group(parent, &names);
            }
            // A name less is a change of the file, which is listed below.
            self.text("fi\nfind . ! -type d -exec rm -f -- {} +\n");
        }
    }

    /// Gives each file its name there as well, some at once. `bad` says that it did not work.
    fn links(&mut self, names: &[&[u8]]) {
        let share = names.len().div_ceil(LINKS_AT_ONCE);
        let mut names = names.iter().peekable();
        let mut started = 0;
        self.text("bad=; j=\nc() { for i in $j; do wait $i || bad=y; done; j=; }\n");
        while names.peek().is_some() {
            self.text("cp -Plf --parents --");
            let (begun, mut count) = (self.out.len(), 0);
            while count < share
                && self.out.len() - begun < NAMES_BYTES_MAX
                && let Some(name) = names.next()
            {
                self.path(" ./", name);
                count += 1;
            }
            self.text(" \"$D\"/ 2>/dev/null & j=\"$j $!\"\n");
            started += 1;
            if started % LINKS_AT_ONCE == 0 {
                self.text("c\n");
            }
        }
        self.text("c\n");
    }

    fn group(&mut self, parent: &[u8], names: &[&[u8]]) {
        let mut end = Vec::new();
        end.extend_from_slice(b" \"$D\"/");
        Spelt(parent).put(&mut end);
        if parent.is_empty() {
            end.truncate(6);
        }
        let end = end;
        let mut names = names.iter().peekable();
        while names.peek().is_some() {
            self.text("mv -f --");
            let begun = self.out.len();
            while self.out.len() - begun < NAMES_BYTES_MAX
                && let Some(name) = names.next()
            {
                self.path(" ./", name);
            }
            self.out.extend_from_slice(&end);
            self.text("/ || exit 47\n");
        }
    }

    fn modes(&mut self, entries: &[Entry]) {
        let mut groups: BTreeMap<u32, Vec<&[u8]>> = BTreeMap::new();
        for entry in entries {
            groups
                .entry(entry.mode)
                .or_default()
                .push(entry.path.as_bytes());
        }
        self.text("cd \"$D\" || exit 45\n");
        for (mode, paths) in groups {
            self.each(&format!("chmod {mode:o} --"), " || exit 49\n", paths);
        }
    }

    /// Puts a file together in its place in the stage, where it stands empty with its owner.
    fn recipe(&mut self, number: usize, path: &RelPath, recipe: &Recipe, mode: Option<u32>) {
        let tree = [b"tree/", path.as_bytes()].concat();
        match recipe {
            Recipe::None => return,
            Recipe::InPlace { pieces } => {
                self.path("cp -f \"$D\"/", path.as_bytes());
                self.path(" ", &tree);
                self.text(" || exit 50\n");
                let mut skip = 0;
                for piece in pieces {
                    let (seek, count) = (piece.at / GRAIN, piece.len.div_ceil(GRAIN));
                    self.text(&format!("dd if=data/{number} bs={GRAIN} skip={skip} "));
                    self.text(&format!("seek={seek} count={count} conv=notrunc "));
                    self.path("of=", &tree);
                    self.text(" 2>/dev/null || exit 50\n");
                    skip += count;
                }
            }
            Recipe::Pieces { pieces } => {
                self.text("{\n");
                let mut at = 0;
                for piece in pieces {
                    let (start, len) = (piece.old.unwrap_or(at) + 1, piece.len);
                    self.text(&format!("tail -c +{start} "));
                    match piece.old {
                        Some(_) => self.path("\"$D\"/", path.as_bytes()),
                        None => self.text(&format!("data/{number}")),
                    }
                    self.text(&format!(" 2>/dev/null | head -c {len}\n"));
                    at += if piece.old.is_none() { len } else { 0 };
                }
                self.path("} > ", &tree);
                self.text(" || exit 50\n");
            }
            Recipe::Rest { have } => {
                self.text(&format!("[ $(wc -c < part/{number}) -eq {have} ] && "));
                self.text(&format!("cat part/{number} data/{number}"));
                self.path(" > ", &tree);
                self.text(" || exit 50\n");
            }
            Recipe::Sparse { size, extents } => {
                self.text(&format!("dd if=/dev/null bs=1 count=0 seek={size} "));
                self.path("of=", &tree);
                self.text(" 2>/dev/null || exit 50\n");
                let mut skip = 0;
                for (at, len) in extents {
                    let (seek, count) = (at / GRAIN, len.div_ceil(GRAIN));
                    self.text(&format!("dd if=data/{number} bs={GRAIN} skip={skip} "));
                    self.text(&format!("seek={seek} count={count} conv=notrunc "));
                    self.path("of=", &tree);
                    self.text(" 2>/dev/null || exit 50\n");
                    skip += count;
                }
            }
        }
        if let Some(size) = recipe.size() {
            self.path("[ $(wc -c < ", &tree);
            self.text(&format!(") -eq {size} ] || exit 50\n"));
        }
        // It was one that its owner may write until here.
        if let Some(mode) = mode.filter(|mode| mode & 0o200 == 0) {
            self.path(&format!("chmod {mode:o} "), &tree);
            self.text(" || exit 50\n");
        }
        self.text(&format!("touch -r ref/{number} "));
        self.path("", &tree);
        self.text(" || exit 50\n");
    }
}

/// What `dd` moves at once: holes and pieces in place begin at multiples of it.
pub(super) const GRAIN: u64 = 4096;
