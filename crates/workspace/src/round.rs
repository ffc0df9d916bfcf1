//! One round with a sandbox: both sides are looked at, at the same time; then what is found is
//! planned, pushed, or brought back. The steps are the other modules'; here they have what they
//! need from each other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use wharf_ssh::Opener;

use crate::Error;
use crate::bases::Bases;
use crate::far::{Far, FarPlace, ask};
use crate::identity::Workspace;
use crate::look::{Finding, Held, look};
use crate::path::RelPath;
use crate::plan::{Options, Plan, Provided, Sides, plan};
use crate::pull::apply::{Applied, Here, apply};
use crate::pull::diff::{Patch, patch};
use crate::pull::{self, Bounds, Incoming, Pull, fetch, is_rules, settle};
use crate::push::{Push, Pushed, Report, push};
use crate::released::Released;
use crate::scan::{Cache, Scanned, scan};
use crate::state::{Agreement, Shelf};
use crate::uncovered::Uncovered;
use crate::walk::{GitForm, Walk};

/// What a round is about. The caller holds a lock on the workspace and the sandbox.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The directory here.
    pub workspace: Workspace,
    /// The place there.
    pub place: FarPlace,
    /// Which sandbox it is.
    pub sandbox: String,
    /// A private directory for what is kept of this workspace; it is there.
    pub shelf: PathBuf,
    /// The person's file of patterns (`core.excludesFile`).
    pub excludes: Option<PathBuf>,
    /// What is done with `.git`.
    pub git: GitForm,
    /// From this size on a file is asked about.
    pub large: u64,
    /// How many threads walk and read.
    pub threads: usize,
}

/// A round, after its look at both sides.
#[derive(Debug)]
pub struct Round {
    setting: Setting,
    shelf: Shelf,
    now_ns: i64,
    /// What is here.
    pub scanned: Scanned,
    /// What of it somebody should be asked about.
    pub findings: Vec<Finding>,
    /// What changed there.
    pub far: Far,
    /// What both had agreed on, if both still know it.
    pub agreement: Agreement,
}

/// What somebody wants of what was brought.
#[derive(Clone, Copy, Default)]
pub struct Choice<'a> {
    /// See [`Here::force`].
    pub force: bool,
    /// See [`Here::rules`].
    pub rules: bool,
    /// Which paths; all if it is none.
    pub only: Option<&'a (dyn Fn(&RelPath) -> bool + Sync)>,
}

impl Round {
    /// Looks at both sides. `now_ns` is the time, in nanoseconds since 1970.
    ///
    /// # Errors
    /// When one of them cannot be looked at.
    pub async fn begin(setting: Setting, opener: &dyn Opener, now_ns: i64) -> Result<Self, Error> {
        let shelf = Shelf::at(setting.shelf.clone());
        let here = tokio::task::spawn_blocking({
            let setting = setting.clone();
            move || {
                pull::remove(&setting.incoming())?;
                setting.scan(now_ns)
            }
        });
        let agreement = Agreement::load(&shelf.agreement(&setting.sandbox));
        let far = ask(opener, &setting.place, &agreement).await;
        let here = here
            .await
            .map_err(|error| Error::Cut(std::io::Error::other(error)))?;
        let (scanned, mut findings) = here?;
        let far = far?;
        let agreement = agreement.known_to(&far);
        let mut uncovered = Uncovered::load(&shelf);
        uncovered.settle(&scanned.manifest)?;
        findings = uncovered.among(findings);
        findings = Released::load(&shelf, &setting.sandbox).not_among(findings);
        Ok(Self {
            setting,
            shelf,
            now_ns,
            scanned,
            findings,
            far,
            agreement,
        })
    }

    /// What a push would do.
    #[must_use]
    pub fn plan(&self, held: &Held, options: &Options) -> Plan {
        let sides = Sides {
            local: &self.scanned.manifest,
            left: &self.scanned.left,
            held,
            agreed: self.agreement.manifest(),
            far: &self.far.view,
        };
        plan(sides, options)
    }

    /// Carries a plan out.
    ///
    /// # Errors
    /// Those of [`push`].
    pub async fn push(
        &self,
        opener: &dyn Opener,
        plan: &Plan,
        compress: bool,
        report: Report,
    ) -> Result<Pushed, Error> {
        let asked = Push {
            place: &self.setting.place,
            root: self.root(),
            shelf: &self.shelf,
            sandbox: &self.setting.sandbox,
            far: &self.far,
            agreement: &self.agreement,
            now_ns: self.now_ns,
            compress,
            report: Arc::clone(&report),
        };
        let pushed = push(opener, plan, asked).await?;
        // What was not held back any more is what somebody has said yes to.
        Uncovered::load(&self.shelf).answered(plan, &self.scanned.manifest)?;
        Released::load(&self.shelf, &self.setting.sandbox).answered(plan, &self.findings)?;
        Ok(pushed)
    }

    /// Keeps the contents that were agreed on, for merges. It is worth doing after a push, and takes
    /// a moment for each file that is new.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn keep_bases(&self, agreement: &Agreement) -> Result<(), Error> {
        let others = self.shelf.agreements();
        self.bases()
            .keep(agreement.manifest(), &others, self.root())
    }

    /// Brings what changed there to a place of its own.
    ///
    /// # Errors
    /// Those of [`fetch`].
    pub async fn fetch(
        &self,
        opener: &dyn Opener,
        provided: &Provided,
        bounds: &Bounds,
    ) -> Result<Incoming, Error> {
        let asked = Pull {
            place: &self.setting.place,
            root: self.root(),
            excludes: self.setting.excludes.as_deref(),
            spool: &self.setting.incoming(),
            local: &self.scanned.manifest,
            agreement: &self.agreement,
            far: &self.far,
            provided,
            bounds,
        };
        fetch(opener, asked).await
    }

    /// What was brought, as a patch.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn patch(&self, incoming: &Incoming) -> Result<Patch, Error> {
        patch(
            incoming,
            self.root(),
            self.agreement.manifest(),
            &self.bases(),
        )
    }

    /// Applies what was brought, and keeps that both sides know it.
    ///
    /// # Errors
    /// Those of [`apply`]. That the far side could not be told is none: what was done here is done,
    /// and [`Applied::untold`] says so.
    pub async fn apply(
        &self,
        opener: &dyn Opener,
        incoming: &Incoming,
        choice: Choice<'_>,
    ) -> Result<Applied, Error> {
        let bases = self.bases();
        let here = Here {
            root: self.root(),
            local: &self.scanned.manifest,
            agreement: &self.agreement,
            bases: &bases,
            view: &self.far.view,
            force: choice.force,
            rules: choice.rules,
        };
        let wanted = |path: &RelPath| choice.only.is_none_or(|only| only(path));
        let takes_rules = incoming
            .changes()
            .iter()
            .any(|change| is_rules(&change.path) && wanted(&change.path));
        if choice.rules && takes_rules {
            // Before they are: a run that is ended in between has held back too much, not too little.
            Uncovered::load(&self.shelf).add(&self.scanned.left)?;
        }
        let mut applied = apply(incoming, here, Some(&wanted))?;
        if self.far.is_strange {
            // There was none before this.
            let (manifest, pending) = (applied.agreement.manifest(), applied.agreement.pending());
            applied.agreement = Agreement::next(manifest.clone(), pending.clone(), self.now_ns);
        }
        applied
            .agreement
            .save(&self.shelf.agreement(&self.setting.sandbox))?;
        let token = applied.agreement.token();
        let told = settle(opener, &self.setting.place, &self.far, token).await;
        applied.untold = told.err().map(|error| error.to_string());
        Ok(applied)
    }

    fn root(&self) -> &Path {
        self.setting.workspace.root()
    }

    fn bases(&self) -> Bases {
        Bases::open(&self.shelf.bases())
    }
}

impl Setting {
    /// Looks at this side alone. `now_ns` is the time, in nanoseconds since 1970. It takes as long as
    /// the disk does.
    ///
    /// # Errors
    /// Those of [`scan`].
    pub fn scan(&self, now_ns: i64) -> Result<(Scanned, Vec<Finding>), Error> {
        let shelf = Shelf::at(self.shelf.clone());
        let root = self.workspace.root();
        let asked = Walk {
            root,
            state: self.workspace.state(),
            excludes: self.excludes.as_deref(),
            git: self.git,
            threads: self.threads,
        };
        let scanned = scan(&asked, &mut Cache::load(&shelf), now_ns)?;
        let findings = look(root, &scanned, self.large);
        Ok((scanned, findings))
    }

    /// Where what a pull brings is until it is used.
    fn incoming(&self) -> PathBuf {
        self.shelf.join("incoming")
    }
}
