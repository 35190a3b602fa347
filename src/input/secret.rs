//! The secret that lets a client resume its user.

use std::io;

use sha2::{Digest, Sha256};

use crate::chat::ResumeKey;

const BYTES: usize = 16;

/// 32 hexadecimal digits that only the client keeps, and their hash.
#[derive(Debug)]
pub(crate) struct Secret {
    text: String,
    key: ResumeKey,
}

impl Secret {
    /// A new secret of 128 random bits. Fails when the system provides none.
    pub(crate) fn random() -> io::Result<Self> {
        let mut bytes = [0; BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self::of(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The secret that a client offers. `None` if it is malformed.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_well_formed = text.len() == 2 * BYTES && text.bytes().all(is_digit);
        is_well_formed.then(|| Self::of(text.to_owned()))
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its SHA-256. The chat and the history know only this.
    pub(crate) fn key(&self) -> ResumeKey {
        self.key
    }

    fn of(text: String) -> Self {
        let key = ResumeKey(Sha256::digest(&text).into());
        Self { text, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_have_the_same_key_when_they_are_read_again() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(one.text(), two.text());
        assert_ne!(one.key(), two.key());
        assert_eq!(Secret::parse(one.text()).unwrap().key(), one.key());
    }

    #[test]
    fn a_malformed_secret_is_refused() {
        let good = Secret::random().unwrap().text;
        for bad in [
            "",
            &good[1..],
            &format!("{good}0"),
            &good.to_uppercase().replace(char::is_numeric, "A"),
            &"g".repeat(32),
        ] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
    }
}
