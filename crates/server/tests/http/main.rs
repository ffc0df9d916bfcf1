//! The server over a real engine, in process: requests go into the router as hyper would hand
//! them over. `socket` alone opens a port.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what a test did not expect is a failed test"
)]

mod access;
mod account_conformance;
mod accounts;
mod approvals;
mod attach;
mod attach_bounds;
mod attach_opencode;
mod attach_raw;
mod attach_streams;
mod catalog;
mod configuration;
mod configuration_conformance;
mod conformance;
mod devices;
mod files;
mod gateway;
mod gateway_conformance;
mod hosts;
mod ids;
mod knowledge;
mod logs;
mod malformed;
mod named_hosts;
mod origins;
mod pages;
mod peers;
mod problems;
mod profile_bounds;
mod profile_trees;
mod profile_upstreams;
mod profile_views;
mod profiles_of_others;
mod routes;
mod runs;
mod sessions;
mod socket;
mod streams;
mod support;
mod teams;
