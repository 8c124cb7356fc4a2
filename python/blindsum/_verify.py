"""Everything that a reader of a published sum checks, in one call."""

from __future__ import annotations

import hashlib

from . import _native
from .errors import VerifyError


def verify(
    verifier: _native.Verifier,
    record: _native.Record,
    certificate: _native.Certificate | bytes,
    *,
    opening: _native.Opening | None = None,
    parameters: _native.RoundParameters | None = None,
    bases: _native.Bases | None = None,
    engine: _native.Engine | None = None,
) -> _native.Certificate:
    """Verifies a certificate against the caller's own record and, if an `opening` is given, the published sum against it
    (on the CPU unless there is an `engine`).

    Returns the certificate. Raises `DecodeError`, `VerifyError` or `OpeningError`, and `TypeError` if an opening comes without the
    round's parameters and bases.
    """
    if isinstance(certificate, bytes):
        certificate = _native.Certificate.from_bytes(certificate)
    verifier.verify(record, certificate)
    if opening is not None:
        if parameters is None or bases is None:
            raise TypeError("an opening is checked with the parameters of its round and the bases")
        _native.check_opening(bases, parameters, certificate, opening, engine=engine)
    return certificate


def check_attestation(
    message: bytes, roster: _native.Roster, certificate: _native.Certificate, opening: _native.Opening
) -> int:
    """Checks a client's attestation that `opening` opens the certificate's commitment, and returns the client's slot.

    Raises `DecodeError`, `BadContribution` for a signature that is not the slot's, `VerifyError` (`OtherRound`, `OtherOpening`).
    """
    context, slot, opening_hash = _native.read_attestation(message, roster)
    if context != certificate.round_context:
        raise VerifyError(f"slot {slot} attests another round than the certificate's", "OtherRound")
    if opening_hash != hashlib.sha256(opening.to_bytes()).digest():
        raise VerifyError(f"slot {slot} attests another sum", "OtherOpening")
    return slot
