//! The view: what a machine of a person gets, and what it sends back.
//!
//! It is the [effective](crate::effective) profile in a form that can be edited. In `CLAUDE.md` the
//! texts of the outer layers stand in a block of their own, the person's text after it.
//! What is sent back is taken apart again ([`Profiles::put_view`]): only what the person changed
//! becomes theirs, so that a later change of an outer layer still arrives.
//!
//! Where nobody but the person has a profile, the view is that profile, byte for byte.

mod block;
mod compose;
mod own;
mod put;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use wharf_model::Timestamp;

use crate::effective::{EffectiveFile, Layers, Origin};
use crate::error::Error;
use crate::git::commits::Author;
use crate::lays::{FILE_BYTES, Stack};
use crate::owner::Owner;
use crate::profiles::{Profiles, Shared};
use crate::tree::Sha256;

pub use put::PutView;

/// What a machine of a person gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// Changes whenever anything in it does; for an `ETag`. Empty where nothing was ever saved.
    pub version: String,
    /// The newest commit of the person's own profile; empty where they never saved anything.
    pub commit: String,
    /// When that was saved.
    pub updated_at: Option<Timestamp>,
    /// Who made it.
    pub author: Option<Author>,
    /// The layers that have a profile, the outermost first.
    pub layers: Vec<Origin>,
    /// The files, sorted by path.
    pub files: Vec<EffectiveFile>,
    /// Contents that are in no profile, because they were put together.
    made: HashMap<Sha256, Bytes>,
    /// What stands before the person's own text in `CLAUDE.md`.
    block: Option<String>,
}

impl View {
    /// What it takes in memory, about.
    fn bytes(&self) -> usize {
        let made: usize = self.made.values().map(Bytes::len).sum();
        made + self.block.as_ref().map_or(0, String::len) + self.files.len() * FILE_BYTES
    }
}

impl Profiles {
    /// The view of these layers. The person is the innermost of their owners.
    ///
    /// # Errors
    /// [`Error::TooMany`] or [`Error::TooLarge`] when the layers together are past a bound of a
    /// profile; when a repository cannot be read.
    pub async fn view(&self, layers: &Layers) -> Result<Arc<View>, Error> {
        let layers = layers.clone();
        self.read(move |shared| shared.view(&layers)).await
    }

    /// Contents of the view of these layers by hash, also those that were put together. Somebody
    /// who got the list before a layer changed asks for what the view had then: that is found as
    /// long as it is kept.
    ///
    /// # Errors
    /// As [`Profiles::blobs`].
    pub async fn view_blobs(
        &self,
        layers: &Layers,
        hashes: Vec<Sha256>,
    ) -> Result<Vec<(Sha256, Bytes)>, Error> {
        let layers = layers.clone();
        let read = move |shared: &Shared| {
            let view = shared.view(&layers)?;
            let owners = layers.owners();
            match shared.layered_blobs(owners, &view.made, hashes.clone()) {
                Err(Error::Absent(absent)) => {
                    let mut made = shared.made_before(owners, &absent);
                    if made.is_empty() {
                        return Err(Error::Absent(absent));
                    }
                    let now = view.made.iter();
                    made.extend(now.map(|(hash, content)| (*hash, content.clone())));
                    shared.layered_blobs(owners, &made, hashes)
                }
                found => found,
            }
        };
        self.read(read).await
    }
}

impl Shared {
    fn view(&self, layers: &Layers) -> Result<Arc<View>, Error> {
        let stack = self.stack(layers.owners())?;
        self.view_of(layers.owners().last(), stack)
    }

    /// Those of these contents that were put together for a view that is kept, of no other layers
    /// than these: what another had in it is not for whoever has these.
    fn made_before(&self, owners: &[Owner], hashes: &[Sha256]) -> HashMap<Sha256, Bytes> {
        let mut made = HashMap::new();
        let is_of_these = |view: &View| view.layers.iter().all(|it| owners.contains(&it.owner));
        for view in self.views.all() {
            if !view.made.is_empty() && is_of_these(&view) {
                let known = |hash: &Sha256| Some((*hash, view.made.get(hash)?.clone()));
                made.extend(hashes.iter().filter_map(known));
            }
        }
        made
    }

    /// The view of `own`, who has the last layer of the stack if they have one.
    fn view_of(&self, own: Option<&Owner>, stack: Stack) -> Result<Arc<View>, Error> {
        let person = own.map(Owner::to_string).unwrap_or_default();
        let key = format!("{person} {}", stack.key);
        if let Some(kept) = self.views.get(&key) {
            return Ok(kept);
        }
        let view = Arc::new(compose::compose(self, own, stack)?);
        self.views.put(key, view.bytes(), Arc::clone(&view));
        Ok(view)
    }
}
