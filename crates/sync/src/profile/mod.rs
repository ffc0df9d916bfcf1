//! A profile as data: names of files, digests, and the list of all of it.

mod digest;
mod manifest;
mod path;

pub use digest::{Digest, InvalidDigest};
pub use manifest::{
    Entry, FILE_BYTES_MAX, FILES_MAX, InvalidManifest, Listed, Manifest, TREE_BYTES_MAX,
};
pub use path::{
    InvalidPath, PATH_BYTES_MAX, PATH_DEPTH_MAX, ProfilePath, Reason, TEMP_PREFIX, Trouble,
};
