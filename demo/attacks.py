"""A lying aggregator, told on: each lie uses real keys, messages and proofs of the run, and must be refused by its named error.

After each lie the honest certificate and opening are verified again: a verifier that refuses everything would prove nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import blindsum as bs
from display import Display
from federation import Federation, Round


@dataclass(frozen=True)
class Lie:
    """A lie, and what must become of it."""

    name: str
    how: str
    checked_by: str
    expected: str
    attempt: Callable[[], object]


def _altered(opening: bs.Opening, index: int, by: int) -> bs.Opening:
    sum_ = opening.sum
    sum_[index] += by
    return bs.Opening(sum_, opening.blinding)


def _impostor(federation: Federation, real: Round, slot: int) -> tuple[bs.Roster, bs.Certificate, bs.Opening]:
    """A proof that is valid, for a roster in which the aggregator's own key sits in `slot`, and for a vector of its own."""
    own = bs.SecretKey.generate()
    keys = [federation.roster.key(s) for s in range(federation.roster.size)]
    keys[slot] = own.public
    roster = bs.Roster(keys)
    context = real.certificate.round_context
    vector = _altered(real.opening, 0, 12345)
    signed, leaf = bs.sign_commitment(own, slot, context, vector.commitment(federation.bases))
    leaves, all_signed = list(real.outcome.leaves), dict(real.outcome.signed)
    leaves[slot], all_signed[slot] = leaf, signed
    forged = bs.prove_signed(federation.proving_key, roster, context, leaves, sorted(all_signed.items()))
    return roster, forged, vector


def _second_survivors(federation: Federation, real: Round, victim: int) -> bs.Aggregator:
    """The same round a second time, without one client: the difference of two sums would be that client's vector."""
    session = bs.Aggregator(real.setup, federation.roster, federation.aggregator_key)
    for message in real.messages["setup"].values():
        session.absorb(message)
    session.close_setup(real.model_digest, real.parameters)
    for slot, message in real.messages["masked input"].items():
        if slot != victim:
            session.absorb(message)
    session.close_posting()
    return session


def lies(federation: Federation, previous: Round, real: Round) -> list[Lie]:
    """Every lie about the last round."""
    verify, bases, parameters = federation.verifier.verify, federation.bases, real.parameters
    altered = _altered(real.opening, 17, 1000)
    pointed = real.certificate.with_claims(commitment=altered.commitment(bases))
    bs.check_opening(bases, parameters, pointed, altered)  # the lie is consistent with itself; only the proof stops it
    slot = real.certificate.participants[3]
    roster, impostor, _ = _impostor(federation, real, slot)
    own_record = bs.Record(
        roster=roster,
        round_context=impostor.round_context,
        leaves_root=impostor.leaves_root,
        posted=impostor.participants,
        group_width=federation.config.group_width,
        floors=federation.config.floors,
    )
    verify(own_record, impostor)  # a good proof, of another roster than the registered one
    renamed = impostor.with_claims(roster_root=federation.roster.root, leaves_root=real.certificate.leaves_root)
    fewer = [s for s in real.certificate.participants if s != slot]
    replayed = previous.certificate.with_claims(
        round_context=real.certificate.round_context,
        leaves_root=real.certificate.leaves_root,
        participants=real.certificate.participants,
    )
    shadow = _second_survivors(federation, real, slot)
    witness = next(s for s in real.released if s != slot)
    anyone, verifier = "anyone with the sum", "the verifier"
    return [
        Lie("The sum is altered", "adds 1000 to coordinate 17 of the published sum", anyone, "OpeningError.Commitment",
            lambda: bs.check_opening(bases, parameters, real.certificate, altered)),
        Lie("The sum is altered, and the certificate with it", "points the certificate at the commitment of the altered sum", verifier,
            "VerifyError.ProofInvalid", lambda: verify(real.record, pointed)),
        Lie("A client is replaced", f"proves with a key of its own in slot {slot}", verifier,
            "VerifyError.RosterRootMismatch", lambda: verify(real.record, impostor)),
        Lie("A client is replaced, under the true roster", "writes the registered roster's root over that proof's", verifier,
            "VerifyError.ProofInvalid", lambda: verify(real.record, renamed)),
        Lie("A client is left out", f"takes slot {slot} out of the participants after the digest was signed", verifier,
            "VerifyError.NotThePosted", lambda: verify(real.record, real.certificate.with_claims(participants=fewer))),
        Lie("A round is replayed", f"shows the certificate of round {previous.number} for round {real.number}", verifier,
            "VerifyError.RoundContextMismatch", lambda: verify(real.record, previous.certificate)),
        Lie("A round is replayed, relabelled", f"writes round {real.number}'s context, leaves and participants over it", verifier,
            "VerifyError.ProofInvalid", lambda: verify(real.record, replayed)),
        Lie("A second sum without one client", f"asks for shares again with slot {slot} counted as dropped, to subtract the sums", f"client {witness}",
            "Refused.AlreadyReleased", lambda: federation.phones[witness].wake().sign_digest(shadow.digest_request(witness))),
    ]


def run(federation: Federation, previous: Round, real: Round, display: Display) -> list[dict[str, object]]:
    """Tells every lie. Raises if one is believed, refused for another reason, or if the honest claim stops holding."""
    told = []
    for lie in lies(federation, previous, real):
        try:
            lie.attempt()
        except bs.BlindsumError as error:
            named = f"{type(error).__name__}.{error.reason}"
            if named != lie.expected:
                raise RuntimeError(f"{lie.name}: refused by {named}, expected {lie.expected}") from error
            message = str(error)
        else:
            raise RuntimeError(f"{lie.name}: the lie was believed")
        bs.verify(
            federation.verifier, real.record, real.certificate, opening=real.opening, parameters=real.parameters, bases=federation.bases
        )
        display.refused(f"{lie.name}: {lie.how}")
        display.line(f"      refused by {lie.checked_by}: {display.paint('33', lie.expected)}: {message}")
        row = {"name": lie.name, "how": lie.how, "checked_by": lie.checked_by}
        told.append({**row, "error": lie.expected, "message": message, "refused": True})
    display.ok("the honest certificate and opening verified again after each of them")
    return told
