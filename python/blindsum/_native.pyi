"""Types of the native module. Import these names from `blindsum`."""

from collections.abc import Callable
from os import PathLike
from typing import ClassVar, Literal, TypedDict, final

import numpy as np
import numpy.typing as npt

__version__: str

_Phase = Literal["setup", "masked input", "agreement", "release"]
_Kind = Literal["setup", "masked input", "digest signature", "release"]
_Path = str | PathLike[str]

class _Progress(TypedDict):
    phase: _Phase
    clients: int
    setups: int
    posted: int
    digest_signatures: int
    digest_quorum: int
    releases: int

@final
class SecretKey:
    """A client's or an aggregator's signing key. Its `repr` shows nothing of it and it cannot be pickled."""

    @staticmethod
    def generate() -> SecretKey: ...
    @staticmethod
    def from_bytes(data: bytes) -> SecretKey: ...
    def to_bytes(self) -> bytes: ...
    @property
    def public(self) -> bytes: ...

@final
class Roster:
    """A fixed list of distinct client keys, one a slot, with its root."""

    def __new__(cls, keys: list[bytes | None] | list[bytes]) -> Roster: ...
    @property
    def size(self) -> int: ...
    @property
    def occupied(self) -> list[int]: ...
    @property
    def root(self) -> bytes: ...
    def key(self, slot: int) -> bytes | None: ...
    def slot_of(self, key: bytes) -> int | None: ...

@final
class CohortConfig:
    """The checked shape of a cohort: groups, thresholds, floors, mode. `str()` says what it guarantees."""

    def __new__(
        cls,
        roster: Roster,
        *,
        mode: Literal["chain", "strict", "curious"],
        threshold: int,
        floor: int,
        corrupt: int,
        group_width: int | None = None,
    ) -> CohortConfig: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def mode(self) -> Literal["chain", "strict", "curious"]: ...
    @property
    def clients(self) -> int: ...
    @property
    def groups(self) -> int: ...
    @property
    def group_width(self) -> int: ...
    @property
    def floors(self) -> list[int]: ...
    @property
    def quorum(self) -> int: ...
    @property
    def guaranteed_honest(self) -> int: ...

@final
class SetupParameters:
    """Everything that is fixed before setup."""

    def __new__(
        cls,
        config: CohortConfig,
        roster: Roster,
        *,
        round: int,
        epoch: int = 0,
        attempt: int = 0,
        cohort: int = 0,
        chain_id: int = 0,
        contract: bytes | None = None,
    ) -> SetupParameters: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def round(self) -> int: ...
    @property
    def epoch(self) -> int: ...
    @property
    def context(self) -> bytes: ...

@final
class RoundParameters:
    """Everything that is fixed between setup and masked input, besides the model and the setups."""

    def __new__(
        cls,
        aggregator: bytes,
        *,
        dimension: int,
        clip: float,
        w_max: int,
        w_min: int = 1,
        bits: int = 16,
        noise: tuple[float, int] | None = None,
        payee: bytes | None = None,
        deadlines: tuple[int, int, int] = ...,
    ) -> RoundParameters: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @property
    def dimension(self) -> int: ...
    @property
    def bits(self) -> int: ...
    @property
    def clip(self) -> float: ...
    @property
    def noise(self) -> tuple[float, int] | None: ...
    @property
    def weights(self) -> tuple[int, int]: ...

@final
class Engine:
    """A backend, opened once per process and shared by sessions."""

    def __new__(cls, backend: Literal["cpu", "gpu", "auto"] = "auto") -> Engine: ...
    @property
    def backend(self) -> str: ...
    @property
    def reason(self) -> str: ...

@final
class Bases:
    """The public points that vectors are committed with: derived once, cached on disk with a checksum, mapped into memory."""

    def __new__(cls, dimension: int, directory: _Path | None = None) -> Bases: ...
    @property
    def dimension(self) -> int: ...

@final
class Opening:
    """A sum of vectors and the blinding that opens its commitment, `(A, R)`. All of it is public once it is published."""

    def __new__(cls, sum: npt.NDArray[np.int64], blinding: bytes) -> Opening: ...
    __hash__: ClassVar[None]  # type: ignore[assignment]
    @staticmethod
    def from_bytes(data: bytes) -> Opening: ...
    def to_bytes(self) -> bytes: ...
    @property
    def sum(self) -> npt.NDArray[np.int64]: ...
    @property
    def blinding(self) -> bytes: ...
    @property
    def dimension(self) -> int: ...
    @property
    def weight(self) -> int: ...
    def commitment(self, bases: Bases, *, engine: Engine | None = None) -> bytes: ...
    def mean(self, parameters: RoundParameters) -> npt.NDArray[np.float64]: ...

@final
class ShareKeys:
    """The newest share-encryption key of every client of a roster. It outlives the sessions of an epoch."""

    def __new__(cls, epoch: int = 0) -> ShareKeys: ...
    def enrol(self, message: bytes, roster: Roster) -> int: ...
    def learn(self, session: AggregatorSession) -> None: ...
    @property
    def known(self) -> list[int]: ...

@final
class ClientSession:
    """One client of a cohort. Every verb stores the client's state before it returns what is to be sent."""

    def __new__(
        cls,
        key: SecretKey,
        roster: Roster,
        *,
        mode: str,
        aggregator: bytes,
        journal: object,
        min_group: int,
        min_honest: int,
        min_corrupt: int,
        second_release: bool,
        chain_id: int,
        contract: bytes | None,
    ) -> ClientSession: ...
    def slot(self) -> int: ...
    def enrol(self, epoch: int) -> bytes: ...
    def setup(self, request: bytes) -> bytes: ...
    def mask(
        self,
        request: bytes,
        update: npt.NDArray[np.float32],
        weight: int,
        model: bytes,
        parameters: RoundParameters,
        bases: Bases,
        engine: Engine,
    ) -> tuple[bytes, tuple[int, int, float]]: ...
    def sign_digest(self, request: bytes) -> bytes: ...
    def unmask(self, request: bytes, chain: tuple[bytes, bool, bool] | None) -> bytes: ...
    def attest_opened(
        self,
        certificate: Certificate,
        opening: Opening,
        parameters: RoundParameters,
        bases: Bases,
        engine: Engine | None = None,
    ) -> bytes: ...
    def to_bytes(self) -> bytes: ...

@final
class AggregatorSession:
    """The aggregator of one cohort in one round: it takes clients' messages, adds, and opens sums only."""

    def __new__(cls, parameters: SetupParameters, roster: Roster, key: SecretKey) -> AggregatorSession: ...
    def setup_request(self, slot: int, share_keys: ShareKeys) -> bytes: ...
    def mask_request(self, slot: int) -> bytes: ...
    def digest_request(self, slot: int) -> bytes: ...
    def unmask_request(self, slot: int) -> bytes: ...
    def absorb(self, message: bytes) -> tuple[_Kind, int, list[int]]: ...
    def close_setup(self, model: bytes, parameters: RoundParameters) -> None: ...
    def close_posting(self) -> bytes: ...
    def confirm_posted(self, digest: bytes) -> None: ...
    def finish(self, engine: Engine, bases: Bases, at_deadline: bool) -> Outcome: ...
    def dropped(self) -> list[int]: ...
    def absent(self) -> list[int]: ...
    def posted(self) -> list[int]: ...
    def released(self) -> list[int]: ...
    def phase(self) -> _Phase: ...
    def progress(self) -> _Progress: ...
    def round_context(self) -> bytes | None: ...
    def record(self) -> Record | None: ...

@final
class Outcome:
    """The end of a round: who is in the sum, the sum itself, and what a proof needs. It holds sums and signed points only."""

    @property
    def opening(self) -> Opening | None: ...
    @property
    def participants(self) -> list[int]: ...
    @property
    def posted(self) -> list[int]: ...
    @property
    def commitment(self) -> bytes | None: ...
    @property
    def round_context(self) -> bytes: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def leaves_root(self) -> bytes: ...
    @property
    def leaves(self) -> list[bytes]: ...
    @property
    def signed(self) -> list[tuple[int, bytes]]: ...
    @property
    def failed(self) -> list[tuple[int, list[int], str]]: ...
    @property
    def blames(self) -> list[tuple[int, str, bytes]]: ...

@final
class ProvingKey:
    """The key that certificates of one cohort size are made with."""

    @staticmethod
    def development(slots: int) -> ProvingKey: ...
    @staticmethod
    def cached_development(slots: int, directory: _Path | None = None) -> ProvingKey: ...
    @staticmethod
    def load(path: _Path, slots: int) -> ProvingKey: ...
    def check(self) -> None: ...
    def store(self, path: _Path) -> None: ...
    @property
    def verifying_key(self) -> VerifyingKey: ...
    @property
    def is_development(self) -> bool: ...
    @property
    def size(self) -> int: ...

@final
class Certificate:
    """A claim that a cohort's sum is the sum of signed vectors, with its proof. Reading one checks its form only."""

    __hash__: ClassVar[None]  # type: ignore[assignment]
    @staticmethod
    def from_bytes(data: bytes) -> Certificate: ...
    def to_bytes(self) -> bytes: ...
    @property
    def development(self) -> bool: ...
    @property
    def key_id(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def roster_root(self) -> bytes: ...
    @property
    def round_context(self) -> bytes: ...
    @property
    def participants(self) -> list[int]: ...
    @property
    def leaves_root(self) -> bytes: ...
    @property
    def commitment(self) -> bytes: ...
    def with_claims(
        self,
        *,
        roster_root: bytes | None = None,
        round_context: bytes | None = None,
        participants: list[int] | None = None,
        leaves_root: bytes | None = None,
        commitment: bytes | None = None,
    ) -> Certificate: ...

@final
class Record:
    """What the verifier's caller knows of a cohort from its own records, never from a certificate."""

    def __new__(
        cls,
        *,
        roster: Roster,
        round_context: bytes,
        leaves_root: bytes,
        posted: list[int],
        group_width: int,
        floors: list[int],
    ) -> Record: ...
    @staticmethod
    def from_registry(
        *,
        roster_root: bytes,
        occupied: list[int],
        round_context: bytes,
        leaves_root: bytes,
        posted: list[int],
        group_width: int,
        floors: list[int],
    ) -> Record: ...
    @property
    def round_context(self) -> bytes: ...
    @property
    def posted(self) -> list[int]: ...

@final
class VerifyingKey:
    """The key that certificates of one cohort size are verified under."""

    __hash__: ClassVar[None]  # type: ignore[assignment]
    @staticmethod
    def from_bytes(data: bytes) -> VerifyingKey: ...
    def to_bytes(self) -> bytes: ...
    @property
    def key_id(self) -> bytes: ...
    @property
    def development(self) -> bool: ...
    @property
    def size(self) -> int: ...

@final
class Verifier:
    """Verifies certificates under one key. Refuses development keys unless they are allowed by name."""

    def __new__(cls, key: VerifyingKey, *, allow_development: bool = False) -> Verifier: ...
    def verify(self, record: Record, certificate: Certificate | bytes) -> None: ...
    def verify_many(self, batch: list[tuple[Record, Certificate | bytes]]) -> None: ...
    @property
    def key_id(self) -> bytes: ...

def model_digest(arrays: list[tuple[str, str, list[int], npt.NDArray[np.uint8]]]) -> bytes: ...
def register(key: SecretKey, *, chain_id: int = 0, contract: bytes | None = None) -> bytes: ...
def check_registration(registration: bytes, *, chain_id: int = 0, contract: bytes | None = None) -> bytes: ...
def sign_commitment(key: SecretKey, slot: int, round_context: bytes, commitment: bytes) -> tuple[bytes, bytes]: ...
def prove(
    key: ProvingKey,
    roster: Roster,
    outcome: Outcome,
    *,
    engine: Engine | None = None,
    progress: Callable[[str, float], object] | None = None,
) -> Certificate: ...
def prove_signed(
    key: ProvingKey,
    roster: Roster,
    round_context: bytes,
    leaves: list[bytes],
    signed: list[tuple[int, bytes]],
    *,
    engine: Engine | None = None,
    progress: Callable[[str, float], object] | None = None,
) -> Certificate: ...
def check_opening(
    bases: Bases,
    parameters: RoundParameters,
    certificate: Certificate,
    opening: Opening,
    *,
    engine: Engine | None = None,
) -> None: ...
def check_opening_of(
    bases: Bases,
    parameters: RoundParameters,
    commitment: bytes,
    participants: int,
    opening: Opening,
    *,
    engine: Engine | None = None,
) -> None: ...
def read_attestation(message: bytes, roster: Roster) -> tuple[bytes, int, bytes]: ...
