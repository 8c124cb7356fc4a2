"""A small federation of 16 clients, and one finished round of it, shared by the tests."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

import blindsum as bs

SEED = 0xB5
CLIENTS = 16
WEIGHTS = [10 + slot for slot in range(CLIENTS)]
SHAPES = {"w": (5, 3), "b": (3,)}


@dataclass
class Federation:
    """Keys, roster and configuration; `client(slot)` wakes a client from its stored bytes."""

    engine: bs.Engine
    bases: bs.Bases
    key: bs.SecretKey
    keys: list[bs.SecretKey]
    roster: bs.Roster
    config: bs.CohortConfig
    parameters: bs.RoundParameters
    share_keys: bs.ShareKeys
    states: dict[int, bytes] = field(default_factory=dict)

    def client(self, slot: int, **policy) -> bs.Client:
        return bs.Client(
            self.keys[slot],
            self.roster,
            mode=policy.pop("mode", "strict"),
            aggregator=self.key.public,
            journal=policy.pop("journal", lambda state: self.states.__setitem__(slot, state)),
            state=self.states.get(slot),
            **policy,
        )

    def update(self, slot: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([SEED, slot])
        return {name: rng.uniform(-0.9, 0.9, shape).astype(np.float32) for name, shape in SHAPES.items()}

    def begin(self, number: int, there=range(CLIENTS), progress=None) -> bs.Aggregator:
        """A session whose setup is closed."""
        setup = bs.SetupParameters(self.config, self.roster, epoch=1, round=number)
        session = bs.Aggregator(setup, self.roster, self.key, progress=progress)
        for slot in there:
            session.absorb(self.client(slot).setup(session.setup_request(slot, self.share_keys)))
        session.close_setup(MODEL, self.parameters)
        session.teach(self.share_keys)
        return session

    def mask(self, session: bs.Aggregator, slot: int, update=None, weight=None) -> bytes:
        return self.client(slot).mask(
            session.mask_request(slot),
            self.update(slot) if update is None else update,
            WEIGHTS[slot] if weight is None else weight,
            model=MODEL,
            parameters=self.parameters,
            bases=self.bases,
            engine=self.engine,
        )


MODEL = {name: np.zeros(shape, np.float32) for name, shape in SHAPES.items()}


def make_federation() -> Federation:
    keys = [bs.SecretKey.generate() for _ in range(CLIENTS)]
    key = bs.SecretKey.generate()
    roster = bs.Roster([bs.check_registration(bs.register(k)) for k in keys])
    dimension = bs.dimension(MODEL)
    made = Federation(
        engine=bs.Engine("cpu"),
        bases=bs.Bases(dimension),
        key=key,
        keys=keys,
        roster=roster,
        config=bs.CohortConfig(roster, mode="strict", threshold=10, floor=11, corrupt=3),
        parameters=bs.RoundParameters(key.public, dimension=dimension, clip=1.0, w_max=100),
        share_keys=bs.ShareKeys(1),
    )
    for slot in range(CLIENTS):
        assert made.share_keys.enrol(made.client(slot).enrol(1), roster) == slot
    return made


@dataclass
class Finished:
    """A round from setup to certificate: slot 5 absent, slot 9 dropped after setup, slot 2 silent after its masked input."""

    federation: Federation
    record: bs.Record
    outcome: bs.Outcome
    opening: bs.Opening
    certificate: bs.Certificate
    verifier: bs.Verifier
    proving_key: bs.ProvingKey
    posted: list[int]


@pytest.fixture
def federation() -> Federation:
    return make_federation()


@pytest.fixture(scope="session")
def finished() -> Finished:
    own = make_federation()
    session = own.begin(1, [s for s in range(CLIENTS) if s != 5])
    posted = [s for s in range(CLIENTS) if s not in (5, 9)]
    for slot in posted:
        session.absorb(own.mask(session, slot))
    session.close_posting()
    record = session.record
    releasing = [s for s in posted if s != 2]
    for slot in releasing:
        session.absorb(own.client(slot).sign_digest(session.digest_request(slot)))
    for slot in releasing:
        session.absorb(own.client(slot).unmask(session.unmask_request(slot)))
    outcome = session.finish(own.engine, own.bases)
    proving_key = bs.ProvingKey.cached_development(CLIENTS)
    certificate = bs.prove(proving_key, own.roster, outcome)
    verifier = bs.Verifier(proving_key.verifying_key, allow_development=True)
    assert record is not None and outcome.opening is not None
    return Finished(own, record, outcome, outcome.opening, certificate, verifier, proving_key, posted)
