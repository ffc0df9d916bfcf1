//! The places that both have changed, put before a person.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use wharf_localstate::private;
use wharf_sync::merge::Conflict;
use wharf_sync::plan::Side;
use wharf_sync::profile::{FILE_BYTES_MAX, ProfilePath};

use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::{neutral, neutral_line};

/// The marks of a place that is still open.
const MARKS: &[&str] = &["<<<<<<< here", "||||||| as last agreed", ">>>>>>> there"];
/// Between the two sides. It also underlines a heading, so that it counts only where neither side has
/// such a line.
const BETWEEN: &str = "=======";
/// Texts that could not be taken are kept, up to this number for one name.
const KEPT_MAX: usize = 100;
/// Characters of a value that are shown in one line.
const VALUE_SHOWN: usize = 60;

/// Asks about each place.
pub(super) async fn each(
    cx: &Context,
    path: &ProfilePath,
    conflicts: &[Conflict],
) -> Result<Vec<Side>, CommandError> {
    let mut answers = Vec::new();
    for (at, conflict) in conflicts.iter().enumerate() {
        let head = format!("{} of {} in {}", at + 1, conflicts.len(), path);
        cx.ui
            .say(&format!("{}\n{}", neutral_line(&head), whole(conflict)));
        let side = loop {
            let question = "Take what is [h]ere or what is [t]here, or [q]uit? ";
            let answer = cx.ui.line(question).await.unwrap_or_default();
            match answer.trim() {
                "h" | "here" | "l" | "local" => break Side::Local,
                "t" | "there" | "r" | "remote" => break Side::Remote,
                "q" | "quit" | "" => {
                    return Err(CommandError::new(Kind::Conflict, "nothing was written")
                        .hint("wharf sync merge --editor opens all places at once"));
                }
                _ => {}
            }
        };
        answers.push(side);
    }
    Ok(answers)
}

/// One place, with all of both sides.
fn whole(conflict: &Conflict) -> String {
    let (local, remote) = match conflict {
        Conflict::Hunk(hunk) => (hunk.local.clone(), hunk.remote.clone()),
        Conflict::Key(key) => {
            let value = |value: &Option<String>| match value {
                Some(value) => format!("{}: {value}\n", key.pointer),
                None => format!("{} is not there\n", key.pointer),
            };
            (value(&key.local), value(&key.remote))
        }
    };
    let lines = |mark: char, text: &str| -> String {
        let lines = text
            .lines()
            .map(|line| format!("  {mark} {}\n", neutral_line(line)));
        lines.collect()
    };
    format!("{}{}", lines('h', &local), lines('t', &remote))
}

/// One place in a line.
pub(super) fn line(conflict: &Conflict) -> String {
    let short = |text: &str| -> String {
        let line = neutral_line(text.trim_end());
        let cut = line.chars().count() > VALUE_SHOWN;
        let line: String = line.chars().take(VALUE_SHOWN).collect();
        if cut { line + "…" } else { line }
    };
    match conflict {
        Conflict::Hunk(hunk) => format!("  line {}\n", hunk.line),
        Conflict::Key(key) => {
            let value = |value: &Option<String>| value.as_deref().map_or("absent".into(), short);
            format!(
                "  {}  here {}, there {}\n",
                neutral_line(&key.pointer),
                value(&key.local),
                value(&key.remote)
            )
        }
    }
}

/// What a person made of the marks, on the disk until it is where it belongs.
pub(super) struct Edited {
    file: PathBuf,
    path: ProfilePath,
}

impl Edited {
    /// An error after which the text is still there.
    pub(super) fn kept(&self, error: CommandError) -> CommandError {
        error.hint(self.next())
    }

    /// How the text is taken that is still there.
    pub(super) fn next(&self) -> String {
        let file = neutral_line(&self.file.to_string_lossy());
        let path = neutral_line(self.path.as_str());
        format!("your text is kept: wharf sync merge {path} --with {file}")
    }

    /// It is where it belongs.
    pub(super) fn done(self) {
        let _gone = fs::remove_file(&self.file);
    }
}

/// Lets the person's editor close all places. `sides` are the texts that are merged.
pub(super) fn editor(
    cx: &Context,
    path: &ProfilePath,
    marked: &str,
    sides: [&str; 2],
) -> Result<(String, Edited), CommandError> {
    let named = ["VISUAL", "EDITOR"].into_iter();
    let mut editors = named.filter_map(|name| cx.world.variable(name));
    let editor = editors.find(|editor| !editor.trim().is_empty());
    let editor = editor.ok_or_else(|| {
        CommandError::usage("no editor is known").hint("set EDITOR, or use --with")
    })?;
    let dir = cx.places.private_dir();
    private::make_dir(&dir)?;
    let file = begun(&dir, path.name(), marked)?;
    let edited = Edited {
        file: file.clone(),
        path: path.clone(),
    };
    // As git does: the variable holds a command line, and the file is its argument.
    let ran = Command::new("sh")
        .args(["-c", &format!("{editor} \"$1\""), "sh"])
        .arg(&file)
        .status();
    let text = fs::read_to_string(&file);
    let is_between = |text: &&str| text.lines().any(|line| line.trim_end() == BETWEEN);
    let refused = match (ran, &text) {
        (Err(error), _) => Some(CommandError::failed("no editor was started").because(error)),
        (Ok(status), _) if !status.success() => {
            let failed = "the editor failed; nothing was written";
            Some(CommandError::failed(failed))
        }
        (Ok(_), Err(error)) => {
            let unread = CommandError::failed("what the editor wrote cannot be read");
            Some(unread.because(error))
        }
        (Ok(_), Ok(text)) => checked(text, !sides.iter().any(is_between)).err(),
    };
    let text = text.unwrap_or_default();
    match refused {
        None => Ok((text, edited)),
        // Nothing was made of it.
        Some(error) if text == marked || !edited.file.exists() => {
            edited.done();
            Err(error)
        }
        Some(error) => Err(edited.kept(error)),
    }
}

/// A file for the editor that is not there yet: one with an earlier text is somebody's work.
fn begun(dir: &Path, name: &str, marked: &str) -> Result<PathBuf, CommandError> {
    for number in 0..KEPT_MAX {
        let file = match number {
            0 => dir.join(format!("merge-{name}")),
            number => dir.join(format!("merge-{number}-{name}")),
        };
        if private::create(&file, marked.as_bytes())? {
            return Ok(file);
        }
    }
    let text = format!(
        "{KEPT_MAX} texts of earlier merges are in {}",
        dir.display()
    );
    Err(CommandError::failed(text).hint("take those away that you no longer need"))
}

/// The result that somebody made elsewhere.
pub(super) fn result(file: &Path) -> Result<Vec<u8>, CommandError> {
    let cannot = |error: std::io::Error| {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound => Kind::NotFound,
            _ => Kind::Failed,
        };
        CommandError::new(kind, format!("cannot read {}", file.display())).because(error)
    };
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        let input = std::io::stdin().lock().take(FILE_BYTES_MAX + 1);
        let mut input = input;
        input.read_to_end(&mut bytes).map_err(cannot)?;
    } else {
        let input = fs::File::open(file).map_err(cannot)?;
        let mut input = input.take(FILE_BYTES_MAX + 1);
        input.read_to_end(&mut bytes).map_err(cannot)?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(CommandError::usage(format!(
            "{} has over {FILE_BYTES_MAX} bytes",
            file.display()
        )));
    }
    checked(&String::from_utf8_lossy(&bytes), false)?;
    Ok(bytes)
}

/// Refuses a text in which a place is still open.
fn checked(text: &str, also_between: bool) -> Result<(), CommandError> {
    let is_mark = |line: &str| MARKS.contains(&line) || also_between && line == BETWEEN;
    let mut lines = text.lines().map(str::trim_end).enumerate();
    let Some((at, mark)) = lines.find(|(_, line)| is_mark(line)) else {
        return Ok(());
    };
    let line = neutral(&format!("line {} still has a mark {mark}", at + 1)).into_owned();
    Err(CommandError::new(Kind::Conflict, line)
        .hint("choose what stays there, and take the marks out; nothing was written"))
}
