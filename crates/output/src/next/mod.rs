//! What to do next, from what really came out.
