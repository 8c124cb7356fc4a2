/* Runs vectors through the C ABI: each case alone, all as one batch, from eight threads at once, and the misuses.
 *
 *     roundtrip certificate <cache> <vectors/certificate/x.json>...
 *     roundtrip verifying_key <cache> <vectors/verifying_key/x.json>...
 *     roundtrip opening <cache> <vectors/opening/x.json>...
 *
 * Prints the number of cases, or the first disagreement and exits with 1. */
#include <ctype.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "blindsum.h"

#define MAX_CASES 256
#define N_THREADS 8

#define CHECK(condition, ...)                                     \
    do {                                                          \
        if (!(condition)) {                                       \
            fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, #condition); \
            fprintf(stderr, __VA_ARGS__);                         \
            fputc('\n', stderr);                                  \
            exit(1);                                              \
        }                                                         \
    } while (0)

/* A reader for our own vectors: finds `"key":` and what follows. Keys are unique within a case. */

static char *read_text(const char *path) {
    FILE *file = fopen(path, "rb");
    CHECK(file, "%s", path);
    CHECK(fseek(file, 0, SEEK_END) == 0, "%s", path);
    long size = ftell(file);
    CHECK(size >= 0, "%s", path);
    rewind(file);
    char *text = malloc((size_t)size + 1);
    CHECK(text, "%s", path);
    CHECK(fread(text, 1, (size_t)size, file) == (size_t)size, "%s", path);
    text[size] = 0;
    fclose(file);
    return text;
}

static const char *find(const char *text, const char *key) {
    char quoted[64];
    snprintf(quoted, sizeof quoted, "\"%s\":", key);
    const char *at = strstr(text, quoted);
    CHECK(at, "no %s", key);
    at += strlen(quoted);
    while (isspace((unsigned char)*at)) at++;
    return at;
}

static uint8_t *hex_field(const char *text, const char *key, size_t *len) {
    const char *at = find(text, key);
    CHECK(*at == '"', "%s is no text", key);
    at++;
    size_t digits = strcspn(at, "\"");
    CHECK(digits % 2 == 0, "%s has odd length", key);
    uint8_t *bytes = malloc(digits / 2 + 1);
    CHECK(bytes, "%s", key);
    for (size_t i = 0; i < digits / 2; i++) {
        unsigned value;
        CHECK(sscanf(at + 2 * i, "%2x", &value) == 1, "%s is no hex", key);
        bytes[i] = (uint8_t)value;
    }
    *len = digits / 2;
    return bytes;
}

static void fixed_field(const char *text, const char *key, uint8_t *out, size_t expected) {
    size_t len;
    uint8_t *bytes = hex_field(text, key, &len);
    CHECK(len == expected, "%s has %zu bytes", key, len);
    memcpy(out, bytes, len);
    free(bytes);
}

static long number_field(const char *text, const char *key) { return strtol(find(text, key), NULL, 10); }

/* Certificates */

typedef struct {
    const char *path;
    uint8_t *key;
    size_t key_len;
    bool allow_development;
    BlindsumRecord record;
    uint16_t floors[256];
    BlindsumBytes certificate;
    BlindsumStatus status;
    BlindsumVerifier *verifier;
} Case;

static Case cases[MAX_CASES];
static size_t n_cases;

static void load(Case *c, const char *path) {
    char *text = read_text(path);
    c->path = path;
    c->key = hex_field(text, "verifying_key", &c->key_len);
    c->allow_development = strncmp(find(text, "allow_development"), "true", 4) == 0;
    fixed_field(text, "roster_root", c->record.roster_root, 32);
    fixed_field(text, "occupied", c->record.occupied, 32);
    fixed_field(text, "round_context", c->record.round_context, 32);
    fixed_field(text, "leaves_root", c->record.leaves_root, 32);
    fixed_field(text, "posted", c->record.posted, 32);
    c->record.group_width = (uint16_t)number_field(text, "group_width");
    const char *at = find(text, "floors");
    CHECK(*at == '[', "floors");
    for (at++; *at != ']';) {
        char *end;
        c->floors[c->record.n_floors++] = (uint16_t)strtol(at, &end, 10);
        CHECK(end != at, "floors");
        at = end + strspn(end, ", \n");
    }
    c->record.floors = c->floors;
    c->certificate.data = hex_field(text, "certificate", &c->certificate.len);
    c->status = (BlindsumStatus)number_field(text, "status");
    free(text);
}

static BlindsumStatus verify(const Case *c) {
    return blindsum_verify(c->verifier, &c->record, c->certificate.data, c->certificate.len);
}

/* A case's key may itself be the attack: then there is no verifier, and the status is that of the key. */
static void open_verifier(Case *c) {
    BlindsumVerifier *const untouched = (BlindsumVerifier *)(void *)c;
    c->verifier = untouched;
    BlindsumStatus status = blindsum_verifier_new(c->key, c->key_len, 1, c->allow_development, &c->verifier);
    if (status != BLINDSUM_STATUS_OK) {
        CHECK(status == c->status, "%s: key %d, expected %d", c->path, status, c->status);
        CHECK(c->verifier == untouched, "%s: written without success", c->path);
        c->verifier = NULL;
    }
}

static void *thread_main(void *arg) {
    size_t start = *(const size_t *)arg;
    for (size_t i = 0; i < n_cases; i++) {
        const Case *c = &cases[(start + i) % n_cases];
        if (c->verifier && verify(c) != c->status) return (void *)c->path;
    }
    return NULL;
}

static void check_threads(void) {
    pthread_t threads[N_THREADS];
    size_t starts[N_THREADS];
    for (size_t i = 0; i < N_THREADS; i++) {
        starts[i] = i * n_cases / N_THREADS;
        CHECK(pthread_create(&threads[i], NULL, thread_main, &starts[i]) == 0, "thread %zu", i);
    }
    for (size_t i = 0; i < N_THREADS; i++) {
        void *failed = NULL;
        CHECK(pthread_join(threads[i], &failed) == 0, "thread %zu", i);
        CHECK(!failed, "%s from thread %zu", (const char *)failed, i);
    }
}

/* All cases of one verifier as a batch, from every start: the status is that of the first that is refused. */
static void check_batches(const Case *owner) {
    static BlindsumRecord records[MAX_CASES];
    static BlindsumBytes certificates[MAX_CASES];
    static BlindsumStatus expected[MAX_CASES];
    size_t count = 0;
    for (size_t i = 0; i < n_cases; i++) {
        if (!cases[i].verifier || cases[i].key_len != owner->key_len || memcmp(cases[i].key, owner->key, owner->key_len)) continue;
        records[count] = cases[i].record;
        certificates[count] = cases[i].certificate;
        expected[count++] = cases[i].status;
    }
    for (size_t start = 0; start < count; start++) {
        size_t first = start;
        while (first < count && expected[first] == BLINDSUM_STATUS_OK) first++;
        BlindsumStatus want = first < count ? expected[first] : BLINDSUM_STATUS_OK;
        BlindsumStatus got = blindsum_verify_many(owner->verifier, records + start, certificates + start, count - start);
        CHECK(got == want, "batch from %zu: %d, expected %d", start, got, want);
        size_t index = SIZE_MAX;
        got = blindsum_find_first_refused(owner->verifier, records + start, certificates + start, count - start, &index);
        CHECK(got == BLINDSUM_STATUS_OK && index == first - start, "batch from %zu: %d, %zu", start, got, index);
    }
}

static void check_misuse(const Case *good) {
    BlindsumVerifier *verifier = NULL;
    size_t index = 77;
    CHECK(blindsum_verifier_new(NULL, 9, 1, true, &verifier) == BLINDSUM_STATUS_NULL_POINTER, "key");
    CHECK(blindsum_verifier_new(good->key, good->key_len, 1, true, NULL) == BLINDSUM_STATUS_NULL_POINTER, "out");
    CHECK(blindsum_verifier_new(good->key, good->key_len, 0, true, &verifier) == BLINDSUM_STATUS_RULES, "rules");
    CHECK(blindsum_verifier_new(good->key, good->key_len, 2, true, &verifier) == BLINDSUM_STATUS_RULES, "rules");
    CHECK(blindsum_verifier_new(good->key, good->key_len - 1, 1, true, &verifier) == BLINDSUM_STATUS_KEY_ENCODING, "short");
    CHECK(blindsum_verifier_new(good->key, SIZE_MAX, 1, true, &verifier) == BLINDSUM_STATUS_KEY_ENCODING, "long");
    CHECK(blindsum_verifier_new(good->key, good->key_len, 1, false, &verifier) == BLINDSUM_STATUS_DEVELOPMENT_KEY, "dev");
    CHECK(!verifier, "written without success");

    const BlindsumBytes *bytes = &good->certificate;
    CHECK(blindsum_verify(NULL, &good->record, bytes->data, bytes->len) == BLINDSUM_STATUS_NULL_POINTER, "verifier");
    CHECK(blindsum_verify(good->verifier, NULL, bytes->data, bytes->len) == BLINDSUM_STATUS_NULL_POINTER, "record");
    CHECK(blindsum_verify(good->verifier, &good->record, NULL, bytes->len) == BLINDSUM_STATUS_NULL_POINTER, "bytes");
    BlindsumRecord record = good->record;
    record.floors = NULL;
    CHECK(blindsum_verify(good->verifier, &record, bytes->data, bytes->len) == BLINDSUM_STATUS_NULL_POINTER, "floors");
    record = good->record;
    record.n_floors = SIZE_MAX;
    CHECK(blindsum_verify(good->verifier, &record, bytes->data, bytes->len) == BLINDSUM_STATUS_RECORD, "floors");
    record = good->record;
    memset(record.roster_root, 0xff, 32);
    CHECK(blindsum_verify(good->verifier, &record, bytes->data, bytes->len) == BLINDSUM_STATUS_RECORD_ENCODING, "root");
    record = good->record;
    record.round_context[1] = 1;
    CHECK(blindsum_verify(good->verifier, &record, bytes->data, bytes->len) == BLINDSUM_STATUS_RECORD_ENCODING, "context");
    for (size_t len = 0; len < bytes->len; len++) {
        BlindsumStatus got = blindsum_verify(good->verifier, &good->record, bytes->data, len);
        CHECK(got == BLINDSUM_STATUS_CERTIFICATE_ENCODING, "cut at %zu: %d", len, got);
    }
    CHECK(blindsum_verify(good->verifier, &good->record, bytes->data, SIZE_MAX) == BLINDSUM_STATUS_CERTIFICATE_ENCODING, "long");

    CHECK(blindsum_verify_many(good->verifier, &good->record, bytes, 0) == BLINDSUM_STATUS_LENGTH, "none");
    CHECK(blindsum_verify_many(good->verifier, &good->record, bytes, 1025) == BLINDSUM_STATUS_LENGTH, "too many");
    CHECK(blindsum_verify_many(good->verifier, NULL, bytes, 1) == BLINDSUM_STATUS_NULL_POINTER, "records");
    CHECK(blindsum_verify_many(good->verifier, &good->record, NULL, 1) == BLINDSUM_STATUS_NULL_POINTER, "certificates");
    CHECK(blindsum_verify_many(NULL, &good->record, bytes, 1) == BLINDSUM_STATUS_NULL_POINTER, "verifier");
    CHECK(blindsum_find_first_refused(good->verifier, &good->record, bytes, 1, NULL) == BLINDSUM_STATUS_NULL_POINTER, "out");
    CHECK(blindsum_find_first_refused(good->verifier, &good->record, bytes, 0, &index) == BLINDSUM_STATUS_LENGTH, "none");
    CHECK(index == 77, "written without success");

    blindsum_verifier_free(NULL);
    blindsum_bases_free(NULL);
    CHECK(blindsum_abi_version() >> 16 == 1, "abi %x", (unsigned)blindsum_abi_version());
    CHECK(strcmp(blindsum_status_message(0), "ok") == 0, "message");
    CHECK(strcmp(blindsum_status_message(12345), "unknown status") == 0, "message");
    CHECK(verify(good) == BLINDSUM_STATUS_OK, "the good one after all this");
}

static void check_certificates(void) {
    const Case *good = NULL;
    for (size_t i = 0; i < n_cases; i++) {
        Case *c = &cases[i];
        open_verifier(c);
        if (!c->verifier) continue;
        BlindsumStatus got = verify(c);
        CHECK(got == c->status, "%s: %d (%s), expected %d", c->path, got, blindsum_status_message(got), c->status);
        if (got == BLINDSUM_STATUS_OK && !good) good = c;
    }
    CHECK(good, "no certificate is accepted");
    check_batches(good);
    check_threads();
    check_misuse(good);
    for (size_t i = 0; i < n_cases; i++) blindsum_verifier_free(cases[i].verifier);
}

static void check_key(const char *path) {
    char *text = read_text(path);
    size_t len;
    uint8_t *key = hex_field(text, "verifying_key", &len);
    bool allow_development = strncmp(find(text, "allow_development"), "true", 4) == 0;
    BlindsumStatus expected = (BlindsumStatus)number_field(text, "status");
    BlindsumVerifier *verifier = NULL;
    BlindsumStatus got = blindsum_verifier_new(key, len, 1, allow_development, &verifier);
    CHECK(got == expected, "%s: %d (%s), expected %d", path, got, blindsum_status_message(got), expected);
    CHECK((got == BLINDSUM_STATUS_OK) == (verifier != NULL), "%s", path);
    blindsum_verifier_free(verifier);
    free(key);
    free(text);
}

/* Openings */

static BlindsumStatus expected_opening(const char *path, const char *text) {
    const char *name = strrchr(path, '/');
    if (strncmp(name ? name + 1 : path, "ok_", 3) == 0) return BLINDSUM_STATUS_OK;
    const char *error = find(text, "error");
    if (strncmp(error, "\"decode\"", 8) == 0) return BLINDSUM_STATUS_OPENING_ENCODING;
    if (strncmp(error, "\"bounds\"", 8) == 0) return BLINDSUM_STATUS_BOUNDS;
    if (strncmp(error, "\"dimension\"", 11) == 0) return BLINDSUM_STATUS_OPENING_DIMENSION;
    if (strncmp(error, "\"commitment\"", 12) == 0) return BLINDSUM_STATUS_OPENING_COMMITMENT;
    return BLINDSUM_STATUS_OPENING_RANGE;
}

static void check_opening(const char *path, const char *cache) {
    char *text = read_text(path);
    size_t len;
    uint8_t *opening = hex_field(text, "bytes", &len);
    uint8_t commitment[64];
    fixed_field(text, "commitment", commitment, 64);
    BlindsumOpeningBounds bounds = {
        .w_min = (uint32_t)number_field(text, "w_min"),
        .w_max = (uint32_t)number_field(text, "w_max"),
        .participants = (uint32_t)number_field(text, "participants"),
        .dp_bound = (uint32_t)number_field(text, "dp_bound"),
        .bits = (uint8_t)number_field(text, "bits"),
    };
    BlindsumStatus expected = expected_opening(path, text);
    uint64_t d = 0;
    for (size_t i = 0; i < 8 && i < len; i++) d = d << 8 | opening[i];
    if (d == 0 || d > 64) d = 3;

    BlindsumBases *bases = NULL;
    BlindsumStatus got = blindsum_bases_new(cache, d, &bases);
    CHECK(got == BLINDSUM_STATUS_OK && bases, "bases: %d", got);
    got = blindsum_check_opening(bases, &bounds, commitment, opening, len);
    CHECK(got == expected, "%s: %d (%s), expected %d", path, got, blindsum_status_message(got), expected);

    CHECK(blindsum_check_opening(NULL, &bounds, commitment, opening, len) == BLINDSUM_STATUS_NULL_POINTER, "bases");
    CHECK(blindsum_check_opening(bases, NULL, commitment, opening, len) == BLINDSUM_STATUS_NULL_POINTER, "bounds");
    CHECK(blindsum_check_opening(bases, &bounds, NULL, opening, len) == BLINDSUM_STATUS_NULL_POINTER, "commitment");
    CHECK(blindsum_check_opening(bases, &bounds, commitment, NULL, len) == BLINDSUM_STATUS_NULL_POINTER, "opening");
    commitment[63] ^= 1;
    CHECK(blindsum_check_opening(bases, &bounds, commitment, opening, len) == BLINDSUM_STATUS_COMMITMENT_ENCODING, "off");
    blindsum_bases_free(bases);
    free(opening);
    free(text);
}

static void check_bases_misuse(const char *cache) {
    BlindsumBases *bases = NULL;
    CHECK(blindsum_bases_new(cache, 3, NULL) == BLINDSUM_STATUS_NULL_POINTER, "out");
    CHECK(blindsum_bases_new(cache, 0, &bases) == BLINDSUM_STATUS_DIMENSION, "none");
    CHECK(blindsum_bases_new(cache, UINT64_MAX, &bases) == BLINDSUM_STATUS_DIMENSION, "too many");
    CHECK(blindsum_bases_new("\xff", 3, &bases) == BLINDSUM_STATUS_DIRECTORY, "directory");
    CHECK(blindsum_bases_new("/dev/null/no", 3, &bases) == BLINDSUM_STATUS_ENGINE, "directory");
    CHECK(!bases, "written without success");
}

int main(int argc, char **argv) {
    CHECK(argc > 3 && (size_t)(argc - 3) <= MAX_CASES, "usage: roundtrip certificate|verifying_key|opening <cache> <case>...");
    n_cases = (size_t)(argc - 3);
    if (strcmp(argv[1], "certificate") == 0) {
        for (size_t i = 0; i < n_cases; i++) load(&cases[i], argv[3 + i]);
        check_certificates();
    } else if (strcmp(argv[1], "verifying_key") == 0) {
        for (size_t i = 0; i < n_cases; i++) check_key(argv[3 + i]);
    } else {
        for (size_t i = 0; i < n_cases; i++) check_opening(argv[3 + i], argv[2]);
        check_bases_misuse(argv[2]);
    }
    printf("%s: %zu cases\n", argv[1], n_cases);
    return 0;
}
