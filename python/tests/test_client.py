"""A client's durable state: stored before anything leaves, one answer per request, one way."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import blindsum as bs
from conftest import CLIENTS, MODEL


def masked(federation, session, client, slot=0):
    return client.mask(
        session.mask_request(slot),
        federation.update(slot),
        10,
        model=MODEL,
        parameters=federation.parameters,
        bases=federation.bases,
        engine=federation.engine,
    )


def test_nothing_is_returned_before_it_was_stored(federation) -> None:
    log: list[str] = []

    def store(state: bytes) -> None:
        federation.states[0] = state
        log.append("stored")

    session = federation.begin(1, range(1, CLIENTS))
    setup = bs.SetupParameters(federation.config, federation.roster, epoch=1, round=2)
    session = bs.Aggregator(setup, federation.roster, federation.key)
    client = federation.client(0, journal=store)
    client.setup(session.setup_request(0, federation.share_keys))
    log.append("returned")
    assert log[0] == "stored" and log[-1] == "returned"
    assert client.to_bytes() == federation.states[0]


def test_a_journal_that_fails_stops_the_message(federation) -> None:
    session = bs.Aggregator(
        bs.SetupParameters(federation.config, federation.roster, epoch=1, round=1), federation.roster, federation.key
    )

    def full(state: bytes) -> None:
        raise OSError("no space left on device")

    with pytest.raises(bs.JournalError) as caught:
        federation.client(0, journal=full).setup(session.setup_request(0, federation.share_keys))
    assert "no space left" in str(caught.value)


def test_the_same_request_gets_the_same_bytes_and_another_burns(federation) -> None:
    session = federation.begin(1)
    first = masked(federation, session, federation.client(0))
    assert masked(federation, session, federation.client(0)) == first
    other = bs.Aggregator(bs.SetupParameters(federation.config, federation.roster, epoch=1, round=1), federation.roster, federation.key)
    with pytest.raises(bs.BlindsumError):
        other.mask_request(0)


def test_another_model_is_refused(federation) -> None:
    session = federation.begin(1)
    changed = {name: array.copy() for name, array in MODEL.items()}
    changed["w"][0, 0] = np.nextafter(np.float32(0), np.float32(1))
    with pytest.raises(bs.Refused) as caught:
        federation.client(0).mask(
            session.mask_request(0), federation.update(0), 10, model=changed,
            parameters=federation.parameters, bases=federation.bases, engine=federation.engine,
        )
    assert caught.value.reason == "OtherModel"


def test_a_policy_of_the_clients_own_refuses_weak_cohorts(federation) -> None:
    session = bs.Aggregator(bs.SetupParameters(federation.config, federation.roster, epoch=1, round=1), federation.roster, federation.key)
    request = session.setup_request(0, federation.share_keys)
    for policy, reason in (
        ({"min_group": 17}, "SmallGroup"),
        ({"min_honest": 9}, "PrivacyFloor"),
        ({"mode": "curious"}, "Mode"),
    ):
        with pytest.raises(bs.Refused) as caught:
            federation.client(0, **policy).setup(request)
        assert caught.value.reason == reason
    assert federation.client(0, min_group=16, min_honest=8, min_corrupt=3).setup(request)


def test_a_file_journal_resumes_and_notices_a_rollback(federation, tmp_path) -> None:
    path = tmp_path / "client.state"
    federation.states.pop(0)
    client = federation.client(0, journal=path)
    federation.share_keys = bs.ShareKeys(1)
    for slot in range(1, CLIENTS):
        federation.share_keys.enrol(federation.client(slot).enrol(1), federation.roster)
    federation.share_keys.enrol(client.enrol(1), federation.roster)
    old = path.read_bytes()
    session = bs.Aggregator(bs.SetupParameters(federation.config, federation.roster, epoch=1, round=1), federation.roster, federation.key)
    request = session.setup_request(0, federation.share_keys)
    setup = client.setup(request)
    del client
    assert federation.client(0, journal=str(path)).setup(request) == setup
    path.write_bytes(old)
    with pytest.raises(bs.JournalError) as caught:
        federation.client(0, journal=(path, str(path) + ".marker"))
    assert caught.value.reason == "RolledBack"


def test_a_client_shows_nothing_and_cannot_be_pickled(federation) -> None:
    client = federation.client(0)
    assert repr(client) == "Client(slot 0)"
    for attempt in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError):
            attempt(client)
    assert repr(bs.MemoryJournal(b"secret")) == "MemoryJournal(..)"


def test_memory_journals_and_from_bytes_are_the_same_client(federation) -> None:
    journal = bs.MemoryJournal(federation.states[2])
    own = bs.Client(federation.keys[2], federation.roster, mode="strict", aggregator=federation.key.public, journal=journal)
    again = bs.Client.from_bytes(
        own.to_bytes(), federation.keys[2], federation.roster, mode="strict", aggregator=federation.key.public, journal=journal.store
    )
    assert own.enrol(1) == again.enrol(1)
    with pytest.raises(TypeError):
        bs.Client(federation.keys[2], federation.roster, mode="strict", aggregator=federation.key.public, journal=journal, state=b"")


def test_a_foreign_state_or_a_stranger_is_misuse(federation) -> None:
    with pytest.raises(bs.Misuse) as caught:
        bs.Client(
            federation.keys[1], federation.roster, mode="strict", aggregator=federation.key.public,
            journal=bs.MemoryJournal(federation.states[0]),
        )
    assert caught.value.reason == "ForeignState"
    with pytest.raises(bs.Misuse) as caught:
        bs.Client(bs.SecretKey.generate(), federation.roster, mode="strict", aggregator=federation.key.public, journal=bs.MemoryJournal())
    assert caught.value.reason == "NotInRoster"


def test_a_call_from_its_own_journal_is_misuse_and_not_a_deadlock(federation) -> None:
    caught: list[str] = []

    def store(state: bytes) -> None:
        federation.states[0] = state
        try:
            client.to_bytes()
        except bs.Misuse as error:
            caught.append(error.reason)

    session = bs.Aggregator(bs.SetupParameters(federation.config, federation.roster, epoch=1, round=1), federation.roster, federation.key)
    client = federation.client(0, journal=store)
    assert client.setup(session.setup_request(0, federation.share_keys)) and client.slot == 0
    assert caught and set(caught) == {"Busy"}


def test_clients_and_the_aggregator_work_from_many_threads(federation) -> None:
    session = federation.begin(1)
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda slot: session.absorb(federation.mask(session, slot)).slot, range(CLIENTS)))
    assert done == list(range(CLIENTS)) and session.posted() == done
