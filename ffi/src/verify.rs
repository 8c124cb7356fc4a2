//! Verifying certificates, one or many.

use blindsum_circuits::{
    BatchError, Certificate, DevelopmentKeys, Record, Verifier, VerifyingKey, verifier::MAX_BATCH,
};
use blindsum_engine::{
    curve::fr_from_bytes,
    roster::{Bitmap, RoundContext},
};

use crate::{
    guard::{free, guard, reference, slice},
    status::BlindsumStatus,
};

/// The only rules so far. A correction of the rules gets a new number and is switched on by the caller at a height.
const RULES: u32 = 1;
/// No key or certificate is longer.
const MAX_BYTES: usize = 4096;
/// No cohort has more groups.
const MAX_GROUPS: usize = 256;

/// A verifying key made ready. Opaque, immutable, usable by any number of threads at once.
pub struct BlindsumVerifier {
    verifier: Verifier,
}

/// Bytes that belong to the caller.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BlindsumBytes {
    /// The first byte.
    pub data: *const u8,
    /// How many.
    pub len: usize,
}

/// What the caller knows of a cohort from its own storage, never from the certificate. Numbers of 32 bytes are big-endian;
/// bit i of a bitmap, least significant first, is slot i.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct BlindsumRecord {
    /// Root of the registered roster.
    pub roster_root: [u8; 32],
    /// Slots that hold a client's key.
    pub occupied: [u8; 32],
    /// The context, which the caller computed; its two leading bytes are zero.
    pub round_context: [u8; 32],
    /// Root over the cohort's leaves, stored before any share was released.
    pub leaves_root: [u8; 32],
    /// Slots that posted, stored with `leaves_root`.
    pub posted: [u8; 32],
    /// Slots in a group, a power of two.
    pub group_width: u16,
    /// Each group's least number of participants, at least 1.
    pub floors: *const u16,
    /// How many: cohort size over group width.
    pub n_floors: usize,
}

impl BlindsumRecord {
    /// # Safety
    /// `floors` is NULL or points to `n_floors` numbers.
    unsafe fn decode(&self) -> Result<Record, BlindsumStatus> {
        // SAFETY: as the caller's.
        let floors = unsafe { slice(self.floors, self.n_floors, MAX_GROUPS, BlindsumStatus::Record) }?;
        let element = |bytes| fr_from_bytes(bytes).map_err(|_| BlindsumStatus::RecordEncoding);
        Ok(Record {
            roster_root: element(&self.roster_root)?,
            occupied: Bitmap::from_be_bytes(&self.occupied),
            round_context: RoundContext::from_bytes(self.round_context)
                .map_err(|_| BlindsumStatus::RecordEncoding)?,
            leaves_root: element(&self.leaves_root)?,
            posted: Bitmap::from_be_bytes(&self.posted),
            group_width: self.group_width,
            floors: floors.to_vec(),
        })
    }
}

/// Reads and checks a verifying key (at most 4096 bytes) and prepares it: about 10 ms.
///
/// `rules` is the version of the acceptance rules, 1. `allow_development` lets in a key from a single-party setup, whose
/// maker can forge: for tests only. On success `*out` is a handle for `blindsum_verifier_free`.
///
/// # Safety
/// `key` points to `key_len` bytes, `out` to writable space for a pointer.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_verifier_new(
    key: *const u8,
    key_len: usize,
    rules: u32,
    allow_development: bool,
    out: *mut *mut BlindsumVerifier,
) -> BlindsumStatus {
    guard(|| {
        if out.is_null() {
            return Err(BlindsumStatus::NullPointer);
        }
        // SAFETY: as the caller's.
        let key = unsafe { slice(key, key_len, MAX_BYTES, BlindsumStatus::KeyEncoding) }?;
        if rules != RULES {
            return Err(BlindsumStatus::Rules);
        }
        let allowed = if allow_development { DevelopmentKeys::Allow } else { DevelopmentKeys::Refuse };
        let verifier = Verifier::new(&VerifyingKey::from_bytes(key)?, allowed)?;
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { out.write(Box::into_raw(Box::new(BlindsumVerifier { verifier }))) };
        Ok(())
    })
}

/// Ends a verifier. NULL is nothing to do.
///
/// # Safety
/// `verifier` is NULL or came from `blindsum_verifier_new`, is in use by nobody and was not freed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_verifier_free(verifier: *mut BlindsumVerifier) {
    // SAFETY: as the caller's.
    unsafe { free(verifier) }
}

/// Accepts (0) or refuses one certificate against the caller's record, in a few milliseconds. The same answer on every
/// machine.
///
/// # Safety
/// `verifier` is a live handle, `record` points to a record whose `floors` hold `n_floors` numbers, `certificate` to
/// `certificate_len` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_verify(
    verifier: *const BlindsumVerifier,
    record: *const BlindsumRecord,
    certificate: *const u8,
    certificate_len: usize,
) -> BlindsumStatus {
    guard(|| {
        // SAFETY: as the caller's.
        let verifier = unsafe { reference(verifier) }?;
        // SAFETY: as the caller's.
        let record = unsafe { reference(record)?.decode() }?;
        // SAFETY: as the caller's.
        let bytes =
            unsafe { slice(certificate, certificate_len, MAX_BYTES, BlindsumStatus::CertificateEncoding) }?;
        Ok(verifier.verifier.verify_bytes(&record, bytes)?)
    })
}

/// Accepts (0) exactly the batches of which `blindsum_verify` accepts every certificate, else returns its status for the
/// first that it does not accept. `certificates[i]` is judged against `records[i]`; 1 <= count <= 1024. About 1 ms each.
///
/// # Safety
/// As `blindsum_verify`, for `count` records and `count` certificates.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_verify_many(
    verifier: *const BlindsumVerifier,
    records: *const BlindsumRecord,
    certificates: *const BlindsumBytes,
    count: usize,
) -> BlindsumStatus {
    guard(|| {
        // SAFETY: as the caller's.
        match unsafe { first_refused(verifier, records, certificates, count) }? {
            Some((_, status)) => Err(status),
            None => Ok(()),
        }
    })
}

/// On success `*out_index` is the index of the first certificate that `blindsum_verify` would not accept, or `count` if it
/// accepts all. Limits and cost as `blindsum_verify_many`.
///
/// # Safety
/// As `blindsum_verify_many`; `out_index` points to writable space.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn blindsum_find_first_refused(
    verifier: *const BlindsumVerifier,
    records: *const BlindsumRecord,
    certificates: *const BlindsumBytes,
    count: usize,
    out_index: *mut usize,
) -> BlindsumStatus {
    guard(|| {
        if out_index.is_null() {
            return Err(BlindsumStatus::NullPointer);
        }
        // SAFETY: as the caller's.
        let refused = unsafe { first_refused(verifier, records, certificates, count) }?;
        // SAFETY: not NULL; the caller vouches that it is writable.
        unsafe { out_index.write(refused.map_or(count, |(index, _)| index)) };
        Ok(())
    })
}

/// # Safety
/// As [`blindsum_verify_many`].
unsafe fn first_refused(
    verifier: *const BlindsumVerifier,
    records: *const BlindsumRecord,
    certificates: *const BlindsumBytes,
    count: usize,
) -> Result<Option<(usize, BlindsumStatus)>, BlindsumStatus> {
    // SAFETY: as the caller's.
    let verifier = unsafe { reference(verifier) }?;
    if count == 0 {
        return Err(BlindsumStatus::Length);
    }
    // SAFETY: as the caller's.
    let records = unsafe { slice(records, count, MAX_BATCH, BlindsumStatus::Length) }?;
    // SAFETY: as the caller's.
    let certificates = unsafe { slice(certificates, count, MAX_BATCH, BlindsumStatus::Length) }?;

    // What precedes the first item that does not decode decides whether that item is the first to be refused.
    let mut decoded = Vec::with_capacity(count);
    let mut undecoded = None;
    for (index, (record, certificate)) in records.iter().zip(certificates).enumerate() {
        // SAFETY: as the caller's.
        match unsafe { decode(&verifier.verifier, record, certificate) } {
            Ok(pair) => decoded.push(pair),
            Err(status) => {
                undecoded = Some((index, status));
                break;
            }
        }
    }
    let batch: Vec<(&Record, &Certificate)> =
        decoded.iter().map(|(record, certificate)| (record, certificate)).collect();
    match verifier.verifier.verify_many(&batch) {
        Ok(()) => Ok(undecoded),
        Err(BatchError::Refused { index, error }) => Ok(Some((index, error.into()))),
        Err(_) => Err(BlindsumStatus::Length),
    }
}

/// # Safety
/// As [`blindsum_verify`].
unsafe fn decode(
    verifier: &Verifier,
    record: &BlindsumRecord,
    certificate: &BlindsumBytes,
) -> Result<(Record, Certificate), BlindsumStatus> {
    // SAFETY: as the caller's.
    let record = unsafe { record.decode() }?;
    // SAFETY: as the caller's.
    let bytes =
        unsafe { slice(certificate.data, certificate.len, MAX_BYTES, BlindsumStatus::CertificateEncoding) }?;
    // The order of blindsum_verify: a record at fault is found before bytes at fault.
    record.check(verifier.size()).map_err(|_| BlindsumStatus::Record)?;
    let certificate = Certificate::from_bytes(bytes).map_err(|_| BlindsumStatus::CertificateEncoding)?;
    Ok((record, certificate))
}

/// Handles cross threads.
const _: () = {
    const fn shared<T: Send + Sync>() {}
    shared::<BlindsumVerifier>();
};
