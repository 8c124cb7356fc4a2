"""The client's side of a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike, fspath
from typing import Literal, Protocol, TypeAlias

from . import _arrays, _native

Mode: TypeAlias = Literal["chain", "strict", "curious"]


class Journal(Protocol):
    """Durable storage of a client's state. What it holds is secret and must never be rolled back."""

    def store(self, state: bytes, /) -> None:
        """Keeps `state` in place of the last one; returns once it would survive a crash. Raising stops the client's message."""

    def load(self) -> bytes | None:
        """The last state, or None before the first."""


class MemoryJournal:
    """A journal in memory: for tests, and for callers that keep the bytes themselves. It cannot notice a rollback."""

    def __init__(self, state: bytes | None = None) -> None:
        self._state = state

    def store(self, state: bytes, /) -> None:
        """Keeps `state`."""
        self._state = state

    def load(self) -> bytes | None:
        """The last state."""
        return self._state

    def __repr__(self) -> str:
        return "MemoryJournal(..)"


class _CallableJournal:
    def __init__(self, store: Callable[[bytes], object], state: bytes | None) -> None:
        self._store, self._state = store, state

    def store(self, state: bytes, /) -> None:
        self._store(state)

    def load(self) -> bytes | None:
        return self._state

    def __repr__(self) -> str:
        return "Journal(..)"


JournalLike: TypeAlias = str | PathLike[str] | tuple[str | PathLike[str], str | PathLike[str]] | Callable[[bytes], object] | Journal
"""Where a client's state goes: a file (its marker beside it, with `.marker`), a (state, marker) pair of files, a callable that
stores bytes, or an object with `store` and `load`."""


@dataclass(frozen=True)
class ClippingReport:
    """What clipping did to an update. It is the client's own: nothing of it is sent."""

    clipped: int
    elements: int
    largest: float

    @property
    def fraction(self) -> float:
        """Share of the coordinates that were clipped."""
        return self.clipped / self.elements if self.elements else 0.0


@dataclass(frozen=True)
class ChainView:
    """The survivor digest as the client's own provider reads it from the chain."""

    digest: bytes
    is_final: bool
    posting_closed: bool


class Client:
    """One client of a cohort.

    Each verb takes the aggregator's request and returns the message that answers it. **Nothing is returned before the state was
    stored in the journal**: a client that crashes resumes from there, gives the same answer to the same request, and refuses any
    other. The policy (mode, smallest group, honest members in any sum) is the client's own; a request that violates it raises
    `Refused`.
    """

    def __init__(
        self,
        key: _native.SecretKey,
        roster: _native.Roster,
        *,
        mode: Mode,
        aggregator: bytes,
        journal: JournalLike,
        state: bytes | None = None,
        min_group: int = 3,
        min_honest: int = 2,
        min_corrupt: int = 0,
        second_release: bool = False,
        chain_id: int = 0,
        contract: bytes | None = None,
    ) -> None:
        """Opens the client of `key` with what its journal holds.

        `state` resumes a client whose journal is a callable. `min_corrupt` is the number of corrupt members that its group must
        withstand. Raises `JournalError` for a state that was rolled back.
        """
        store: object
        match journal:
            case str() | PathLike():
                path = fspath(journal)
                store = (path, path + ".marker")
            case (state_path, marker_path):
                store = (fspath(state_path), fspath(marker_path))
            case _ if hasattr(journal, "store") and hasattr(journal, "load"):
                store = journal
            case _ if callable(journal):
                store = _CallableJournal(journal, state)
            case _:
                raise TypeError(f"a journal is a path, a callable or an object with store and load, not {type(journal).__name__}")
        if state is not None and not isinstance(store, _CallableJournal):
            raise TypeError("state goes with a callable journal only: the others hold their own")
        self._session = _native.ClientSession(
            key,
            roster,
            mode=mode,
            aggregator=aggregator,
            journal=store,
            min_group=min_group,
            min_honest=min_honest,
            min_corrupt=min_corrupt,
            second_release=second_release,
            chain_id=chain_id,
            contract=contract,
        )
        self._clipping: ClippingReport | None = None

    @classmethod
    def from_bytes(
        cls,
        state: bytes,
        key: _native.SecretKey,
        roster: _native.Roster,
        *,
        mode: Mode,
        aggregator: bytes,
        journal: Callable[[bytes], object],
        min_group: int = 3,
        min_honest: int = 2,
        min_corrupt: int = 0,
        second_release: bool = False,
        chain_id: int = 0,
        contract: bytes | None = None,
    ) -> Client:
        """The client whose newest state is `state`: for frameworks that serve every message in a new process."""
        return cls(
            key,
            roster,
            mode=mode,
            aggregator=aggregator,
            journal=journal,
            state=state,
            min_group=min_group,
            min_honest=min_honest,
            min_corrupt=min_corrupt,
            second_release=second_release,
            chain_id=chain_id,
            contract=contract,
        )

    def to_bytes(self) -> bytes:
        """The whole state, as the journal was last given it. Secret; an old copy must never be used again."""
        return self._session.to_bytes()

    @property
    def slot(self) -> int:
        """The client's slot in the roster."""
        return self._session.slot()

    @property
    def clipping(self) -> ClippingReport | None:
        """What clipping did in the last `mask`; None before it."""
        return self._clipping

    def enrol(self, epoch: int = 0) -> bytes:
        """The signed share-encryption key of an epoch: sent once, when the roster is drawn."""
        return self._session.enrol(epoch)

    def setup(self, request: bytes) -> bytes:
        """Exchange 1: deals the shares of this round's secrets."""
        return self._session.setup(request)

    def mask(
        self,
        request: bytes,
        update: _arrays.Arrays,
        weight: int,
        *,
        model: _arrays.Arrays | bytes,
        parameters: _native.RoundParameters,
        bases: _native.Bases,
        engine: _native.Engine,
    ) -> bytes:
        """Exchange 2: quantises, commits, signs and masks `update` with its integer `weight`.

        `model` is the model that the client trained on (or its `model_digest`) and `parameters` are what it expects: a request
        that names others is refused. Raises `Misuse` for NaN, infinity and weights out of range, `UnsupportedType` for arrays
        that are not of floats.
        """
        flat, _ = _arrays.flatten(update)
        try:
            message, clipping = self._session.mask(
                request, flat, weight, _arrays.digest(model), parameters, bases, engine
            )
        finally:
            flat.fill(0.0)
        self._clipping = ClippingReport(*clipping)
        return message

    def sign_digest(self, request: bytes) -> bytes:
        """Strict mode, between 2 and 3: signs the survivor digest, one per round."""
        return self._session.sign_digest(request)

    def unmask(self, request: bytes, *, chain: ChainView | None = None) -> bytes:
        """Exchange 3: releases one kind of share of each peer, once. `chain` is for chain mode, and required there."""
        view = None if chain is None else (chain.digest, chain.is_final, chain.posting_closed)
        return self._session.unmask(request, view)

    def attest_opened(
        self,
        certificate: _native.Certificate,
        opening: _native.Opening,
        *,
        parameters: _native.RoundParameters,
        bases: _native.Bases,
        engine: _native.Engine | None = None,
    ) -> bytes:
        """After the round: checks that the published sum opens the (verified) certificate's commitment and is in range, and says so,
        signed. A certificate does not show that anybody knows the sum; payment waits for a threshold of these.
        Checks on the CPU unless there is an `engine`.

        Raises `Refused` (`DoesNotOpen`, or a round that this client took no part in).
        """
        return self._session.attest_opened(certificate, opening, parameters, bases, engine)

    def __repr__(self) -> str:
        return f"Client(slot {self.slot})"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Client holds secrets and cannot be pickled; its journal holds its state")
