"""The protocol from arrays to a verified mean, as an application runs it."""

from __future__ import annotations

import threading
import time

import ml_dtypes
import numpy as np
import pytest

import blindsum as bs
from conftest import CLIENTS, MODEL, SHAPES, WEIGHTS, Finished

DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def plain_mean(finished: Finished) -> dict[str, np.ndarray]:
    total = sum(WEIGHTS[s] for s in finished.posted)
    updates = {s: finished.federation.update(s) for s in finished.posted}
    return {
        name: sum(WEIGHTS[s] * updates[s][name].astype(np.float64) for s in finished.posted) / total for name in SHAPES
    }


def bound(finished: Finished) -> float:
    own = finished.federation.parameters
    return len(finished.posted) * own.weights[1] * own.clip / ((2**15 - 1) * finished.opening.weight)


def test_the_mean_is_fedavgs_within_quantisation(finished: Finished) -> None:
    mean = bs.mean(finished.opening, finished.federation.parameters, like=MODEL)
    assert isinstance(mean, dict) and list(mean) == list(MODEL)
    for name, expected in plain_mean(finished).items():
        assert mean[name].shape == expected.shape and mean[name].dtype == np.float32
        assert np.abs(mean[name] - expected).max() <= bound(finished) + 1e-6
    assert finished.opening.weight == sum(WEIGHTS[s] for s in finished.posted)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_mean_takes_the_callers_structure(finished: Finished, dtype) -> None:
    flat = finished.opening.mean(finished.federation.parameters)
    one = np.zeros(flat.size, dtype)
    mean = bs.mean(finished.opening, finished.federation.parameters, like=one)
    assert isinstance(mean, np.ndarray) and mean.dtype == one.dtype
    assert np.array_equal(mean, flat.astype(dtype))
    several = (np.zeros((3, 5), dtype), np.zeros((1, 3), dtype))
    parts = bs.mean(finished.opening, finished.federation.parameters, like=several)
    assert isinstance(parts, tuple) and [p.shape for p in parts] == [(3, 5), (1, 3)]
    with pytest.raises(bs.Misuse) as caught:
        bs.mean(finished.opening, finished.federation.parameters, like=one[:-1])
    assert caught.value.reason == "LengthMismatch"


def test_the_session_says_who_is_where(federation) -> None:
    seen: list[bs.Progress] = []
    session = federation.begin(1, [s for s in range(CLIENTS) if s not in (0, 7)], progress=seen.append)
    assert session.absent() == [0, 7] and session.phase == "masked input" and session.record is None
    for slot in (1, 2, 3):
        absorbed = session.absorb(federation.mask(session, slot))
        assert (absorbed.kind, absorbed.slot, absorbed.about) == ("masked input", slot, ())
    assert session.posted() == [1, 2, 3]
    assert session.dropped() == [4, 5, 6, 8, 9, 10, 11, 12, 13, 14, 15]
    assert [p.setups for p in seen[:14]] == list(range(1, 15))
    assert seen[-1] == bs.Progress("masked input", 16, 14, 3, 0, federation.config.quorum, 0)
    assert session.round_context is not None and session.round_context[:2] == b"\0\0"


def test_every_dtype_and_layout_masks_alike(federation) -> None:
    """What goes in is the same numbers, so the same mean comes out, whatever the caller's arrays look like."""
    session = federation.begin(1)
    values = np.linspace(-0.75, 0.75, 18).astype(ml_dtypes.bfloat16).astype(np.float32)
    held = values.astype(np.float16).astype(ml_dtypes.bfloat16).astype(np.float32)
    forms = [held.astype(d) for d in DTYPES]
    strided = np.repeat(held, 2)[::2]
    strided.flags.writeable = False
    swapped = held.astype(">f4")
    structures = [*forms, strided, swapped, [held[:15].reshape(5, 3), held[15:]], {"x": held[:7], "y": held[7:]}]
    for slot in range(CLIENTS):
        session.absorb(federation.mask(session, slot, update=structures[slot % len(structures)], weight=50))
    session.close_posting()
    for slot in range(CLIENTS):
        session.absorb(federation.client(slot).sign_digest(session.digest_request(slot)))
    for slot in range(CLIENTS):
        session.absorb(federation.client(slot).unmask(session.unmask_request(slot)))
    opening = session.finish(federation.engine, federation.bases).opening
    assert opening is not None
    assert np.abs(opening.mean(federation.parameters) - held).max() <= 2 / (2**15 - 1)


def test_a_bad_contribution_names_its_slot_and_changes_nothing(federation) -> None:
    session = federation.begin(1)
    message = bytearray(federation.mask(session, 6))
    message[-1] ^= 1
    with pytest.raises(bs.BadContribution) as caught:
        session.absorb(bytes(message))
    assert (caught.value.slot, caught.value.reason) == (6, "WrongWords") and "6" in str(caught.value)
    assert session.posted() == []
    message[-1] ^= 1
    assert session.absorb(bytes(message)).slot == 6
    with pytest.raises(bs.BadContribution) as caught:
        session.absorb(bytes(message))
    assert caught.value.reason == "Duplicate"
    for garbage in (b"", b"BSUM", bytes(100), bytes(message[:50])):
        with pytest.raises(bs.DecodeError):
            session.absorb(garbage)


def test_too_early_and_out_of_turn_are_misuse(federation) -> None:
    session = federation.begin(1)
    for verb in (session.digest_request, session.unmask_request):
        with pytest.raises(bs.Misuse):
            verb(0)
    with pytest.raises(bs.Misuse):
        session.finish(federation.engine, federation.bases)
    with pytest.raises(bs.Misuse):
        session.confirm_posted(bytes(32))


@pytest.mark.parametrize(
    ("update", "weight", "reason"),
    [
        (np.full(18, np.nan, np.float32), 10, "NotFinite"),
        (np.full(18, 1e300), 10, "NotFinite"),
        (np.full(18, -np.inf, np.float16), 10, "NotFinite"),
        (np.zeros(18, np.float32), 0, "OutOfRange"),
        (np.zeros(18, np.float32), 101, "OutOfRange"),
        (np.zeros(17, np.float32), 10, None),
    ],
    ids=["nan", "overflow", "infinity", "no weight", "heavy", "short"],
)
def test_what_cannot_be_quantised_is_misuse_and_spends_nothing(federation, update, weight, reason) -> None:
    session = federation.begin(1)
    with pytest.raises(bs.Misuse) as caught:
        federation.mask(session, 4, update=update, weight=weight)
    assert reason is None or caught.value.reason == reason
    assert session.absorb(federation.mask(session, 4)).slot == 4


def test_clipping_is_counted(federation) -> None:
    session = federation.begin(1)
    client = federation.client(3)
    update = np.zeros(18, np.float32)
    update[[1, 5]] = 4.0, -8.0
    assert client.clipping is None
    client.mask(session.mask_request(3), update, 10, model=MODEL, parameters=federation.parameters, bases=federation.bases, engine=federation.engine)
    assert client.clipping == bs.ClippingReport(2, 18, 8.0) and client.clipping.fraction == 2 / 18


def test_the_gil_is_released_while_proving(finished: Finished) -> None:
    """Another Python thread counts on while a proof is made; holding the GIL it could not count at all."""
    ticks = 0
    done = threading.Event()

    def count() -> None:
        nonlocal ticks
        while not done.wait(0.001):
            ticks += 1

    counter = threading.Thread(target=count)
    counter.start()
    time.sleep(0.05)
    before, started = ticks, time.perf_counter()
    bs.prove(finished.proving_key, finished.federation.roster, finished.outcome)
    took, during = time.perf_counter() - started, ticks - before
    done.set()
    counter.join()
    assert took > 0.02, "too fast to tell"
    assert during >= min(10, took / 0.02)


def test_a_proof_tells_its_stages_and_can_be_stopped(finished: Finished) -> None:
    seen: list[tuple[str, float]] = []
    arguments = (finished.proving_key, finished.federation.roster, finished.outcome)
    certificate = bs.prove(*arguments, engine=finished.federation.engine, progress=lambda *event: seen.append(event))
    finished.verifier.verify(finished.record, certificate)
    stages, fractions = [stage for stage, _ in seen], [fraction for _, fraction in seen]
    assert stages[0] == "synthesis" and stages[-1] == "done" and "quotient" in stages
    assert fractions[0] == 0.0 and fractions[-1] == 1.0 and fractions == sorted(set(fractions))

    class Enough(Exception):
        pass

    def stop(stage: str, fraction: float) -> None:
        if stage == "quotient":
            raise Enough(stage)

    with pytest.raises(Enough, match="quotient"):
        bs.prove(*arguments, progress=stop)
    with pytest.raises(TypeError):
        bs.prove(*arguments, progress=lambda: None)
