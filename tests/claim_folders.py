"""Sweeps of a study with claims, for the tests of the verdicts: what a run measured is a rule of
its parameters.
"""

import json
import zlib

import numpy as np
from report_folders import event, sweep

from dlexp.report import runs
from dlexp.report.claims import decide

PLAIN = {
    "id": "shrinks",
    "says": {"en": "Weight decay shrinks it.", "zh": "权重衰减使其变小。"},
    "metric": "test/loss",
    "of": {"regularizer": "weight_decay"},
    "against": {"regularizer": "none"},
    "direction": "less",
    "margin": 0.02,
}
AXES = {"regularizer": ["none", "weight_decay"], "seed": list(range(10))}


def claim(**changes):
    """A claim; a field of None is left out."""
    return {key: value for key, value in (PLAIN | changes).items() if value is not None}


def noise(params, seed, size=0.01, what=""):
    """Luck that runs of a seed share, and some of each run's own."""
    own = np.random.default_rng(
        zlib.crc32(json.dumps([params, seed, what], sort_keys=True).encode())
    )
    return float(np.random.default_rng(seed).normal(0, 5 * size) + own.normal(0, size))


def journal(start, end, *, status="FINISHED", between=None):
    """A run of 2 epochs of 5 steps that measured `start`, perhaps `between`, and `end`."""
    lines = [{"event": "start", "time_ms": 0, "elapsed": 0.0, "pid": 1}, event(0, 0, start)]
    lines += [event(1, 5, between or start)]
    lines += [event(2, 10, end)] if status == "FINISHED" else []
    return [
        *lines,
        {"event": "finish", "time_ms": 9, "elapsed": 1.0, "status": status, "error": None},
    ]


def studied(folder, claims, measure, *, axes=AXES, fate=None, parts=None, implied=None, **told):
    """A sweep whose runs end with `measure(params, seed)`, a mapping, or a number for test/loss."""

    def lines(params, seed):
        found = measure(params, seed)
        end = found if isinstance(found, dict) else {"test/loss": found}
        status = fate(params, seed) if fate else "FINISHED"
        return journal(
            {"train/loss": 2.3},
            {"train/loss": 1.0 + noise(params, seed, what="train")} | end,
            status=status,
        )

    study = {
        "name": "weight_decay",
        "title": {"en": "Weight decay", "zh": "权重衰减"},
        "claims": list(claims),
    }
    return sweep(
        folder,
        axes,
        lines=lines,
        fate=fate,
        belongs=parts,
        implied=implied,
        **({"study": study} | told),
    )


def verdicts(folder, claims, measure, **how):
    return decide(runs.read(studied(folder, claims, measure, **how)))


def shift(size, off=0.3, noisy=0.01, key="regularizer", of="weight_decay"):
    """A loss that is `size` less with weight decay."""
    return lambda params, seed: off - size * (params[key] == of) + noise(params, seed, noisy)


def verdict(folder, measured, *, changes=None, **how):
    (found,) = verdicts(folder, [claim(**(changes or {}))], measured, **how)
    return found


def notes(v):
    return " | ".join(note["en"] for note in v.notes)
