//! States constraints: records their shape, or checks them against an assignment.

use ark_bn254::Fr;
use ark_ff::{One, Zero};
use rayon::prelude::*;

use super::matrix::{R1cs, Rows};
use super::num::Num;

/// Replaces witness values as they are allocated, so that tests can play a cheating prover:
/// (namespace, how many allocations in that namespace came before, value).
#[cfg(test)]
pub(crate) type Tamper = std::sync::Arc<Vec<(String, usize, Fr)>>;

/// Builds one constraint system or one assignment. See the module's head for the two readings.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    /// The matrices; `None` when only values are wanted.
    rows: Option<Rows>,
    /// The constant one and the public inputs.
    instance: Vec<Fr>,
    witness: Vec<Fr>,
    /// Column of `witness[0]`.
    first_column: u32,
    /// The current namespace, parts separated by `/`.
    path: String,
    /// Namespaces of constraints that the values do not satisfy, in order, neighbours merged.
    unsatisfied: Vec<String>,
    #[cfg(test)]
    tamper: Option<Tamper>,
    #[cfg(test)]
    allocations: std::collections::HashMap<String, usize>,
}

impl Builder {
    fn new(rows: Option<Rows>, inputs: &[Fr]) -> (Self, Vec<Num>) {
        let instance: Vec<Fr> = std::iter::once(Fr::one()).chain(inputs.iter().copied()).collect();
        let builder = Builder {
            rows,
            first_column: instance.len() as u32,
            instance,
            witness: Vec::new(),
            path: String::new(),
            unsatisfied: Vec::new(),
            #[cfg(test)]
            tamper: None,
            #[cfg(test)]
            allocations: Default::default(),
        };
        let inputs = inputs.iter().zip(1..).map(|(&value, column)| builder.column(value, column)).collect();
        (builder, inputs)
    }

    /// A builder that records matrices. The values given decide nothing about the shape. Returns the public inputs as well.
    pub(crate) fn for_shape(inputs: &[Fr]) -> (Self, Vec<Num>) {
        Self::new(Some(Rows::new()), inputs)
    }

    /// A builder that computes and checks an assignment. Returns the public inputs as well.
    pub(crate) fn for_assignment(inputs: &[Fr]) -> (Self, Vec<Num>) {
        Self::new(None, inputs)
    }

    #[cfg(test)]
    pub(crate) fn tampered(mut self, tamper: Tamper) -> Self {
        self.tamper = Some(tamper);
        self
    }

    fn column(&self, value: Fr, column: u32) -> Num {
        Num { value, terms: if self.rows.is_some() { vec![(column, Fr::one())] } else { Vec::new() } }
    }

    /// A constant of the circuit.
    pub(crate) fn constant(&self, value: Fr) -> Num {
        let keep = self.rows.is_some() && !value.is_zero();
        Num { value, terms: if keep { vec![(0, value)] } else { Vec::new() } }
    }

    /// A new witness variable.
    pub(crate) fn alloc(&mut self, value: Fr) -> Num {
        #[cfg(test)]
        let value = self.replaced(value);
        let column = self.first_column + self.witness.len() as u32;
        self.witness.push(value);
        self.column(value, column)
    }

    #[cfg(test)]
    fn replaced(&mut self, value: Fr) -> Fr {
        let Some(tamper) = &self.tamper else { return value };
        let count = self.allocations.entry(self.path.clone()).or_default();
        let found = tamper.iter().find(|(path, nth, _)| *path == self.path && nth == count);
        *count += 1;
        found.map_or(value, |(_, _, replacement)| *replacement)
    }

    /// States `a * b = c`.
    pub(crate) fn enforce(&mut self, a: &Num, b: &Num, c: &Num) {
        match &mut self.rows {
            Some(rows) => rows.push(a, b, c, &self.path),
            None => {
                if a.value * b.value != c.value
                    && self.unsatisfied.last().is_none_or(|last| *last != self.path)
                {
                    self.unsatisfied.push(self.path.clone());
                }
            }
        }
    }

    /// States `a = b`.
    pub(crate) fn enforce_equal(&mut self, a: &Num, b: &Num) {
        let one = self.constant(Fr::one());
        self.enforce(a, &one, b);
    }

    /// `a * b`, one constraint.
    pub(crate) fn mul(&mut self, a: &Num, b: &Num) -> Num {
        let product = self.alloc(a.value * b.value);
        self.enforce(a, b, &product);
        product
    }

    /// Runs `f` in the namespace `name`.
    pub(crate) fn within<T>(&mut self, name: &str, f: impl FnOnce(&mut Self) -> T) -> T {
        let outer = self.path.len();
        if outer > 0 {
            self.path.push('/');
        }
        self.path.push_str(name);
        let out = f(self);
        self.path.truncate(outer);
        out
    }

    /// Runs `f` for the sections `0 .. count`, in parallel, and joins what they built in order. Every section allocates the
    /// same number of witness variables and refers to no other section's.
    ///
    /// # Panics
    /// If two sections differ in their number of variables: a fault of the circuit, never of its input.
    pub(crate) fn sections<T: Send>(
        &mut self,
        count: usize,
        f: impl Fn(&mut Self, usize) -> T + Sync,
    ) -> Vec<T> {
        if count == 0 {
            return Vec::new();
        }
        let start = self.witness.len();
        let mut out = vec![f(self, 0)];
        let width = self.witness.len() - start;
        let blank = self.blank(start);
        let rest: Vec<(Builder, T)> = (1..count)
            .into_par_iter()
            .map(|index| {
                let mut section = blank.clone();
                section.first_column += (index * width) as u32;
                section.witness.reserve(width);
                let value = f(&mut section, index);
                (section, value)
            })
            .collect();
        for (section, value) in rest {
            assert_eq!(section.witness.len(), width, "sections have one shape");
            self.append(section);
            out.push(value);
        }
        out
    }

    /// An empty builder of the same kind whose first variable comes `n_before` after this one's first.
    fn blank(&self, n_before: usize) -> Builder {
        Builder {
            rows: self.rows.as_ref().map(|_| Rows::new()),
            instance: Vec::new(),
            witness: Vec::new(),
            first_column: self.first_column + n_before as u32,
            path: self.path.clone(),
            unsatisfied: Vec::new(),
            #[cfg(test)]
            tamper: self.tamper.clone(),
            #[cfg(test)]
            allocations: Default::default(),
        }
    }

    fn append(&mut self, section: Builder) {
        self.witness.extend(section.witness);
        self.unsatisfied.extend(section.unsatisfied);
        if let (Some(rows), Some(more)) = (&mut self.rows, section.rows) {
            rows.append(more);
        }
        #[cfg(test)]
        self.allocations.extend(section.allocations);
    }

    /// The finished matrices; `None` of a builder for an assignment.
    pub(crate) fn into_r1cs(self) -> Option<R1cs> {
        let (n_instance, n_witness) = (self.instance.len(), self.witness.len());
        self.rows.map(|rows| R1cs::new(rows, n_instance, n_witness))
    }

    /// `z` and the namespaces that it does not satisfy.
    pub(crate) fn into_assignment(self) -> (Vec<Fr>, Vec<String>) {
        let mut z = self.instance;
        z.extend(self.witness);
        (z, self.unsatisfied)
    }
}
