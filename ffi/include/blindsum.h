/* The C ABI of Blindsum's verifier. Generated from ffi/src by cbindgen: do not edit.
 *
 * - Functions return a BlindsumStatus: 0 success, 100s the caller's mistakes, 200s bytes that do not decode, 300s a
 *   certificate or opening that is refused, 400s the library's own failures.
 * - Nothing unwinds into the caller: a panic is caught and becomes BLINDSUM_STATUS_PANIC.
 * - Pointers are checked for NULL and lengths for their limits before anything is read. Buffers belong to the caller, who
 *   may free them when the call returns. Outputs are written only on BLINDSUM_STATUS_OK.
 * - There is no global state. Handles are immutable: any number of threads may use one at once. Only _free ends one. */

#ifndef BLINDSUM_H
#define BLINDSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 What a call came to. Numbers are stable; a retired number is never used again.
 */
enum BlindsumStatus
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
  /*
   Success.
   */
  BLINDSUM_STATUS_OK = 0,
  /*
   A pointer that must not be NULL is.
   */
  BLINDSUM_STATUS_NULL_POINTER = 100,
  /*
   A count is zero or above its limit.
   */
  BLINDSUM_STATUS_LENGTH = 101,
  /*
   This build does not know the rules asked for.
   */
  BLINDSUM_STATUS_RULES = 102,
  /*
   The caller's record contradicts itself or the verifier's cohort size.
   */
  BLINDSUM_STATUS_RECORD = 103,
  /*
   A development key, which its maker can forge under, and it was not allowed.
   */
  BLINDSUM_STATUS_DEVELOPMENT_KEY = 104,
  /*
   Bounds of an opening that describe no round.
   */
  BLINDSUM_STATUS_BOUNDS = 105,
  /*
   A directory that is not UTF-8.
   */
  BLINDSUM_STATUS_DIRECTORY = 106,
  /*
   A number of bases that cannot be derived.
   */
  BLINDSUM_STATUS_DIMENSION = 107,
  /*
   Bytes that are no verifying key.
   */
  BLINDSUM_STATUS_KEY_ENCODING = 200,
  /*
   A verifying key of a known bad shape, such as gamma = delta.
   */
  BLINDSUM_STATUS_KEY_LINT = 201,
  /*
   Bytes that are no certificate.
   */
  BLINDSUM_STATUS_CERTIFICATE_ENCODING = 202,
  /*
   A root or context in the record that is not below its modulus.
   */
  BLINDSUM_STATUS_RECORD_ENCODING = 203,
  /*
   Bytes that are no point of Grumpkin.
   */
  BLINDSUM_STATUS_COMMITMENT_ENCODING = 204,
  /*
   Bytes that are no opening.
   */
  BLINDSUM_STATUS_OPENING_ENCODING = 205,
  /*
   The certificate is for another cohort size.
   */
  BLINDSUM_STATUS_WRONG_COHORT_SIZE = 300,
  /*
   One of certificate and verifier says "development key" and the other does not.
   */
  BLINDSUM_STATUS_WRONG_DEVELOPMENT_FLAG = 301,
  /*
   The certificate names another verifying key.
   */
  BLINDSUM_STATUS_WRONG_KEY = 302,
  /*
   An input of the certificate differs from the record.
   */
  BLINDSUM_STATUS_MISMATCH = 303,
  /*
   In some group the participants are neither none nor the posted ones.
   */
  BLINDSUM_STATUS_NOT_THE_POSTED = 304,
  /*
   Some group has fewer participants than its floor.
   */
  BLINDSUM_STATUS_BELOW_FLOOR = 305,
  /*
   The certificate counts nobody.
   */
  BLINDSUM_STATUS_NO_PARTICIPANTS = 306,
  /*
   The proof does not verify.
   */
  BLINDSUM_STATUS_PROOF_INVALID = 307,
  /*
   The opening has another number of coordinates than there are bases.
   */
  BLINDSUM_STATUS_OPENING_DIMENSION = 310,
  /*
   A coordinate or the weight is out of the range that honest clients can reach.
   */
  BLINDSUM_STATUS_OPENING_RANGE = 311,
  /*
   The opening is another commitment's.
   */
  BLINDSUM_STATUS_OPENING_COMMITMENT = 312,
  /*
   A bug in this library: please report it.
   */
  BLINDSUM_STATUS_PANIC = 400,
  /*
   The operating system or the disk failed, or the cache of bases is unusable.
   */
  BLINDSUM_STATUS_ENGINE = 401,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum BlindsumStatus BlindsumStatus;
#else
typedef int32_t BlindsumStatus;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

/*
 The commitment bases. Opaque, immutable, usable by any number of threads at once.
 */
typedef struct BlindsumBases BlindsumBases;

/*
 A verifying key made ready. Opaque, immutable, usable by any number of threads at once.
 */
typedef struct BlindsumVerifier BlindsumVerifier;

/*
 What the caller knows of a cohort from its own storage, never from the certificate. Numbers of 32 bytes are big-endian;
 bit i of a bitmap, least significant first, is slot i.
 */
typedef struct BlindsumRecord {
  /*
   Root of the registered roster.
   */
  uint8_t roster_root[32];
  /*
   Slots that hold a client's key.
   */
  uint8_t occupied[32];
  /*
   The context, which the caller computed; its two leading bytes are zero.
   */
  uint8_t round_context[32];
  /*
   Root over the cohort's leaves, stored before any share was released.
   */
  uint8_t leaves_root[32];
  /*
   Slots that posted, stored with `leaves_root`.
   */
  uint8_t posted[32];
  /*
   Slots in a group, a power of two.
   */
  uint16_t group_width;
  /*
   Each group's least number of participants, at least 1.
   */
  const uint16_t *floors;
  /*
   How many: cohort size over group width.
   */
  size_t n_floors;
} BlindsumRecord;

/*
 Bytes that belong to the caller.
 */
typedef struct BlindsumBytes {
  /*
   The first byte.
   */
  const uint8_t *data;
  /*
   How many.
   */
  size_t len;
} BlindsumBytes;

/*
 What the round's context and the certificate say about the vectors behind a sum.
 */
typedef struct BlindsumOpeningBounds {
  /*
   Smallest weight of a client.
   */
  uint32_t w_min;
  /*
   Largest weight of a client.
   */
  uint32_t w_max;
  /*
   Set bits of the certificate's `participants`.
   */
  uint32_t participants;
  /*
   The bound of one client's noise in one coordinate; 0 without noise.
   */
  uint32_t dp_bound;
  /*
   Bits of a coordinate.
   */
  uint8_t bits;
} BlindsumOpeningBounds;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/*
 The ABI's version: major in the upper 16 bits, minor in the lower. Refuse to run with another major than the header's.
 */
uint32_t blindsum_abi_version(void);

/*
 A status in words: a static string, never NULL, for any number.
 */
const char *blindsum_status_message(int32_t status);

/*
 Reads and checks a verifying key (at most 4096 bytes) and prepares it: about 10 ms.

 `rules` is the version of the acceptance rules, 1. `allow_development` lets in a key from a single-party setup, whose
 maker can forge: for tests only. On success `*out` is a handle for `blindsum_verifier_free`.

 # Safety
 `key` points to `key_len` bytes, `out` to writable space for a pointer.
 */
BlindsumStatus blindsum_verifier_new(const uint8_t *key,
                                     size_t key_len,
                                     uint32_t rules,
                                     bool allow_development,
                                     struct BlindsumVerifier **out);

/*
 Ends a verifier. NULL is nothing to do.

 # Safety
 `verifier` is NULL or came from `blindsum_verifier_new`, is in use by nobody and was not freed before.
 */
void blindsum_verifier_free(struct BlindsumVerifier *verifier);

/*
 Accepts (0) or refuses one certificate against the caller's record, in a few milliseconds. The same answer on every
 machine.

 # Safety
 `verifier` is a live handle, `record` points to a record whose `floors` hold `n_floors` numbers, `certificate` to
 `certificate_len` bytes.
 */
BlindsumStatus blindsum_verify(const struct BlindsumVerifier *verifier,
                               const struct BlindsumRecord *record,
                               const uint8_t *certificate,
                               size_t certificate_len);

/*
 Accepts (0) exactly the batches of which `blindsum_verify` accepts every certificate, else returns its status for the
 first that it does not accept. `certificates[i]` is judged against `records[i]`; 1 <= count <= 1024. About 1 ms each.

 # Safety
 As `blindsum_verify`, for `count` records and `count` certificates.
 */
BlindsumStatus blindsum_verify_many(const struct BlindsumVerifier *verifier,
                                    const struct BlindsumRecord *records,
                                    const struct BlindsumBytes *certificates,
                                    size_t count);

/*
 On success `*out_index` is the index of the first certificate that `blindsum_verify` would not accept, or `count` if it
 accepts all. Limits and cost as `blindsum_verify_many`.

 # Safety
 As `blindsum_verify_many`; `out_index` points to writable space.
 */
BlindsumStatus blindsum_find_first_refused(const struct BlindsumVerifier *verifier,
                                           const struct BlindsumRecord *records,
                                           const struct BlindsumBytes *certificates,
                                           size_t count,
                                           size_t *out_index);

/*
 Loads the bases for sums of `d` coordinates, the weight counted, from the cache in `directory` (UTF-8, NUL-terminated;
 NULL: the user's cache directory), or derives and caches them, which for millions takes minutes, once. On success `*out`
 is a handle for `blindsum_bases_free`.

 # Safety
 `directory` is NULL or NUL-terminated, `out` points to writable space for a pointer.
 */
BlindsumStatus blindsum_bases_new(const char *directory,
                                  uint64_t d,
                                  struct BlindsumBases **out);

/*
 Ends the bases. NULL is nothing to do.

 # Safety
 `bases` is NULL or came from `blindsum_bases_new`, is in use by nobody and was not freed before.
 */
void blindsum_bases_free(struct BlindsumBases *bases);

/*
 Accepts (0) if `opening` (A and R: d u64 and R 32 bytes, big-endian, then d i64, little-endian) opens the 64 bytes
 `commitment` of an accepted certificate and lies in the range that honest clients can reach.

 # Safety
 `bases` is a live handle, `bounds` points to bounds, `commitment` to 64 bytes, `opening` to `opening_len` bytes.
 */
BlindsumStatus blindsum_check_opening(const struct BlindsumBases *bases,
                                      const struct BlindsumOpeningBounds *bounds,
                                      const uint8_t *commitment,
                                      const uint8_t *opening,
                                      size_t opening_len);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* BLINDSUM_H */
