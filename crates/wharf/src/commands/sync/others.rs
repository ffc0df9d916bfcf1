//! The directories of the other agents: what the server has, in the form that each of them reads.
//!
//! The same rule holds as for Claude Code: what was changed there is written, what was edited here
//! stays, both is a conflict. Nothing of it is ever sent. A file that holds more than what is ours
//! (`opencode.json`, `config.toml`) is made of what is in it now, so that it never is a conflict.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use wharf_sync::apply::{Error as ApplyError, Workplace};
use wharf_sync::plan::{Contents, Options, Plan, Side, plan};
use wharf_sync::profile::{Entry, FILE_BYTES_MAX, Manifest, ProfilePath};
use wharf_sync::targets::{Error as TargetError, Existing, Files, Rendered, others, render};

use super::bring::{Args, PLANS_MAX, changes};
use super::contents::{Near, gather};
use super::place::Place;
use super::report::Section;
use super::rows::texts_of;
use super::session::{Session, There};
use super::sites::{self, Agent, Site};
use super::state::Made;
use crate::error::{CommandError, Kind};

/// Brings what the server has to one agent's directory.
pub(super) async fn bring(
    session: &Session<'_>,
    there: &There,
    near: Near<'_>,
    site: Site,
    args: &Args,
    at: i64,
) -> Result<Section, CommandError> {
    let cx = session.cx;
    let claude_too = site.agent == Agent::Opencode && args.claude_too(cx, &there.manifest)?;
    let mut place = Place::open(cx, site, &there.owner)?;
    session.note(&place, there)?;
    let mut files = None;
    let wish = args.options();
    let takes_all = wish.force || wish.prefer == Some(Side::Remote);
    for _ in 0..PLANS_MAX {
        let made = place.state.made();
        let mut work = Work::begin(&place, made, there, claude_too)?;
        let mut plan = work.plan(&place.work, &args.options());
        let is_rendered =
            takes_all || files.is_some() || !work.is_current || !plan.needed().is_empty();
        if is_rendered {
            let files = match &files {
                Some(files) => files,
                None => files.insert(all(session, there, near).await?),
            };
            work.render(files, there, takes_all)?;
            plan = work.plan(&place.work, &args.options());
        }
        let mut section = Section::new(&place, &plan, &|step| {
            texts_of(step, &work.before, &work.contents)
        });
        section.lost = work.made.lost.clone();
        if args.is_dry() {
            return Ok(section);
        }
        let changes = changes(&plan, &work.contents)?;
        // Whatever happens from here on, it is known which servers may be ours.
        work.promise(&place)?;
        let next = place.work.base().next(&there.tree.version, plan.agreed());
        let is_news = next != *place.work.base();
        match place.work.apply(&changes, next, at) {
            Ok(done) => {
                section.done = Some(done);
                work.keep(&place)?;
                place.note_time(is_news)?;
                return Ok(section);
            }
            Err(ApplyError::Changed(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let text = format!(
        "files in {} change faster than they can be looked at",
        place.site.shown
    );
    Err(CommandError::new(Kind::TryLater, text))
}

/// All that the server has.
async fn all(session: &Session<'_>, there: &There, near: Near<'_>) -> Result<Files, CommandError> {
    let wanted = there.manifest.iter().map(|(_, entry)| entry.sha256);
    let contents = gather(session, there, near, wanted.collect()).await?;
    let files = there.manifest.iter().filter_map(|(path, entry)| {
        let bytes = contents.get(&entry.sha256)?;
        Some((path.clone(), bytes.clone()))
    });
    Ok(files.collect())
}

/// What is there of one agent's files, and what they are to be.
struct Work {
    site: Site,
    made: Made,
    before_made: Made,
    /// What was made before is of the version that the server has now.
    is_current: bool,
    config: Option<ProfilePath>,
    local: Manifest,
    unreadable: BTreeSet<String>,
    /// The contents that are here, by digest.
    before: Contents,
    /// The contents that are written, by digest.
    contents: Contents,
    servers_before: BTreeSet<String>,
}

impl Work {
    fn begin(
        place: &Place,
        made: Made,
        there: &There,
        claude_too: bool,
    ) -> Result<Self, CommandError> {
        let site = place.site.clone();
        let version = &there.tree.version;
        let has_any = !version.is_empty() || there.manifest.is_empty();
        let config = site.agent.config().map(sites::parsed).transpose()?;
        let mut work = Self {
            is_current: made.version == *version && made.claude_too == claude_too && has_any,
            servers_before: made.servers.clone(),
            before_made: made.clone(),
            made: Made { claude_too, ..made },
            site,
            config: config.clone(),
            local: Manifest::default(),
            unreadable: BTreeSet::new(),
            before: Contents::new(),
            contents: Contents::new(),
        };
        let base = place.work.base().manifest.iter().map(|(path, _)| path);
        let known = work.made.manifest.iter().map(|(path, _)| path);
        let paths: BTreeSet<ProfilePath> = base.chain(known).chain(&config).cloned().collect();
        for path in paths {
            work.look(path);
        }
        // Agents are denied the servers that a person has added there since.
        let others = others(work.site.agent.target(), &work.existing());
        work.is_current &= others.is_none_or(|others| others == work.made.others);
        Ok(work)
    }

    /// What is there of the agent's own.
    fn existing(&self) -> Existing {
        let config = self.config.as_ref().and_then(|path| {
            let entry = self.local.get(path)?;
            String::from_utf8(self.before.get(&entry.sha256)?.to_vec()).ok()
        });
        let beside = self.site.agent.beside();
        let beside = beside.and_then(|name| fs::read_to_string(self.site.root.join(name)).ok());
        Existing {
            config,
            beside,
            servers: self.servers_before.clone(),
            written: self.before_made.written.clone(),
            claude_too: self.made.claude_too,
        }
    }

    /// What is in a file here.
    fn look(&mut self, path: ProfilePath) {
        if self.local.get(&path).is_some() {
            return;
        }
        match read(&self.site.file(&path)) {
            Ok(None) => {}
            Ok(Some((bytes, executable))) => {
                let entry = Entry::of(&bytes, executable);
                self.before.insert(entry.sha256, bytes.into());
                self.local.set(path, Some(entry));
            }
            Err(_) => {
                self.unreadable.insert(path.to_string());
            }
        }
    }

    /// Makes the files anew.
    fn render(
        &mut self,
        files: &Files,
        there: &There,
        takes_all: bool,
    ) -> Result<(), CommandError> {
        let mut existing = self.existing();
        if takes_all {
            // What was edited there is not looked for where the profile is to win.
            existing.written.clear();
        }
        let Rendered {
            files,
            servers,
            written,
            lost,
        } = render(self.site.agent.target(), files, &existing).map_err(|error| {
            let error = match error {
                TargetError::Config { file, reason } => {
                    let file = self.site.root.join(file);
                    format!("{} cannot be edited: {reason}", file.display())
                }
                error @ TargetError::Servers(_) => error.to_string(),
            };
            let text = format!("nothing was written for {}", self.site.agent.name());
            CommandError::failed(error).hint(text)
        })?;
        let mut manifest = Manifest::default();
        for (path, bytes) in files {
            // A file that would hold nothing is not made for it.
            let is_config = self.config.as_ref() == Some(&path);
            if is_config && bytes.is_empty() && self.local.get(&path).is_none() {
                continue;
            }
            let of_profile = there
                .manifest
                .get(&path)
                .filter(|_| path.is_under("skills"));
            let entry = Entry::of(&bytes, of_profile.is_some_and(|entry| entry.executable));
            self.contents.insert(entry.sha256, bytes);
            manifest.set(path.clone(), Some(entry));
            self.look(path);
        }
        let lost = lost.into_iter().map(|it| (it.path.to_string(), it.what));
        self.made = Made {
            version: there.tree.version.clone(),
            claude_too: self.made.claude_too,
            manifest,
            servers,
            written,
            others: others(self.site.agent.target(), &existing).unwrap_or_default(),
            lost: lost.collect(),
        };
        self.is_current = true;
        Ok(())
    }

    fn plan(&self, work: &Workplace, wish: &Options) -> Plan {
        let options = Options {
            unreadable: self.unreadable.clone(),
            other_agent: true,
            ..wish.clone()
        };
        let mut base = work.base().manifest.clone();
        let mut remote = self.made.manifest.clone();
        if let Some(config) = &self.config {
            let local = self.local.get(config).copied();
            let is_made = remote
                .get(config)
                .is_some_and(|entry| self.contents.contains_key(&entry.sha256));
            if !is_made {
                remote.set(config.clone(), local);
            }
            base.set(config.clone(), local);
        }
        plan(&base, &self.local, &remote, &options)
    }

    /// Notes which servers may be ours once it is written.
    fn promise(&self, place: &Place) -> Result<(), CommandError> {
        let servers = &self.made.servers | &self.servers_before;
        let promised = Made {
            servers,
            ..self.before_made.clone()
        };
        if promised.servers == self.before_made.servers {
            return Ok(());
        }
        place.state.keep_made(&promised)
    }

    fn keep(&self, place: &Place) -> Result<(), CommandError> {
        if self.made == self.before_made {
            return Ok(());
        }
        place.state.keep_made(&self.made)
    }
}

/// A file's content, and whether it may be run.
fn read(file: &Path) -> std::io::Result<Option<(Vec<u8>, bool)>> {
    let found = match fs::metadata(file) {
        Ok(found) => found,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    if !found.is_file() || found.len() > FILE_BYTES_MAX {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    let bytes = fs::read(file)?;
    Ok(Some((bytes, found.mode() & 0o100 != 0)))
}
