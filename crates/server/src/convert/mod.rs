//! Between the wire's shapes and the domain's. Whatever a client wrote is checked here, once.

pub(crate) mod analysis;
pub(crate) mod answer;
pub(crate) mod approval;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod gateway;
pub(crate) mod host;
pub(crate) mod identity;
pub(crate) mod knowledge;
pub(crate) mod policy;
pub(crate) mod process;
pub(crate) mod profiles;
pub(crate) mod request;
mod string;
pub(crate) mod text;
pub(crate) mod view;

pub(crate) use analysis::decision_json;
