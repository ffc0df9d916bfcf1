//! What a server that is gone left behind.

use wharf_localstate::{Places, Registration};

use super::Line;

/// A registration of a process that does not run any more.
pub(super) fn registration(places: &Places) -> Vec<Line> {
    if is_stale(places) {
        let text = "its registration is of a process that has gone; nobody is misled by it";
        return vec![Line::warn("server", text).hint("wharf doctor --fix")];
    }
    Vec::new()
}

pub(super) fn is_stale(places: &Places) -> bool {
    let file = places.registration_file();
    file.is_file() && matches!(Registration::find(&file), Ok(None))
}
