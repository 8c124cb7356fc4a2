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

/// What a builder for an assignment has computed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Assignment {
    /// The constant one, the public inputs, the witness.
    pub(crate) z: Vec<Fr>,
    /// `<A_i, z>` and `<B_i, z>` of each constraint.
    pub(crate) sides: [Vec<Fr>; 2],
}

/// Builds one constraint system or one assignment. See the module's head for the two readings.
#[derive(Clone, Debug)]
pub(crate) struct Builder {
    /// The matrices; `None` when only values are wanted.
    rows: Option<Rows>,
    /// `z` from `first_column` on: of a section its own variables, otherwise the constant one, the public inputs, the witness.
    values: Vec<Fr>,
    /// `<A_i, z>` and `<B_i, z>` of each constraint; empty where matrices are recorded.
    sides: [Vec<Fr>; 2],
    /// Column of `values[0]`.
    first_column: u32,
    /// The constant one and the public inputs; of a section none.
    n_instance: usize,
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
        let builder = Builder {
            rows,
            values: std::iter::once(Fr::one()).chain(inputs.iter().copied()).collect(),
            sides: Default::default(),
            first_column: 0,
            n_instance: 1 + inputs.len(),
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
        let column = self.first_column + self.values.len() as u32;
        self.values.push(value);
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
                let [a_side, b_side] = &mut self.sides;
                a_side.push(a.value);
                b_side.push(b.value);
                if a.value * b.value != c.value {
                    merge(&mut self.unsatisfied, self.path.clone());
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
    /// same number of witness variables, states the same number of constraints, and refers to no other section's variables.
    ///
    /// The first one runs alone and tells both numbers. The others copy their values into place as they end: memory that is new
    /// takes longer to touch than to fill, and all threads share in that.
    ///
    /// # Panics
    /// If two sections differ in either number: a fault of the circuit, never of its input.
    pub(crate) fn sections<T: Send>(
        &mut self,
        count: usize,
        f: impl Fn(&mut Self, usize) -> T + Sync,
    ) -> Vec<T> {
        // Replacements count the allocations of a namespace, which more than one section may be in.
        #[cfg(test)]
        if self.tamper.is_some() {
            return (0..count).map(|index| f(self, index)).collect();
        }
        if count == 0 {
            return Vec::new();
        }
        let starts = self.lists().map(|list| list.len());
        let mut out = vec![f(self, 0)];
        let blank = self.blank();
        let ends = self.lists().map(|list| list.len());
        let sizes: [usize; 3] = std::array::from_fn(|k| ends[k] - starts[k]);
        let mut places: Vec<[&mut [Fr]; 3]> = (1..count).map(|_| Default::default()).collect();
        for (k, list) in self.lists().into_iter().enumerate() {
            list.par_extend(rayon::iter::repeat_n(Fr::zero(), sizes[k] * (count - 1)));
            let mut free = &mut list[ends[k]..];
            for place in &mut places {
                (place[k], free) = free.split_at_mut(sizes[k]);
            }
        }
        // A thread's sections share a builder: its lists keep their memory from one to the next.
        let rest: Vec<(Option<Rows>, Vec<String>, T)> = places
            .into_par_iter()
            .enumerate()
            .map_init(
                || blank.clone(),
                |section, (index, places)| {
                    section.first_column = blank.first_column + (index * sizes[0]) as u32;
                    let value = f(section, index + 1);
                    for (list, place) in section.lists().into_iter().zip(places) {
                        assert_eq!(list.len(), place.len(), "sections have one shape");
                        place.copy_from_slice(list);
                        list.clear();
                    }
                    let rows = section.rows.as_mut().map(|rows| std::mem::replace(rows, Rows::new()));
                    (rows, std::mem::take(&mut section.unsatisfied), value)
                },
            )
            .collect();
        for (rows, unsatisfied, value) in rest {
            for name in unsatisfied {
                merge(&mut self.unsatisfied, name);
            }
            if let (Some(rows), Some(more)) = (&mut self.rows, rows) {
                rows.append(more);
            }
            out.push(value);
        }
        out
    }

    /// What grows with the circuit: values, and either side of the constraints.
    fn lists(&mut self) -> [&mut Vec<Fr>; 3] {
        let [a_side, b_side] = &mut self.sides;
        [&mut self.values, a_side, b_side]
    }

    /// An empty builder of the same kind whose first variable is the next one here.
    fn blank(&self) -> Builder {
        Builder {
            rows: self.rows.as_ref().map(|_| Rows::new()),
            values: Vec::new(),
            sides: Default::default(),
            first_column: self.first_column + self.values.len() as u32,
            n_instance: 0,
            path: self.path.clone(),
            unsatisfied: Vec::new(),
            #[cfg(test)]
            tamper: None,
            #[cfg(test)]
            allocations: Default::default(),
        }
    }

    /// The finished matrices; `None` of a builder for an assignment.
    pub(crate) fn into_r1cs(self) -> Option<R1cs> {
        let n_witness = self.values.len() - self.n_instance;
        self.rows.map(|rows| R1cs::new(rows, self.n_instance, n_witness))
    }

    /// The assignment and the namespaces that it does not satisfy.
    pub(crate) fn into_assignment(self) -> (Assignment, Vec<String>) {
        (Assignment { z: self.values, sides: self.sides }, self.unsatisfied)
    }
}

/// Adds a name unless it is the last one already.
fn merge(names: &mut Vec<String>, name: String) {
    if names.last() != Some(&name) {
        names.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A section of two variables in one namespace; that of index 3 and that of index 4 are wrong.
    fn section(b: &mut Builder, index: usize) -> Num {
        let x = b.alloc(Fr::from(index as u64 + 2));
        let y = b.mul(&x, &x);
        let expected = b.constant(Fr::from(((index + 2) * (index + 2)) as u64));
        let claimed = if index == 3 || index == 4 { &expected + &x } else { expected };
        b.enforce_equal(&y, &claimed);
        y
    }

    fn in_parallel(b: &mut Builder, count: usize) -> Vec<Num> {
        b.within("part", |b| b.sections(count, section))
    }

    fn in_turn(b: &mut Builder, count: usize) -> Vec<Num> {
        b.within("part", |b| (0..count).map(|index| section(b, index)).collect())
    }

    #[test]
    fn sections_are_what_they_are_in_turn() {
        let builds: [fn(&mut Builder, usize) -> Vec<Num>; 2] = [in_parallel, in_turn];
        for count in [0, 1, 2, 9] {
            let shapes = builds.map(|build| {
                let (mut b, inputs) = Builder::for_shape(&[Fr::from(7u8)]);
                let before = b.mul(&inputs[0], &inputs[0]);
                let last = build(&mut b, count).pop().unwrap_or_default();
                b.within("part", |b| b.mul(&before, &last));
                let r1cs = b.into_r1cs().expect("a shape");
                let namespaces: Vec<_> =
                    (0..r1cs.n_constraints()).map(|row| r1cs.namespace(row).to_owned()).collect();
                (r1cs.shape(), namespaces, r1cs.count_by(str::to_owned))
            });
            assert_eq!(shapes[0], shapes[1], "{count} sections");
            let assignments = builds.map(|build| {
                let (mut b, inputs) = Builder::for_assignment(&[Fr::from(7u8)]);
                b.mul(&inputs[0], &inputs[0]);
                build(&mut b, count);
                b.alloc(Fr::one());
                b.into_assignment()
            });
            assert_eq!(assignments[0], assignments[1], "{count} sections");
            let unsatisfied = if count > 3 { vec!["part".to_owned()] } else { vec![] };
            assert_eq!(assignments[0].1, unsatisfied);
        }
    }
}
