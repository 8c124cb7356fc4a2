"""Certificates and openings: the honest one holds, each altered one is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

import blindsum as bs
from conftest import CLIENTS, Finished


def test_the_honest_claim_holds_from_bytes(finished: Finished) -> None:
    data = finished.certificate.to_bytes()
    assert len(data) == 480
    own = finished.federation
    certificate = bs.verify(
        finished.verifier, finished.record, data,
        opening=bs.Opening.from_bytes(finished.opening.to_bytes()), parameters=own.parameters, bases=own.bases,
        engine=own.engine,
    )
    assert certificate == finished.certificate and certificate.development
    assert certificate.participants == finished.posted
    assert certificate.roster_root == own.roster.root and certificate.size == CLIENTS
    assert certificate.key_id == finished.proving_key.verifying_key.key_id == finished.verifier.key_id
    assert finished.opening.commitment(own.bases) == certificate.commitment == finished.outcome.commitment
    assert finished.opening.commitment(own.bases, engine=own.engine) == certificate.commitment
    finished.verifier.verify_many([(finished.record, certificate), (finished.record, data)])


def test_development_keys_are_refused_unless_allowed(finished: Finished) -> None:
    key = finished.proving_key.verifying_key
    with pytest.raises(bs.VerifyError) as caught:
        bs.Verifier(key)
    assert caught.value.reason == "DevelopmentKeyRefused"
    assert bs.VerifyingKey.from_bytes(key.to_bytes()) == key


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"roster_root": bytes(32)}, "RosterRootMismatch"),
        ({"round_context": bytes(32)}, "RoundContextMismatch"),
        ({"leaves_root": bytes(32)}, "LeavesRootMismatch"),
        ({"participants": [0, 1, 2]}, "NotThePosted"),
        ({"participants": []}, "NoParticipants"),
        ({"commitment": "other"}, "ProofInvalid"),
    ],
    ids=lambda v: v if isinstance(v, str) else next(iter(v)),
)
def test_each_altered_claim_is_refused_by_name(finished: Finished, claims, reason) -> None:
    if "commitment" in claims:
        claims = {"commitment": finished.federation.roster.key(0)}
    altered = finished.certificate.with_claims(**claims)
    with pytest.raises(bs.VerifyError) as caught:
        finished.verifier.verify(finished.record, altered)
    assert caught.value.reason == reason
    with pytest.raises(bs.VerifyError):
        finished.verifier.verify_many([(finished.record, finished.certificate), (finished.record, altered)])
    finished.verifier.verify(finished.record, finished.certificate)


def test_every_byte_of_a_certificate_matters(finished: Finished) -> None:
    data = finished.certificate.to_bytes()
    rng = np.random.default_rng(7)
    for position in [0, 5, 7, 9, 15, 31, *rng.integers(32, len(data), 24)]:
        for bit in (0, 7):
            bad = bytearray(data)
            bad[position] ^= 1 << bit
            with pytest.raises((bs.VerifyError, bs.DecodeError)):
                finished.verifier.verify(finished.record, bytes(bad))
    for bad in (b"", data[:-1], data + b"\0"):
        with pytest.raises(bs.DecodeError):
            finished.verifier.verify(finished.record, bad)


def test_an_altered_sum_does_not_open(finished: Finished) -> None:
    own = finished.federation
    for index, by, reason in ((0, 1, "Commitment"), (17, -1, "Commitment"), (3, 1 << 40, "Coordinate"), (18, -240, "Weight")):
        total = finished.opening.sum
        total[index] += by
        with pytest.raises(bs.OpeningError) as caught:
            bs.check_opening(own.bases, own.parameters, finished.certificate, bs.Opening(total, finished.opening.blinding))
        assert caught.value.reason == reason
    bs.check_opening(own.bases, own.parameters, finished.certificate, finished.opening)
    bs.check_opening(own.bases, own.parameters, finished.certificate, finished.opening, engine=own.engine)


def test_an_impostors_proof_holds_for_its_own_roster_only(finished: Finished) -> None:
    own, slot = finished.federation, finished.posted[4]
    key = bs.SecretKey.generate()
    keys = [own.roster.key(s) for s in range(CLIENTS)]
    signed, leaf = bs.sign_commitment(key, slot, finished.record.round_context, finished.certificate.commitment)
    leaves, every = list(finished.outcome.leaves), dict(finished.outcome.signed)
    leaves[slot], every[slot] = leaf, signed
    with pytest.raises(bs.StatementError):
        bs.prove_signed(finished.proving_key, own.roster, finished.record.round_context, leaves, sorted(every.items()))
    keys[slot] = key.public
    forged = bs.prove_signed(finished.proving_key, bs.Roster(keys), finished.record.round_context, leaves, sorted(every.items()))
    with pytest.raises(bs.VerifyError) as caught:
        finished.verifier.verify(finished.record, forged)
    assert caught.value.reason == "RosterRootMismatch"


def test_records_that_contradict_themselves_are_misuse(finished: Finished) -> None:
    for posted, width, floors in (([0, 1], 3, [1]), ([0, 1], 16, []), ([0, 1], 16, [0]), ([200], 16, [1])):
        with pytest.raises(bs.Misuse):
            bs.Record(
                roster=finished.federation.roster, round_context=finished.record.round_context,
                leaves_root=finished.certificate.leaves_root, posted=posted, group_width=width, floors=floors,
            )


def test_unsafe_thresholds_are_refused_with_the_rule(finished: Finished) -> None:
    roster = finished.federation.roster
    for threshold, floor, corrupt, reason in ((9, 11, 3, "DoubleCollection"), (16, 16, 0, "Threshold"), (10, 3, 3, "Floor"), (10, 17, 3, "Floor")):
        with pytest.raises(bs.ConfigError) as caught:
            bs.CohortConfig(roster, mode="strict", threshold=threshold, floor=floor, corrupt=corrupt)
        assert caught.value.reason == reason
    with pytest.raises(bs.Misuse):
        bs.CohortConfig(roster, mode="open", threshold=10, floor=11, corrupt=3)  # type: ignore[arg-type]
    assert "at least 8 honest members" in str(finished.federation.config)


def test_clients_attest_what_opens_and_nothing_else(finished: Finished) -> None:
    own, slot = finished.federation, finished.posted[0]
    public = {"parameters": own.parameters, "bases": own.bases}
    message = own.client(slot).attest_opened(finished.certificate, finished.opening, **public)
    assert bs.check_attestation(message, own.roster, finished.certificate, finished.opening) == slot
    on_engine = own.client(slot).attest_opened(finished.certificate, finished.opening, **public, engine=own.engine)
    assert bs.check_attestation(on_engine, own.roster, finished.certificate, finished.opening) == slot
    total = finished.opening.sum
    total[0] += 1
    altered = bs.Opening(total, finished.opening.blinding)
    with pytest.raises(bs.Refused) as caught:
        own.client(slot).attest_opened(finished.certificate, altered, **public)
    assert caught.value.reason == "DoesNotOpen"
    with pytest.raises(bs.VerifyError) as other:
        bs.check_attestation(message, own.roster, finished.certificate, altered)
    assert other.value.reason == "OtherOpening"
    elsewhere = finished.certificate.with_claims(round_context=bytes(32))
    with pytest.raises(bs.VerifyError) as other:
        bs.check_attestation(message, own.roster, elsewhere, finished.opening)
    assert other.value.reason == "OtherRound"
    forged = bytearray(message)
    forged[-1] ^= 1
    with pytest.raises(bs.BadContribution) as bad:
        bs.check_attestation(bytes(forged), own.roster, finished.certificate, finished.opening)
    assert bad.value.slot == slot
