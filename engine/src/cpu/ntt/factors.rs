//! Factors of butterflies for the lanes, as `t 2^260` ([`to_260`]), kept for the life of the process.
//!
//! Forward, the stage that makes transforms of `2 h` values from two of `h` takes `w_(2h)^j`, or `w_(4h)^(1 + 2j)` on the odd
//! coset: `h` factors in a table of their own. Inverse, block `b` of a stage takes `w^(-u(b))`, where `w` is a root of order
//! two to the power of `log_len + 1` and `u` reads the `log_len` bits of `b` backwards: `w^(u(b))` is the same for every
//! `log_len` that `b` fits, so that a table begins with all smaller ones.

use std::sync::OnceLock;

use ark_ff::Field;
use rayon::prelude::*;

use super::CHUNK;
use crate::cpu::lanes::{Modulus, to_260};
use crate::curve::Fr;
use crate::ntt::{Domain, root};

/// A factor as it lies in memory.
pub(super) type Row = [u64; 4];
type Table = OnceLock<Box<[Row]>>;

/// `h = 2^log_half` factors of a forward stage.
pub(super) fn forward(domain: Domain, log_half: u32) -> &'static [Row] {
    static SUBGROUP: [Table; 28] = [const { Table::new() }; 28];
    static ODD_COSET: [Table; 28] = [const { Table::new() }; 28];
    let (tables, first) = match domain {
        Domain::Subgroup => (&SUBGROUP, Fr::ONE),
        Domain::OddCoset => (&ODD_COSET, root(log_half + 2)),
    };
    kept(&tables[log_half as usize], || {
        let ratio = root(log_half + 1);
        let mut table = vec![Row::default(); 1 << log_half].into_boxed_slice();
        table.par_chunks_mut(CHUNK).enumerate().for_each(|(i, chunk)| {
            let mut power = first * ratio.pow([(i * CHUNK) as u64]);
            for place in chunk {
                *place = to_260(power);
                power *= ratio;
            }
        });
        table
    })
}

/// Factors of the first `2^log_len` blocks of an inverse stage, and perhaps of more.
pub(super) fn inverse(log_len: u32) -> &'static [Row] {
    static TABLES: [Table; 28] = [const { Table::new() }; 28];
    if let Some(table) = TABLES[log_len as usize..].iter().find_map(OnceLock::get) {
        return table;
    }
    kept(&TABLES[log_len as usize], || {
        let mut table = vec![Row::default(); 1 << log_len].into_boxed_slice();
        table[0] = to_260(Fr::ONE);
        for log_known in 0..log_len {
            let (known, rest) = table.split_at_mut(1 << log_known);
            let turn = root(log_known + 2).inverse().expect("a root is not zero");
            rest.par_iter_mut().with_min_len(CHUNK).zip(&*known).for_each(|(place, known)| {
                *place = (Fr::from_words(*known) * turn).words();
            });
        }
        table
    })
}

fn kept(place: &'static Table, make: impl FnOnce() -> Box<[Row]>) -> &'static [Row] {
    match place.get() {
        Some(table) => table,
        None => {
            // Outside of the lock: a thread that waits for rayon takes up other work, and that could need this table.
            let table = make();
            place.get_or_init(|| table)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_hold_the_powers_that_they_say() {
        let log_len = 13;
        for domain in Domain::ALL {
            let table = forward(domain, log_len);
            assert_eq!(table.len(), 1 << log_len);
            for j in [0, 1, 2, 4095, 4096, 8191] {
                let expected = match domain {
                    Domain::Subgroup => root(log_len + 1).pow([j as u64]),
                    Domain::OddCoset => root(log_len + 2).pow([1 + 2 * j as u64]),
                };
                assert_eq!(table[j], to_260(expected));
            }
        }
        let table = inverse(log_len);
        for block in [0u64, 1, 2, 3, 4095, 4096, 8191] {
            let backwards = block.reverse_bits() >> (u64::BITS - log_len);
            let power = root(log_len + 1).pow([backwards]);
            assert_eq!(Fr::from_words(table[block as usize]) * power, Fr::from(16u64));
        }
        assert_eq!(inverse(5)[..32], table[..32]);
    }
}
