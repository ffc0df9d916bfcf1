//! The binary as its users have it: a real server on a free port, in a home of its own; what it
//! prints on both streams and its exit code, in one snapshot.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic, and its helpers too"
)]

mod accounts;
mod approvals;
mod audit;
mod catalog;
mod config;
mod cp;
mod danger;
mod database;
mod doctor;
mod help;
mod home;
mod host;
mod identity;
mod login;
mod logins;
mod mail;
mod outside;
mod policy;
mod registry;
mod run;
mod sandbox;
mod serve;
mod session;
mod sync;
mod terminal;
mod token;
mod watching;
mod work;
