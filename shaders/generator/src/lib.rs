//! Writes the texts of `shaders/generated/`: arithmetic modulo the two primes of BN254, one text per prime and limb
//! variant, unrolled, with literal moduli.
//!
//! Why generated: WGSL's default runtime checks watch every step of a loop over a local array, and the modulus as literals
//! lets a driver fold it into the instructions. Kernels stay plain WGSL: they say `// import: field`
//! and call the functions below, which have the same names and meaning in every text.
//!
//! | function | gives |
//! |---|---|
//! | `field_mul`, `field_add`, `field_sub`, `field_neg` | product, sum, difference, negative |
//! | `field_one` | 1 |
//! | `field_load`, `field_store` | from and to eight words of memory; what is stored is canonical |
//! | `field_pack` | to eight words that only `field_load` reads: not canonical |
//! | `field_from_host` | the host's Montgomery form (R = 2^256) in this variant's |
//! | `field_integer_from_host` | the host's Montgomery form as the integer it stands for |
//!
//! Values are in Montgomery form and below `2 p` between operations: both primes have 254 bits, so the products need no
//! final subtraction. Sources: Montgomery 1985; Koç, Acar, Kaliski 1996 (CIOS); Walter 1999 (no final subtraction).

#![forbid(unsafe_code)]

mod l13x20;
mod prime;
mod u64x8;

pub use prime::Prime;

/// A text and the name of its file in `shaders/generated/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generated {
    /// Name of the file.
    pub file: String,
    /// The text.
    pub text: String,
}

/// Every text, in a fixed order; the same bytes each time.
#[must_use]
pub fn generate() -> Vec<Generated> {
    let mut texts = Vec::new();
    for prime in [Prime::fq(), Prime::fr()] {
        for (variant, text) in [("u64x8", u64x8::text(&prime)), ("l13x20", l13x20::text(&prime))] {
            texts.push(Generated { file: format!("{}_{variant}.wgsl", prime.name()), text });
        }
    }
    texts
}

/// `0..n` as a list, each index written by `write`.
fn list(n: usize, write: impl Fn(usize) -> String) -> String {
    (0..n).map(write).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// `cargo run -p blindsum-shader-generator` writes what this compares.
    #[test]
    fn the_committed_texts_are_current() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../generated");
        let mut committed: Vec<String> = std::fs::read_dir(&folder)
            .expect("the folder of generated texts")
            .map(|entry| entry.expect("a readable entry").file_name().to_string_lossy().into_owned())
            .collect();
        committed.sort();
        let mut files: Vec<String> = generate().into_iter().map(|generated| generated.file).collect();
        files.sort();
        assert_eq!(committed, files);
        for Generated { file, text } in generate() {
            let found = std::fs::read_to_string(folder.join(&file)).expect("a text");
            assert!(found == text, "{file} is not what the generator writes");
        }
    }
}
