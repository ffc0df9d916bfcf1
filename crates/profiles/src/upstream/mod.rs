//! x
/// Why an upstream was not reached.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {}
