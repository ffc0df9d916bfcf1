//! A view put together of layers.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;

use super::View;
use super::block;
use crate::effective::{EffectiveFile, Origin};
use crate::error::Error;
use crate::lays::{Holders, Lay, Stack, by_path, combine, concatenate, measure, paths_of, size_at};
use crate::owner::{Layer, Owner};
use crate::path::ProfilePath;
use crate::profiles::{Shared, damaged};
use crate::snapshot::Snapshot;
use crate::tree::{CONTENT_PATH, File, Sha256};

/// Part of the version, so that it changes when the form of a view does.
const FORM: &str = "view 1";

/// The view of `own`, who has the last layer of the stack if they have one.
pub(super) fn compose(shared: &Shared, own: Option<&Owner>, stack: Stack) -> Result<View, Error> {
    let layers = stack.layers.iter().map(|(origin, _)| origin.clone());
    let layers: Vec<Origin> = layers.collect();
    let mine = stack.layers.last();
    let mine = mine.filter(|(origin, _)| Some(&origin.owner) == own);
    let mine = mine.map(|(_, snapshot)| Arc::clone(snapshot));
    let mut view = View {
        version: String::new(),
        commit: mine.as_ref().map(|it| it.version()).unwrap_or_default(),
        updated_at: mine.as_ref().map(|it| it.commit.time),
        author: mine.as_ref().map(|it| it.commit.author.clone()),
        layers,
        files: Vec::new(),
        made: HashMap::new(),
        block: None,
    };
    match (view.layers.as_slice(), &mine) {
        ([], _) => {}
        ([origin], Some(mine)) => {
            view.version = mine.version();
            view.files = mine.files.iter().map(|file| alone(file, origin)).collect();
        }
        _ => {
            view.version = Sha256::of(format!("{FORM}\n{}", stack.key).as_bytes()).to_string();
            layered(&mut view, shared.open(stack)?, mine.as_deref())?;
        }
    }
    Ok(view)
}

fn alone(file: &File, origin: &Origin) -> EffectiveFile {
    EffectiveFile {
        file: file.clone(),
        origins: vec![origin.clone()],
    }
}

fn layered(view: &mut View, mut lays: Vec<Lay>, mine: Option<&Snapshot>) -> Result<(), Error> {
    let paths = paths_of(&lays);
    let by_path = by_path(&paths);
    measure(&by_path, |layer, place| size_at(&lays, layer, place))?;
    let all = by_path.into_iter();
    let all: Vec<(bool, Holders)> = all.map(|(path, it)| (path == CONTENT_PATH, it)).collect();
    drop(paths);
    for (is_content, holders) in all {
        if is_content {
            let file = content(view, &lays, mine)?;
            view.files.extend(file);
        } else {
            let file = combine(&mut lays, &holders, &mut view.made)?;
            view.files.push(file);
        }
    }
    Ok(())
}

/// `CLAUDE.md`: the outer layers' texts in a block, the person's own behind it. None where there is
/// nothing of either.
fn content(
    view: &mut View,
    lays: &[Lay],
    mine: Option<&Snapshot>,
) -> Result<Option<EffectiveFile>, Error> {
    let (outer, inner) = match (lays.split_last(), mine) {
        (Some((inner, outer)), Some(_)) => (outer, Some(inner)),
        _ => (lays, None),
    };
    let files = inner.into_iter().flat_map(|lay| lay.snapshot.files.iter());
    let own_file = files
        .filter(|file| file.path.as_str() == CONTENT_PATH)
        .last();
    let each = outer.iter().map(|lay| (&lay.origin, lay.snapshot.text()));
    let (text, parts) = concatenate(each);
    if parts.is_empty() {
        let file = own_file.zip(inner);
        return Ok(file.map(|(file, lay)| alone(file, &lay.origin)));
    }
    let own_text = mine.map(Snapshot::text).unwrap_or_default();
    let mut origins: Vec<Origin> = parts.into_iter().map(|part| part.origin).collect();
    let names: Vec<String> = origins.iter().map(|origin| name(&origin.owner)).collect();
    let block = block::render(&names, &text, own_text.contains("\r\n"));
    if own_file.is_some() {
        origins.extend(inner.map(|lay| lay.origin.clone()));
    }
    let content = Bytes::from([block.as_str(), own_text].concat());
    let path = ProfilePath::parse(CONTENT_PATH);
    let file = File {
        path: path.map_err(|_| damaged("name the content of a profile"))?,
        sha256: Sha256::of(&content),
        size: content.len() as u64,
        executable: own_file.is_some_and(|file| file.executable),
    };
    view.made.insert(file.sha256, content);
    view.block = Some(block);
    Ok(Some(EffectiveFile { file, origins }))
}

/// What a layer is called in a block: as in the addresses of profiles.
fn name(owner: &Owner) -> String {
    match owner.layer() {
        Layer::Organization => "org".to_owned(),
        Layer::Team => format!("team:{}", owner.id()),
        Layer::User => "me".to_owned(),
    }
}
