//! Every domain-separation label, numbered, in one place. No label serves twice.
//!
//! A label enters [`crate::hash::hash`] behind the prefix `blindsum/v1/` and [`crate::hash::derive`]
//! as the head of HKDF's info, each followed by a zero byte.

macro_rules! labels {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// A domain-separation label.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        pub enum Label {
            $($(#[$doc])* $name = $number,)*
        }

        impl Label {
            /// Every label, in order of its number.
            pub const ALL: &[Label] = &[$(Label::$name),*];

            /// The text that is hashed.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Label::$name => $text,)*
                }
            }
        }
    };
}

labels! {
    /// Hash of what is fixed before setup.
    SetupContext = 1, "setup context";
    /// Hash of what is fixed before masked input.
    RoundContext = 2, "round context";
    /// Digest of a model's arrays.
    Model = 3, "model";
    /// Schnorr challenge of every message that is not a commitment.
    Signature = 4, "signature";
    /// Key of the hedged Schnorr nonce.
    Nonce = 5, "nonce";
    /// Hash to the curve.
    Curve = 6, "curve";
    /// Key of a client's own mask.
    SelfMask = 7, "self mask";
    /// Key of the mask between two clients.
    PairMask = 8, "pair mask";
    /// A client's own mask of its blinding.
    SelfBlinding = 9, "self blinding";
    /// The mask of a blinding between two clients.
    PairBlinding = 10, "pair blinding";
    /// Hash of a self-mask secret.
    SelfSeed = 11, "self seed";
    /// X25519 mask secret from its seed.
    MaskKey = 12, "mask key";
    /// Hash of one share.
    Share = 13, "share";
    /// Key that seals two shares.
    ShareBox = 14, "share box";
    /// Leaf of the tree over a setup's records.
    Record = 15, "record";
    /// Node of that tree.
    Node = 16, "node";
    /// Hash of one setup message.
    Setup = 17, "setup";
    /// Hash of a cohort's setup hashes.
    SetupRoot = 18, "setup root";
    /// Key that seals a commitment and its signature.
    CommitmentSeal = 19, "commitment seal";
    /// Survivor digest of a cohort.
    Digest = 20, "digest";
    /// Weights of the random linear combination in batch verification.
    BatchWeight = 21, "batch weight";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_numbered_in_order_and_distinct() {
        for (i, label) in Label::ALL.iter().enumerate() {
            assert_eq!(*label as usize, i + 1);
            assert!(Label::ALL[..i].iter().all(|other| other.as_str() != label.as_str()));
        }
    }
}
