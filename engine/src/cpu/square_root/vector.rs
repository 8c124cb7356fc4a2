//! A root a lane, two vectors of them in turn: each product waits for the one before it, and the other vector's does not.
//!
//! Elements are kept as `t 2^260`, the form that products of the lanes leave as it is.

use super::{DIGIT_BITS, Field, Fr, LazyLock, N_DIGITS, N_ODD, Tables, digit};
use crate::cpu::lanes::{Kernel, Lanes, MAX_LANES, Modulus, to_260};

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::new(Fr::from(16u64)));

/// Vectors side by side.
const SIDE: usize = 2;

pub(super) fn square_roots<L: Lanes>(lanes: L, values: &[Fr]) -> Vec<Option<Fr>> {
    let mut roots = vec![None; values.len()];
    lanes.vectorize(Roots { lanes, tables: &TABLES, values, roots: &mut roots });
    roots
}

struct Roots<'a, L> {
    lanes: L,
    tables: &'a Tables,
    values: &'a [Fr],
    roots: &'a mut [Option<Fr>],
}

impl<L: Lanes> Roots<'_, L> {
    #[inline(always)]
    fn times(&self, a: &L::Tight, b: &L::Tight) -> L::Tight {
        self.lanes.mul::<Fr>(a, b)
    }

    #[inline(always)]
    fn constant(&self, words: &[u64; 4]) -> L::Tight {
        self.lanes.split(&self.lanes.splat(words))
    }

    /// Each of them squared `n` times.
    #[inline(always)]
    fn squares(&self, values: &mut [L::Tight; SIDE], n: usize) {
        for _ in 0..n {
            for value in values.iter_mut() {
                *value = self.lanes.square::<Fr>(value);
            }
        }
    }

    /// `z^((m-1)/2)`.
    #[inline(always)]
    fn power(&self, z: &[L::Tight; SIDE]) -> [L::Tight; SIDE] {
        let mut square = *z;
        self.squares(&mut square, 1);
        let mut odd = [*z; N_ODD];
        for i in 1..N_ODD {
            for side in 0..SIDE {
                odd[i][side] = self.times(&odd[i - 1][side], &square[side]);
            }
        }
        let (first, rest) = self.tables.steps.split_first().expect("the exponent is not zero");
        let mut power = odd[first.odd.expect("the highest bit is set")];
        for step in rest {
            self.squares(&mut power, step.squares);
            if let Some(i) = step.odd {
                for side in 0..SIDE {
                    power[side] = self.times(&power[side], &odd[i][side]);
                }
            }
        }
        power
    }

    /// `value g^(-v 2^(7 k))` for the digits `v` in place `k` of `logs`.
    #[inline(always)]
    fn without(&self, value: &L::Tight, k: usize, logs: &[u32; MAX_LANES], place: usize) -> L::Tight {
        let mut rows = [self.tables.power(k, 0); MAX_LANES];
        for i in 0..L::LANES {
            rows[i] = self.tables.power(k, digit(logs[i], place));
        }
        self.times(value, &self.lanes.split(&self.lanes.load(&rows)))
    }

    /// The words of an element below `p`.
    #[inline(always)]
    fn store(&self, value: &L::Tight) -> [[u64; 4]; MAX_LANES] {
        self.lanes.store(&self.lanes.join(&self.lanes.canonical::<Fr>(&self.lanes.loose(value))))
    }

    /// The logarithms of the last of the chain, of which each is the one after it squared seven times.
    #[inline(always)]
    fn logs(&self, chain: &[L::Tight; N_DIGITS]) -> [u32; MAX_LANES] {
        let mut logs = [0; MAX_LANES];
        for (k, value) in chain.iter().enumerate() {
            let mut value = *value;
            for j in 0..k {
                value = self.without(&value, j + N_DIGITS - 1 - k, &logs, j);
            }
            let rows = self.store(&value);
            for i in 0..L::LANES {
                logs[i] |= self.tables.log(&rows[i]) << (DIGIT_BITS * k);
            }
        }
        logs
    }

    /// Up to [`SIDE`] vectors of roots.
    #[inline(always)]
    fn group(&self, values: &[Fr]) -> [[Option<Fr>; MAX_LANES]; SIDE] {
        let lanes = self.lanes;
        let enter = self.constant(&to_260(Fr::from(16u64)));
        let leave = self.constant(&Fr::ONE.words());
        let mut z = [enter; SIDE];
        for side in 0..SIDE {
            // Lanes beyond the last value repeat it.
            let mut rows = [&values[0].0.0; MAX_LANES];
            for i in 0..L::LANES {
                rows[i] = &values[(side * L::LANES + i).min(values.len() - 1)].0.0;
            }
            z[side] = self.times(&lanes.split(&lanes.load(&rows)), &enter);
        }
        let w = self.power(&z);
        let (mut s, mut b) = (w, w);
        for side in 0..SIDE {
            s[side] = self.times(&z[side], &w[side]);
            b[side] = self.times(&s[side], &w[side]);
        }
        let mut chains = [b; N_DIGITS];
        for k in (0..N_DIGITS - 1).rev() {
            chains[k] = chains[k + 1];
            self.squares(&mut chains[k], DIGIT_BITS);
        }
        let mut roots = [[None; MAX_LANES]; SIDE];
        for side in 0..SIDE {
            let mut chain = [b[side]; N_DIGITS];
            for k in 0..N_DIGITS {
                chain[k] = chains[k][side];
            }
            let logs = self.logs(&chain);
            let mut halves = logs;
            for half in &mut halves {
                *half /= 2;
            }
            let mut root = s[side];
            for k in 0..N_DIGITS {
                root = self.without(&root, k, &halves, k);
            }
            let rows = self.store(&self.times(&root, &leave));
            for i in 0..L::LANES {
                if logs[i] & 1 == 0 {
                    roots[side][i] = Some(Fr::from_words(rows[i]));
                }
            }
        }
        roots
    }
}

impl<L: Lanes> Kernel for Roots<'_, L> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let roots = core::mem::take(&mut self.roots);
        for (values, roots) in self.values.chunks(SIDE * L::LANES).zip(roots.chunks_mut(SIDE * L::LANES)) {
            let found = self.group(values);
            for (i, root) in roots.iter_mut().enumerate() {
                *root = found[i / L::LANES][i % L::LANES];
            }
        }
    }
}
