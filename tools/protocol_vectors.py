#!/usr/bin/env python3
"""Writes vectors/{contexts,model_digest,shamir,setup,masked_input,release,digest}/*.json.

An implementation of its own, in plain Python integers and the standard library only, of the messages of a
round: contexts, sharing, sealing, masks, signatures, frames. It shares no code with the protocol crate.
Secrets are hashes of their names. The leaf of the masked input is a given number: Poseidon is pinned
elsewhere.
"""

import hashlib
import hmac
import json
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parent.parent / "vectors"
SOURCE = "tools/protocol_vectors.py"
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617  # coordinates
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583  # scalars
G = (1, 17631683881184975370165255887551781615748388533673675138860)


def write(folder, name, case):
    path = ROOT / folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"source": SOURCE} | case, indent=2) + "\n")


# Grumpkin.


def add(p, q):
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % R == 0:
        return None
    slope = 3 * x1 * x1 * pow(2 * y1, -1, R) if p == q else (y2 - y1) * pow(x2 - x1, -1, R)
    x3 = (slope * slope - x1 - x2) % R
    return x3, (slope * (x1 - x3) - y1) % R


def multiply(k, p=G):
    k, result = k % Q, None
    while k:
        if k & 1:
            result = add(result, p)
        p, k = add(p, p), k >> 1
    return result


def u8(*values):
    return bytes(values)


def u16(value):
    return struct.pack(">H", value)


def u32(value):
    return struct.pack(">I", value)


def u64(value):
    return struct.pack(">Q", value)


def scalar(value):
    return value.to_bytes(32, "big")


def point(p):
    return scalar(p[0]) + scalar(p[1])


# Hashes and keys.


def sha256(data):
    return hashlib.sha256(data).digest()


def H(label, *parts):
    return sha256(b"blindsum/v1/" + label.encode() + b"\0" + b"".join(parts))


def K(ikm, label, info, length):
    prk = hmac.digest(b"blindsum/v1", ikm, "sha256")
    info, block, out = label.encode() + b"\0" + info, b"", b""
    while len(out) < length:
        block = hmac.digest(prk, block + info + u8(len(out) // 32 + 1), "sha256")
        out += block
    return out[:length]


def secret(name):
    """A scalar of Grumpkin."""
    return int.from_bytes(hashlib.sha512(b"vector secret " + name.encode()).digest(), "big") % Q


def secret_bytes(name, length=32):
    return hashlib.sha512(b"vector bytes " + name.encode()).digest()[:length]


def sign(key, kind, body, nonce):
    k = secret(nonce)
    r = multiply(k)
    e = int.from_bytes(H("signature", u8(kind), point(r), point(multiply(key)), sha256(body))[:16], "big")
    return point(r) + scalar((k + e * key) % Q)


# X25519 (RFC 7748).

P25519 = 2**255 - 19


def x25519(k, u):
    k = bytearray(k)
    k[0] &= 248
    k[31] = k[31] & 127 | 64
    k = int.from_bytes(k, "little")
    x1 = int.from_bytes(u, "little") % 2**255 % P25519
    x2, z2, x3, z3, swap = 1, 0, x1, 1, 0
    for t in reversed(range(255)):
        bit = k >> t & 1
        if swap ^ bit:
            x2, x3, z2, z3 = x3, x2, z3, z2
        swap = bit
        a, b = x2 + z2, x2 - z2
        aa, bb = a * a, b * b
        e, da, cb = aa - bb, (x3 - z3) * a, (x3 + z3) * b
        x3, z3 = (da + cb) ** 2 % P25519, x1 * (da - cb) ** 2 % P25519
        x2, z2 = aa * bb % P25519, e * (aa + 121665 * e) % P25519
    if swap:
        x2, z2 = x3, z3
    return (x2 * pow(z2, -1, P25519) % P25519).to_bytes(32, "little")


def x25519_public(k):
    return x25519(k, (9).to_bytes(32, "little"))


# ChaCha20 and XChaCha20-Poly1305 (RFC 8439, draft-irtf-cfrg-xchacha).

M32 = 0xFFFFFFFF


def rounds(state):
    s = list(state)
    for _ in range(10):
        for a, b, c, d in [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
                           (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]:
            for x, y, z, n in [(a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)]:
                s[x] = (s[x] + s[y]) & M32
                v = s[z] ^ s[x]
                s[z] = (v << n | v >> 32 - n) & M32
    return s


def chacha_state(key, tail):
    return list(struct.unpack("<4I", b"expand 32-byte k") + struct.unpack("<8I", key) + struct.unpack("<4I", tail))


def chacha_block(key, counter, nonce):
    state = chacha_state(key, struct.pack("<I", counter) + nonce)
    return struct.pack("<16I", *((a + b) & M32 for a, b in zip(state, rounds(state))))


def stream_words(key, count):
    out = b"".join(chacha_block(key, i, bytes(12)) for i in range((count + 15) // 16))
    return struct.unpack(f"<{count}I", out[: 4 * count])


def xchacha_seal(key, nonce, plain, aad):
    mixed = rounds(chacha_state(key, nonce[:16]))
    key, nonce = struct.pack("<8I", *mixed[:4], *mixed[12:]), bytes(4) + nonce[16:]
    stream = b"".join(chacha_block(key, 1 + i, nonce) for i in range((len(plain) + 63) // 64))
    sealed = bytes(a ^ b for a, b in zip(plain, stream))
    one_time = chacha_block(key, 0, nonce)[:32]
    r = int.from_bytes(one_time[:16], "little") & 0x0FFFFFFC0FFFFFFC0FFFFFFC0FFFFFFF
    pad = lambda data: data + bytes(-len(data) % 16)
    data, acc = pad(aad) + pad(sealed) + struct.pack("<QQ", len(aad), len(sealed)), 0
    for i in range(0, len(data), 16):
        acc = (acc + int.from_bytes(data[i : i + 16] + b"\1", "little")) * r % (2**130 - 5)
    return sealed + ((acc + int.from_bytes(one_time[16:], "little")) % 2**128).to_bytes(16, "little")


# Contexts.


def bitmap(slots):
    return scalar(sum(1 << slot for slot in slots))


def setup_parameters(p, version=1, suite=1):
    out = u16(version) + u16(suite) + u8(p["mode"]) + u64(p["chain_id"]) + bytes.fromhex(p["contract"])
    out += u64(p["epoch"]) + u64(p["round"]) + u32(p["attempt"]) + u32(p["cohort"])
    out += bytes.fromhex(p["roster_root"]) + bitmap(p["occupied"]) + u16(p["slots"]) + u16(p["width"])
    return out + b"".join(u16(t) + u16(f) + u16(c) for t, f, c in p["groups"])


def round_context(setup_context, r, model, setup_root):
    parts = bytes.fromhex(r["aggregator"]) + bytes.fromhex(r["payee"]) + model + setup_root
    parts += u8(r["bits"]) + struct.pack(">f", r["clip"]) + u32(r["w_min"]) + u32(r["w_max"])
    parts += u64(r["dimension"]) + u8(r["bases"]) + u8(r["dp_kind"]) + struct.pack(">d", r["dp_parameter"])
    parts += u32(r["dp_bound"]) + b"".join(u64(deadline) for deadline in r["deadlines"])
    return bytes(2) + H("round context", setup_context, parts)[:30]


AGGREGATOR = secret("aggregator")
ROSTER_ROOT = scalar(secret("roster root") % R)

CHAIN = {
    "mode": 1, "chain_id": 31337, "contract": "c0" * 20, "epoch": 4, "round": 77, "attempt": 1, "cohort": 2,
    "roster_root": ROSTER_ROOT.hex(), "occupied": [0, 2, 5], "slots": 16, "width": 16, "groups": [[2, 3, 0]],
}
CURIOUS = CHAIN | {
    "mode": 3, "chain_id": 0, "contract": "00" * 20, "attempt": 0, "slots": 64, "width": 32,
    "occupied": list(range(0, 20)) + list(range(32, 50)) + [63], "groups": [[14, 16, 3], [13, 15, 2]],
}
ROUND = {
    "aggregator": point(multiply(AGGREGATOR)).hex(), "payee": "aa" * 20, "bits": 16, "clip": 0.5, "w_min": 1, "w_max": 1000,
    "dimension": 5, "bases": 1, "dp_kind": 0, "dp_parameter": 0.0, "dp_bound": 0, "deadlines": [1700000000, 1700003600, 1700007200],
}
NOISY = ROUND | {"payee": "00" * 20, "dp_kind": 1, "dp_parameter": 2.5, "dp_bound": 40, "deadlines": [0, 0, 0]}
MODEL = sha256(b"a model")


def contexts():
    for name, p, r in [("ok_chain", CHAIN, ROUND), ("ok_no_chain_two_groups_noise", CURIOUS, NOISY)]:
        encoded = setup_parameters(p)
        setup_context, root = H("setup context", encoded), sha256(b"a setup root")
        write("contexts", name, {
            "parameters": p, "round": r, "encoded": encoded.hex(), "model": MODEL.hex(), "setup_root": root.hex(),
            "setup_context": setup_context.hex(), "round_context": round_context(setup_context, r, MODEL, root).hex(),
        })
    bad = {
        "bad_other_version": (setup_parameters(CHAIN, version=2), "protocol version"),
        "bad_other_suite": (setup_parameters(CHAIN, suite=2), "suite"),
        "bad_mode_0": (setup_parameters(CHAIN | {"mode": 0}), "mode"),
        "bad_roster_root_is_modulus": (setup_parameters(CHAIN | {"roster_root": scalar(R).hex()}), "modulus"),
        "bad_size_32": (setup_parameters(CHAIN | {"slots": 32}), "cohort size"),
        "bad_width_0": (setup_parameters(CHAIN | {"width": 0, "groups": []}), "group configuration"),
        "bad_width_12": (setup_parameters(CHAIN | {"width": 12}), "group configuration"),
        "bad_occupied_beyond_cohort": (setup_parameters(CHAIN | {"occupied": [0, 2, 5, 16]}), "group configuration"),
        "bad_both_shares_of_one_member": (setup_parameters(CHAIN | {"groups": [[2, 3, 2]]}), "group configuration"),
        "bad_threshold_1": (setup_parameters(CHAIN | {"groups": [[1, 3, 0]]}), "group configuration"),
        "bad_floor_above_members": (setup_parameters(CHAIN | {"groups": [[2, 4, 0]]}), "group configuration"),
        "bad_truncated": (setup_parameters(CHAIN)[:-1], "missing"),
    }
    for name, (encoded, error) in bad.items():
        write("contexts", name, {"encoded": encoded.hex(), "error": error})


def model_digests():
    def digest(arrays):
        out = u32(len(arrays))
        for a in arrays:
            elements = bytes.fromhex(a["elements"])
            out += u32(len(a["name"].encode())) + a["name"].encode() + u8(a["dtype"], len(a["dims"]))
            out += b"".join(map(u64, a["dims"])) + u64(len(elements)) + elements
        return H("model", out).hex()

    weights = {"name": "fc.weight", "dtype": 3, "dims": [2, 3], "elements": struct.pack("<6f", *range(6)).hex()}
    bias = {"name": "fc.biäs", "dtype": 1, "dims": [2], "elements": "003c00c0"}
    step = {"name": "", "dtype": 5, "dims": [], "elements": struct.pack("<q", -7).hex()}
    for name, arrays in [("ok_two_arrays_and_a_scalar", [weights, bias, step]), ("ok_other_order", [bias, weights, step]), ("ok_no_arrays", [])]:
        write("model_digest", name, {"arrays": arrays, "digest": digest(arrays)})
    write("model_digest", "bad_shape_and_bytes_differ", {"arrays": [weights | {"dims": [3, 3]}], "error": "fc.weight"})
    write("model_digest", "bad_shape_overflows", {"arrays": [weights | {"dims": [2**63, 2**63]}], "error": "fc.weight"})


# Sharing.


def shares(name, value, threshold, slots):
    coefficients = [value] + [secret(f"{name} coefficient {i}") for i in range(1, threshold)]
    return [(slot, sum(c * pow(slot + 1, i, Q) for i, c in enumerate(coefficients)) % Q) for slot in slots]


def shamir():
    value = secret("shamir")
    dealt = shares("shamir", value, 3, [0, 7, 100, 254, 255])
    case = lambda threshold, dealt: {"threshold": threshold, "shares": [{"slot": s, "share": scalar(v).hex()} for s, v in dealt]}
    write("shamir", "ok_three_of_five", case(3, dealt) | {"secret": scalar(value).hex()})
    wrong = dealt[:3] + [(dealt[3][0], 1)] + dealt[4:]
    write("shamir", "ok_lowest_slots_in_any_order", case(3, wrong[::-1]) | {"secret": scalar(value).hex()})
    write("shamir", "bad_one_share_too_few", case(3, dealt[:2]) | {"error": "threshold is 3"})
    write("shamir", "bad_one_share_twice", case(3, dealt[:2] + dealt[:1]) | {"error": "slot 0 appears twice"})


# Messages.


def frame(kind, payload, magic=b"BSUM", version=1, length=None):
    return magic + u16(version) + u8(kind) + u64(len(payload) if length is None else length) + payload


def roster_key(slot):
    return secret(f"roster key {slot}")


MEMBERS = CHAIN["occupied"]
SETUP_CONTEXT = H("setup context", setup_parameters(CHAIN))
KEYS = [{"slot": slot, "key": point(multiply(roster_key(slot))).hex()} for slot in MEMBERS]


class Dealer:
    """One client's setup."""

    def __init__(self, slot, context=SETUP_CONTEXT, **changes):
        self.slot = slot
        self.b, self.seed = secret(f"b {slot}"), secret(f"seed {slot}")
        self.mask_secret = K(scalar(self.seed), "mask key", context + u8(slot), 32)
        mask_key = changes.get("mask_key", x25519_public(self.mask_secret))
        share_secret = secret_bytes(f"share key 1 of {slot}")
        share_key, next_key = x25519_public(share_secret), x25519_public(secret_bytes(f"share key 2 of {slot}"))
        b_shares = dict(shares(f"b {slot}", self.b, 2, range(16)))
        seed_shares = dict(shares(f"seed {slot}", self.seed, 2, range(16)))
        records, self.opened = [], []
        for receiver in changes.get("receivers", [s for s in MEMBERS if s != slot]):
            receiver_secret = secret_bytes(f"share key 1 of {receiver}")
            receiver_key = x25519_public(receiver_secret)
            pair = u8(slot, receiver)
            key = K(x25519(share_secret, receiver_key), "share box", context + pair + share_key + receiver_key, 32)
            nonce = secret_bytes(f"share nonce {slot} {receiver}", 24)
            plain = scalar(b_shares[receiver]) + scalar(seed_shares[receiver])
            hashes = [H("share", context, pair, u8(kind), plain[32 * kind :][:32]) for kind in (0, 1)]
            records.append(u8(receiver) + u32(1) + b"".join(hashes) + nonce + xchacha_seal(key, nonce, plain, context + pair))
            self.opened.append({"receiver": receiver, "secret": receiver_secret.hex(), "shares": plain.hex()})
        level = [H("record", record) for record in records]
        width = 1
        while width < len(level):
            width *= 2
        level, self.levels = level + [bytes(32)] * (width - len(level)), []
        while len(level) > 1:
            self.levels.append(level)
            level = [H("node", level[i], level[i + 1]) for i in range(0, len(level), 2)]
        for i, opened in enumerate(self.opened):
            opened["path"] = [row[i >> h ^ 1].hex() for h, row in enumerate(self.levels)]
        header = context + u8(slot) + mask_key + H("self seed", context, u8(slot), scalar(self.b)) + u32(1) + share_key + next_key
        self.body, self.records = header + level[0], records
        self.signature = sign(roster_key(changes.get("signer", slot)), 3, self.body, f"setup nonce {slot}")
        self.hash = H("setup", self.body, self.signature)

    def payload(self):
        return self.body + self.signature + b"".join(self.records)


DEALERS = {slot: Dealer(slot) for slot in MEMBERS}
SETUP_ROOT = H("setup root", *(DEALERS[slot].hash if slot in DEALERS else bytes(32) for slot in range(16)))
ROUND_CONTEXT = round_context(SETUP_CONTEXT, ROUND, MODEL, SETUP_ROOT)


def flip(data, index):
    return data[:index] + u8(data[index] ^ 1) + data[index + 1 :]


def setup():
    base = {"parameters": setup_parameters(CHAIN).hex(), "keys": KEYS}
    dealer = DEALERS[2]
    payload = dealer.payload()
    write("setup", "ok_three_members", base | {
        "message": frame(3, payload).hex(), "b": scalar(dealer.b).hex(), "seed": scalar(dealer.seed).hex(),
        "setup_hash": dealer.hash.hex(), "opened": dealer.opened,
        "setup_hashes": [(DEALERS[slot].hash if slot in DEALERS else bytes(32)).hex() for slot in range(16)],
        "setup_root": SETUP_ROOT.hex(),
    })
    body, signed, record = len(dealer.body), len(dealer.body) + 96, len(dealer.records[0])
    s_plus_q = payload[: signed - 32] + scalar(int.from_bytes(payload[signed - 32 : signed], "big") % (2**256 - Q) + Q) + payload[signed:]
    bad = {
        "bad_truncated": (frame(3, payload[:-1]), "missing"),
        "bad_trailing_byte": (frame(3, payload) + b"\0", "trailing"),
        "bad_magic": (frame(3, payload, magic=b"BSUN"), "not a Blindsum message"),
        "bad_version_2": (frame(3, payload, version=2), "version 2"),
        "bad_kind_of_another_message": (frame(4, payload), "kind 4"),
        "bad_length_of_an_exabyte": (frame(3, payload, length=2**60), "limit"),
        "bad_records_swapped": (frame(3, payload[:signed] + payload[signed + record :] + payload[signed : signed + record]), "ascending"),
        "bad_record_twice": (frame(3, payload[: signed + record] * 1 + payload[signed : signed + record]), "ascending"),
        "bad_share_box_replaced": (frame(3, flip(payload, len(payload) - 5)), "signed root"),
        "bad_mask_key_replaced": (frame(3, flip(payload, 40)), "signature"),
        "bad_signature_flipped": (frame(3, flip(payload, signed - 1)), "signature"),
        "bad_signature_s_at_or_above_q": (frame(3, s_plus_q), "modulus"),
        "bad_signature_r_off_the_curve": (frame(3, flip(payload, body + 63)), "curve"),
        "bad_signed_by_another_member": (frame(3, Dealer(2, signer=5).payload()), "signature"),
        "bad_a_receiver_left_out": (frame(3, Dealer(2, receivers=[0]).payload()), "wrong receivers"),
        "bad_a_receiver_invented": (frame(3, Dealer(2, receivers=[0, 3, 5]).payload()), "wrong receivers"),
        "bad_another_context": (frame(3, Dealer(2, context=sha256(b"another round")).payload()), "context"),
        "bad_empty_slot": (frame(3, Dealer(3).payload()), "no client"),
        "bad_mask_key_of_low_order": (frame(3, Dealer(2, mask_key=bytes(32)).payload()), "low order"),
    }
    for name, (message, error) in bad.items():
        write("setup", name, base | {"message": message.hex(), "error": error})


def masked_input():
    slot, d = 2, ROUND["dimension"]
    dealer = DEALERS[slot]
    x = [1, -2, 32767, -32767, 250]
    r, info = secret("blinding"), ROUND_CONTEXT + u8(slot)
    words = [a + b for a, b in zip(x, stream_words(K(scalar(dealer.b), "self mask", info, 32), d))]
    masked_r = r + int.from_bytes(K(scalar(dealer.b), "self blinding", info, 64), "big")
    pairs = []
    for peer in (0, 5):
        shared = x25519(dealer.mask_secret, x25519_public(DEALERS[peer].mask_secret))
        pair = ROUND_CONTEXT + u8(min(slot, peer), max(slot, peer))
        sign_of = 1 if slot < peer else -1
        key, blinding = K(shared, "pair mask", pair, 32), K(shared, "pair blinding", pair, 64)
        words = [a + sign_of * b for a, b in zip(words, stream_words(key, d))]
        masked_r += sign_of * int.from_bytes(blinding, "big")
        pairs.append({"peer": peer, "mask_key": x25519_public(DEALERS[peer].mask_secret).hex(), "key": key.hex(), "blinding": scalar(int.from_bytes(blinding, "big") % Q).hex()})
    words = struct.pack(f"<{d}I", *(word % 2**32 for word in words))
    leaf, commitment, k = secret("leaf") % R, multiply(secret("commitment")), secret("commitment nonce")
    s = (k + leaf % 2**128 * roster_key(slot)) % Q
    plain = point(commitment) + point(multiply(k)) + scalar(s)
    nonce = secret_bytes("commitment seal nonce", 24)
    box = xchacha_seal(K(scalar(dealer.b), "commitment seal", info, 32), nonce, plain, info + scalar(leaf))

    def message(context=ROUND_CONTEXT, slot=slot, leaf=scalar(leaf), masked_r=scalar(masked_r % Q), complaints=(5,), d=d, words=words, hashed=None, key=roster_key(slot)):
        body = context + u8(slot) + leaf + masked_r + nonce + box + bitmap(complaints) + u64(d) + sha256(hashed or words)
        return body + sign(key, 4, body, "masked input nonce") + words

    base = {
        "key": KEYS[1]["key"], "round_context": ROUND_CONTEXT.hex(), "dimension": d, "dealers": [0, 5],
        "b": scalar(dealer.b).hex(), "mask_secret_seed": scalar(dealer.seed).hex(), "setup_context": SETUP_CONTEXT.hex(),
    }
    write("masked_input", "ok_three_members", base | {
        "message": frame(4, message()).hex(), "x": x, "blinding": scalar(r).hex(), "pairs": pairs,
        "leaf": scalar(leaf).hex(), "commitment": plain.hex(), "complaints": [5],
    })
    good = message()
    bad = {
        "bad_truncated": (frame(4, good[:-1]), "missing"),
        "bad_one_word_too_many": (frame(4, good + bytes(4)), "limit"),
        "bad_word_replaced": (frame(4, flip(good, len(good) - 1)), "signed hash"),
        "bad_dimension_of_another_round": (frame(4, message(d=4, words=words[:16])), "4 coordinates"),
        "bad_dimension_beyond_words": (frame(4, message(d=2**40)), "dimension"),
        "bad_another_round": (frame(4, message(context=bytes(2) + sha256(b"another")[:30])), "another context"),
        "bad_context_of_256_bits": (frame(4, message(context=sha256(b"another"))), "round context"),
        "bad_zero_leaf": (frame(4, message(leaf=bytes(32))), "leaf is zero"),
        "bad_leaf_is_modulus": (frame(4, message(leaf=scalar(R))), "modulus"),
        "bad_blinding_is_modulus": (frame(4, message(masked_r=scalar(Q))), "modulus"),
        "bad_slot_beyond_cohort": (frame(4, message(slot=16)), "slot"),
        "bad_complaint_beyond_cohort": (frame(4, message(complaints=(16,))), "complaints"),
        "bad_complaint_about_a_stranger": (frame(4, message(complaints=(3,))), "complains of slot 3"),
        "bad_complaint_about_oneself": (frame(4, message(complaints=(2,))), "complains of slot 2"),
        "bad_signed_by_another_member": (frame(4, message(key=roster_key(5))), "signature"),
        "bad_setup_signature_reused": (frame(4, good[:369] + DEALERS[2].signature + words), "signature"),
    }
    for name, (encoded, error) in bad.items():
        write("masked_input", name, base | {"message": encoded.hex(), "error": error})


def survivor_digest(posted=(0, 2), leaves_root=scalar(secret("leaves root") % R), context=ROUND_CONTEXT):
    preimage = context + bitmap(posted) + leaves_root + SETUP_ROOT
    return preimage, H("digest", preimage)


def digest():
    preimage, value = survivor_digest()
    base = {"aggregator": ROUND["aggregator"], "key": KEYS[1]["key"]}
    aggregator = sign(AGGREGATOR, 5, value, "digest nonce")
    client = sign(roster_key(2), 6, value, "digest nonce of 2")
    write("digest", "ok_two_of_three_posted", base | {
        "message": frame(5, preimage + aggregator).hex(), "signature": frame(6, u8(2) + value + client).hex(),
        "digest": value.hex(), "posted": [0, 2],
    })
    other, _ = survivor_digest(posted=(0, 5))
    bad = {
        "bad_other_survivors": (frame(5, other + aggregator), "signature"),
        "bad_clients_signature_as_aggregators": (frame(5, preimage + sign(AGGREGATOR, 6, value, "n")), "signature"),
        "bad_signature_on_the_preimage": (frame(5, preimage + sign(AGGREGATOR, 5, preimage, "n")), "signature"),
        "bad_posted_beyond_cohort": (frame(5, survivor_digest(posted=(0, 16))[0] + aggregator), "posted slots"),
        "bad_context_of_256_bits": (frame(5, survivor_digest(context=sha256(b"x"))[0] + aggregator), "round context"),
        "bad_leaves_root_is_modulus": (frame(5, survivor_digest(leaves_root=scalar(R))[0] + aggregator), "modulus"),
        "bad_trailing_byte": (frame(5, preimage + aggregator + b"\0"), "limit"),
        "bad_truncated": (frame(5, (preimage + aggregator)[:-1]), "missing"),
    }
    for name, (message, error) in bad.items():
        write("digest", name, base | {"message": message.hex(), "error": error})


def release():
    _, value = survivor_digest()
    share = lambda slot, kind, v: u8(slot, kind) + scalar(v)
    entries = [share(0, 0, secret("share 0")), share(5, 1, secret("share 5"))]

    def message(entries=entries, digest=value, slot=2, count=None, key=roster_key(2), kind=7):
        body = ROUND_CONTEXT + digest + u8(slot) + u16(len(entries) if count is None else count) + b"".join(entries)
        return body + sign(key, kind, body, "release nonce")

    base = {"key": KEYS[1]["key"], "round_context": ROUND_CONTEXT.hex(), "digest": value.hex()}
    write("release", "ok_one_posted_one_dropped", base | {
        "message": frame(7, message()).hex(), "slot": 2,
        "shares": [{"peer": 0, "kind": 0, "share": scalar(secret("share 0")).hex()}, {"peer": 5, "kind": 1, "share": scalar(secret("share 5")).hex()}],
    })
    write("release", "ok_complaint", base | {
        "message": frame(7, message([share(0, 2, 0)])).hex(), "slot": 2,
        "shares": [{"peer": 0, "kind": 2, "share": scalar(0).hex()}],
    })
    bad = {
        "bad_both_shares_of_one_peer": (message([share(0, 0, 1), share(0, 1, 2)]), "ascending"),
        "bad_out_of_slot_order": (message(entries[::-1]), "ascending"),
        "bad_share_of_itself": (message([share(2, 0, 1)]), "ascending"),
        "bad_share_kind_3": (message([share(0, 3, 1)]), "share kind"),
        "bad_complaint_with_a_share": (message([share(0, 2, 1)]), "complaint"),
        "bad_share_is_modulus": (message([share(0, 0, Q)]), "modulus"),
        "bad_peer_beyond_cohort": (message([share(16, 0, 1)]), "peer"),
        "bad_count_beyond_bytes": (message(count=9), "missing"),
        "bad_count_beyond_cohort": (message(count=16), "shares: 16"),
        "bad_another_digest": (message(digest=sha256(b"another")), "another context"),
        "bad_signed_as_a_setup": (message(kind=3), "signature"),
        "bad_signed_by_another_member": (message(key=roster_key(5)), "signature"),
        "bad_truncated": (message()[:-1], "missing"),
    }
    for name, (payload, error) in bad.items():
        write("release", name, base | {"message": frame(7, payload).hex(), "error": error})


if __name__ == "__main__":
    # RFC 7748 section 5.2 and RFC 8439 section 2.3.2, before anything rests on them.
    assert x25519(bytes.fromhex("a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"), bytes.fromhex("e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c")).hex() == "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert chacha_block(bytes(range(32)), 1, bytes.fromhex("000000090000004a00000000"))[:4].hex() == "10f1e7e4"
    for make in (contexts, model_digests, shamir, setup, masked_input, release, digest):
        make()
