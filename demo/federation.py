"""One federation: a roster, its clients, an aggregator, and the rounds that they run, over blindsum's public API only.

Clients answer each message from their stored state alone, as they do where a framework serves every message in a new process:
between messages nothing of a client exists but the bytes that its journal was given.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import blindsum as bs
import numpy as np
from digits import Parameters
from display import Display

EPOCH = 1
BITS = 16


@dataclass(frozen=True)
class Absences:
    """Who vanishes when, by slot. Whoever vanishes is back in the next round."""

    before_setup: frozenset[int] = frozenset()
    after_setup: frozenset[int] = frozenset()
    after_mask: frozenset[int] = frozenset()
    after_digest: frozenset[int] = frozenset()

    def state(self, slot: int) -> str:
        """The word for this client in reports."""
        if slot in self.before_setup:
            return "absent"
        for name in ("after_setup", "after_mask", "after_digest"):
            if slot in getattr(self, name):
                return name
        return "full"


class Phone:
    """A client's device: its key, and the state that its journal was last given."""

    def __init__(self, roster: bs.Roster, key: bs.SecretKey, aggregator: bytes, config: bs.CohortConfig) -> None:
        self.roster, self.key, self.aggregator, self.config = roster, key, aggregator, config
        self.state: bytes | None = None
        self.writes = 0

    def _store(self, state: bytes) -> None:
        self.state = state
        self.writes += 1

    def wake(self) -> bs.Client:
        """A session made from the stored bytes alone. Its policy is the client's own, whatever the aggregator asks."""
        return bs.Client(
            self.key,
            self.roster,
            mode="strict",
            aggregator=self.aggregator,
            journal=self._store,
            state=self.state,
            min_group=16,
            min_honest=8,
            min_corrupt=3,
        )


@dataclass
class Round:
    """Everything that a round leaves behind."""

    number: int
    setup: bs.SetupParameters
    parameters: bs.RoundParameters
    model_digest: bytes
    record: bs.Record
    outcome: bs.Outcome
    opening: bs.Opening
    certificate: bs.Certificate
    posted: list[int]
    released: list[int]
    clipped: int
    seconds: dict[str, float] = field(default_factory=dict)
    bytes_up: dict[str, float] = field(default_factory=dict)
    messages: dict[str, dict[int, bytes]] = field(default_factory=dict)


class Federation:
    """A roster of clients and an aggregator that run round after round."""

    def __init__(self, clients: int, parameters: int, clip: float, w_max: int, display: Display) -> None:
        """Registers the clients, draws the roster, enrols everybody, and gets the bases and the proving key."""
        self.display = display
        self.engine = bs.Engine("cpu")
        self.aggregator_key = bs.SecretKey.generate()
        keys = [bs.SecretKey.generate() for _ in range(clients)]
        self.roster = bs.Roster([bs.check_registration(bs.register(key)) for key in keys])
        self.config = bs.CohortConfig(self.roster, mode="strict", threshold=10, floor=11, corrupt=3)
        self.parameters = bs.RoundParameters(
            self.aggregator_key.public, dimension=parameters + 1, clip=clip, w_max=w_max, bits=BITS
        )
        self.phones = [Phone(self.roster, key, self.aggregator_key.public, self.config) for key in keys]
        self.share_keys = bs.ShareKeys(EPOCH)
        for phone in self.phones:
            self.share_keys.enrol(phone.wake().enrol(EPOCH), self.roster)
        with display.stage("commitment bases") as stage:
            self.bases = bs.Bases(parameters + 1)
            stage.note(f"{parameters + 1:,} points, hashed to the curve")
        with display.stage("proving key for 16 clients") as stage:
            self.proving_key = bs.ProvingKey.cached_development(clients)
            stage.note("DEVELOPMENT KEY: whoever makes it can forge")
        self.setup_seconds = stage.seconds
        self.verifier = bs.Verifier(self.proving_key.verifying_key, allow_development=True)

    @contextmanager
    def _stage(self, seconds: dict[str, float], name: str, label: str, steps: int = 0) -> Iterator:
        with self.display.stage(label, steps) as stage:
            yield stage
        seconds[name] = seconds.get(name, 0.0) + stage.seconds

    def run(
        self, number: int, model: Parameters, updates: dict[int, Parameters], weights: dict[int, int], away: Absences
    ) -> Round:
        """One round, from setup to a verified certificate. Raises if anything in it fails."""
        slots = list(range(self.roster.size))
        seconds: dict[str, float] = {}
        up: dict[str, dict[int, bytes]] = {m: {} for m in ("setup", "masked input", "digest signature", "release")}
        setup = bs.SetupParameters(self.config, self.roster, epoch=EPOCH, round=number)
        session = bs.Aggregator(setup, self.roster, self.aggregator_key)

        there = [s for s in slots if s not in away.before_setup]
        with self._stage(seconds, "setup", "setup", len(there)) as stage:
            for slot in there:
                message = self.phones[slot].wake().setup(session.setup_request(slot, self.share_keys))
                up["setup"][slot] = message
                session.absorb(message)
                stage.advance()
            session.close_setup(model, self.parameters)
            session.teach(self.share_keys)
            stage.note(f"{len(there)} clients dealt shares")

        there = [s for s in there if s not in away.after_setup]
        clipped = 0
        with self._stage(seconds, "mask", "quantise, commit, sign, mask, sum", len(there)) as stage:
            for slot in there:
                client = self.phones[slot].wake()
                message = client.mask(
                    session.mask_request(slot),
                    updates[slot],
                    weights[slot],
                    model=model,
                    parameters=self.parameters,
                    bases=self.bases,
                    engine=self.engine,
                )
                assert client.clipping is not None
                clipped += client.clipping.clipped
                up["masked input"][slot] = message
                session.absorb(message)
                stage.advance()
            session.close_posting()
            record = session.record
            assert record is not None
            stage.note(f"{len(there)} posted, {len(session.dropped())} dropped")
        posted = session.posted()

        there = [s for s in there if s not in away.after_mask]
        with self._stage(seconds, "digest", "agree on the survivors", len(there)) as stage:
            for slot in there:
                message = self.phones[slot].wake().sign_digest(session.digest_request(slot))
                up["digest signature"][slot] = message
                session.absorb(message)
                stage.advance()
            stage.note(f"{len(there)} signed, {self.config.quorum} are needed")

        there = [s for s in there if s not in away.after_digest]
        with self._stage(seconds, "unmask", "release shares, unmask the sum", len(there)) as stage:
            for slot in there:
                message = self.phones[slot].wake().unmask(session.unmask_request(slot))
                up["release"][slot] = message
                session.absorb(message)
                stage.advance()
            outcome = session.finish(self.engine, self.bases)
            opening = outcome.opening
            if opening is None:
                raise RuntimeError(f"round {number}: no group opened: {outcome.failed}")
            stage.note(f"{len(there)} released, masks of {len(session.dropped())} dropped clients removed")

        with self._stage(seconds, "prove", "prove") as stage:
            certificate = bs.prove(self.proving_key, self.roster, outcome, engine=self.engine)
            stage.note(f"{len(certificate.to_bytes())} bytes")

        with self._stage(seconds, "verify", "verify certificate and opening") as stage:
            certificate = bs.verify(
                self.verifier,
                record,
                certificate.to_bytes(),
                opening=bs.Opening.from_bytes(opening.to_bytes()),
                parameters=self.parameters,
                bases=self.bases,
                engine=self.engine,
            )
            stage.note(f"the sum of {len(certificate.participants)} signed vectors, and of nothing else")
        return Round(
            number=number,
            setup=setup,
            parameters=self.parameters,
            model_digest=bs.model_digest(model),
            record=record,
            outcome=outcome,
            opening=opening,
            certificate=certificate,
            posted=posted,
            released=session.released(),
            clipped=clipped,
            seconds=seconds,
            bytes_up={m: float(np.mean([len(b) for b in sent.values()])) for m, sent in up.items()},
            messages=up,
        )

    def error_bound(self, opening: bs.Opening, participants: int) -> float:
        """How far a coordinate of the mean may lie from plain FedAvg: each client rounds by less than one unit."""
        own = self.parameters
        return participants * own.weights[1] * own.clip / ((2 ** (own.bits - 1) - 1) * opening.weight)
