//! Background processes.

pub(crate) mod logs;
pub(crate) mod manage;
pub(crate) mod ssh;
pub(crate) mod tail;
