"""Trains on handwritten digits with clients that keep dropping out; every round is masked, summed, opened, proved and verified.

Run it with `make demo`. Writes report.html and report.json, and fails if any check fails.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# One thread for numpy's small matrices; the cores are for the cryptography.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import attacks
import blindsum as bs
import digits
import numpy as np
import report
from display import Display
from federation import Absences, Federation, Round

SEED = 11
CLIENTS = 16
DIRICHLET_ALPHA = 0.5
LEAST_IMAGES = 24
EPOCHS, RATE, BATCH = 4, 0.15, 16
CLIP = 0.5
ACCURACY_SLACK = 0.01

SCHEDULE = [
    Absences(),
    Absences(before_setup=frozenset({5})),
    Absences(after_setup=frozenset({2, 11})),
    Absences(after_mask=frozenset({0, 9}), after_digest=frozenset({14})),
    Absences(before_setup=frozenset({3}), after_setup=frozenset({12}), after_mask=frozenset({7})),
    Absences(before_setup=frozenset({10, 15}), after_digest=frozenset({1})),
    Absences(before_setup=frozenset({4}), after_setup=frozenset({8, 13}), after_mask=frozenset({6}), after_digest=frozenset({2})),
    Absences(after_setup=frozenset({1}), after_mask=frozenset({13})),
]
"""Who vanishes in each round: at every phase, and in the seventh as many as a group of 16 with t = 10 survives."""


def flat(model: digits.Parameters) -> np.ndarray:
    """All coordinates of a model or update, one after another, in float64."""
    return np.concatenate([a.ravel().astype(np.float64) for a in model.values()])


def machine() -> dict[str, Any]:
    """Where the run took place."""
    cpu = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        names = [line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
        cpu = names[0] if names else cpu
    return {
        "cpu": cpu,
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "blindsum": bs.__version__,
    }


def summary(federation: Federation, done: Round, away: Absences, train_seconds: float) -> dict[str, Any]:
    """What the report says of a round, besides accuracy."""
    return {
        "round": done.number,
        "states": [away.state(slot) for slot in range(CLIENTS)],
        "posted": len(done.posted),
        "releasers": len(done.released),
        "weight": done.opening.weight,
        "clipped": done.clipped,
        "error_bound": federation.error_bound(done.opening, len(done.certificate.participants)),
        "seconds": {"train": train_seconds, **done.seconds},
        "bytes_up": done.bytes_up,
        "opening_bytes": len(done.opening.to_bytes()),
        "certificate_bytes": len(done.certificate.to_bytes()),
        "round_context": done.certificate.round_context.hex(),
        "certificate": done.certificate.to_bytes().hex(),
        "verified": True,
    }


def train(model: digits.Parameters, shares: list[digits.Share], number: int) -> dict[int, digits.Parameters]:
    """Every client's update; the seed depends on round and client alone, so that both trainings see the same batches."""
    return {
        slot: digits.local_update(model, share, epochs=EPOCHS, rate=RATE, batch=BATCH, seed=SEED + 1000 * number + slot)
        for slot, share in enumerate(shares)
    }


def main() -> None:
    """The whole demonstration."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--out", type=Path, default=Path("out"), help="folder of report.html and report.json")
    arguments.add_argument("--rounds", type=int, default=len(SCHEDULE), choices=range(2, len(SCHEDULE) + 1), metavar=f"2..{len(SCHEDULE)}")
    options = arguments.parse_args()
    display, began = Display(), time.perf_counter()

    display.title("Blindsum: federated learning whose sums are private and proven")
    training, test = digits.load(SEED)
    shares = digits.split(training, CLIENTS, DIRICHLET_ALPHA, LEAST_IMAGES, SEED)
    weights = {slot: share.size for slot, share in enumerate(shares)}
    model = digits.initial_model(SEED)
    parameters = digits.count(model)
    display.line(f"  {CLIENTS} clients hold {sum(weights.values()):,} images of digits, {min(weights.values())} to {max(weights.values())} each")
    display.line(f"  the model is a network of {parameters:,} parameters; nobody but its client ever sees an update")
    federation = Federation(CLIENTS, parameters, CLIP, max(weights.values()), display)
    for line in str(federation.config).splitlines():
        display.line(f"  {line}")

    reference = {name: a.copy() for name, a in model.items()}
    rounds: list[Round] = []
    rows: list[dict[str, Any]] = []
    for number, away in enumerate(SCHEDULE[: options.rounds], start=1):
        gone = [f"{len(slots)} {when}" for when, slots in (
            ("before setup", away.before_setup), ("after setup", away.after_setup),
            ("after masked input", away.after_mask), ("after the digest", away.after_digest)) if slots]
        display.title(f"Round {number} of {options.rounds}" + (f", vanishing: {', '.join(gone)}" if gone else ", everybody stays"))
        with display.stage("local training") as stage:
            updates = train(model, shares, number)
        done = federation.run(number, model, updates, weights, away)
        row = summary(federation, done, away, stage.seconds)

        # The same survivors, averaged in the clear: on the very same updates, and as a training of its own.
        plain = digits.fedavg({s: updates[s] for s in done.posted}, weights)
        row["max_error"] = float(np.abs(done.opening.mean(done.parameters) - flat(plain)).max())
        if done.clipped:
            raise RuntimeError(f"round {number}: {done.clipped} coordinates were clipped; FedAvg clips nothing")
        if done.opening.weight != sum(weights[s] for s in done.posted):
            raise RuntimeError(f"round {number}: the weights do not add up")
        if not row["max_error"] <= row["error_bound"]:
            raise RuntimeError(f"round {number}: off by {row['max_error']} from FedAvg, quantisation allows {row['error_bound']}")
        mean = bs.mean(done.opening, done.parameters, like=model)
        assert isinstance(mean, dict)
        model = digits.add(model, mean)
        own = train(reference, shares, number)
        reference = digits.add(reference, digits.fedavg({s: own[s] for s in done.posted}, weights))
        row["accuracy"], row["fedavg_accuracy"] = digits.accuracy(model, test), digits.accuracy(reference, test)
        if abs(row["accuracy"] - row["fedavg_accuracy"]) > ACCURACY_SLACK:
            raise RuntimeError(f"round {number}: accuracy {row['accuracy']}, plain FedAvg {row['fedavg_accuracy']}")
        display.ok(f"accuracy {100 * row['accuracy']:.1f}%, plain FedAvg {100 * row['fedavg_accuracy']:.1f}%; "
                   f"no coordinate off by more than {row['max_error']:.1e} (quantisation allows {row['error_bound']:.1e})")
        rounds.append(done)
        rows.append(row)

    display.title("All rounds")
    display.table(
        ["round", "in sum", "dropped", "silent", "accuracy", "FedAvg", *(f"{s} s" for s in report.STAGES), "up/client", "cert", "verified"],
        [
            [
                str(r["round"]), str(r["posted"]), str(CLIENTS - r["posted"]), str(r["posted"] - r["releasers"]),
                f"{100 * r['accuracy']:.1f}%", f"{100 * r['fedavg_accuracy']:.1f}%",
                *(report.seconds_text(r["seconds"][s]) for s in report.STAGES),
                report.bytes_text(sum(r["bytes_up"].values())), f"{r['certificate_bytes']} B", "yes",
            ]
            for r in rows
        ],
    )
    display.title("A lying aggregator")
    told = attacks.run(federation, rounds[-2], rounds[-1], display)

    own = federation.parameters
    worst = max(r["max_error"] / r["error_bound"] for r in rows)
    result = {
        "started": datetime.now(UTC).strftime("%d %B %Y, %H:%M UTC"),
        "total_seconds": time.perf_counter() - began,
        "setup_seconds": federation.setup_seconds,
        "machine": machine(),
        "config": {
            "mode": federation.config.mode, "quorum": federation.config.quorum, "clients": CLIENTS, "slots": federation.roster.size,
            "threshold": 10, "floor": federation.config.floors[0], "corrupt": 3, "guaranteed_honest": federation.config.guaranteed_honest,
            "dimension": own.dimension, "parameters": parameters, "bits": own.bits, "clip": own.clip,
            "w_min": own.weights[0], "w_max": own.weights[1], "plain_bytes": 4 * parameters, "backend": federation.engine.backend,
            "key_id": federation.verifier.key_id.hex(), "key_words": "development key of this machine", "seed": SEED,
        },
        "clients": [{"slot": s, "images": share.size, "histogram": share.histogram()} for s, share in enumerate(shares)],
        "rounds": rows,
        "attacks": told,
        "checks": [
            {"name": "Every round verified", "detail": "certificate against the record of the survivor digest, opening against the certificate, both from bytes"},
            {"name": "Equal to FedAvg", "detail": f"every coordinate of every mean within n w_max clip / ((2^15 - 1) A_w); the worst used {100 * worst:.0f}% of it"},
            {"name": "Same accuracy", "detail": f"within {100 * ACCURACY_SLACK:.0f} point of a FedAvg training of its own, each round"},
            {"name": "Weights add up", "detail": "the sum's last coordinate is the survivors' number of images, and nothing was clipped"},
            {"name": "Lies are refused", "detail": f"{len(told)} of {len(told)}, each by the error that names it, and the honest claim holds after each"},
        ],
    }
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "report.json").write_text(json.dumps(result, indent=1) + "\n")
    (options.out / "report.html").write_text(report.render(result), encoding="utf-8")
    display.title("Done")
    display.ok(f"{len(rows)} rounds proved and verified, accuracy {100 * rows[-1]['accuracy']:.1f}% "
               f"(plain FedAvg {100 * rows[-1]['fedavg_accuracy']:.1f}%), {len(told)} lies refused, {result['total_seconds']:.0f} s")
    display.line(f"  the report: {(options.out / 'report.html').resolve()}")


if __name__ == "__main__":
    sys.exit(main())
