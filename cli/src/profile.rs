//! Where the time of calls on the GPU goes, as a table and as JSON.

use std::io::Write;

use blindsum_engine::gpu::ProfileReport;
use serde::Serialize;

/// One profiled call. Milliseconds throughout.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Profile {
    /// What was called.
    pub(crate) call: String,
    pub(crate) wall: f64,
    pub(crate) kernels: Vec<Kernel>,
    upload: f64,
    upload_bytes: u64,
    download: f64,
    download_bytes: u64,
    /// The host waited for the device.
    wait: f64,
    /// Cutting up, recording, compiling, and arithmetic on the host.
    host: f64,
    /// Whether kernels are timed by the device's own clock; without one their times are zero.
    timestamps: bool,
}

/// The dispatches of one kernel.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Kernel {
    pub(crate) name: String,
    pub(crate) dispatches: u64,
    pub(crate) milliseconds: f64,
    pub(crate) compile_milliseconds: f64,
}

impl Profile {
    pub(crate) fn new(call: String, report: ProfileReport) -> Self {
        Self {
            call,
            wall: report.wall_ms,
            kernels: report
                .kernels
                .into_iter()
                .map(|kernel| Kernel {
                    name: kernel.name,
                    dispatches: kernel.dispatches,
                    milliseconds: kernel.milliseconds,
                    compile_milliseconds: kernel.compile_milliseconds,
                })
                .collect(),
            upload: report.upload.milliseconds,
            upload_bytes: report.upload.bytes,
            download: report.download.milliseconds,
            download_bytes: report.download.bytes,
            wait: report.wait_milliseconds,
            host: report.host_milliseconds,
            timestamps: report.timestamps,
        }
    }

    /// Time of all kernels, or the whole call's where the device has no clock.
    pub(crate) fn device(&self) -> f64 {
        if self.timestamps { self.kernels.iter().map(|kernel| kernel.milliseconds).sum() } else { self.wall }
    }

    pub(crate) fn print(&self, out: &mut impl Write) -> std::io::Result<()> {
        writeln!(
            out,
            "profile    {}: {:.2} ms, of which upload {:.2} ({} KiB), download {:.2} ({} KiB), waiting {:.2}, host {:.2}",
            self.call,
            self.wall,
            self.upload,
            self.upload_bytes >> 10,
            self.download,
            self.download_bytes >> 10,
            self.wait,
            self.host,
        )?;
        for Kernel { name, dispatches, milliseconds, compile_milliseconds } in &self.kernels {
            let time = if self.timestamps { format!("{milliseconds:.3} ms") } else { "no clock".to_owned() };
            writeln!(
                out,
                "           {name:<28} {time:>12} in {dispatches} dispatches, compiled in {compile_milliseconds:.0} ms"
            )?;
        }
        Ok(())
    }
}
