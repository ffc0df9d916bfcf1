//! The bare `wharf`: its gates, the hand-over of the terminal, and the machine that it leads to.

mod early;
mod far;
mod gates;
mod gateway;
mod handover;
mod seat;
