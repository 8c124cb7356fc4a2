"""Keys and rosters: what they show, what they refuse."""

from __future__ import annotations

import copy
import pickle

import pytest

import blindsum
from blindsum import DecodeError, Misuse, Roster, SecretKey


def test_a_key_shows_nothing_and_cannot_be_pickled_or_copied() -> None:
    key = SecretKey.generate()
    secret = key.to_bytes()
    assert len(secret) == 32 and repr(key) == str(key) == "SecretKey(..)"
    assert secret.hex() not in repr(vars(blindsum))
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(key)
    assert SecretKey.from_bytes(secret).public == key.public
    assert SecretKey.generate().public != key.public


@pytest.mark.parametrize("data", [b"", bytes(31), bytes(33), bytes(32), b"\xff" * 32], ids=lambda d: f"{len(d)}:{d[:1].hex()}")
def test_bytes_that_are_no_key_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        SecretKey.from_bytes(data)


def test_a_roster_names_slots_and_refuses_equal_keys() -> None:
    keys: list[bytes | None] = [SecretKey.generate().public for _ in range(16)]
    keys[5] = None
    roster = Roster(keys)
    assert roster.size == 16 and roster.occupied == [s for s in range(16) if s != 5]
    assert [roster.key(s) for s in range(16)] == keys
    assert roster.slot_of(keys[9]) == 9
    assert len(roster.root) == 32 and Roster(keys).root == roster.root
    keys[0], keys[1] = keys[1], keys[0]
    assert Roster(keys).root != roster.root
    keys[3] = keys[4]
    with pytest.raises(Misuse) as caught:
        Roster(keys)
    assert caught.value.reason == "EqualKeys"


@pytest.mark.parametrize("slots", [0, 1, 15, 17, 257, 65552])
def test_only_known_cohort_sizes_make_a_roster(slots: int) -> None:
    with pytest.raises(Misuse) as caught:
        Roster([None] * slots)
    assert caught.value.reason == "CohortSize"


def test_points_off_the_curve_are_no_keys() -> None:
    with pytest.raises(DecodeError) as caught:
        Roster([bytes(63) + b"\x01", *[None] * 15])
    assert caught.value.reason == "NotOnCurve"
