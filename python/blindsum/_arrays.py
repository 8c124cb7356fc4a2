"""From the caller's arrays to one flat float32 vector and back.

An update is one numpy array, a list or tuple of arrays, or a dict of arrays; it is flattened in the caller's order, row-major.
float16, bfloat16 (the `ml_dtypes` dtype), float32 and float64 are taken, read-only and non-contiguous arrays too, in either byte
order. A value too large for float32 becomes an infinity here, which quantisation refuses. Nothing is ever converted from integers
or objects: they are refused, since a silent conversion would hide a mistake.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from . import _native
from .errors import Misuse, UnsupportedType

Array: TypeAlias = npt.NDArray[Any]
Arrays: TypeAlias = Array | list[Array] | tuple[Array, ...] | dict[str, Array]
"""What the callers of this package hold: one array, or several in a list, a tuple, or a dict."""

Kind: TypeAlias = Literal["array", "list", "tuple", "dict"]
_FLOATS = {"float16", "bfloat16", "float32", "float64"}
_DIGEST_DTYPES = _FLOATS | {"int64", "int32", "uint8", "bool"}


@dataclass(frozen=True)
class Structure:
    """Names, shapes and dtypes of an update: what is needed to give a flat vector the caller's form again."""

    kind: Kind
    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]
    dtypes: tuple[np.dtype[Any], ...]

    @property
    def size(self) -> int:
        """Number of coordinates, without the weight."""
        return sum(int(np.prod(shape, dtype=np.int64)) for shape in self.shapes)

    def restore(self, flat: npt.NDArray[np.float64]) -> Arrays:
        """`flat` in the caller's structure, shapes and dtypes.

        Raises `LengthMismatch` if `flat` does not have `size` entries.
        """
        if flat.shape != (self.size,):
            raise Misuse(f"a vector of shape {flat.shape} does not fill {self.size} coordinates", "LengthMismatch")
        arrays: list[Array] = []
        at = 0
        for shape, dtype in zip(self.shapes, self.dtypes, strict=True):
            length = int(np.prod(shape, dtype=np.int64))
            arrays.append(flat[at : at + length].reshape(shape).astype(dtype))
            at += length
        match self.kind:
            case "array":
                return arrays[0]
            case "list":
                return arrays
            case "tuple":
                return tuple(arrays)
            case "dict":
                return dict(zip(self.names, arrays, strict=True))


def _items(arrays: object, dtypes: set[str]) -> tuple[Kind, list[tuple[str, Array]]]:
    """The arrays with their names (positions, where the caller gave none), each checked."""
    pairs: Iterable[tuple[object, object]]
    kind: Kind
    if isinstance(arrays, np.ndarray):
        kind, pairs = "array", [("", arrays)]
    elif isinstance(arrays, Mapping):
        kind, pairs = "dict", arrays.items()
    elif isinstance(arrays, list | tuple):
        kind = "list" if isinstance(arrays, list) else "tuple"
        pairs = [(str(i), a) for i, a in enumerate(arrays)]
    else:
        raise UnsupportedType(f"expected arrays in a list, tuple or dict, or one array, got {type(arrays).__name__}")
    items: list[tuple[str, Array]] = []
    for name, array in pairs:
        if not isinstance(name, str):
            raise UnsupportedType(f"array names are str, got {type(name).__name__}")
        if not isinstance(array, np.ndarray):
            raise UnsupportedType(f"array {name!r}: expected a numpy array, got {type(array).__name__}")
        if array.dtype.name not in dtypes:
            raise UnsupportedType(f"array {name!r}: dtype {array.dtype.name} is not one of {', '.join(sorted(dtypes))}")
        items.append((name, array))
    return kind, items


def _structure(kind: Kind, items: list[tuple[str, Array]]) -> Structure:
    names, shapes, dtypes = (n for n, _ in items), (a.shape for _, a in items), (a.dtype for _, a in items)
    return Structure(kind, tuple(names), tuple(shapes), tuple(dtypes))


def structure(like: object) -> Structure:
    """The structure of an update. Raises `UnsupportedType` for anything but float arrays."""
    return _structure(*_items(like, _FLOATS))


def flatten(update: object) -> tuple[npt.NDArray[np.float32], Structure]:
    """`update` as one float32 vector of its own (never a view of the caller's memory), and its structure.

    Raises `UnsupportedType` for anything but float arrays.
    """
    kind, items = _items(update, _FLOATS)
    structure = _structure(kind, items)
    flat = np.empty(structure.size, np.float32)
    at = 0
    with np.errstate(over="ignore"):  # the infinity that comes of it is refused by quantisation, with its index
        for _, array in items:
            flat[at : at + array.size].reshape(array.shape)[...] = array
            at += array.size
    return flat, structure


def model_digest(model: object) -> bytes:
    """The digest of a model's names, dtypes, shapes and elements that round contexts bind (32 bytes).

    Takes what updates take, and int64, int32, uint8 and bool arrays. Two models of equal digest are equal to the byte.
    Raises `UnsupportedType` for other types.
    """
    _, items = _items(model, _DIGEST_DTYPES)
    parts = []
    for name, array in items:
        if array.dtype.byteorder == ">" or (array.dtype.byteorder == "=" and not np.little_endian):
            array = array.astype(array.dtype.newbyteorder("<"))
        elements = np.frombuffer(array.tobytes(order="C"), np.uint8)
        parts.append((name, array.dtype.name, list(array.shape), elements))
    return _native.model_digest(parts)


def digest(model: object) -> bytes:
    """The digest of a model, or the digest itself where the caller has it already."""
    return model if isinstance(model, bytes) else model_digest(model)
