//! What a client proves with that a session is its own.

use openssl::{rand, sha};

use crate::chat::SessionKey;
use crate::dispatcher::Secret;

const BYTES: usize = 16;

impl Secret {
    /// A new one, of 128 bits that nobody can guess.
    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; BYTES];
        rand::rand_bytes(&mut bytes)?;
        Ok(Self::of(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The one that a client offers, if it looks like one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let looks_like_one = text.len() == 2 * BYTES && text.bytes().all(is_digit);
        looks_like_one.then(|| Self::of(text.to_owned()))
    }

    fn of(text: String) -> Self {
        let key = SessionKey(sha::sha256(text.as_bytes()));
        Self { text, key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_another_and_known_again() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(one.text, two.text);
        assert_ne!(one.key, two.key);
        assert_eq!(Secret::parse(&one.text).unwrap().key, one.key);
    }

    #[test]
    fn what_cannot_be_one_is_none() {
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
