//! Recording and submitting the passes of one call.

use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use blindsum_shaders::Arithmetic;
use wgpu::{BufferUsages, WriteOnly};

use super::STAGING_BYTES;
use super::kernels::{MsmKernels, dispatches, dispatches_of};
use super::pace::{CALIBRATION_ADDITIONS, DIGITS_PER_ADDITION};
use super::plan::{ENTRY_BYTES, Group, Plan, SUM_BYTES, SUMS_PER_SLICE, TILE};
use super::resident::{DevicePoints, Segment};
use crate::error::EngineError;
use crate::gpu::Gpu;
use crate::gpu::batch::Batch;
use crate::gpu::buffers::{Download, Growing, Stretch, Upload};
use crate::gpu::layout::{
    MsmAccumulateParams, MsmDigitParams, MsmMergeParams, MsmReduceParams, MsmScalarsParams, MsmScanAddParams,
    MsmScanParams,
};
use crate::gpu::source::Kernel;

const OPERATION: &str = "msm";
const NO_KEY: u32 = u32::MAX;

/// What is kept between calls.
pub(in crate::gpu) struct Buffers {
    upload: Upload,
    params: Growing,
    /// Scalars of every chunk of the group in hand.
    scalars: Vec<Growing>,
    counts: Growing,
    /// Totals of the tiles of a scan, of the tiles of those, and so on.
    totals: Vec<Growing>,
    entries: Growing,
    buckets: Growing,
    heads: [Heads; 2],
    items: [Growing; 2],
    /// The total of a chunk's entries, while the rate is measured.
    total: Download,
    download: Download,
}

/// Keys and sums of heads.
struct Heads(Growing, Growing);

const STORAGE: BufferUsages =
    BufferUsages::STORAGE.union(BufferUsages::COPY_DST).union(BufferUsages::COPY_SRC);

impl Buffers {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, EngineError> {
        let storage = |label| Growing::new(label, STORAGE);
        Ok(Self {
            upload: Upload::new(&gpu.device, "msm staging", gpu.limits.chunk_bytes.min(STAGING_BYTES))?,
            params: Growing::new("msm params", BufferUsages::UNIFORM | BufferUsages::COPY_DST),
            scalars: Vec::new(),
            counts: storage("msm counts"),
            totals: Vec::new(),
            entries: storage("msm entries"),
            buckets: storage("msm buckets"),
            heads: [
                Heads(storage("msm head keys 0"), storage("msm head sums 0")),
                Heads(storage("msm head keys 1"), storage("msm head sums 1")),
            ],
            items: [storage("msm items 0"), storage("msm items 1")],
            total: Download::new("msm total staging"),
            download: Download::new("msm result staging"),
        })
    }

    /// Wipes everything that was made of scalars, but for the results on their way back: the host's part while the device
    /// still works, the device's part behind that work. [`Self::wipe_results`] must follow.
    fn wipe_inputs(&mut self, gpu: &Gpu) -> Result<(), EngineError> {
        let mut batch = Batch::new(OPERATION);
        let Self {
            upload,
            total: _,
            params,
            scalars,
            counts,
            totals: _,
            entries,
            buckets,
            heads,
            items,
            download: _,
        } = self;
        for buffer in scalars.iter_mut().chain([counts, entries, buckets]).chain(items) {
            buffer.wipe(&mut batch);
        }
        for Heads(keys, sums) in heads {
            keys.wipe(&mut batch);
            sums.wipe(&mut batch);
        }
        batch.submit(&gpu.device, params)?;
        upload.wipe(&gpu.device, OPERATION)
    }

    /// Wipes the results' way back, and waits until everything is wiped.
    fn wipe_results(&mut self, gpu: &Gpu) -> Result<(), EngineError> {
        let mut batch = Batch::new(OPERATION);
        self.download.wipe(&mut batch);
        let submission = batch.submit(&gpu.device, &mut self.params)?;
        Ok(gpu.device.wait(OPERATION, &submission)?)
    }
}

/// What is left of a group's rows: `c` arrays of a sum a row, one behind the other. The first is of the buckets' sums,
/// array `1 + l` of the sums of the buckets whose index has bit `l`.
pub(super) struct Items<'a> {
    pub(super) group: &'a Group,
    pub(super) words: &'a [u32],
}

/// One call.
pub(super) struct Passes<'a> {
    pub(super) gpu: &'a Gpu,
    pub(super) kernels: &'a MsmKernels,
    pub(super) plan: &'a Plan,
    pub(super) points: &'a DevicePoints,
    pub(super) arithmetic: Arithmetic,
}

impl Passes<'_> {
    /// Does everything on the device, and wipes it there. `fill(vector, first, view)` writes scalars from point `first` on; `finish` gets what
    /// is left of every group.
    pub(super) fn run(
        &self,
        buffers: &mut Buffers,
        n_points: usize,
        fill: impl Fn(usize, usize, WriteOnly<'_, [u8]>),
        mut finish: impl FnMut(&Items<'_>),
    ) -> Result<(), EngineError> {
        let chunks = self.plan.chunks(n_points);
        while buffers.scalars.len() < chunks.len() {
            buffers.scalars.push(Growing::new("msm scalars", STORAGE));
        }
        let mut uploaded = 0..0;
        for (i, group) in self.plan.groups.iter().enumerate() {
            let buckets_bytes = self.plan.n_keys(group) * SUM_BYTES;
            let buckets = buffers.buckets.at_least(&self.gpu.device, buckets_bytes)?;
            let mut batch = Batch::new(OPERATION);
            batch.clear(&buckets, 0, buckets_bytes);
            for (index, (segment, points)) in chunks.iter().enumerate() {
                let first = segment * self.plan.segment_points + points.start;
                let scalars = if uploaded == group.vectors {
                    buffers.scalars[index].at_least(&self.gpu.device, 4)?
                } else {
                    let scalars = self.upload(buffers, index, group, first, points.len(), &fill)?;
                    self.convert(&mut batch, &scalars, points.len());
                    scalars
                };
                let chunk = Chunk {
                    group,
                    segment: &self.points.segments[*segment],
                    first_point: points.start as u32,
                    n_points: points.len() as u32,
                    scalars,
                    buckets: buckets.clone(),
                };
                batch = self.add(buffers, batch, &chunk)?;
            }
            uploaded = group.vectors.clone();
            self.reduce(buffers, batch, group, &buckets)?;
            if i + 1 == self.plan.groups.len() {
                buffers.wipe_inputs(self.gpu)?;
            }
            buffers.download.finish(&self.gpu.device, OPERATION, |words| finish(&Items { group, words }))?;
        }
        buffers.wipe_results(self.gpu)
    }

    /// Sends the scalars of a chunk, now: before whatever has been noted and not submitted, which does not touch them.
    fn upload(
        &self,
        buffers: &mut Buffers,
        index: usize,
        group: &Group,
        first: usize,
        n_points: usize,
        fill: &impl Fn(usize, usize, WriteOnly<'_, [u8]>),
    ) -> Result<wgpu::Buffer, EngineError> {
        let device = &self.gpu.device;
        let scalar_bytes = 4 * self.plan.scalars.words();
        let vector_bytes = n_points as u64 * scalar_bytes;
        let target = buffers.scalars[index].at_least(device, vector_bytes * group.vectors.len() as u64)?;
        for (i, vector) in group.vectors.clone().enumerate() {
            let target = (&target, i as u64 * vector_bytes);
            buffers.upload.send(device, OPERATION, target, n_points, scalar_bytes, |range, view| {
                fill(vector, first + range.start, view);
            })?;
        }
        Ok(target)
    }

    /// Stage 0: the scalars of a chunk as integers.
    fn convert(&self, batch: &mut Batch, scalars: &wgpu::Buffer, n_points: usize) {
        if let Some(kernel) = &self.kernels.scalars {
            for (range, grid) in dispatches(self.gpu, n_points as u64, self.digits()) {
                let params = MsmScalarsParams {
                    begin: range.start,
                    end: range.end,
                    groups_per_row: grid[0],
                    reserved: 0,
                };
                batch.spend(range.len() as u64 / DIGITS_PER_ADDITION, self.additions());
                batch.push(kernel, &params, &[scalars], grid);
            }
        }
    }

    /// Stages 1 to 5: adds the entries of a chunk into the buckets, after what is in `batch`. The last of it is in the batch
    /// that comes back: the host notes that while the device works.
    fn add(&self, buffers: &mut Buffers, mut batch: Batch, chunk: &Chunk<'_>) -> Result<Batch, EngineError> {
        let device = &self.gpu.device;
        let n_keys = self.plan.n_keys(chunk.group);
        let n_entries = u64::from(chunk.n_points) * chunk.group.n_rows();
        let counts = buffers.counts.at_least(device, n_keys * 4)?;
        let entries = buffers.entries.at_least(device, n_entries * ENTRY_BYTES)?;

        batch.clear(&counts, 0, n_keys * 4);
        self.digits_pass(&mut batch, chunk, &self.kernels.histogram, &[&counts]);
        self.scan(buffers, &mut batch, &counts, n_keys, 0)?;
        self.digits_pass(&mut batch, chunk, &self.kernels.scatter, &[&counts, &entries]);

        let n_slices = n_entries.div_ceil(self.plan.entries_per_slice);
        let heads = |heads: &mut Heads, n: u64| -> Result<_, EngineError> {
            Ok((heads.0.at_least(device, n * 4)?, heads.1.at_least(device, n * SUM_BYTES)?))
        };
        let mut from = heads(&mut buffers.heads[0], n_slices)?;
        let mut done = 0;
        if n_entries > CALIBRATION_ADDITIONS && !self.gpu.pace.is_known(self.arithmetic) {
            batch.submit(device, &mut buffers.params)?;
            done = self.calibrate(buffers, chunk, &counts, &entries, &from, n_slices)?;
            batch = Batch::new(OPERATION);
        }
        self.accumulate(&mut batch, chunk, &counts, &entries, &from, done..n_slices);
        batch.submit(device, &mut buffers.params)?;
        let mut batch = Batch::new(OPERATION);

        let (mut n_sums, mut turn) = (n_slices, 1);
        // The first slice has no head: with one slice nothing is left over.
        while n_sums > 1 {
            let n_slices = n_sums.div_ceil(SUMS_PER_SLICE);
            let into = heads(&mut buffers.heads[turn], n_slices)?;
            for (range, grid) in dispatches(self.gpu, n_slices, self.additions() / SUMS_PER_SLICE) {
                let params = MsmMergeParams {
                    first_slice: range.start,
                    n_slices: range.len() as u32,
                    groups_per_row: grid[0],
                    sums_per_slice: SUMS_PER_SLICE as u32,
                    n_sums: n_sums as u32,
                    reserved0: 0,
                    reserved1: 0,
                    reserved2: 0,
                };
                batch.spend(range.len() as u64 * SUMS_PER_SLICE, self.additions());
                batch.push(
                    &self.kernels.merge,
                    &params,
                    &[&from.0, &from.1, &chunk.buckets, &into.0, &into.1],
                    grid,
                );
            }
            (n_sums, turn, from) = (n_slices, 1 - turn, into);
        }
        Ok(batch)
    }

    /// Stages 1 and 3.
    fn digits_pass(
        &self,
        batch: &mut Batch,
        chunk: &Chunk<'_>,
        kernel: &Arc<Kernel>,
        outputs: &[&wgpu::Buffer],
    ) {
        let n_vectors = chunk.group.vectors.len() as u32;
        let digits_per_point = chunk.group.n_rows();
        let zero_key = if self.plan.scalars.keeps_zeros() {
            (chunk.group.n_rows() * self.plan.row_keys()) as u32
        } else {
            NO_KEY
        };
        let mut bound = vec![&chunk.scalars, &chunk.segment.identities];
        bound.extend(outputs);
        for (range, [x, y, _]) in
            dispatches(self.gpu, chunk.n_points.into(), self.digits() / digits_per_point)
        {
            let params = MsmDigitParams {
                n_points: chunk.n_points,
                first_point: chunk.first_point,
                begin: range.start,
                end: range.end,
                groups_per_row: x,
                words_per_scalar: self.plan.scalars.words() as u32,
                window_bits: self.plan.window_bits,
                first_window: chunk.group.windows.start,
                end_window: chunk.group.windows.end,
                zero_key,
                reserved0: 0,
                reserved1: 0,
            };
            batch.spend(range.len() as u64 * digits_per_point / DIGITS_PER_ADDITION, self.additions());
            batch.push(kernel, &params, &bound, [x, y, n_vectors]);
        }
    }

    /// Stage 2: exclusive prefix sums of `n` values, in place.
    fn scan(
        &self,
        buffers: &mut Buffers,
        batch: &mut Batch,
        values: &wgpu::Buffer,
        n: u64,
        level: usize,
    ) -> Result<(), EngineError> {
        let n_tiles = n.div_ceil(TILE);
        if buffers.totals.len() == level {
            buffers.totals.push(Growing::new("msm scan totals", STORAGE));
        }
        let totals = buffers.totals[level].at_least(&self.gpu.device, n_tiles * 4)?;
        for (range, grid) in dispatches_of(self.gpu, n_tiles, u64::MAX, 1) {
            let params = MsmScanParams {
                n_values: n as u32,
                first_tile: range.start,
                groups_per_row: grid[0],
                reserved: 0,
            };
            batch.push(&self.kernels.scan, &params, &[values, &totals], grid);
        }
        if n_tiles == 1 {
            return Ok(());
        }
        self.scan(buffers, batch, &totals, n_tiles, level + 1)?;
        for (range, grid) in dispatches_of(self.gpu, n_tiles, u64::MAX, 1) {
            let params = MsmScanAddParams {
                n_values: n as u32,
                first_tile: range.start,
                groups_per_row: grid[0],
                reserved: 0,
            };
            batch.push(&self.kernels.scan_add, &params, &[&totals, values], grid);
        }
        Ok(())
    }

    /// Stage 4.
    fn accumulate(
        &self,
        batch: &mut Batch,
        chunk: &Chunk<'_>,
        ends: &wgpu::Buffer,
        entries: &wgpu::Buffer,
        heads: &(wgpu::Buffer, wgpu::Buffer),
        slices: Range<u64>,
    ) {
        let entries_per_slice = self.plan.entries_per_slice;
        let n = slices.end - slices.start;
        for (range, grid) in dispatches(self.gpu, n, self.additions() / entries_per_slice) {
            let params = MsmAccumulateParams {
                first_slice: slices.start as u32 + range.start,
                n_slices: range.len() as u32,
                groups_per_row: grid[0],
                entries_per_slice: entries_per_slice as u32,
                n_keys: self.plan.n_keys(chunk.group) as u32,
                reserved0: 0,
                reserved1: 0,
                reserved2: 0,
            };
            let bound = [&chunk.segment.points, entries, ends, &chunk.buckets, &heads.0, &heads.1];
            batch.spend(range.len() as u64 * entries_per_slice, self.additions());
            batch.push(&self.kernels.accumulate, &params, &bound, grid);
        }
    }

    /// Times the first slices, when enough of the entries are there; the slices that are done then.
    fn calibrate(
        &self,
        buffers: &mut Buffers,
        chunk: &Chunk<'_>,
        ends: &wgpu::Buffer,
        entries: &wgpu::Buffer,
        heads: &(wgpu::Buffer, wgpu::Buffer),
        n_slices: u64,
    ) -> Result<u64, EngineError> {
        let device = &self.gpu.device;
        // The total is the end of the last bucket; waiting for it also empties the queue.
        let last = Stretch { buffer: ends, offset: (self.plan.n_keys(chunk.group) - 1) * 4, bytes: 4 };
        let mut batch = Batch::new(OPERATION);
        buffers.total.note(device, &mut batch, &[last])?;
        let submission = batch.submit(device, &mut buffers.params)?;
        buffers.total.submitted(submission);
        let mut total = 0;
        buffers.total.finish(device, OPERATION, |words| total = words[0])?;
        if u64::from(total) < CALIBRATION_ADDITIONS {
            return Ok(0);
        }
        let slices = (CALIBRATION_ADDITIONS / self.plan.entries_per_slice).clamp(1, n_slices);
        let mut batch = Batch::new(OPERATION);
        self.accumulate(&mut batch, chunk, ends, entries, heads, 0..slices);
        let clock = Instant::now();
        let submission = batch.submit(device, &mut buffers.params)?;
        device.wait(OPERATION, &submission)?;
        self.gpu.pace.note(self.arithmetic, slices * self.plan.entries_per_slice, clock.elapsed());
        Ok(slices)
    }

    /// Stage 6, after what is in `batch`, and asks for what is left.
    fn reduce(
        &self,
        buffers: &mut Buffers,
        mut batch: Batch,
        group: &Group,
        buckets: &wgpu::Buffer,
    ) -> Result<(), EngineError> {
        let device = &self.gpu.device;
        let (mut from, mut bytes) = (buckets.clone(), 0);
        for (pass, reduction) in self.plan.reductions(group.n_rows()).iter().enumerate() {
            bytes = reduction.n_sums() * SUM_BYTES;
            let into = buffers.items[pass % 2].at_least(device, bytes)?;
            let items_per_group = 1 << reduction.log_items;
            for (range, grid) in dispatches(self.gpu, reduction.n_sums(), self.additions() / items_per_group)
            {
                let params = MsmReduceParams {
                    first_sum: range.start,
                    n_sums: range.len() as u32,
                    groups_per_row: grid[0],
                    items_per_group: items_per_group as u32,
                    n_arrays: reduction.n_arrays as u32,
                    n_groups: reduction.n_groups as u32,
                    reserved0: 0,
                    reserved1: 0,
                };
                batch.spend(range.len() as u64 * items_per_group, self.additions());
                batch.push(&self.kernels.reduce, &params, &[&from, &into], grid);
            }
            from = into;
        }
        buffers.download.note(device, &mut batch, &[Stretch { buffer: &from, offset: 0, bytes }])?;
        let submission = batch.submit(device, &mut buffers.params)?;
        buffers.download.submitted(submission);
        Ok(())
    }

    fn additions(&self) -> u64 {
        self.gpu.pace.additions(self.arithmetic, self.gpu.limits.dispatch_budget)
    }

    fn digits(&self) -> u64 {
        self.gpu.pace.digits(self.arithmetic, self.gpu.limits.dispatch_budget)
    }
}

/// A chunk of a group, on the device.
struct Chunk<'a> {
    group: &'a Group,
    segment: &'a Segment,
    first_point: u32,
    n_points: u32,
    scalars: wgpu::Buffer,
    buckets: wgpu::Buffer,
}
