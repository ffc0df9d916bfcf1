//! Files that the text itself fills: with code that it then runs, with what came from another
//! machine, with what may hold credentials.

use std::rc::Rc;

use super::arg::Arg;
use super::feed::Text;
use super::source::Origin;
use super::{Feed, Output, Walker};
use crate::analysis::Span;

/// Files that are remembered.
const MAX_FILES: usize = 64;

/// What it costs to remember a file, or to find it again.
const FILE_COST: usize = 200;

/// Bytes of one file that are remembered.
const MAX_BYTES: usize = 64 << 10;

#[derive(Default)]
pub(crate) struct Written {
    files: Vec<File>,
    /// There were more files, so that any other may have been written.
    more: bool,
    /// The files whose code is being walked.
    running: Vec<String>,
}

struct File {
    path: String,
    text: Option<Rc<Text>>,
    network: bool,
    secret: bool,
    /// Made of a text of the command in a way that is not followed, or longer than is remembered.
    hidden: bool,
    /// It is a program of the system, under another name.
    program: Option<String>,
    /// A directory that came from the network as a whole.
    directory: bool,
}

/// What is known about a file that is run or sent.
pub(crate) struct Content {
    pub(crate) text: Option<Rc<Text>>,
    pub(crate) network: bool,
    pub(crate) secret: bool,
    hidden: bool,
}

impl Walker<'_> {
    /// Remembers that a file holds what came from the network.
    pub(crate) fn note_download(&mut self, file: &Arg<'_>) {
        self.remember(file, None, true, false, false);
    }

    /// Remembers that all in a directory came from the network.
    pub(crate) fn note_clone(&mut self, directory: &Arg<'_>) {
        self.remember(directory, None, true, false, false);
        let path = self.place.resolve(&directory.text);
        for file in self
            .written
            .files
            .iter_mut()
            .filter(|file| file.path == path)
        {
            file.directory = true;
        }
    }

    /// The program of the system that the text put there under this name.
    pub(crate) fn copied_program(&self, name: &str) -> Option<&str> {
        let files = &self.written.files;
        if files.iter().all(|file| file.program.is_none()) {
            return None;
        }
        // Without a path it is found where the text lets it be searched.
        let searched = !name.contains('/') && self.vars.contains_key("PATH");
        let path = self.place.resolve(name);
        let file = files.iter().rev().find(|file| {
            file.path == path || searched && file.path.rsplit('/').next() == Some(name)
        })?;
        file.program.as_deref()
    }

    /// Remembers what a command wrote into a file.
    pub(crate) fn note_written(&mut self, file: &Arg<'_>, output: &Output, appends: bool) {
        let known = output.value.as_ref().and_then(|value| {
            let [(text, traits)] = value.fields.as_slice() else {
                return None;
            };
            (!traits.unknown).then_some(text)
        });
        if known.is_some_and(|text| text.len() > MAX_BYTES || !self.spend(text.len())) {
            self.remember(file, None, false, false, appends);
            return self.hide(file);
        }
        let text = known.map(|text| {
            Rc::new(Text {
                text: text.clone(),
                origin: Origin::Whole(output.span),
                raw: false,
            })
        });
        let text = text.or_else(|| match &self.feed {
            Feed::Text(text) if output.same => Some(Rc::clone(text)),
            _ => None,
        });
        let read = |wanted: fn(&Feed) -> bool| output.filter && wanted(&self.feed);
        let network = output.network || read(|feed| matches!(feed, Feed::Network));
        let secret = output.secret || read(|feed| matches!(feed, Feed::Secrets));
        // What is decoded, or made of a text of the command by a filter, is code that nobody saw.
        let made = output.filter && matches!(self.feed, Feed::Text(_) | Feed::Decoded);
        let hidden = text.is_none() && (output.decoded || made);
        if text.is_some() || network || secret || hidden {
            self.remember(file, text, network, secret, appends);
            if hidden {
                self.hide(file);
            }
        }
    }

    fn remember(
        &mut self,
        file: &Arg<'_>,
        text: Option<Rc<Text>>,
        network: bool,
        secret: bool,
        appends: bool,
    ) {
        if !self.charge(FILE_COST + file.text.len(), file.span) {
            return;
        }
        let path = self.place.resolve(&file.text);
        let files = &mut self.written.files;
        if let Some(known) = files.iter_mut().find(|known| known.path == path) {
            known.network |= network;
            known.secret |= secret;
            known.hidden &= appends;
            known.text = match (known.text.take(), text) {
                (Some(old), Some(new)) if appends => {
                    let joined = joined(old, &new);
                    known.hidden |= joined.is_none();
                    joined
                }
                (_, new) => new,
            };
        } else if files.len() < MAX_FILES {
            files.push(File {
                path,
                text,
                network,
                secret,
                hidden: false,
                program: None,
                directory: false,
            });
        } else {
            self.written.more = true;
        }
    }

    /// Remembers that what is in a file is not followed.
    fn hide(&mut self, file: &Arg<'_>) {
        let path = self.place.resolve(&file.text);
        let mut files = self.written.files.iter_mut();
        if let Some(known) = files.find(|known| known.path == path) {
            known.hidden = true;
        }
    }

    /// A file is copied or moved: what is known of it is known of the other as well.
    pub(crate) fn copy_content(&mut self, from: &Arg<'_>, to: &Arg<'_>) {
        if from.text.starts_with('/') && crate::place::is_program_directory(&from.text) {
            let name = from.text.rsplit('/').next().unwrap_or_default().to_owned();
            let inside = Arg::literal(format!("{}/{name}", to.text), to.span);
            for target in [to, &inside] {
                self.remember(target, None, false, false, false);
                let path = self.place.resolve(&target.text);
                for file in self
                    .written
                    .files
                    .iter_mut()
                    .filter(|file| file.path == path)
                {
                    file.program = Some(name.clone());
                }
            }
            return;
        }
        if let Some(content) = self.content_of(&from.text) {
            let name = from.text.rsplit('/').next().unwrap_or_default();
            let inside = Arg::literal(format!("{}/{name}", to.text), to.span);
            for target in [to, &inside] {
                let text = content.text.clone();
                self.remember(target, text, content.network, content.secret, false);
                if content.hidden {
                    self.hide(target);
                }
            }
        }
    }

    /// What the text itself put into a file.
    pub(crate) fn content_of(&self, file: &str) -> Option<Content> {
        if self.written.files.is_empty() {
            return None;
        }
        let path = self.place.resolve(file);
        let below = |file: &&File| {
            let rest = path.strip_prefix(file.path.as_str());
            file.directory && rest.is_some_and(|rest| rest.starts_with('/'))
        };
        let files = &self.written.files;
        let known = files
            .iter()
            .find(|known| known.path == path)
            .or_else(|| files.iter().find(below));
        match known {
            Some(known) => Some(Content {
                text: known.text.clone(),
                network: known.network,
                secret: known.secret,
                hidden: known.hidden,
            }),
            None if self.written.more => Some(Content {
                text: None,
                network: false,
                secret: false,
                hidden: true,
            }),
            None => None,
        }
    }

    /// Reports a file that is run although it was only just downloaded, and judges one that the
    /// text wrote itself, as code for this program.
    pub(crate) fn check_content(&mut self, language: &str, file: &Arg<'_>) {
        let Some(content) = self.content_of(&file.text) else {
            return;
        };
        if content.network {
            self.found.note("code-from-network", file.span);
        }
        if content.hidden {
            self.found.note("hidden-code", file.span);
        }
        let Some(text) = content.text else { return };
        let path = self.place.resolve(&file.text);
        if self.written.running.contains(&path) {
            // It runs itself. What it does is walked already.
            if self.multiplies() {
                self.found.note("fork-bomb", file.span);
            }
            return;
        }
        self.written.running.push(path);
        let language = interpreter(&text.text).unwrap_or(language).to_owned();
        let programs = self.found.programs.len();
        if super::code::is_shell(&language) {
            self.shell_body(&text.text, text.origin.clone(), true);
        } else {
            self.foreign_code(&language, &text.text, text.origin.clone());
        }
        self.written.running.pop();
        // They are programs of the file, not of the command.
        self.found.programs.truncate(programs);
    }
}

/// A text and what was written behind it, where that is not too much. Usually nobody else holds the
/// text, so that a file that is written line by line costs no more than its lines.
fn joined(mut old: Rc<Text>, new: &Text) -> Option<Rc<Text>> {
    if old.text.len() + new.text.len() > MAX_BYTES {
        return None;
    }
    let first = old.origin.span(Span::new(0, old.text.len()));
    let last = new.origin.span(Span::new(0, new.text.len()));
    let span = Span::new(first.start.min(last.start), first.end.max(last.end));
    let origin = Origin::Whole(span);
    if let Some(text) = Rc::get_mut(&mut old) {
        text.text.push_str(&new.text);
        text.origin = origin;
        text.raw = false;
        return Some(old);
    }
    Some(Rc::new(Text {
        text: format!("{}{}", old.text, new.text),
        origin,
        raw: false,
    }))
}

/// The program that the first line of a script names.
fn interpreter(text: &str) -> Option<&str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace();
    let first = words.next()?.rsplit('/').next()?;
    if first == "env" {
        words.find(|word| !word.starts_with('-'))
    } else {
        Some(first)
    }
}
