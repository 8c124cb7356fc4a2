//! The two byte-string functions everything else is built from.
//!
//! `H(label; parts) = SHA-256("blindsum/v1/" || label || 0x00 || parts)` and
//! `K(ikm, label, info, L) = HKDF-SHA256` (RFC 5869) with salt `blindsum/v1`.

use hkdf::Hkdf;
use sha2::{Digest, Sha256};

use crate::domain::Label;

const VERSION: &[u8] = b"blindsum/v1";

/// `SHA-256("blindsum/v1/" || label || 0x00 || parts...)`.
///
/// The parts are concatenated as they are: callers give each a fixed width or a length prefix.
#[must_use]
pub fn hash(label: Label, parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = hasher(label);
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// The running form of [`hash`], for inputs that do not lie in memory at once.
#[must_use]
pub fn hasher(label: Label) -> Sha256 {
    Sha256::new().chain_update(VERSION).chain_update(b"/").chain_update(label.as_str()).chain_update([0])
}

/// HKDF-SHA256 of `ikm` with salt `blindsum/v1` and info `label || 0x00 || info...`, filling `out`.
///
/// # Panics
/// If `out` is longer than 8,160 bytes, the most that RFC 5869 allows.
pub fn derive(ikm: &[u8], label: Label, info: &[&[u8]], out: &mut [u8]) {
    let mut components: Vec<&[u8]> = vec![label.as_str().as_bytes(), &[0]];
    components.extend_from_slice(info);
    Hkdf::<Sha256>::new(Some(VERSION), ikm)
        .expand_multi_info(&components, out)
        .expect("outputs are at most 64 bytes, far below the RFC's limit");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hash_is_sha256_of_the_concatenation() {
        let expected: [u8; 32] = Sha256::digest(b"blindsum/v1/node\0leftright").into();
        assert_eq!(hash(Label::Node, &[b"left", b"right"]), expected);
    }

    #[test]
    fn derive_separates_labels_and_info() {
        let key = |label, info: &[&[u8]]| {
            let mut out = [0; 32];
            derive(b"ikm", label, info, &mut out);
            out
        };
        assert_eq!(key(Label::PairMask, &[b"a", b"b"]), key(Label::PairMask, &[b"ab"]));
        assert_ne!(key(Label::PairMask, &[b"ab"]), key(Label::SelfMask, &[b"ab"]));
        assert_ne!(key(Label::PairMask, &[b"ab"]), key(Label::PairMask, &[b"ac"]));
    }
}
