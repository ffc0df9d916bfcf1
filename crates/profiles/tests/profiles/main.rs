//! Profiles from outside: real repositories in a folder, looked at with stock git.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "functions that the tests share are tests, too"
)]

mod bad_input;
mod catalog;
mod content;
mod effective;
mod races;
mod support;
mod tree;
mod upstream;
mod upstream_settings;
mod view;
mod view_histories;
mod view_layers;
mod view_seen;
mod view_sent;
