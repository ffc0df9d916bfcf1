//! The server's side: who asks, what is there.

use std::thread;

use wharf_api::profile::{ProfileFile, ProfileTree};
use wharf_client::{Client, Error as ClientError};
use wharf_sync::profile::{Listed, Manifest};
use wharf_sync::select::Selection;

use super::account::Account;
use super::offline;
use super::place::{self, Place, seconds};
use super::sites::Site;
use super::state::{Known, State};
use crate::connect;
use crate::context::Context;
use crate::error::{CommandError, Kind};
use crate::ui::neutral::neutral_line;

/// A server, and who asks it.
#[derive(Debug)]
pub(super) struct Session<'a> {
    pub(super) cx: &'a Context,
    pub(super) client: Client,
    pub(super) account: Account,
    /// Nothing is to be noted of who is at work in a directory.
    is_reading: bool,
}

/// What the server has.
#[derive(Debug, Clone)]
pub(super) struct There {
    /// As it told it.
    pub(super) tree: ProfileTree,
    /// Its files, checked.
    pub(super) manifest: Manifest,
    /// Whose it is.
    pub(super) owner: String,
}

/// Both sides of a sync with Claude Code.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) place: Place,
    pub(super) here: Selection,
    pub(super) there: There,
}

impl<'a> Session<'a> {
    /// Finds the server. It is away where no token can be had from it.
    pub(super) fn begin(cx: &'a Context) -> Result<Self, CommandError> {
        let account = Account::of(cx)?;
        // A token that has to be renewed is waited for in an event loop of its own, and there cannot
        // be two of them on one thread.
        let found = thread::scope(|scope| scope.spawn(|| connect::find(cx)).join());
        let found = found.map_err(|_| CommandError::failed("looking for the server has failed"))?;
        let server = found.map_err(|error| match error.kind {
            Kind::TryLater => untouched(offline::away(error)),
            _ => error,
        })?;
        Ok(Self {
            cx,
            client: server.client,
            account,
            is_reading: false,
        })
    }

    /// The same for what only reads: who was at work in a directory last stays who it was.
    pub(super) fn reading(self, is_reading: bool) -> Self {
        Self { is_reading, ..self }
    }

    /// What the server has. One round trip, and nothing but a head comes back where it is what is
    /// known.
    pub(super) async fn there(&mut self) -> Result<There, CommandError> {
        let known = self.known();
        let told = self.ask(known.as_ref()).await?;
        self.take(known, told)
    }

    /// Looks at both sides at once.
    pub(super) async fn look(&mut self, site: Site) -> Result<Look, CommandError> {
        let cx = self.cx;
        let mut place = match &self.account.owner {
            Some(owner) => Some(Place::open(cx, site.clone(), owner)?),
            None => None,
        };
        let known = self.known();
        let state = place.as_ref().map(|place| place.state.clone());
        let local = look_beside(site.clone(), state);
        let (told, here) = tokio::join!(self.ask(known.as_ref()), local);
        let (told, here) = (told?, here?);
        let before = self.account.owner.clone();
        let there = self.take(known, told)?;
        if before.as_deref() != Some(&there.owner) {
            // One lock is held at a time.
            place = None;
        }
        let place = match place {
            Some(place) => place,
            None => Place::open(cx, site, &there.owner)?,
        };
        self.note(&place, &there)?;
        Ok(Look { place, here, there })
    }

    /// Whose the tree is, for people.
    pub(super) fn who(&self, there: &There) -> String {
        let own = there.tree.layers.iter().find(|it| it.profile == "me");
        let told = own.map(|own| &own.name).filter(|name| !name.is_empty());
        match told.or(self.account.person.as_ref()) {
            Some(name) => format!("{} at {}", neutral_line(name), self.account.server),
            None => self.account.server.clone(),
        }
    }

    /// Notes that this owner is at work in that directory, and says it where it was another one.
    pub(super) fn note(&self, place: &Place, there: &There) -> Result<(), CommandError> {
        let who = self.who(there);
        if let Some((_, last)) = State::last(self.cx, &place.site)
            && last.owner != there.owner
            && !last.owner.is_empty()
        {
            self.cx.ui.event(&format!(
                "{} was synced for {} before, and is for {who} now: nothing counts as agreed on",
                place.site.shown,
                neutral_line(&last.who)
            ));
        }
        if self.is_reading {
            return Ok(());
        }
        place.state.note_work(&place.site, &there.owner, &who)
    }

    fn known(&self) -> Option<Known> {
        let owner = self.account.owner.as_deref()?;
        Known::of(self.cx, owner)
    }

    /// The tree; none where it is what is known.
    async fn ask(&self, known: Option<&Known>) -> Result<Option<ProfileTree>, CommandError> {
        let version = known.map(|known| known.tree.version.as_str());
        match self.client.profile_tree(None, version).await {
            Ok(told) => Ok(told),
            // Every verb asks first.
            Err(error) => Err(untouched(away(error))),
        }
    }

    /// Checks what was told, and takes the server's word for whose it is.
    pub(super) fn take(
        &mut self,
        known: Option<Known>,
        told: Option<ProfileTree>,
    ) -> Result<There, CommandError> {
        let is_news = told.is_some();
        let tree = told.or(known.map(|known| known.tree)).unwrap_or_default();
        let manifest = manifest(&tree.files)?;
        self.account.learn(self.cx, &tree.owner)?;
        let owner = self.account.owner.clone().unwrap_or_default();
        if is_news {
            let known = Known {
                at: seconds(),
                tree: tree.clone(),
            };
            known.keep(self.cx, &owner);
        }
        Ok(There {
            tree,
            manifest,
            owner,
        })
    }
}

/// What the server lists, checked: paths, digests, bounds.
pub(super) fn manifest(files: &[ProfileFile]) -> Result<Manifest, CommandError> {
    let listed = files.iter().map(|file| Listed {
        path: file.path.clone(),
        sha256: file.sha256.clone(),
        size: file.size,
        mode: if file.executable { 0o755 } else { 0o644 },
    });
    Manifest::from_listed(listed).map_err(|error| {
        CommandError::failed("what the server lists is not taken")
            .because(error)
            .hint("nothing was written; whoever looks after the server should know")
    })
}

async fn look_beside(site: Site, state: Option<State>) -> Result<Selection, CommandError> {
    let look = move || place::look(&site, state.as_ref());
    let looked = tokio::task::spawn_blocking(look).await;
    looked.map_err(|error| CommandError::failed("the local look has failed").because(error))?
}

/// An error of a call, in the words of a sync.
pub(super) fn away(error: ClientError) -> CommandError {
    let is_away = match &error {
        ClientError::Connect { .. } | ClientError::Broken { .. } => true,
        ClientError::Refused { problem, .. } => matches!(problem.status, 502..=504),
        ClientError::Answer { status, .. } => matches!(status, 502..=504),
        _ => false,
    };
    let said = CommandError::from(error);
    match said.kind {
        _ if is_away => offline::away(said),
        // It was not the command that was worded wrongly.
        Kind::Usage => CommandError {
            kind: Kind::Failed,
            ..said
        },
        _ => said,
    }
}

/// An error of a call that was to change something there.
pub(super) fn sent(error: ClientError) -> CommandError {
    let may_be_there = match &error {
        ClientError::Broken { .. } | ClientError::Answer { .. } => true,
        ClientError::Refused { problem, .. } => problem.status >= 500,
        _ => false,
    };
    let said = away(error);
    if may_be_there {
        said.hint("it may have arrived; wharf sync tells")
    } else {
        said.hint("nothing was sent")
    }
}

/// Of a verb that has done nothing yet.
fn untouched(error: CommandError) -> CommandError {
    match error.kind {
        Kind::Failed | Kind::TryLater => error.hint("nothing was changed"),
        _ => error,
    }
}
