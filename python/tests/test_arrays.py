"""Structures, layouts and dtypes on their way through `flatten` and `restore`."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import blindsum
from blindsum import _arrays
from blindsum.errors import Misuse, UnsupportedType

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.dtype(">f4"), np.dtype(">f8"), np.dtype(">f2")]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_every_float_dtype_comes_back_as_it_went(dtype: np.dtype) -> None:
    array = np.array([[0.5, -1.25, 3.0], [0.0, -0.0, 0.125]]).astype(dtype)
    flat, structure = _arrays.flatten(array)
    assert flat.dtype == np.float32 and flat.tolist() == [0.5, -1.25, 3.0, 0.0, -0.0, 0.125]
    back = structure.restore(flat.astype(np.float64))
    assert isinstance(back, np.ndarray)
    assert back.dtype == np.dtype(dtype) and back.shape == array.shape
    assert np.array_equal(back.astype(np.float64), array.astype(np.float64))


LAYOUTS = {
    "fortran": lambda a: np.asfortranarray(a),
    "transposed": lambda a: a.T,
    "strided": lambda a: a[:, ::2],
    "reversed": lambda a: a[::-1],
    "broadcast": lambda a: np.broadcast_to(a[0], (3, a.shape[1])),
    "unaligned": lambda a: np.frombuffer(b"\0" + a.tobytes(), a.dtype, offset=1),
}


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS.keys())
def test_any_memory_layout_is_read_row_major_and_left_alone(layout) -> None:
    array = layout(np.arange(24, dtype=np.float32).reshape(4, 6))
    array.flags.writeable = False
    before = array.copy()
    flat, structure = _arrays.flatten(array)
    assert np.array_equal(flat, np.ravel(before, order="C"))
    assert not np.shares_memory(flat, array)
    assert np.array_equal(structure.restore(flat.astype(np.float64)), before)
    assert np.array_equal(array, before)


def test_structures_keep_kind_names_order_shapes_and_dtypes() -> None:
    arrays = [np.ones((2, 3), np.float64), np.zeros((), np.float16), np.zeros((0, 4), np.float32)]
    for update in (arrays, tuple(arrays), {"z": arrays[0], "a": arrays[1], "m": arrays[2]}):
        flat, structure = _arrays.flatten(update)
        assert flat.tolist() == [1.0] * 6 + [0.0]
        back = structure.restore(flat.astype(np.float64))
        assert type(back) is type(update)
        if isinstance(update, dict):
            assert list(back) == ["z", "a", "m"]
            back = list(back.values())
        assert [(a.shape, a.dtype) for a in back] == [(a.shape, a.dtype) for a in arrays]


@pytest.mark.parametrize(
    "update",
    [
        np.arange(3),
        np.array([True]),
        np.array([1 + 2j]),
        np.array([object()]),
        np.array(["text"]),
        np.zeros(2, np.longdouble),
        np.zeros(2, [("x", np.float32)]),
        [np.zeros(2), [1.0, 2.0]],
        {1: np.zeros(2)},
        [1.0, 2.0],
        "text",
        None,
        3.0,
    ],
    ids=repr,
)
def test_what_is_no_float_array_is_refused_by_name(update) -> None:
    with pytest.raises(UnsupportedType) as caught:
        _arrays.flatten(update)
    assert isinstance(caught.value, TypeError | ValueError) and isinstance(caught.value, blindsum.BlindsumError)


def test_a_vector_of_another_length_does_not_fill_the_structure() -> None:
    _, structure = _arrays.flatten(np.zeros(4, np.float32))
    with pytest.raises(Misuse) as caught:
        structure.restore(np.zeros(5))
    assert caught.value.reason == "LengthMismatch"


FLOATS = st.sampled_from([np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64)])
ONE = FLOATS.flatmap(
    lambda dtype: hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=5),
        elements=st.floats(-1024, 1024, width=16),
    )
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.one_of(ONE, st.lists(ONE, max_size=4), st.dictionaries(st.text(max_size=4), ONE, max_size=4)))
def test_restore_undoes_flatten(update) -> None:
    flat, structure = _arrays.flatten(update)
    back = structure.restore(flat.astype(np.float64))
    assert type(back) is type(update)
    again, same = _arrays.flatten(back)
    assert same == structure and np.array_equal(again, flat)
