"""Sums of many clients' vectors that nobody sees, with a short proof that the sum is right.

The sessions are framework-free: bytes go in, bytes come out, and how they travel is the application's business.

| who | with | does |
|---|---|---|
| client | `Client` | `enrol`, `setup`, `mask`, `sign_digest`, `unmask`, `attest_opened` |
| aggregator | `Aggregator` | requests, `absorb`, `close_setup`, `close_posting`, `dropped`, `finish` |
| aggregator | `ProvingKey` | `prove` |
| anyone | `Verifier`, `check_opening` | `verify`, `mean`, `check_attestation` |

Every long call releases the GIL. Secrets show in no `repr` and cannot be pickled. Exceptions are in `blindsum.errors`.
"""

from ._aggregator import Absorbed, Aggregator, Progress, dimension, mean
from ._arrays import Arrays, model_digest
from ._client import ChainView, Client, ClippingReport, Journal, MemoryJournal
from ._native import (
    Bases,
    Certificate,
    CohortConfig,
    Engine,
    Opening,
    Outcome,
    ProvingKey,
    Record,
    Roster,
    RoundParameters,
    SecretKey,
    SetupParameters,
    ShareKeys,
    Verifier,
    VerifyingKey,
    __version__,
    check_opening,
    check_opening_of,
    check_registration,
    prove,
    prove_signed,
    register,
    sign_commitment,
)
from ._verify import check_attestation, verify
from .errors import (
    BadContribution,
    BlindsumError,
    ConfigError,
    DecodeError,
    DeviceError,
    JournalError,
    Misuse,
    OpeningError,
    ProveError,
    Refused,
    StatementError,
    UnsupportedType,
    VerifyError,
)

__all__ = [
    "Absorbed",
    "Aggregator",
    "Arrays",
    "BadContribution",
    "Bases",
    "BlindsumError",
    "Certificate",
    "ChainView",
    "Client",
    "ClippingReport",
    "CohortConfig",
    "ConfigError",
    "DecodeError",
    "DeviceError",
    "Engine",
    "Journal",
    "JournalError",
    "MemoryJournal",
    "Misuse",
    "Opening",
    "OpeningError",
    "Outcome",
    "Progress",
    "ProveError",
    "ProvingKey",
    "Record",
    "Refused",
    "Roster",
    "RoundParameters",
    "SecretKey",
    "SetupParameters",
    "ShareKeys",
    "StatementError",
    "UnsupportedType",
    "Verifier",
    "VerifyError",
    "VerifyingKey",
    "__version__",
    "check_attestation",
    "check_opening",
    "check_opening_of",
    "check_registration",
    "dimension",
    "mean",
    "model_digest",
    "prove",
    "prove_signed",
    "register",
    "sign_commitment",
    "verify",
]
