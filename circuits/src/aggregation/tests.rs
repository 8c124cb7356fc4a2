//! The circuit as a whole: its size, its agreement with itself and with ark-relations, and that every variable is bound.

use std::collections::BTreeSet;

use ark_relations::gr1cs::{ConstraintSynthesizer, ConstraintSystem, OptimizationGoal};

use super::*;
use crate::cohort::Cohort;
use crate::r1cs::Replay;
use crate::shape::Shape;
use crate::statement::{Statement, Witness};

/// The shape for 16 slots.
pub(super) fn small_shape() -> &'static R1cs {
    constraint_system(CohortSize::N16)
}

pub(super) fn witness(cohort: &Cohort) -> Witness {
    Statement::check(&cohort.roster, &cohort.context, &cohort.leaves, &cohort.signed)
        .expect("an honest cohort's statement holds")
        .1
}

#[test]
fn every_size_is_pinned_and_within_budget() {
    for size in CohortSize::ALL {
        let pinned = Shape::of(size);
        let built = constraint_system(size).shape();
        assert_eq!(built, pinned, "N = {size}: {}", hex::encode(built.digest));
        assert!(pinned.n_constraints <= (1 << 20) - 8, "N = {size}");
        assert!(pinned.n_constraints <= 3_750 * size.slots(), "N = {size}: more than 3,750 a slot");
    }
}

#[test]
fn an_honest_cohort_satisfies_the_matrices() {
    for cohort in [Cohort::small(), Cohort::new(CohortSize::N16, |slot| slot == 9, |_| true)] {
        let (Assignment { z, sides }, unsatisfied) = witness(&cohort).claim.assign();
        assert_eq!(unsatisfied, Vec::<String>::new());
        let shape = small_shape();
        assert_eq!(z.len(), Shape::of(CohortSize::N16).n_columns());
        assert_eq!(shape.unsatisfied(&z), Vec::<String>::new());
        for (side, matrix) in sides.iter().zip([&shape.a, &shape.b]) {
            let rows = (0..shape.n_constraints()).map(|row| shape.evaluate(matrix, row, &z));
            assert!(side.iter().copied().eq(rows));
        }
    }
}

#[test]
fn two_words_hold_the_bitmap_of_256_slots() {
    let cohort = Cohort::new(CohortSize::N256, |slot| slot % 16 == 5 || slot == 255, |slot| slot != 21);
    let claim = witness(&cohort).claim;
    assert_eq!(claim.inputs.len(), 7);
    assert_eq!(claim.assign().1, Vec::<String>::new());
    let mut swapped = claim.clone();
    swapped.inputs.swap(2, 3);
    assert_eq!(swapped.assign().1, ["participants"]);
}

#[test]
fn ark_relations_agrees() {
    let (Assignment { z, .. }, _) = witness(&Cohort::small()).claim.assign();
    let cs = ConstraintSystem::new_ref();
    cs.set_optimization_goal(OptimizationGoal::Constraints);
    let replay = Replay { r1cs: small_shape(), assignment: Some(&z) };
    replay.generate_constraints(cs.clone()).expect("an assignment is given");
    cs.finalize();
    assert!(cs.is_satisfied().expect("proving mode"));
    assert_eq!(cs.num_constraints(), small_shape().n_constraints());
    assert_eq!(cs.num_witness_variables(), Shape::of(CohortSize::N16).n_witness);
}

/// Changing any one variable of a satisfied assignment breaks a constraint: no variable is free.
#[test]
fn every_variable_is_bound() {
    let (Assignment { mut z, .. }, _) = witness(&Cohort::small()).claim.assign();
    let shape = small_shape();
    let rows = shape.rows_by_column();
    let fails = |z: &[Fr], row: usize| {
        let [a, b, c] = [&shape.a, &shape.b, &shape.c].map(|matrix| shape.evaluate(matrix, row, z));
        a * b != c
    };
    let mut free = Vec::new();
    for column in 1..z.len() {
        let kept = z[column];
        z[column] += Fr::from(1u8);
        if !rows[column].iter().any(|&row| fails(&z, row as usize)) {
            free.push((column, rows[column].first().map(|&row| shape.namespace(row as usize))));
        }
        z[column] = kept;
    }
    assert!(free.is_empty(), "unbound variables: {free:?}");
}

/// The namespaces that docs/statement.md explains are those of the circuit, with their constraint counts.
#[test]
fn the_documented_table_is_current() {
    let table = CohortSize::ALL.map(|size| table_of(constraint_system(size)));
    let rows: String = table[0]
        .iter()
        .enumerate()
        .map(|(i, (name, _))| {
            let counts: Vec<String> = table.iter().map(|column| column[i].1.to_string()).collect();
            assert!(table.iter().all(|column| column[i].0 == *name));
            format!("| `{name}` | {} |\n", counts.join(" | "))
        })
        .collect();
    let page = include_str!("../../../docs/statement.md");
    assert!(page.contains(&rows), "docs/statement.md must contain:\n{rows}");
    let names: BTreeSet<&str> = table[0].iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names.len(), table[0].len());
    for name in names {
        assert!(
            page.matches(&format!("`{name}`")).count() >= 2,
            "docs/statement.md does not explain `{name}`"
        );
    }
}
