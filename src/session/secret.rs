//! The secret by which a client of `wschat.v2` proves that a session is its own.

use openssl::{rand, sha};

use crate::chat::SessionKey;
use crate::dispatcher::Secret;

const BYTES: usize = 16;

impl Secret {
    /// A new secret of 128 random bits.
    pub(super) fn random() -> std::io::Result<Self> {
        let mut bytes = [0; BYTES];
        rand::rand_bytes(&mut bytes)?;
        Ok(Self::of(format!("{:032x}", u128::from_be_bytes(bytes))))
    }

    /// The secret that a client offers, if it has the form of one.
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
    fn secrets_differ_and_parse_back_to_the_same_key() {
        let (one, two) = (Secret::random().unwrap(), Secret::random().unwrap());
        assert_ne!(one.text, two.text);
        assert_ne!(one.key, two.key);
        assert_eq!(Secret::parse(&one.text).unwrap().key, one.key);
    }

    #[test]
    fn text_of_another_form_is_refused() {
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
