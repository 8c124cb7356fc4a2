"""The shared cases of `vectors/`, as every other language reads them."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

import blindsum as bs
from blindsum import _native

VECTORS = Path(__file__).parents[2] / "vectors"


def cases(folder: str) -> list:
    """Every case of a folder. A folder that is missing or empty is a failure, not a skip."""
    files = sorted((VECTORS / folder).glob("*.json"))
    assert files, f"no vectors in {VECTORS / folder}"
    return [pytest.param(json.loads(file.read_text()), id=file.stem) for file in files]


def slots(bitmap: str) -> list[int]:
    value = int(bitmap, 16)
    return [slot for slot in range(256) if value >> slot & 1]


def check(outcome: str, run) -> None:
    """Runs a case and compares what becomes of it with the outcome that the vector names."""
    if outcome == "Ok":
        run()
        return
    kinds = {
        "KeyEncoding": bs.DecodeError,
        "CertificateEncoding": bs.DecodeError,
        "Record": bs.Misuse,
        "KeyLint": bs.VerifyError,
        "DevelopmentKey": bs.VerifyError,
    }
    with pytest.raises(kinds.get(outcome, bs.VerifyError)) as caught:
        run()
    if outcome == "DevelopmentKey":
        assert caught.value.reason == "DevelopmentKeyRefused"
    elif outcome == "Mismatch":
        assert caught.value.reason.endswith("Mismatch")
    elif outcome not in kinds:
        assert caught.value.reason == outcome


@pytest.mark.parametrize("case", cases("certificate"))
def test_certificates(case: dict) -> None:
    def run() -> None:
        own = case["record"]
        key = bs.VerifyingKey.from_bytes(bytes.fromhex(case["verifying_key"]))
        record = bs.Record.from_registry(
            roster_root=bytes.fromhex(own["roster_root"]),
            occupied=slots(own["occupied"]),
            round_context=bytes.fromhex(own["round_context"]),
            leaves_root=bytes.fromhex(own["leaves_root"]),
            posted=slots(own["posted"]),
            group_width=own["group_width"],
            floors=own["floors"],
        )
        bs.Verifier(key, allow_development=case["allow_development"]).verify(record, bytes.fromhex(case["certificate"]))

    check(case["outcome"], run)


@pytest.mark.parametrize("case", cases("verifying_key"))
def test_verifying_keys(case: dict) -> None:
    def run() -> None:
        data = bytes.fromhex(case["verifying_key"])
        key = bs.VerifyingKey.from_bytes(data)
        assert key.to_bytes() == data
        bs.Verifier(key, allow_development=case["allow_development"])

    check(case["outcome"], run)


@pytest.mark.parametrize("case", cases("opening"))
def test_openings(case: dict) -> None:
    data, bounds = bytes.fromhex(case["bytes"]), case["bounds"]
    if case.get("error") == "decode":
        with pytest.raises(bs.DecodeError):
            bs.Opening.from_bytes(data)
        return
    opening = bs.Opening.from_bytes(data)
    assert opening.to_bytes() == data
    noise = (0.5, bounds["dp_bound"]) if bounds["dp_bound"] else None
    parameters = bs.RoundParameters(
        bs.SecretKey.generate().public, dimension=max(opening.dimension, 1), clip=1.0,
        bits=bounds["bits"], w_min=bounds["w_min"], w_max=bounds["w_max"], noise=noise,
    )

    def run() -> None:
        bases = bs.Bases(max(opening.dimension, 1))
        bs.check_opening_of(bases, parameters, bytes.fromhex(case["commitment"]), bounds["participants"], opening)

    if "error" not in case:
        assert opening.sum.tolist() == case["sum"] and opening.blinding.hex() == case["blinding"]
        assert opening.commitment(bs.Bases(opening.dimension)).hex() == case["commitment"]
        run()
    else:
        with pytest.raises(bs.OpeningError) as caught:
            run()
        assert caught.value.reason.lower() == case["error"]


NAMES = {1: "float16", 2: "bfloat16", 3: "float32", 4: "float64", 5: "int64", 6: "int32", 7: "uint8"}


@pytest.mark.parametrize("case", cases("model_digest"))
def test_model_digest_vectors(case: dict) -> None:
    parts = [
        (a["name"], NAMES[a["dtype"]], a["dims"], np.frombuffer(bytes.fromhex(a["elements"]), np.uint8)) for a in case["arrays"]
    ]
    if "digest" in case:
        assert _native.model_digest(parts).hex() == case["digest"]
    else:
        with pytest.raises(bs.ConfigError) as caught:
            _native.model_digest(parts)
        assert caught.value.reason == "Array" and case["error"] in str(caught.value)


def by_hand(model: dict[str, np.ndarray]) -> bytes:
    """The model's digest from its definition, sharing nothing with the library."""
    numbers = {"float16": 1, "bfloat16": 2, "float32": 3, "float64": 4, "int64": 5, "int32": 6, "uint8": 7, "bool": 7}
    data = b"blindsum/v1/model\0" + struct.pack(">I", len(model))
    for name, array in model.items():
        encoded, elements = name.encode(), np.ascontiguousarray(array).tobytes()
        data += struct.pack(">I", len(encoded)) + encoded + bytes([numbers[array.dtype.name], array.ndim])
        data += b"".join(struct.pack(">Q", dim) for dim in array.shape) + struct.pack(">Q", len(elements)) + elements
    return hashlib.sha256(data).digest()


DTYPES = ["float16", ml_dtypes.bfloat16, "float32", "float64", "int64", "int32", "uint8", "bool"]


def test_model_digests_follow_their_definition() -> None:
    model = {f"layer{i}.ä": (np.arange(6).reshape(2, 3) % 2).astype(dtype) for i, dtype in enumerate(DTYPES)}
    model["scalar"] = np.array(1.5)
    assert bs.model_digest(model) == by_hand(model)
    assert bs.model_digest(dict(reversed(model.items()))) == by_hand(dict(reversed(model.items()))) != by_hand(model)
    swapped = {name: a.astype(a.dtype.newbyteorder(">")) if a.dtype.kind in "fi" else np.asfortranarray(a) for name, a in model.items()}
    assert bs.model_digest(swapped) == by_hand(model)
    assert bs.model_digest([np.ones(2)]) == by_hand({"0": np.ones(2)}) and bs.model_digest({}) == by_hand({})
    for refused in ({"x": np.array(["a"])}, {"x": np.ones(1, np.complex64)}, {"x": np.ones(1, np.uint16)}):
        with pytest.raises(bs.UnsupportedType):
            bs.model_digest(refused)
