"""The aggregator's side of a round."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from . import _arrays, _native

Phase: TypeAlias = Literal["setup", "masked input", "agreement", "release"]
MessageKind: TypeAlias = Literal["setup", "masked input", "digest signature", "release"]


@dataclass(frozen=True)
class Absorbed:
    """What a message added: its kind, the client, and the slots it names (dealers complained of, or of wrong shares)."""

    kind: MessageKind
    slot: int
    about: tuple[int, ...] = ()


@dataclass(frozen=True)
class Progress:
    """How far a session is."""

    phase: Phase
    clients: int
    setups: int
    posted: int
    digest_signatures: int
    digest_quorum: int
    releases: int


class Aggregator:
    """The aggregator of one cohort in one round: it collects, adds, and opens sums only.

    `absorb` takes whatever clients send, in any order; the `*_request` verbs make what is sent to them. A message that must not
    count raises `BadContribution` with the slot and changes nothing. Memory is one vector per group: masked inputs are added and
    let go.
    """

    def __init__(
        self,
        parameters: _native.SetupParameters,
        roster: _native.Roster,
        key: _native.SecretKey,
        *,
        progress: Callable[[Progress], object] | None = None,
    ) -> None:
        """A session of the holder of `key`. `progress` is called after every message that was taken."""
        self._session = _native.AggregatorSession(parameters, roster, key)
        self._progress = progress

    def setup_request(self, slot: int, share_keys: _native.ShareKeys) -> bytes:
        """Exchange 1: asks the client in `slot` for a setup."""
        return self._session.setup_request(slot, share_keys)

    def close_setup(self, model: _arrays.Arrays | bytes, parameters: _native.RoundParameters) -> None:
        """Fixes the list of setups, and with the model (or its digest) and the parameters the round's context."""
        self._session.close_setup(_arrays.digest(model), parameters)

    def teach(self, share_keys: _native.ShareKeys) -> None:
        """Gives `share_keys` the keys that this round's setups announce, for the next round."""
        share_keys.learn(self._session)

    def mask_request(self, slot: int) -> bytes:
        """Exchange 2: asks the client in `slot` for its masked input."""
        return self._session.mask_request(slot)

    def close_posting(self) -> bytes:
        """Fixes who is in, and returns the survivor digest. Whoever has set up and not posted is dropped from here on."""
        return self._session.close_posting()

    def confirm_posted(self, digest: bytes) -> None:
        """Chain mode: the digest is on the chain."""
        self._session.confirm_posted(digest)

    def digest_request(self, slot: int) -> bytes:
        """Strict mode: asks the client in `slot` to sign the survivor digest."""
        return self._session.digest_request(slot)

    def unmask_request(self, slot: int) -> bytes:
        """Exchange 3: asks the client in `slot` to release its shares."""
        return self._session.unmask_request(slot)

    def absorb(self, message: bytes) -> Absorbed:
        """Takes one message of a client: setup, masked input, digest signature or release."""
        kind, slot, about = self._session.absorb(message)
        if self._progress is not None:
            self._progress(self.progress())
        return Absorbed(kind, slot, tuple(about))

    def finish(self, engine: _native.Engine, bases: _native.Bases, *, at_deadline: bool = False) -> _native.Outcome:
        """Removes the masks and opens the sums.

        Raises `Misuse` (`TooEarly`) while a group lacks releases that may still come; `at_deadline` counts it as failed instead.
        """
        return self._session.finish(engine, bases, at_deadline)

    def dropped(self) -> list[int]:
        """Slots with a setup and without a masked input, lowest first."""
        return self._session.dropped()

    def absent(self) -> list[int]:
        """Slots with a client and without a setup, lowest first."""
        return self._session.absent()

    def posted(self) -> list[int]:
        """Slots whose masked input is in a sum, lowest first."""
        return self._session.posted()

    def released(self) -> list[int]:
        """Slots whose release was taken, lowest first."""
        return self._session.released()

    def progress(self) -> Progress:
        """How far the session is."""
        return Progress(**self._session.progress())

    @property
    def phase(self) -> Phase:
        """Where the session stands."""
        return self._session.phase()

    @property
    def round_context(self) -> bytes | None:
        """The context of the round, 32 bytes; None until setup is closed."""
        return self._session.round_context()

    @property
    def record(self) -> _native.Record | None:
        """What a verifier keeps of this round, from the survivor digest; None until posting is closed.

        With a chain the contract keeps it. Without one, take it from the digest that the clients signed, before any share was
        released; a verifier that takes it from the aggregator afterwards trusts the aggregator.
        """
        return self._session.record()

    def __repr__(self) -> str:
        return f"Aggregator({self.phase}, {len(self.posted())} posted)"


def mean(opening: _native.Opening, parameters: _native.RoundParameters, like: _arrays.Arrays) -> _arrays.Arrays:
    """The weighted mean of the updates behind an opening, in the structure, shapes and dtypes of `like`.

    Raises `Misuse` (`LengthMismatch`) if `like` has another number of coordinates than the round.
    """
    return _arrays.structure(like).restore(opening.mean(parameters))


def dimension(like: _arrays.Arrays) -> int:
    """Number of coordinates of a round over updates like this one: its elements, and one for the weight."""
    return _arrays.structure(like).size + 1

