//! A view, asked for and sent back: what the tests of it share.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use wharf_profiles::{Condition, Error, Layers, Owner, PutView, Sha256, Upload, View};

use crate::support::{Place, ada, author, upload};

pub(crate) fn org() -> Owner {
    Owner::organization("org_1").unwrap()
}

pub(crate) fn team() -> Owner {
    Owner::team("team_1").unwrap()
}

pub(crate) fn layers() -> &'static Layers {
    static LAYERS: LazyLock<Layers> =
        LazyLock::new(|| Layers::new(vec![ada().clone(), team(), org()]).unwrap());
    &LAYERS
}

/// The contents of a view, and whether they may be run.
pub(crate) type Files = BTreeMap<String, (String, bool)>;

pub(crate) async fn put(place: &Place, owner: &Owner, files: &[(&str, &str)]) {
    let put = place
        .profiles
        .put_tree(owner, upload(files), "", author(), Condition::Any);
    put.await.unwrap();
}

pub(crate) async fn files_of(place: &Place, layers: &Layers, view: &View) -> Files {
    let hashes = view.files.iter().map(|it| it.file.sha256).collect();
    let blobs = place.profiles.view_blobs(layers, hashes).await.unwrap();
    let blobs: BTreeMap<Sha256, Bytes> = blobs.into_iter().collect();
    let file = |it: &wharf_profiles::EffectiveFile| {
        let content = &blobs[&it.file.sha256];
        assert_eq!(Sha256::of(content), it.file.sha256);
        assert_eq!(content.len() as u64, it.file.size);
        let text = String::from_utf8(content.to_vec()).unwrap();
        (it.file.path.to_string(), (text, it.file.executable))
    };
    view.files.iter().map(file).collect()
}

/// The view now, and its contents.
pub(crate) async fn seen(place: &Place) -> (Arc<View>, Files) {
    let view = place.profiles.view(layers()).await.unwrap();
    let files = files_of(place, layers(), &view).await;
    (view, files)
}

/// An upload of these files with all contents that `known` has not.
pub(crate) fn sent(files: &Files, known: &Files) -> Upload {
    let mut upload = Upload::new();
    for (path, (text, runs)) in files {
        let hash = Sha256::of(text.as_bytes());
        upload.file(path, &hash.to_string(), *runs).unwrap();
        if !known.values().any(|(content, _)| content == text) {
            let content = Bytes::copy_from_slice(text.as_bytes());
            upload.content(hash, content).unwrap();
        }
    }
    upload
}

pub(crate) async fn push(place: &Place, view: &View, files: &Files, known: &Files) -> PutView {
    let put = try_put(place, sent(files, known), Condition::Is(&view.version));
    put.await.unwrap()
}

pub(crate) async fn try_put(
    place: &Place,
    upload: Upload,
    condition: Condition<'_>,
) -> Result<PutView, Error> {
    let profiles = &place.profiles;
    profiles
        .put_view(layers(), upload, "", author(), condition)
        .await
}

/// The person's own files.
pub(crate) async fn own(place: &Place) -> Vec<(String, String)> {
    let tree = place.profiles.tree(ada(), None).await.unwrap();
    let mut files = Vec::new();
    for file in tree.files.iter() {
        let blobs = place.profiles.blobs(ada(), vec![file.sha256]).await;
        let content = blobs.unwrap().remove(0).1;
        let text = String::from_utf8(content.to_vec()).unwrap();
        files.push((file.path.to_string(), text));
    }
    files
}

pub(crate) fn changed(files: &Files, path: &str, text: &str) -> Files {
    let mut files = files.clone();
    files.insert(path.to_owned(), (text.to_owned(), false));
    files
}
