//! What happens to every request before a handler sees it, in one function: [`gate::pass`].
//!
//! One hand-written layer instead of a stack: each boxed layer costs an allocation and a virtual
//! call a request, and the order of these checks matters (nothing is read before it is known who
//! asks), which a reader sees best in one place.

pub(crate) mod auth;
pub(crate) mod correlation;
pub(crate) mod forward;
pub(crate) mod gate;
pub(crate) mod host;
pub(crate) mod log;
pub(crate) mod origin;
pub(crate) mod proxy;
