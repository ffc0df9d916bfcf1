//! Text that opens something, on its way over the wire.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A password, a code or a token. On the wire it is a string; `Debug` does not show it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hidden(String);

impl Hidden {
    /// The text itself.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text itself, taken out.
    #[must_use]
    pub fn into_inner(self) -> String {
        self.0
    }
}

impl From<String> for Hidden {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for Hidden {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_travels_as_a_string_and_is_not_shown() {
        let hidden = Hidden::from("hunter2");
        assert_eq!(serde_json::to_string(&hidden).unwrap(), "\"hunter2\"");
        assert_eq!(format!("{hidden:?}"), "Hidden(..)");
    }
}
