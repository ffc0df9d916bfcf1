//! One file for each thing that can be asked: read the request, call one use case, write the
//! answer.

pub(crate) mod approvals;
pub(crate) mod attach;
pub(crate) mod catalog;
pub(crate) mod configuration;
pub(crate) mod files;
pub(crate) mod gateway;
pub(crate) mod hosts;
pub(crate) mod identity;
pub(crate) mod knowledge;
pub(crate) mod policy;
pub(crate) mod processes;
pub(crate) mod profile;
pub(crate) mod runs;
pub(crate) mod sessions;
pub(crate) mod system;
