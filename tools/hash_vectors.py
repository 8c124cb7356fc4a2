#!/usr/bin/env python3
"""Writes vectors/{poseidon,tree,schnorr}/*.json.

An implementation of its own, in plain Python integers and the standard library only, of the parts "Poseidon" and
"Signatures" of the encodings. Poseidon's constants are generated here by the Grain LFSR of the paper's appendix, as
circomlib's were, and the result is held against circomlibjs's published answers. It shares no code with the engine.
"""

import hashlib

from commitment_vectors import Q, R, add, hash_to_curve, multiply, point, scalar
from commitment_vectors import write as write_case

SOURCE = "tools/hash_vectors.py"
G = (1, 17631683881184975370165255887551781615748388533673675138860)
FULL_ROUNDS = 8
PARTIAL_ROUNDS = {3: 57, 5: 60, 8: 64}


def write(folder, name, case):
    write_case(folder, name, {"source": SOURCE} | case)


# Poseidon: Grassi et al., "Poseidon", USENIX Security 2021, appendix F (Grain), section 2.3 (Cauchy matrix).


def grain(width, partial):
    """The bits of the LFSR seeded with (prime field, x^alpha, 254 bits, width, full and partial rounds)."""
    seed = [(1, 2), (0, 4), (254, 12), (width, 12), (FULL_ROUNDS, 10), (partial, 10), ((1 << 30) - 1, 30)]
    state = [int(bit) for value, length in seed for bit in f"{value:0{length}b}"]

    def step():
        bit = state[62] ^ state[51] ^ state[38] ^ state[23] ^ state[13] ^ state[0]
        state.pop(0)
        state.append(bit)
        return bit

    for _ in range(160):
        step()
    while True:
        choose, bit = step(), step()
        if choose:
            yield bit


def parameters(width):
    partial = PARTIAL_ROUNDS[width]
    bits = grain(width, partial)

    def number():
        return int("".join(str(next(bits)) for _ in range(254)), 2)

    def below_r():
        while (value := number()) >= R:
            pass
        return value

    constants = [[below_r() for _ in range(width)] for _ in range(FULL_ROUNDS + partial)]
    points = [number() % R for _ in range(2 * width)]
    xs, ys = points[:width], points[width:]
    assert len(set(points)) == 2 * width and all((x + y) % R for x in xs for y in ys)
    return partial, constants, [[pow(x + y, -1, R) for y in ys] for x in xs]


PARAMETERS = {width: parameters(width) for width in PARTIAL_ROUNDS}


def poseidon(inputs):
    partial, constants, matrix = PARAMETERS[len(inputs) + 1]
    state = [0, *inputs]
    for number, row in enumerate(constants):
        state = [(x + c) % R for x, c in zip(state, row)]
        full = not FULL_ROUNDS // 2 <= number < FULL_ROUNDS // 2 + partial
        state = [pow(x, 5, R) if full or i == 0 else x for i, x in enumerate(state)]
        state = [sum(m * x for m, x in zip(line, state)) % R for line in matrix]
    return state[0]


def poseidon_vectors():
    # The two published by circomlibjs (test/poseidon.js).
    published = {
        (1, 2): 0x115CC0F5E7D690413DF64C6B9662E9CF2A3617F2743245519E19607A4417189A,
        (1, 2, 3, 4): 0x299C867DB6C1FDD79DCEFA40E4510B9837E60EBB1CE0663DBAA525DF65250465,
    }
    for inputs, output in published.items():
        assert poseidon(inputs) == output, inputs
    for inputs in [2, 4, 7]:
        cases = {
            "counting": list(range(1, inputs + 1)),
            "zeros": [0] * inputs,
            "largest": [R - 1] * inputs,
            "mixed": [pow(7, 3 * i + 1, R) for i in range(100, 100 + inputs)],
        }
        for name, values in cases.items():
            case = {"inputs": [scalar(x) for x in values], "output": scalar(poseidon(values))}
            if tuple(values) in published:
                case = {"source": "circomlibjs, test/poseidon.js; reproduced by " + SOURCE} | case
            write("poseidon", f"ok_{inputs}_inputs_{name}", case)


def tree(leaves):
    while len(leaves) > 1:
        arity = min(4, len(leaves))
        leaves = [poseidon(leaves[i : i + arity]) for i in range(0, len(leaves), arity)]
    return leaves[0]


def tree_vectors():
    for size in [16, 64, 128, 256]:
        leaves = [pow(5, i + 1, R) for i in range(size)]
        write("tree", f"ok_{size}_leaves", {"leaves": [scalar(x) for x in leaves], "root": scalar(tree(leaves))})
    # Leaves of a cohort of which nobody but slot 3 posted, and a roster whose slots 1 and 15 are empty.
    sparse = [R - 2 if i == 3 else 0 for i in range(16)]
    write("tree", "ok_16_leaves_sparse", {"leaves": [scalar(x) for x in sparse], "root": scalar(tree(sparse))})
    empty = hash_to_curve("blindsum/empty slot", 0)
    keys = [empty if i in (1, 15) else multiply(1000 + i, G) for i in range(16)]
    leaves = [poseidon(key) for key in keys]
    case = {"keys": [point(key) for key in keys], "leaves": [scalar(x) for x in leaves], "root": scalar(tree(leaves))}
    write("tree", "ok_16_roster", case)


# Schnorr over Grumpkin.


def message_challenge(kind, nonce, key, body):
    data = b"blindsum/v1/signature\0" + bytes([kind]) + bytes.fromhex(point(nonce) + point(key))
    return int.from_bytes(hashlib.sha256(data + hashlib.sha256(body).digest()).digest()[:16], "big")


def leaf(slot, context, nonce, key, commitment):
    tag = (1 << 248) + (slot << 240) + context
    return poseidon([tag, *nonce, *key, *commitment])


def verifies(key, nonce, s, e):
    return multiply(s, G) == add(nonce, multiply(e, key))


def schnorr_vectors():
    secret, k = pow(3, 400, Q), pow(3, 401, Q)
    key, nonce = multiply(secret, G), multiply(k, G)
    bodies = {"empty": b"", "text": b"the body of a message", "long": bytes(range(256)) * 9}
    for kind, (name, body) in zip([1, 5, 9], bodies.items()):
        e = message_challenge(kind, nonce, key, body)
        s = (k + e * secret) % Q
        assert verifies(key, nonce, s, e)
        good = {"kind": kind, "public_key": point(key), "body": body.hex(), "signature": point(nonce) + scalar(s)}
        write("schnorr", f"ok_message_{name}", good)

    def bad(name, error="invalid", **change):
        write("schnorr", f"bad_message_{name}", good | change | {"error": error})

    # `good` is now the last: kind 9 over the long body.
    bad("other_kind", kind=8)
    bad("other_body", body=bodies["long"].hex()[2:])
    bad("other_key", public_key=point(multiply(secret + 1, G)))
    bad("response_shifted", signature=point(nonce) + scalar((s + 1) % Q))
    bad("nonce_negated", signature=point((nonce[0], R - nonce[1])) + scalar(s))
    bad("key_and_response_negated", public_key=point((key[0], R - key[1])), signature=point(nonce) + scalar(Q - s))
    bad("nonce_off_curve", "decode", signature=scalar(nonce[0]) + scalar((nonce[1] + 1) % R) + scalar(s))
    bad("nonce_infinity", "decode", signature="00" * 64 + scalar(s))
    bad("nonce_coordinate_plus_modulus", "decode", signature=scalar(nonce[0] + R) + scalar(nonce[1]) + scalar(s))
    bad("response_plus_modulus", "decode", signature=point(nonce) + scalar(s + Q))
    bad("key_infinity", "decode", public_key="00" * 64)
    bad("key_off_curve", "decode", public_key=scalar(key[0]) + scalar(key[1] ^ 1))
    bad("trailing_byte", "decode", signature=good["signature"] + "00")

    context = int.from_bytes(hashlib.sha256(b"a context").digest()[:30], "big")
    commitment = hash_to_curve("blindsum/basis", 3)
    for slot in [0, 5, 255]:
        made = leaf(slot, context, nonce, key, commitment)
        e = made % (1 << 128)
        s = (k + e * secret) % Q
        assert verifies(key, nonce, s, e)
        good = {
            "slot": slot,
            "round_context": scalar(context),
            "public_key": point(key),
            "commitment": point(commitment),
            "signature": point(nonce) + scalar(s),
            "leaf": scalar(made),
            "challenge": f"{e:032x}",
        }
        write("schnorr", f"ok_commitment_slot_{slot}", good)

    def bad_commitment(name, error="invalid", **change):
        case = {key: value for key, value in (good | change).items() if key not in ("leaf", "challenge")}
        write("schnorr", f"bad_commitment_{name}", case | {"error": error})

    bad_commitment("other_slot", slot=254)
    bad_commitment("other_context", round_context=scalar(context ^ 1))
    bad_commitment("other_commitment", commitment=point(hash_to_curve("blindsum/basis", 4)))
    bad_commitment("commitment_negated", commitment=point((commitment[0], R - commitment[1])))
    bad_commitment("response_plus_modulus", "decode", signature=point(nonce) + scalar(s + Q))
    # A message signature over the same bytes is no signature of the commitment.
    e = message_challenge(4, nonce, key, bytes.fromhex(point(commitment)))
    bad_commitment("signed_as_message", signature=point(nonce) + scalar((k + e * secret) % Q))
    # 2 O_1 + PK collides at the first step: the equation cannot be shown by the circuit's chain of additions.
    o1 = hash_to_curve("blindsum/offset", 1)
    bad_commitment("key_meets_the_chain", "unprovable", public_key=point(add(o1, o1)))


if __name__ == "__main__":
    poseidon_vectors()
    tree_vectors()
    schnorr_vectors()
