#!/usr/bin/env python3
"""Writes vectors/{hash_to_curve,quantize,opening}/*.json.

An implementation of its own, in plain Python integers and floats and the standard library only, of the
parts "Hash to curve", "Quantise" and "Opening" of the encodings. It shares no code with the engine.
"""

import hashlib
import json
import math
import pathlib
import struct

ROOT = pathlib.Path(__file__).resolve().parent.parent / "vectors"
SOURCE = "tools/commitment_vectors.py"
R = 21888242871839275222246405745257275088548364400416034343698204186575808495617  # coordinates
Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583  # scalars


def write(folder, name, case):
    path = ROOT / folder / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"source": SOURCE} | case, indent=2) + "\n")


# Curve: y^2 = x^3 - 17 over the integers mod R.


def square_root(n):
    """Tonelli and Shanks, or None."""
    n %= R
    if n == 0:
        return 0
    if pow(n, (R - 1) // 2, R) != 1:
        return None
    odd, twos = R - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    z = next(z for z in range(2, 100) if pow(z, (R - 1) // 2, R) == R - 1)
    c, root, t = pow(z, odd, R), pow(n, (odd + 1) // 2, R), pow(n, odd, R)
    while t != 1:
        i, power = 0, t
        while power != 1:
            i, power = i + 1, power * power % R
        b = pow(c, 1 << (twos - i - 1), R)
        twos, c, root, t = i, b * b % R, root * b % R, t * b * b % R
    return root


def add(p, q):
    if p is None or q is None:
        return p or q
    (x1, y1), (x2, y2) = p, q
    if x1 == x2 and (y1 + y2) % R == 0:
        return None
    slope = 3 * x1 * x1 * pow(2 * y1, -1, R) if p == q else (y2 - y1) * pow(x2 - x1, -1, R)
    x3 = (slope * slope - x1 - x2) % R
    return x3, (slope * (x1 - x3) - y1) % R


def multiply(k, p):
    k, result = k % Q, None
    while k:
        if k & 1:
            result = add(result, p)
        p, k = add(p, p), k >> 1
    return result


def hash_to_curve(name, index):
    ctr = 0
    while True:
        data = b"blindsum/v1/" + b"curve" + b"\0" + name.encode() + struct.pack(">QI", index, ctr)
        h = int.from_bytes(hashlib.sha256(data).digest(), "big")
        odd, x = h >> 255, h & ((1 << 254) - 1)
        y = square_root(x**3 - 17) if x < R else None
        if y is not None:
            assert (y * y - x**3 + 17) % R == 0
            return x, (y if y % 2 == odd else R - y)
        ctr += 1


def scalar(value):
    return value.to_bytes(32, "big").hex()


def point(p):
    return scalar(p[0]) + scalar(p[1])


def hash_to_curve_vectors():
    families = {
        "blindsum/basis": [*range(8), 255, 65535, 65536, (1 << 32) - 1, 1 << 32, (1 << 64) - 1],
        "blindsum/blinding": [0],
        "blindsum/empty slot": [0],
        "blindsum/offset": [0, 1, 2, 3],
    }
    for name, indices in families.items():
        points = [{"index": str(i), "point": point(hash_to_curve(name, i))} for i in indices]
        write("hash_to_curve", "ok_" + name.split("/")[1].replace(" ", "_"), {"name": name, "points": points})


# Quantise.


def chacha20_words(key, n):
    """RFC 8439 with a zero nonce, from block 0."""

    def rotate(x, by):
        return (x << by | x >> (32 - by)) & 0xFFFFFFFF

    def quarter(s, a, b, c, d):
        for i, j, k, by in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            s[i] = (s[i] + s[j]) & 0xFFFFFFFF
            s[k] = rotate(s[k] ^ s[i], by)

    words = []
    for block in range((n + 15) // 16):
        start = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *struct.unpack("<8I", key), block, 0, 0, 0]
        s = list(start)
        for _ in range(10):
            for column in range(4):
                quarter(s, column, 4 + column, 8 + column, 12 + column)
            for column in range(4):
                quarter(s, column, 4 + (column + 1) % 4, 8 + (column + 2) % 4, 12 + (column + 3) % 4)
        words += [(a + b) & 0xFFFFFFFF for a, b in zip(s, start)]
    return words[:n]


def f32(value):
    """The nearest 32-bit float, as its bits and its value."""
    raw = struct.pack(">f", value)
    return raw.hex(), struct.unpack(">f", raw)[0]


def quantize(bits, clip, w_max, weight, key, values):
    top = (1 << (bits - 1)) - 1
    scale = float(weight) / float(w_max) * float(top) / clip
    out = []
    for u, word in zip(values, chacha20_words(key, len(values))):
        v = min(max(u, -clip), clip) * scale
        out.append(min(max(math.floor(v + word / 4294967296.0), -top), top))
    return out + [weight]


def quantize_case(name, bits, clip, w_min, w_max, weight, values, key=bytes(range(32))):
    clip_bits, clip = f32(clip)
    pairs = [f32(value) for value in values]
    case = {
        "bits": bits, "clip": clip_bits, "w_min": w_min, "w_max": w_max, "weight": weight,
        "key": key.hex(), "update": [raw for raw, _ in pairs],
    }  # fmt: skip
    finite = all(math.isfinite(value) for _, value in pairs)
    if finite:
        values = [value for _, value in pairs]
        case["words"] = quantize(bits, clip, w_max, weight, key, values)
        case["clipped"] = sum(abs(value) > clip for value in values)
    else:
        case["not_finite"] = next(i for i, (_, value) in enumerate(pairs) if not math.isfinite(value))
    write("quantize", ("ok_" if finite else "bad_") + name, case)


def quantize_vectors():
    wave = [math.sin(0.37 * i) * 1.2 for i in range(41)]
    quantize_case("16_bits", 16, 1.0, 1, 32767, 32767, wave)
    quantize_case("8_bits", 8, 0.75, 1, 127, 90, wave)
    quantize_case("24_bits", 24, 1.0, 1, 8388607, 1234567, wave, key=b"\xff" * 32)
    quantize_case("2_bits", 2, 0.5, 1, 1, 1, wave)
    quantize_case("light_weight", 16, 1.0, 1, 1000, 1, wave)
    quantize_case("zeros_and_subnormals", 16, 1.0, 1, 1, 1, [0.0, -0.0, 1e-45, -1e-45, 1e-39, -1e-39])
    quantize_case("subnormal_clip", 16, 1e-44, 1, 1, 1, [0.0, 1e-45, -1e-45, 5e-45, -1e-44, 1e-44, 3.0])
    quantize_case("clip_edges", 16, 0.1, 1, 1, 1, [0.1, -0.1, 0.1000001, -0.1000001, 3.4e38, -3.4e38, 0.0999999])
    quantize_case("empty", 16, 1.0, 1, 5, 3, [])
    quantize_case("nan", 16, 1.0, 1, 1, 1, [0.0, math.nan, math.inf])
    quantize_case("infinity", 16, 1.0, 1, 1, 1, [0.0, 1.0, -math.inf])


# Opening.


def opening_bytes(sums, blinding):
    return struct.pack(">Q", len(sums)) + blinding.to_bytes(32, "big") + struct.pack(f"<{len(sums)}q", *sums)


def opening_case(name, sums, blinding, error=None, encoded=None, commitment=None, **bounds):
    bounds = {"bits": 8, "w_min": 2, "w_max": 100, "participants": 3, "dp_bound": 0} | bounds
    if commitment is None:
        commitment = multiply(blinding, hash_to_curve("blindsum/blinding", 0))
        for j, value in enumerate(sums):
            commitment = add(commitment, multiply(value, hash_to_curve("blindsum/basis", j)))
    encoded = encoded if encoded is not None else opening_bytes(sums, blinding)
    case = {"bytes": encoded.hex(), "commitment": point(commitment), "bounds": bounds}
    if error is None:
        case |= {"sum": sums, "blinding": scalar(blinding)}
    else:
        case["error"] = error
    write("opening", ("ok_" if error is None else "bad_") + name, case)


def opening_vectors():
    blinding = int.from_bytes(hashlib.sha256(b"an opening").digest(), "big") % Q
    sums = [381, -381, 17, 0, -1, 300]
    good = opening_bytes(sums, blinding)
    opening_case("at_the_bounds", sums, blinding)
    opening_case("weight_only", [6], blinding)
    opening_case("scale_equality", [130, -130, 100], blinding)
    opening_case("with_noise", [25, -25, 6], blinding, dp_bound=5)
    opening_case("zero_blinding", [1, 100], 0)
    opening_case("largest_blinding", [1, 100], Q - 1)
    wide = [(1 << 23) * 250, -(1 << 23) * 250, 255 * 8388607]
    opening_case("24_bits", wide, blinding, bits=24, w_min=1, w_max=8388607, participants=255)
    opening_case("trailing_byte", sums, blinding, "decode", good + b"\0")
    opening_case("truncated", sums, blinding, "decode", good[:-1])
    opening_case("header_only", sums, blinding, "decode", good[:40])
    opening_case("empty", sums, blinding, "decode", b"")
    opening_case("dimension_overflow", sums, blinding, "decode", b"\xff" * 8 + good[8:])
    opening_case("dimension_wraps", sums, blinding, "decode", struct.pack(">Q", (1 << 61) + len(sums)) + good[8:])
    opening_case("little_endian_dimension", sums, blinding, "decode", struct.pack("<Q", len(sums)) + good[8:])
    opening_case("blinding_is_modulus", sums, 0, "decode", good[:8] + Q.to_bytes(32, "big") + good[40:])
    opening_case("coordinate_over_bound", [382, 300], blinding, "coordinate")
    opening_case("coordinate_is_least_integer", [-(1 << 63), 300], blinding, "coordinate")
    opening_case("weight_too_small", [0, 5], blinding, "weight")
    opening_case("weight_too_large", [0, 301], blinding, "weight")
    opening_case("weight_negative", [0, -100], blinding, "weight")
    opening_case("scale_over_weight", [11, 6], blinding, "scale")
    opening_case("noise_over_bound", [26, 6], blinding, "scale", dp_bound=5)
    opening_case("no_coordinates", [], blinding, "dimension")
    opening_case("no_participants", [0, 6], blinding, "bounds", participants=0)
    other = multiply(7, hash_to_curve("blindsum/basis", 0))
    opening_case("other_commitment", sums, blinding, "commitment", commitment=other)
    right = add(multiply(6, hash_to_curve("blindsum/basis", 0)), multiply(blinding, hash_to_curve("blindsum/blinding", 0)))
    opening_case("negated_commitment", [6], blinding, "commitment", commitment=(right[0], R - right[1]))
    opening_case("blinding_shifted", [6], blinding + 1, "commitment", commitment=right)
    opening_case("sum_shifted", [7], blinding, "commitment", commitment=right)


if __name__ == "__main__":
    hash_to_curve_vectors()
    quantize_vectors()
    opening_vectors()
