//! Files of profiles, and of several put together.

use wharf_api::profile::{ProfileFile, ProfileLayer, ProfileTree};
use wharf_profiles::effective::Origin;
use wharf_profiles::view::View;
use wharf_profiles::{File, Owner, Tree};

use super::author;
use crate::error::Failure;
use crate::handlers::configuration::asker::{Asker, ME};

/// One profile's own.
pub(crate) fn own(asker: &Asker<'_>, owner: &Owner, tree: &Tree) -> Result<ProfileTree, Failure> {
    let origin = Origin {
        owner: owner.clone(),
        version: tree.version.clone(),
    };
    let saved = (!tree.version.is_empty()).then_some(&origin);
    Ok(ProfileTree {
        owner: asker.told_apart(owner),
        version: tree.version.clone(),
        commit_sha: tree.version.clone(),
        updated_at: tree.updated_at.map(|at| at.to_string()),
        author: tree.author.as_ref().map(author),
        layers: layers(asker, saved)?,
        files: tree.files.iter().map(|it| file(it, Vec::new())).collect(),
        block_ignored: false,
    })
}

/// What applies to who asks.
pub(crate) fn applying(asker: &Asker<'_>, view: &View) -> Result<ProfileTree, Failure> {
    let place = |origin: &Origin| {
        let place = view.layers.iter().position(|it| it.owner == origin.owner);
        place.and_then(|place| u32::try_from(place).ok())
    };
    let several = view.layers.len() > 1;
    let files = view.files.iter().map(|it| {
        let from = it.origins.iter().filter(|_| several).filter_map(place);
        file(&it.file, from.collect())
    });
    Ok(ProfileTree {
        owner: asker.told_apart(&asker.reads(ME)?),
        version: view.version.clone(),
        commit_sha: view.commit.clone(),
        updated_at: view.updated_at.map(|at| at.to_string()),
        author: view.author.as_ref().map(author),
        layers: layers(asker, &view.layers)?,
        files: files.collect(),
        block_ignored: false,
    })
}

fn layers<'a>(
    asker: &Asker<'_>,
    origins: impl IntoIterator<Item = &'a Origin>,
) -> Result<Vec<ProfileLayer>, Failure> {
    let layer = |origin: &Origin| {
        Ok(ProfileLayer {
            profile: asker.called(&origin.owner)?,
            name: asker.name(&origin.owner),
            commit_sha: origin.version.clone(),
        })
    };
    origins.into_iter().map(layer).collect()
}

fn file(file: &File, layers: Vec<u32>) -> ProfileFile {
    ProfileFile {
        path: file.path.to_string(),
        sha256: file.sha256.to_string(),
        size: file.size,
        executable: file.executable,
        layers,
    }
}
