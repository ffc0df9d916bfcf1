//! One directory with its state, locked, and what is in it.

use wharf_model::Entropy as _;
use wharf_sync::apply::{self, Ground, Outcome, Recovered, Workplace};
use wharf_sync::plan::{Options, Plan, plan};
use wharf_sync::profile::Manifest;
use wharf_sync::select::{Cache, Selection, Source, select};

use super::shelf::Shelf;
use super::sites::Site;
use super::state::{State, Times};
use crate::context::Context;
use crate::error::CommandError;
use crate::login::now;
use crate::wire::SystemEntropy;

/// One directory, held until this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) site: Site,
    pub(super) state: State,
    pub(super) work: Workplace,
}

impl Place {
    /// Takes the lock, and completes what an earlier sync of this directory left, whoever's it was.
    pub(super) fn open(cx: &Context, site: Site, owner: &str) -> Result<Self, CommandError> {
        let state = State::of(cx, owner, &site);
        state.make()?;
        if let Some((last, _)) = State::last(cx, &site)
            && last.dir != state.dir
            && apply::is_unfinished(&last.dir)
        {
            tell(cx, &site, open(&site, &last)?.recovered());
        }
        let work = open(&site, &state)?;
        tell(cx, &site, work.recovered());
        Ok(Self { site, state, work })
    }

    /// The state that was at work here last, whoever's it was: for what needs no server.
    pub(super) fn open_last(cx: &Context, site: Site) -> Result<Option<Self>, CommandError> {
        let Some((state, _)) = State::last(cx, &site) else {
            return Ok(None);
        };
        Self::open_state(cx, site, state).map(Some)
    }

    /// One state of that directory, for what takes back what was done with it.
    pub(super) fn open_state(cx: &Context, site: Site, state: State) -> Result<Self, CommandError> {
        if let Some((last, _)) = State::last(cx, &site)
            && last.dir != state.dir
            && apply::is_unfinished(&last.dir)
        {
            tell(cx, &site, open(&site, &last)?.recovered());
        }
        let work = open(&site, &state)?;
        tell(cx, &site, work.recovered());
        Ok(Self { site, state, work })
    }

    /// What both sides agreed on last.
    pub(super) fn agreed(&self, here: &Selection) -> Manifest {
        let base = &self.work.base().manifest;
        if is_emptied(&self.site, base, here) {
            Manifest::default()
        } else {
            base.clone()
        }
    }

    /// What a sync of a profile would do.
    pub(super) fn plan(&self, here: &Selection, remote: &Manifest, wish: &Options) -> Plan {
        let options = Options {
            unreadable: here.unreadable(&self.work.base().manifest),
            ignores_case: here.ignores_case,
            ..wish.clone()
        };
        let local = self.work.base().seen(&here.manifest);
        plan(&self.agreed(here), &local, remote, &options)
    }

    pub(super) fn shelf(&self) -> Shelf {
        Shelf::at(self.state.shelf())
    }

    /// Notes that the server was asked, and whether something was agreed on.
    pub(super) fn note_time(&self, agreed: bool) -> Result<(), CommandError> {
        let at = seconds();
        let mut times = self.state.times();
        times.asked = at;
        if agreed || times.agreed == 0 {
            times.agreed = at;
        }
        self.state.keep_times(Times { ..times })
    }
}

/// Whether there was something in the directory and nothing of a profile is in it now: rather an
/// empty disk, or a directory that Claude Code has made anew, than a wish. Nothing counts as agreed
/// on then. Files that have a place elsewhere say nothing about the directory.
pub(super) fn is_emptied(site: &Site, base: &Manifest, here: &Selection) -> bool {
    let is_elsewhere = |path: &_| site.members.iter().any(|member| member.path == *path);
    let has_any = |manifest: &Manifest| manifest.iter().any(|(path, _)| !is_elsewhere(path));
    has_any(base) && !has_any(&here.manifest) || !base.is_empty() && !site.real.exists()
}

/// What is in the directory of Claude Code.
pub(super) fn look(site: &Site, state: Option<&State>) -> Result<Selection, CommandError> {
    let source = Source {
        root: &site.root,
        members: &site.members,
        within: &site.within,
        now_ns: i128::from(now().millis()) * 1_000_000,
    };
    let Some(state) = state else {
        return Ok(select(source, &mut Cache::default())?);
    };
    let mut cache = Cache::load(&state.digests());
    let found = select(source, &mut cache)?;
    // Without it the files are read once more.
    let _unkept = cache.save(&state.digests());
    Ok(found)
}

/// Seconds since 1970.
pub(super) fn seconds() -> i64 {
    now().millis() / 1000
}

fn open(site: &Site, state: &State) -> Result<Workplace, CommandError> {
    let mut nonce = [0; 8];
    SystemEntropy.fill(&mut nonce);
    Ok(Workplace::open(Ground {
        root: site.root.clone(),
        state: state.dir.clone(),
        lock: state.lock.clone(),
        within: site.within.clone(),
        members: site.members.clone(),
        nonce: u64::from_be_bytes(nonce),
    })?)
}

fn tell(cx: &Context, site: &Site, recovered: Option<&Recovered>) {
    match recovered {
        None => {}
        Some(Recovered::Completed(Outcome {
            written, deleted, ..
        })) => cx.ui.event(&format!(
            "an earlier sync of {} did not come to its end; it is completed now ({} files)",
            site.shown,
            written.len() + deleted.len()
        )),
        Some(Recovered::TakenBack) => cx.ui.event(&format!(
            "an earlier sync of {} did not come to its end; every file is as it was before",
            site.shown
        )),
    }
}
