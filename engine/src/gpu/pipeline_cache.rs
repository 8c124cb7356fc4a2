//! What a driver made of the kernels, kept on disk: the next process does not compile them again.
//!
//! ```text
//! header   52 bytes   magic 8 | version u32 | length u64 | SHA-256 of the data, 32
//! data     length     what wgpu and the driver gave, for them alone to understand
//! ```
//! Integers are little-endian. The digest detects accidents: a damaged file is ignored and written anew. It is no
//! defence against somebody who may write the file: the directory must belong to the user.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::disk;

const MAGIC: &[u8; 8] = b"BSPIPES\0";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 52;

/// A cache of pipelines and the file that it comes from and goes to.
pub(super) struct PipelineCache {
    cache: wgpu::PipelineCache,
    path: PathBuf,
    /// Digest of the data in the file; zero when there is none.
    stored: Mutex<[u8; 32]>,
}

impl PipelineCache {
    /// Opens the cache of an adapter in `directory`, empty if there is no intact file. `None` where the adapter has no
    /// such caches. The caller has checked that the device has the feature, and holds error scopes.
    pub(super) fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo, directory: &Path) -> Option<Self> {
        let key = wgpu::util::pipeline_cache_key(adapter)?;
        let path = directory.join(format!("pipelines-{key}.bin"));
        let data = load(&path);
        let stored = data.as_deref().map_or([0; 32], |data| Sha256::digest(data).into());
        #[allow(unsafe_code, reason = "a driver trusts the data of a pipeline cache")]
        // SAFETY: the data is what `wgpu::PipelineCache::get_data` returned: only `save` writes this file, whole, and the
        // digest shows that it was not changed by accident. The directory belongs to the user. That it fits this
        // adapter, driver and wgpu is checked by wgpu's own header; with `fallback` other data is not used.
        let cache = unsafe {
            device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                label: Some("pipelines"),
                data: data.as_deref(),
                fallback: true,
            })
        };
        tracing::debug!(path = %path.display(), bytes = data.map_or(0, |data| data.len()), "pipeline cache");
        Some(Self { cache, path, stored: Mutex::new(stored) })
    }

    /// For the creation of pipelines.
    pub(super) fn pipelines(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes the file, if there is anything new. A failure is a warning: the next process compiles again.
    pub(super) fn save(&self) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(data) = self.cache.get_data() else { return };
        let digest: [u8; 32] = Sha256::digest(&data).into();
        if *stored == digest {
            return;
        }
        match disk::replace(&self.path, &file(&data, &digest)) {
            Ok(()) => *stored = digest,
            Err(error) => {
                tracing::warn!(path = %self.path.display(), %error, "the pipeline cache was not written");
            }
        }
    }
}

fn file(data: &[u8], digest: &[u8; 32]) -> Vec<u8> {
    let mut file = Vec::with_capacity(HEADER_BYTES + data.len());
    file.extend_from_slice(MAGIC);
    file.extend_from_slice(&VERSION.to_le_bytes());
    file.extend_from_slice(&(data.len() as u64).to_le_bytes());
    file.extend_from_slice(digest);
    file.extend_from_slice(data);
    file
}

/// The data of an intact file.
fn load(path: &Path) -> Option<Vec<u8>> {
    let file = match fs::read(path) {
        Ok(file) => file,
        Err(error) => {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::warn!(path = %path.display(), %error, "the pipeline cache was not read");
            }
            return None;
        }
    };
    match check(&file) {
        Ok(data) => Some(data.to_vec()),
        Err(damage) => {
            tracing::warn!(path = %path.display(), damage, "the pipeline cache is ignored");
            None
        }
    }
}

/// The data of a well-formed file, or what is wrong with it.
fn check(file: &[u8]) -> Result<&[u8], &'static str> {
    let (header, data) = file.split_at_checked(HEADER_BYTES).ok_or("shorter than its header")?;
    if header[..8] != MAGIC[..] {
        return Err("another kind of file");
    }
    if header[8..12] != VERSION.to_le_bytes() {
        return Err("another version");
    }
    if header[12..20] != (data.len() as u64).to_le_bytes() {
        return Err("wrong length");
    }
    if header[20..] != Sha256::digest(data)[..] {
        return Err("wrong checksum");
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::device::Device;
    use crate::gpu::source::{Access, KernelSpec, Kernels};

    #[test]
    fn damage_is_detected() {
        let good = file(b"data", &Sha256::digest(b"data").into());
        assert_eq!(check(&good), Ok(&b"data"[..]));
        for i in 0..good.len() {
            let mut bad = good.clone();
            bad[i] ^= 1;
            assert!(check(&bad).is_err(), "byte {i}");
            assert!(check(&good[..i]).is_err(), "cut to {i} bytes");
        }
        assert_eq!(check(&[&good[..], &[0]].concat()), Err("wrong length"));
    }

    fn stored(device: &Device) -> [u8; 32] {
        *device.pipelines.as_ref().expect("llvmpipe has pipeline caches").stored.lock().expect("no panic")
    }

    #[test]
    #[cfg_attr(skip_gpu_tests, ignore = "built with SKIP_GPU_TESTS=1")]
    fn the_second_device_starts_with_what_the_first_compiled() {
        let directory = tempfile::tempdir().expect("a directory");
        let spec = KernelSpec {
            name: "sum_rows",
            arithmetic: None,
            params_bytes: 16,
            buffers: &[Access::Read, Access::ReadWrite],
        };
        let open = || Device::open_at(None, Some(directory.path())).expect("an adapter");
        let compile = |device: &Device| {
            Kernels::default().get(device, &spec).expect("a kernel");
        };
        let first = open();
        if first.pipelines.is_none() {
            eprintln!("skipped: {} has no pipeline caches", first.report.name);
            return;
        }
        assert_eq!(stored(&first), [0; 32]);
        compile(&first);
        assert_ne!(stored(&first), [0; 32]);

        let second = open();
        assert_eq!(stored(&second), stored(&first));
        compile(&second);

        let path = &second.pipelines.as_ref().expect("as the first").path;
        let mut bytes = fs::read(path).expect("the file");
        *bytes.last_mut().expect("not empty") ^= 1;
        fs::write(path, bytes).expect("a writable file");
        let third = open();
        assert_eq!(stored(&third), [0; 32], "a damaged file is ignored");
        compile(&third);
        assert!(load(path).is_some(), "and written anew");

        let without = Device::open_at(None, None).expect("an adapter");
        assert!(without.pipelines.is_none());
        compile(&without);
    }
}
