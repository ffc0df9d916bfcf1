//! A view that comes back: what in it is the person's own becomes the new version of their profile.

use std::sync::Arc;

use super::View;
use super::own::Parts;
use crate::content::base_of;
use crate::effective::{Layers, Origin};
use crate::error::Error;
use crate::git::commits::Author;
use crate::git::objects::Reader;
use crate::lays::{Lay, Stack, by_path, measure, origin_of, paths_of, size_at};
use crate::owner::Owner;
use crate::profiles::{Change, Condition, Entry, Ground, Profiles, Shared};
use crate::snapshot::Snapshot;
use crate::upload::Upload;

/// What came of a view that was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutView {
    /// The view now. It has files that were not sent where an outer layer has them.
    pub view: Arc<View>,
    /// Changes within the outer layers' part of `CLAUDE.md` were not taken.
    pub block_ignored: bool,
}

impl Profiles {
    /// Takes a view that somebody has changed. Only what they changed becomes the person's own:
    ///
    /// - A file that is as the outer layers have it is not stored.
    /// - Of `CLAUDE.md` the person's part is; changes in the other part are not taken, and told.
    /// - Of a JSON file that layers are merged into, only the members that differ are.
    /// - A file of the person's own that is not sent is gone; one of an outer layer shows again.
    ///
    /// `condition` is about the version of the view. What comes to nothing makes no new version.
    ///
    /// # Errors
    /// As [`Profiles::put_tree`], and as [`Profiles::view`] when the view would be past a bound;
    /// [`Error::Nobody`] when the layers have no owner.
    pub async fn put_view(
        &self,
        layers: &Layers,
        mut upload: Upload,
        message: &str,
        author: &Author,
        condition: Condition<'_>,
    ) -> Result<PutView, Error> {
        let (own, outer) = layers.split().ok_or(Error::Nobody)?;
        let (own, outer) = (own.clone(), outer.to_vec());
        let (author, message) = (author.clone(), message.to_owned());
        let base = base_of(condition);
        let queue = own.clone();
        let write = move |shared: &Shared| {
            upload.named()?;
            let put = Put {
                shared,
                own: &own,
                outer: &outer,
                upload: &upload,
                base: base.as_deref(),
            };
            put.write(&author, &message)
        };
        self.write(&queue, write).await
    }
}

struct Put<'a> {
    shared: &'a Shared,
    own: &'a Owner,
    outer: &'a [Owner],
    upload: &'a Upload,
    base: Option<&'a str>,
}

impl Put<'_> {
    fn write(&self, author: &Author, message: &str) -> Result<PutView, Error> {
        let change = Change {
            author,
            message,
            // The version of the view is looked at below, with the profile held.
            condition: Condition::Any,
            always: false,
        };
        let mut around = Vec::new();
        let mut block_ignored = false;
        let edit = |ground: &mut Ground<'_, '_>| {
            // The outer layers are as they are now. One that changes before this is done changes
            // after it, as far as anybody can tell.
            around = self.shared.stack(self.outer)?.layers;
            let view = self.view(&around, ground.before)?;
            if let Some(base) = self.base
                && base != view.version
            {
                let current = view.version.clone();
                return Err(Error::Stale { current });
            }
            let outer = self.shared.open(Stack::of(around.clone()))?;
            let contents = Reader::open(&self.shared.repository(self.own).objects())?;
            let is_first = ground.before.is_none();
            let mut parts = Parts::new(&view, self.upload, outer, ground, contents);
            let found = parts.own()?;
            block_ignored = found.block_ignored;
            let entries = found.entries;
            measure_with(parts.outer(), &entries)?;
            Ok((!is_first || !entries.is_empty()).then_some(entries))
        };
        let after = self.shared.change(self.own, &change, edit)?;
        let view = self.view(&around, after.as_ref())?;
        Ok(PutView {
            view,
            block_ignored,
        })
    }

    fn view(
        &self,
        around: &[(Origin, Arc<Snapshot>)],
        own: Option<&Arc<Snapshot>>,
    ) -> Result<Arc<View>, Error> {
        let mut layers = around.to_vec();
        let own = own.map(|it| (origin_of(self.own, it), Arc::clone(it)));
        layers.extend(own);
        self.shared.view_of(Some(self.own), Stack::of(layers))
    }
}

/// Whether the view that comes of it is within the bounds of one: nobody could take back what
/// cannot be read.
///
/// All that was sent is seen in it. What was left to an outer layer could be hidden only by what
/// cannot be beside it, and that was not sent; nor does the person's own lay anything bare that
/// would hide it, since what hid that cannot have been beside it either.
fn measure_with(outer: &[Lay], entries: &[Entry]) -> Result<(), Error> {
    let mut layers = paths_of(outer);
    layers.push(entries.iter().map(|entry| &entry.path).collect());
    measure(&by_path(&layers), |layer, place| match entries.get(place) {
        Some(entry) if layer == outer.len() => entry.size,
        _ => size_at(outer, layer, place),
    })
}
