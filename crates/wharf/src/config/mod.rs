//! Settings: read once from all their sources, checked, and resolved into plain options.
//!
//! Start at [`keys`], the list of all settings; [`layers`] puts their sources in order;
//! [`options`] is what the commands get. Nothing else of the program reads a configuration.

pub(crate) mod dotenv;
pub(crate) mod edit;
mod issuers;
pub(crate) mod keys;
pub(crate) mod layers;
mod mail;
pub(crate) mod nearest;
pub(crate) mod options;
pub(crate) mod sandbox;
pub(crate) mod sources;
pub(crate) mod value;

pub(crate) use layers::{ConfigError, Origin, Settings};
pub(crate) use sources::{Purpose, read};
pub(crate) use value::Value;
