//! [`Token`]: what those who reach a node from other machines have to know.

use std::io;
use std::path::{Path, PathBuf};

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use subtle::ConstantTimeEq as _;

use crate::api::Problem;

/// The shortest token, in bytes: what 128 random bits take in base64, less a few.
pub const SHORTEST_TOKEN: usize = 16;

/// The longest token, in bytes. It comes with every request.
pub const LONGEST_TOKEN: usize = 4096;

/// A bearer token. It is read from a file and never an argument, which other users of the machine
/// could see.
pub struct Token(String);

/// Why a token cannot be used. No message repeats a part of it.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read: correct its path or its permissions.
    #[error("cannot read the token from {}", file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// It is too short, too long, or has characters that no header field can carry.
    #[error(
        "a token has {SHORTEST_TOKEN} to {LONGEST_TOKEN} visible characters of ASCII, without spaces; make one with \
         `head -c 24 /dev/urandom | base64`"
    )]
    Unusable,
}

impl Token {
    /// This token.
    ///
    /// # Errors
    ///
    /// [`TokenError::Unusable`].
    pub fn new(text: String) -> Result<Self, TokenError> {
        let is_long = (SHORTEST_TOKEN..=LONGEST_TOKEN).contains(&text.len());
        if is_long && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Ok(Self(text))
        } else {
            Err(TokenError::Unusable)
        }
    }

    /// The token in this file. White space around it does not count. Blocks.
    ///
    /// # Errors
    ///
    /// [`TokenError`].
    pub fn read(file: &Path) -> Result<Self, TokenError> {
        let text = std::fs::read_to_string(file).map_err(|source| TokenError::Unreadable {
            file: file.to_owned(),
            source,
        })?;
        Self::new(text.trim().to_owned())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Whether this is the token. Takes as long for a wrong one of the same length.
    pub(crate) fn is(&self, given: &str) -> bool {
        given.as_bytes().ct_eq(self.bytes()).into()
    }

    /// Refuses a request without this token. Takes as long for a wrong one of the same length.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut lines = headers.get_all(AUTHORIZATION).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            return Err(Problem::unauthorized());
        };
        match line.as_bytes().split_at_checked(7) {
            Some((scheme, given))
                if scheme.eq_ignore_ascii_case(b"bearer ")
                    && given.trim_ascii().ct_eq(self.0.as_bytes()).into() =>
            {
                Ok(())
            }
            Some(_) | None => Err(Problem::unauthorized()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_from_a_file_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token");
        assert!(matches!(
            Token::read(&file),
            Err(TokenError::Unreadable { .. })
        ));
        for bad in [
            "",
            "short",
            "sixteen chars long",
            &"x".repeat(LONGEST_TOKEN + 1),
        ] {
            std::fs::write(&file, bad).unwrap();
            let error = Token::read(&file).err().unwrap();
            assert!(bad.is_empty() || !error.to_string().contains(bad));
        }
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        let token = Token::read(&file).unwrap();
        let given = |line: &str| {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, line.parse().unwrap())]);
            token.check(&headers).is_ok()
        };
        assert!(given("Bearer 0123456789abcdef") && given("bearer  0123456789abcdef "));
        for wrong in [
            "Bearer 0123456789abcdeF",
            "Bearer ",
            "Basic 0123456789abcdef",
            "x",
        ] {
            assert!(!given(wrong), "{wrong}");
        }
        assert!(token.check(&HeaderMap::new()).is_err());
    }
}
