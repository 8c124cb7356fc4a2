"""The exceptions of this package, sorted by whose fault the failure is.

Each carries `reason`, the name of the exact case, and a message with the numbers; test `reason`, never the message.
"""

from __future__ import annotations


class BlindsumError(Exception):
    """Base of every exception that this package raises."""

    reason: str = ""
    """Name of the exact case, such as `LengthMismatch`."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason or type(self).__name__


class Misuse(BlindsumError, ValueError):
    """The caller passed something that makes no sense: a wrong length, a number out of range, a NaN."""


class UnsupportedType(Misuse, TypeError):
    """An array of integers or objects where floats are needed, or something that is no array."""


class ConfigError(Misuse):
    """Parameters of a cohort that would not be safe or cannot work."""


class DecodeError(BlindsumError, ValueError):
    """Bytes that are not the canonical encoding of what was expected."""


class BadContribution(BlindsumError):
    """A participant sent something that must not count; `slot` says who."""

    slot: int = -1
    """The participant's slot in the roster."""

    def __init__(self, message: str, reason: str = "", slot: int = -1) -> None:
        super().__init__(message, reason)
        self.slot = slot


class Refused(BlindsumError):
    """The client's session refuses what it is asked for, to protect its update. Nothing secret has left."""


class JournalError(BlindsumError):
    """The durable state could not be stored or read, or is older than what has left already."""




class OpeningError(BlindsumError):
    """A published sum does not open its commitment, or is out of range."""


class StatementError(BlindsumError):
    """The signed commitments do not make a statement that can be proven."""


class ProveError(BlindsumError):
    """The prover could not make a certificate."""


class VerifyError(BlindsumError):
    """The certificate is refused."""


class DeviceError(BlindsumError):
    """A GPU, a driver or the operating system failed."""
