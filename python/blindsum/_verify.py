"""Everything that a reader of a published sum checks, in one call."""

from __future__ import annotations

from . import _native


def verify(
    verifier: _native.Verifier,
    record: _native.Record,
    certificate: _native.Certificate | bytes,
    *,
    opening: _native.Opening | None = None,
    parameters: _native.RoundParameters | None = None,
    bases: _native.Bases | None = None,
) -> _native.Certificate:
    """Verifies a certificate against the caller's own record and, if an `opening` is given, the published sum against it.

    Returns the certificate. Raises `DecodeError`, `VerifyError` or `OpeningError`, and `TypeError` if an opening comes without the
    round's parameters and bases.
    """
    if isinstance(certificate, bytes):
        certificate = _native.Certificate.from_bytes(certificate)
    verifier.verify(record, certificate)
    if opening is not None:
        if parameters is None or bases is None:
            raise TypeError("an opening is checked with the parameters of its round and the bases")
        _native.check_opening(bases, parameters, certificate, opening)
    return certificate
