//! The three matrices of a statement, their digest, and their replay into ark-relations.

use std::collections::HashMap;

use ark_bn254::Fr;
use ark_ff::{BigInteger, One, PrimeField};
use ark_relations::gr1cs::{
    ConstraintSynthesizer, ConstraintSystemRef, LinearCombination, SynthesisError, Variable,
};
use sha2::{Digest, Sha256};

use super::num::Num;
use crate::shape::Shape;

/// A sparse matrix by rows. Coefficients are indices into the table of [`R1cs`]: the circuit repeats a few thousand of them
/// millions of times.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    ends: Vec<u32>,
    columns: Vec<u32>,
    coefficients: Vec<u32>,
}

impl Sparse {
    fn push_row(&mut self, num: &Num, table: &mut Table) {
        for (column, coefficient) in &num.terms {
            self.columns.push(*column);
            self.coefficients.push(table.intern(*coefficient));
        }
        self.ends.push(self.columns.len() as u32);
    }

    fn append(&mut self, other: &Sparse, renumber: &[u32]) {
        let base = self.columns.len() as u32;
        self.ends.extend(other.ends.iter().map(|end| base + end));
        self.columns.extend_from_slice(&other.columns);
        self.coefficients.extend(other.coefficients.iter().map(|&c| renumber[c as usize]));
    }

    /// Column and coefficient index of each term of row `row`.
    fn row(&self, row: usize) -> impl Iterator<Item = (u32, u32)> + '_ {
        let start = if row == 0 { 0 } else { self.ends[row - 1] as usize };
        let end = self.ends[row] as usize;
        self.columns[start..end].iter().copied().zip(self.coefficients[start..end].iter().copied())
    }

    fn parts_mut(&mut self) -> [&mut Vec<u32>; 3] {
        [&mut self.ends, &mut self.columns, &mut self.coefficients]
    }

    fn hash_into(&self, hash: &mut Sha256) {
        for part in [&self.ends, &self.columns, &self.coefficients] {
            hash.update((part.len() as u64).to_be_bytes());
            for block in part.chunks(4096) {
                let bytes: Vec<u8> = block.iter().flat_map(|word| word.to_be_bytes()).collect();
                hash.update(&bytes);
            }
        }
    }
}

/// Distinct coefficients in order of first use; index 0 is one.
#[derive(Clone, Debug)]
pub(super) struct Table {
    values: Vec<Fr>,
    index: HashMap<Fr, u32>,
}

const ONE: u32 = 0;

impl Table {
    fn new() -> Self {
        Table { values: vec![Fr::one()], index: HashMap::from([(Fr::one(), ONE)]) }
    }

    fn intern(&mut self, value: Fr) -> u32 {
        let values = &mut self.values;
        *self.index.entry(value).or_insert_with(|| {
            values.push(value);
            values.len() as u32 - 1
        })
    }
}

/// Rows under construction.
#[derive(Clone, Debug)]
pub(super) struct Rows {
    a: Sparse,
    b: Sparse,
    c: Sparse,
    table: Table,
    /// First row of each run of rows with one namespace.
    names: Vec<(u32, String)>,
}

impl Rows {
    pub(super) fn new() -> Self {
        Rows {
            a: Sparse::default(),
            b: Sparse::default(),
            c: Sparse::default(),
            table: Table::new(),
            names: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, a: &Num, b: &Num, c: &Num, name: &str) {
        if self.names.last().is_none_or(|(_, last)| last != name) {
            self.names.push((self.a.ends.len() as u32, name.to_owned()));
        }
        self.a.push_row(a, &mut self.table);
        self.b.push_row(b, &mut self.table);
        self.c.push_row(c, &mut self.table);
    }

    pub(super) fn append(&mut self, other: Rows) {
        let renumber: Vec<u32> = other.table.values.iter().map(|&value| self.table.intern(value)).collect();
        let base = self.a.ends.len() as u32;
        let mut names = other.names.into_iter().peekable();
        names.next_if(|(_, first)| self.names.last().is_some_and(|(_, last)| last == first));
        self.names.extend(names.map(|(row, name)| (base + row, name)));
        self.a.append(&other.a, &renumber);
        self.b.append(&other.b, &renumber);
        self.c.append(&other.c, &renumber);
    }
}

/// A finished constraint system.
#[derive(Clone, Debug)]
pub(crate) struct R1cs {
    n_instance: usize,
    n_witness: usize,
    pub(crate) a: Sparse,
    pub(crate) b: Sparse,
    pub(crate) c: Sparse,
    table: Vec<Fr>,
    names: Vec<(u32, String)>,
}

impl R1cs {
    pub(super) fn new(rows: Rows, n_instance: usize, n_witness: usize) -> Self {
        let Rows { mut a, mut b, mut c, table, mut names } = rows;
        // Kept for the life of the process, and grown by doubling.
        for part in [&mut a, &mut b, &mut c].into_iter().flat_map(Sparse::parts_mut) {
            part.shrink_to_fit();
        }
        names.shrink_to_fit();
        R1cs { n_instance, n_witness, a, b, c, table: table.values, names }
    }

    /// Its size and digest, to be compared with what is pinned.
    pub(crate) fn shape(&self) -> Shape {
        Shape {
            n_constraints: self.n_constraints(),
            n_instance: self.n_instance,
            n_witness: self.n_witness,
            digest: self.digest(),
        }
    }

    pub(crate) fn n_constraints(&self) -> usize {
        self.a.ends.len()
    }

    /// `<row, z>`.
    #[cfg(test)]
    pub(crate) fn evaluate(&self, matrix: &Sparse, row: usize, z: &[Fr]) -> Fr {
        let product =
            |(column, coefficient): (u32, u32)| z[column as usize] * self.table[coefficient as usize];
        matrix.row(row).map(product).sum()
    }

    /// The namespace of a row.
    #[cfg(test)]
    pub(crate) fn namespace(&self, row: usize) -> &str {
        let after = self.names.partition_point(|(first, _)| *first as usize <= row);
        after.checked_sub(1).map_or("", |index| &self.names[index].1)
    }

    /// The namespaces that `z` does not satisfy, in order, each once. Reads the matrices, unlike a builder's own record.
    #[cfg(test)]
    pub(crate) fn unsatisfied(&self, z: &[Fr]) -> Vec<String> {
        let mut out: Vec<String> = Vec::new();
        for row in 0..self.n_constraints() {
            let [a, b, c] = [&self.a, &self.b, &self.c].map(|matrix| self.evaluate(matrix, row, z));
            if a * b != c && out.last().is_none_or(|last| last != self.namespace(row)) {
                out.push(self.namespace(row).to_owned());
            }
        }
        out
    }

    /// For each column the rows that it has a part in.
    #[cfg(test)]
    pub(crate) fn rows_by_column(&self) -> Vec<Vec<u32>> {
        let mut out = vec![Vec::new(); self.n_instance + self.n_witness];
        for row in 0..self.n_constraints() {
            for (column, _) in [&self.a, &self.b, &self.c].into_iter().flat_map(|matrix| matrix.row(row)) {
                let rows: &mut Vec<u32> = &mut out[column as usize];
                if rows.last() != Some(&(row as u32)) {
                    rows.push(row as u32);
                }
            }
        }
        out
    }

    /// How many constraints each namespace holds, in order of first use; `merge` maps a namespace to its group.
    pub(crate) fn count_by(&self, merge: impl Fn(&str) -> String) -> Vec<(String, usize)> {
        let mut counts: Vec<(String, usize)> = Vec::new();
        let mut position: HashMap<String, usize> = HashMap::new();
        for (i, (first, name)) in self.names.iter().enumerate() {
            let end = self.names.get(i + 1).map_or(self.n_constraints(), |next| next.0 as usize);
            let at = *position.entry(merge(name)).or_insert_with_key(|group| {
                counts.push((group.clone(), 0));
                counts.len() - 1
            });
            counts[at].1 += end - *first as usize;
        }
        counts
    }

    /// SHA-256 of the shape: sizes, coefficient table, and the three matrices. Two circuits with one digest are one circuit.
    fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"blindsum/r1cs/v1");
        for n in [self.n_instance, self.n_witness, self.n_constraints(), self.table.len()] {
            hash.update((n as u64).to_be_bytes());
        }
        for value in &self.table {
            hash.update(value.into_bigint().to_bytes_be());
        }
        for matrix in [&self.a, &self.b, &self.c] {
            matrix.hash_into(&mut hash);
        }
        hash.finalize().into()
    }

    fn combination(&self, matrix: &Sparse, row: usize) -> LinearCombination<Fr> {
        let term = |(column, coefficient): (u32, u32)| {
            let column = column as usize;
            let variable = match column.checked_sub(self.n_instance) {
                Some(index) => Variable::witness(index),
                None if column == 0 => Variable::one(),
                None => Variable::instance(column),
            };
            (self.table[coefficient as usize], variable)
        };
        LinearCombination(matrix.row(row).map(term).collect())
    }
}

/// The system as an ark-relations circuit: for ark-groth16's generator, and for its prover in the twin test.
#[derive(Clone, Copy)]
pub(crate) struct Replay<'a> {
    pub(crate) r1cs: &'a R1cs,
    /// `z`; not needed in setup mode.
    pub(crate) assignment: Option<&'a [Fr]>,
}

impl ConstraintSynthesizer<Fr> for Replay<'_> {
    fn generate_constraints(self, cs: ConstraintSystemRef<Fr>) -> Result<(), SynthesisError> {
        let Replay { r1cs, assignment } = self;
        let value = |column: usize| {
            assignment.and_then(|z| z.get(column)).copied().ok_or(SynthesisError::AssignmentMissing)
        };
        for column in 1..r1cs.n_instance {
            let _ = cs.new_input_variable(|| value(column))?;
        }
        for index in 0..r1cs.n_witness {
            let _ = cs.new_witness_variable(|| value(r1cs.n_instance + index))?;
        }
        for row in 0..r1cs.n_constraints() {
            cs.enforce_r1cs_constraint(
                || r1cs.combination(&r1cs.a, row),
                || r1cs.combination(&r1cs.b, row),
                || r1cs.combination(&r1cs.c, row),
            )?;
        }
        Ok(())
    }
}
