//! One root at a time, in 64-bit words.

use super::{DIGIT_BITS, Field, Fr, LazyLock, Modulus, N_DIGITS, N_ODD, Tables, digit};

static TABLES: LazyLock<Tables> = LazyLock::new(|| Tables::new(Fr::ONE));

/// `z^((m-1)/2)`.
fn power(tables: &Tables, z: Fr) -> Fr {
    let square = z.square();
    let mut odd = [z; N_ODD];
    for i in 1..N_ODD {
        odd[i] = odd[i - 1] * square;
    }
    let mut steps = tables.steps.iter();
    let first = steps.next().and_then(|step| step.odd).expect("the highest bit is set");
    let mut power = odd[first];
    for step in steps {
        for _ in 0..step.squares {
            power.square_in_place();
        }
        if let Some(i) = step.odd {
            power *= odd[i];
        }
    }
    power
}

pub(super) fn square_root(z: &Fr) -> Option<Fr> {
    let tables = &*TABLES;
    let w = power(tables, *z);
    let s = *z * w;
    let mut chain = [s * w; N_DIGITS];
    for k in (0..N_DIGITS - 1).rev() {
        chain[k] = chain[k + 1];
        for _ in 0..DIGIT_BITS {
            chain[k].square_in_place();
        }
    }
    let times = |value: &mut Fr, k: usize, digit: u32| *value *= Fr::from_words(*tables.power(k, digit));
    let mut log = 0;
    for (k, mut value) in chain.into_iter().enumerate() {
        for j in 0..k {
            times(&mut value, j + N_DIGITS - 1 - k, digit(log, j));
        }
        log |= tables.log(&value.words()) << (DIGIT_BITS * k);
        if log & 1 == 1 {
            return None;
        }
    }
    let mut root = s;
    for k in 0..N_DIGITS {
        times(&mut root, k, digit(log / 2, k));
    }
    Some(root)
}
