//! Changes in a few words.

use wharf_sync::apply::{Change, To};
use wharf_sync::profile::Entry;

use crate::world::path;

pub(crate) fn content(text: &str) -> To {
    To::Content {
        bytes: text.as_bytes().into(),
        executable: false,
        mode: None,
    }
}

pub(crate) fn change(name: &str, expect: Option<&str>, to: To) -> Change {
    Change {
        path: path(name),
        expect: expect.map(|text| Entry::of(text.as_bytes(), false)),
        to,
    }
}
