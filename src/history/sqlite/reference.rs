//! The column `ref` of the table `reference`: a reference, or its hash where it is not known itself.
//!
//! Any thread; no state.

use crate::chat::ReferenceHash;

/// In front of a hash. It makes the whole longer than any reference, so that nobody sends it.
#[cfg(feature = "cluster")]
const HASH_ONLY: &str = "The hash of a reference that is not known itself, in 32 digits: ";

/// The hash that the text stands for; see [`ReferenceHash::of`] for the `seq`.
pub(super) fn hash_of(text: &str, seq: u64) -> ReferenceHash {
    #[cfg(feature = "cluster")]
    if let Some(digits) = text.strip_prefix(HASH_ONLY)
        && let Ok(bits) = u128::from_str_radix(digits, 16)
    {
        return ReferenceHash::from_bits(bits);
    }
    ReferenceHash::of(text, seq)
}

/// A text that stands for the hash.
#[cfg(feature = "cluster")]
pub(super) fn text_of(hash: ReferenceHash) -> String {
    format!("{HASH_ONLY}{:032x}", hash.to_bits())
}
