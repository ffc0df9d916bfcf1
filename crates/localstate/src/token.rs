//! The token that this machine's clients show to this machine's server.
//!
//! How it looks is in [`wharf_model::token`].

use std::path::Path;

use wharf_model::{Entropy, NotAToken, Secret, TokenKind};

use crate::error::Error;
use crate::private::{self, FILE_MODE, Repaired};

/// A well-formed token.
#[derive(Debug, Clone)]
pub struct Token(Secret);

impl Token {
    /// A new one that nobody can guess.
    #[must_use]
    pub fn random(entropy: &dyn Entropy) -> Self {
        Self(TokenKind::Local.random(entropy))
    }

    /// Reads one, white space around it aside.
    ///
    /// # Errors
    /// When its shape or checksum is wrong.
    pub fn parse(text: &str) -> Result<Self, NotAToken> {
        TokenKind::Local.parse(text).map(Self)
    }

    /// The token in `file`, if there is one; a file that others could read is made private, which
    /// is reported.
    ///
    /// # Errors
    /// When the file cannot be read or does not hold a token.
    pub fn load(file: &Path) -> Result<Option<(Self, Option<Repaired>)>, Error> {
        let Some(text) = private::read(file)? else {
            return Ok(None);
        };
        let repaired = private::protect(file, FILE_MODE)?;
        let token = Self::parse(&text).map_err(|error| Error::Damaged {
            path: file.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Some((token, repaired)))
    }

    /// The token in `file`, made now if there is none. Two processes that do this at once get the
    /// same one.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub fn load_or_create(
        file: &Path,
        entropy: &dyn Entropy,
    ) -> Result<(Self, Option<Repaired>), Error> {
        if let Some(found) = Self::load(file)? {
            return Ok(found);
        }
        let new = Self::random(entropy);
        let line = format!("{}\n", new.0.expose());
        if private::create(file, line.as_bytes())? {
            return Ok((new, None));
        }
        Self::load(file)?.ok_or_else(|| Error::Damaged {
            path: file.to_owned(),
            reason: "it was removed while it was read".into(),
        })
    }

    /// The secret itself.
    #[must_use]
    pub fn secret(&self) -> &Secret {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(u8);
    impl Entropy for Fixed {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(self.0);
        }
    }

    #[test]
    fn the_first_start_makes_it_and_later_ones_keep_it() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");

        let (first, _) = Token::load_or_create(&file, &Fixed(1)).unwrap();
        let (second, _) = Token::load_or_create(&file, &Fixed(2)).unwrap();

        assert_eq!(first.secret().expose(), second.secret().expose());
    }

    #[test]
    fn a_token_that_others_can_read_is_made_private() {
        use std::os::unix::fs::PermissionsExt as _;
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");
        Token::load_or_create(&file, &Fixed(1)).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();

        let (_, repaired) = Token::load(&file).unwrap().unwrap();

        assert_eq!(repaired.map(|r| (r.was, r.now)), Some((0o644, 0o600)));
    }

    #[test]
    fn a_damaged_token_is_an_error_and_not_replaced() {
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("token");
        std::fs::write(&file, "whf_short").unwrap();
        let found = Token::load_or_create(&file, &Fixed(1));
        assert!(matches!(found, Err(Error::Damaged { .. })));
    }
}
