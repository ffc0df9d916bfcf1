//! What of Linux both `exec` and `sandbox` ask for, and neither std nor rustix has.
//!
//! [`process`] starts programs and moves descriptors; `unsafe` is confined to it. [`cgroups`] finds
//! the hierarchies of control groups. What to do with either is decided by those who call: nothing
//! here knows of commands or sandboxes, or keeps anything.

pub mod cgroups;
pub mod process;
