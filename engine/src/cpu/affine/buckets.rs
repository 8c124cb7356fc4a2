//! Buckets that take points from where they lie, in any order.
//!
//! A point goes into the next batch unless its bucket has one there already. Those that find their bucket taken are put aside,
//! as bucket and place. While they are few, the batch after it takes them first; when there are many of them they are sorted
//! by bucket (counting sort) and each bucket's are added up as a binary tree. So where points fall into many buckets nearly all
//! are read in order and added to a bucket that is near in the cache, and where they fall into few, or into one, batches are as
//! large.
//!
//! There are rows of buckets, of one window each. Where a row has few, rows take turns of a few points, so that a batch has room
//! for points of many; where all rows together have few, they are kept in several copies, which take turns too and are added
//! up at the end.

use ark_ec::short_weierstrass::{Projective, SWCurveConfig};
use zeroize::Zeroize;

use super::{Adder, BATCH, PackedOf, Slots, n_segments, weighted_sums_cost};
use crate::cpu::lanes::Coordinate;

/// Most points that are put aside before they are added up.
const ASIDE: usize = 1 << 14;
/// Points fetched at a time, from anywhere in memory.
const AHEAD: usize = 16;

/// Most buckets that copies make of few.
const MAX_COPIED: usize = 1 << 14;
/// Points that are sorted and fetched in the time of an inversion.
const SORTED_AN_INVERSION: usize = 53;
/// Points that are put aside and taken into the next batch in the time of an addition.
const DEFERRED_AN_ADDITION: usize = 6;

/// The shape of what points are added to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::cpu) struct Shape {
    pub(in crate::cpu) n_rows: usize,
    /// Buckets of a row: one more than a power of two.
    pub(in crate::cpu) n_buckets: usize,
    /// About so many points will be added, to all rows together.
    pub(in crate::cpu) n_points: usize,
}

impl Shape {
    const fn n_all(&self) -> usize {
        self.n_rows * self.n_buckets
    }

    /// What it costs to add the points and to weigh the buckets, in additions.
    pub(in crate::cpu) fn cost<A: Adder>(self) -> usize {
        Layout::new(self, A::INVERSION).cost
            + weighted_sums_cost(self.n_rows, self.n_buckets - 1, A::INVERSION)
    }
}

/// How points fall into buckets at the least cost.
#[derive(Clone, Copy)]
struct Layout {
    shape: Shape,
    copies: usize,
    /// Points of a batch. Zero: all points are put aside.
    batch: usize,
    /// In additions.
    cost: usize,
}

impl Layout {
    /// An inversion takes as long as `inversion` additions.
    fn new(shape: Shape, inversion: usize) -> Self {
        let (n_points, n_all) = (shape.n_points, shape.n_all());
        // A tree has a batch a level, one more adds it to its bucket, and a run is some times longer than the average.
        let n_levels = 3 + (1 + n_points / n_all).ilog2() as usize;
        let sorting = inversion * n_points / SORTED_AN_INVERSION;
        let inversions = inversion * n_points / BATCH + inversion * n_levels;
        let all_aside = Self { shape, copies: 1, batch: 0, cost: n_points + sorting + inversions };
        let in_batches = |log_copies: u32| {
            let copies = 1 << log_copies;
            let n_slots = n_all * copies;
            // Of a batch of b points b / 2 n find their bucket taken, on average: at most a quarter. One batch more takes the
            // last of them.
            let batch = (n_slots / 2).clamp(1, BATCH);
            let n_deferred = n_points * batch / (2 * n_slots);
            let overhead = inversion * (n_points.div_ceil(batch) + 1) + n_deferred / DEFERRED_AN_ADDITION;
            Self { shape, copies, batch, cost: n_points + overhead + (copies - 1) * n_all }
        };
        let most = (MAX_COPIED / n_all).max(1).ilog2();
        let layouts = core::iter::once(all_aside).chain((0..=most).map(in_batches));
        layouts.min_by_key(|layout| layout.cost).expect("more than one")
    }

    const fn n_slots(&self) -> usize {
        self.shape.n_all() * self.copies
    }

    /// Points that a row takes before the next has its turn: all, if it can fill batches alone.
    const fn run(&self) -> usize {
        let run = self.shape.n_buckets / 2;
        if run >= self.batch { usize::MAX } else { run }
    }
}

/// Rows of buckets, each of one window.
pub(in crate::cpu) struct Buckets<A: Adder> {
    /// The buckets, copy by copy and row by row, with room for the points that were put aside, and for the segments of the
    /// weighted sums.
    slots: Slots<A>,
    layout: Layout,
    /// Where the copy begins that takes the next points.
    copy: usize,
    /// A bit for every bucket: whether the batch has a point for it, or takes none at all.
    taken: Vec<u64>,
    batch: Pending,
    aside: Pending,
    /// The end of each bucket in `order`.
    ends: Vec<u32>,
    /// What was put aside, by bucket: `index * 2 + sign`.
    order: Vec<u32>,
}

/// The pairs of a row, in parts as large as they are asked for.
pub(in crate::cpu) trait Pairs {
    /// Writes the next pairs, from the front: a bucket's slot, where the row's first is slot `first`, and `index * 2 + sign`.
    /// Fewer than there is room for when there are no more.
    fn write(&mut self, first: u32, pairs: &mut [[u32; 2]]) -> usize;
}

/// Buckets with what is to be added to them, `index * 2 + sign`.
struct Pending {
    pairs: Vec<[u32; 2]>,
    len: usize,
    /// As many were written.
    most: usize,
}

impl Pending {
    fn new(capacity: usize) -> Self {
        Self { pairs: vec![[0; 2]; capacity], len: 0, most: 0 }
    }

    /// Room for `n` more, which are to be written.
    fn room(&mut self, n: usize) -> &mut [[u32; 2]] {
        self.most = self.most.max(self.len + n);
        &mut self.pairs[self.len..][..n]
    }

    fn n_free(&self) -> usize {
        self.pairs.len() - self.len
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        self.pairs[..self.most].as_flattened_mut().zeroize();
    }
}

/// Notes that a bucket has a point in the batch; whether it had none before.
#[inline(always)]
fn take(taken: &mut [u64], bucket: u32) -> bool {
    let (word, bit) = (&mut taken[bucket as usize / 64], bucket % 64);
    let was_free = *word >> bit & 1 == 0;
    *word |= 1 << bit;
    was_free
}

impl<A: Adder> Buckets<A> {
    /// Buckets, and copies of them, each of which begins with `start`: bucket `b` of copy `k` with number `k n_buckets + b`,
    /// the same in all rows.
    pub(in crate::cpu) fn new(adder: A, shape: Shape, start: impl Fn(&A, usize) -> A::Slot) -> Self {
        let layout = Layout::new(shape, A::INVERSION);
        let n = layout.n_slots();
        let Shape { n_rows, n_buckets, n_points } = shape;
        let aside = n_points.clamp(1, ASIDE);
        // Where all are put aside there is no batch, but room as for one.
        let batch = if layout.batch == 0 { aside } else { layout.batch.min(n_points).max(1) };
        let n_segments = n_rows * n_segments(n_rows, n_buckets - 1, A::INVERSION);
        let mut slots = Vec::with_capacity(n + aside.max(n_segments));
        for copy in 0..layout.copies {
            let numbers = (0..n_rows).flat_map(|_| copy * n_buckets..(copy + 1) * n_buckets);
            slots.extend(numbers.map(|number| start(&adder, number)));
        }
        Self {
            slots: Slots::new(adder, slots, aside.max(2 * n_segments).max(n / 2)),
            layout,
            copy: 0,
            taken: vec![if layout.batch == 0 { u64::MAX } else { 0 }; n.div_ceil(64)],
            batch: Pending::new(batch),
            aside: Pending::new(aside),
            ends: vec![0; n],
            order: vec![0; aside],
        }
    }

    /// How many copies there are of each bucket.
    pub(in crate::cpu) const fn n_copies(&self) -> usize {
        self.layout.copies
    }

    /// Adds points to the buckets of each row. The points must be the same in every call.
    ///
    /// Which instructions are executed for a pair does not depend on it, but for how many pairs fill a batch.
    pub(in crate::cpu) fn add(&mut self, points: &[PackedOf<A>], rows: &mut [impl Pairs]) {
        debug_assert_eq!(rows.len(), self.layout.shape.n_rows, "pairs for each row");
        let mut there_are_more = true;
        while there_are_more {
            there_are_more = false;
            for (row, pairs) in rows.iter_mut().enumerate() {
                there_are_more |= self.add_run(points, row, pairs);
            }
            self.copy += self.layout.shape.n_all();
            if self.copy == self.layout.n_slots() {
                self.copy = 0;
            }
        }
    }

    /// Adds the points of one turn of a row; whether that was a whole turn.
    fn add_run(&mut self, points: &[PackedOf<A>], row: usize, pairs: &mut impl Pairs) -> bool {
        let first = (self.copy + row * self.layout.shape.n_buckets) as u32;
        let mut left = self.layout.run();
        while left > 0 {
            // So many fit, wherever they go.
            let n = self.batch.n_free().min(self.aside.n_free()).min(left);
            let n_written = pairs.write(first, self.batch.room(n));
            self.distribute(n_written);
            if self.batch.n_free() == 0 {
                self.add_batch(points);
                self.take_deferred();
            }
            if self.aside.n_free() == 0 {
                self.add_aside(points);
            }
            if n_written < n {
                return false;
            }
            left -= n;
        }
        true
    }

    /// Puts aside what has its bucket taken of the next `n` pairs that are written behind the batch. Writes every pair to both
    /// places, but counts it in one.
    fn distribute(&mut self, n: usize) {
        let (batch, aside, taken) = (self.batch.room(n), self.aside.room(n), &mut self.taken[..]);
        let mut n_batch = 0;
        for i in 0..n {
            let pair = batch[i];
            let was_free = take(taken, pair[0]);
            batch[n_batch] = pair;
            aside[i - n_batch] = pair;
            n_batch += usize::from(was_free);
        }
        self.batch.len += n_batch;
        self.aside.len += n - n_batch;
    }

    /// Takes what was put aside into a new batch, unless that is so much that most would find their bucket taken again.
    fn take_deferred(&mut self) {
        let n = self.aside.len;
        if n > self.batch.n_free() || self.layout.batch == 0 {
            return;
        }
        self.batch.room(n).copy_from_slice(&self.aside.pairs[..n]);
        self.aside.len = 0;
        self.distribute(n);
    }

    /// `sum_m m B_m` over the buckets of each row, the first of which is `B_0`.
    pub(in crate::cpu) fn weighted_sums<C>(mut self, points: &[PackedOf<A>]) -> Vec<Projective<C>>
    where
        C: SWCurveConfig<BaseField = A::Field>,
    {
        self.add_batch(points);
        self.take_deferred();
        self.add_batch(points);
        self.add_aside(points);
        let Layout { shape, mut copies, .. } = self.layout;
        while copies > 1 {
            copies /= 2;
            let half = (copies * shape.n_all()) as u32;
            self.slots.pairs.extend((0..half).map(|slot| [slot, slot + half]));
            self.slots.flush();
        }
        self.slots.weighted_sums(shape.n_rows, shape.n_buckets - 1, self.layout.n_slots())
    }

    #[inline(never)]
    fn add_batch(&mut self, points: &[PackedOf<A>]) {
        if self.batch.len == 0 {
            return;
        }
        let Slots { adder, slots, .. } = &mut self.slots;
        adder.add_points(slots, points, &self.batch.pairs[..self.batch.len]);
        self.batch.len = 0;
        self.taken.fill(0);
    }

    #[inline(never)]
    fn add_aside(&mut self, points: &[PackedOf<A>]) {
        if self.aside.len == 0 {
            return;
        }
        self.sort();
        self.gather(points);
        let first = self.layout.n_slots() as u32;
        self.slots.add_runs(first, &self.ends);
        let mut start = first;
        for (bucket, end) in (0..).zip(&self.ends) {
            let end = first + end;
            if end > start {
                self.slots.pairs.push([bucket, start]);
            }
            start = end;
        }
        self.slots.flush();
        self.aside.len = 0;
    }

    /// Counting sort of what was put aside, by bucket.
    fn sort(&mut self) {
        let aside = &self.aside.pairs[..self.aside.len];
        self.ends.fill(0);
        for [bucket, _] in aside {
            self.ends[*bucket as usize] += 1;
        }
        let mut start = 0;
        for end in &mut self.ends {
            start += core::mem::replace(end, start);
        }
        for &[bucket, entry] in aside {
            let end = &mut self.ends[bucket as usize];
            self.order[*end as usize] = entry;
            *end += 1;
        }
    }

    /// Copies the points that were put aside behind the buckets, sorted and with their signs.
    fn gather(&mut self, points: &[PackedOf<A>]) {
        self.slots.grow(self.layout.n_slots() + self.aside.len);
        let Slots { adder, slots, .. } = &mut self.slots;
        let entries = self.order[..self.aside.len].chunks(AHEAD);
        for (slots, entries) in slots[self.layout.n_slots()..].chunks_mut(AHEAD).zip(entries) {
            // Fetched before any is used: the processor then waits for all of them at once.
            let mut fetched = [points[0]; AHEAD];
            for (copy, &entry) in fetched.iter_mut().zip(entries) {
                *copy = points[(entry >> 1) as usize];
            }
            for ((slot, point), &entry) in slots.iter_mut().zip(&fetched).zip(entries) {
                let (x, y) = A::Field::coordinates(point);
                *slot = adder.enter(A::Field::from_row(x), A::Field::from_row(y), entry & 1);
            }
        }
    }
}

impl<A: Adder> Drop for Buckets<A> {
    fn drop(&mut self) {
        self.taken.zeroize();
        self.ends.zeroize();
        self.order[..self.aside.most].zeroize();
    }
}

#[cfg(test)]
mod tests {
    use ark_bn254::{Fq, Fr, G1Affine, G1Projective};
    use ark_ec::{AffineRepr, CurveGroup};
    use ark_ff::Zero;

    use super::super::{Portable, Vector};
    use super::*;
    use crate::cpu::lanes::{Width, with_lanes};
    use crate::points::{G1, PackedPoint};

    const N: usize = 5 * ASIDE / 2;

    struct Iter<I>(I);

    impl<I: Iterator<Item = [u32; 2]>> Pairs for Iter<I> {
        fn write(&mut self, first: u32, pairs: &mut [[u32; 2]]) -> usize {
            let n = pairs.len();
            let written = pairs.iter_mut().zip(self.0.by_ref().take(n));
            written.map(|(pair, [bucket, entry])| *pair = [first + bucket, entry]).count()
        }
    }

    /// `k + 1` times the generator, for index `k`; every seventh is infinity.
    fn points() -> Vec<PackedPoint> {
        let generator = G1Affine::generator();
        let multiples =
            core::iter::successors(Some(generator.into()), |last: &G1Projective| Some(*last + generator));
        let points = multiples
            .take(N)
            .enumerate()
            .map(|(k, point)| if k % 7 == 6 { G1Projective::zero() } else { point });
        let points: Vec<_> = points.collect();
        G1Projective::normalize_batch(&points).iter().map(PackedPoint::pack).collect()
    }

    fn check<A: Adder<Field = Fq>>(adder: impl Fn() -> A, points: &[PackedPoint]) {
        let multiple = |k: u64| (G1Affine::generator() * Fr::from(k)).into_affine();
        // Many buckets, few of which copies are kept, one, two, and some that are crowded while others are empty.
        type Family = (usize, fn(usize) -> usize);
        let families: [Family; 7] = [
            (4097, |i| i * 7919 % 4097),
            // As if at random: some find their bucket taken in every batch, and the next takes them.
            (4097, |i| (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) as usize % 4097),
            (9, |i| i % 9),
            (4097, |_| 5),
            (129, |i| i % 2 * 128),
            (2, |_| 1),
            (1025, |i| if i % 3 == 0 { i % 1025 } else { 1024 }),
        ];
        for (n_buckets, bucket) in families {
            for n in [0, 1, 2, 300, N] {
                for n_rows in [1, 3] {
                    // Each row has some points less than the one before.
                    let pairs = |row: usize| {
                        let pair =
                            move |i| [bucket(i + row) as u32, (i << 1 | usize::from(i % 5 == 0)) as u32];
                        (0..n - row * n / 4).map(pair)
                    };
                    for start in [None, Some(7)] {
                        let n_points = (0..n_rows).map(|row| pairs(row).len()).sum();
                        let shape = Shape { n_rows, n_buckets, n_points };
                        let mut buckets = Buckets::new(adder(), shape, |adder, number| match start {
                            Some(first) => {
                                let start = multiple(first + number as u64);
                                adder.enter(start.x, start.y, 0)
                            }
                            None => A::INFINITY,
                        });
                        // In two calls, the second of which ends with batches that are not full.
                        let mut rows: Vec<_> = (0..n_rows).map(|row| Iter(pairs(row).take(n / 3))).collect();
                        buckets.add(points, &mut rows);
                        let mut rows: Vec<_> = (0..n_rows).map(|row| Iter(pairs(row).skip(n / 3))).collect();
                        buckets.add(points, &mut rows);
                        let numbers = 0..n_buckets * buckets.n_copies();
                        let of_start = |first: u64| -> i128 {
                            let of_number = |number| (number % n_buckets) as u64 * (first + number as u64);
                            numbers.map(|number| i128::from(of_number(number))).sum()
                        };
                        let of_start = start.map_or(0, of_start);
                        let expected = (0..n_rows).map(|row| {
                            let terms = pairs(row).filter(|[_, entry]| (entry >> 1) % 7 != 6).map(
                                |[bucket, entry]| {
                                    let term = i128::from(bucket) * i128::from((entry >> 1) + 1);
                                    if entry & 1 == 1 { -term } else { term }
                                },
                            );
                            let expected: i128 = of_start + terms.sum::<i128>();
                            let magnitude = G1Affine::generator() * Fr::from(expected.unsigned_abs());
                            if expected < 0 { -magnitude } else { magnitude }
                        });
                        let expected: Vec<_> = expected.collect();
                        let got = buckets.weighted_sums::<G1>(points);
                        assert_eq!(
                            got, expected,
                            "{n} points in {n_rows} rows of {n_buckets} buckets, {start:?}"
                        );
                    }
                }
            }
        }
    }

    /// However points fall into buckets, at every width.
    #[test]
    fn any_distribution_is_summed() {
        let points = points();
        for width in Width::ALL.into_iter().filter(|width| width.is_available()) {
            with_lanes!(
                width,
                |lanes| check(|| Vector::<_, Fq>::new(lanes), &points),
                check(Portable::<Fq>::new, &points)
            );
        }
    }

    #[test]
    fn copies_are_kept_where_they_pay() {
        for inversion in [10, 16, 64] {
            let layout =
                |n_rows, n_buckets, n_points| Layout::new(Shape { n_rows, n_buckets, n_points }, inversion);
            assert_eq!(layout(1, (1 << 15) + 1, 1 << 20).copies, 1);
            assert!(layout(1, (1 << 7) + 1, 1 << 20).copies > 1);
            // Rows leave less to copies.
            assert!(layout(8, (1 << 7) + 1, 1 << 20).copies < layout(1, (1 << 7) + 1, 1 << 20).copies);
            for n_buckets in [2, 3, 129, 1 << 10, (1 << 14) + 1, (1 << 15) + 1] {
                for (n_rows, n_points) in [1, 5]
                    .into_iter()
                    .flat_map(|n_rows| [0, 1, 1 << 10, 1 << 20, 1 << 31].map(|n| (n_rows, n)))
                {
                    let layout = layout(n_rows, n_buckets, n_points);
                    assert!(layout.n_slots() <= MAX_COPIED.max(n_rows * n_buckets));
                    assert!(layout.batch <= BATCH);
                    assert!(layout.run() > 0);
                }
            }
        }
    }
}
