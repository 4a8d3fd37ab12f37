"""Sweep folders as a launcher leaves them behind, with numbers made up by a rule, for the tests of
the report.
"""

import hashlib
import json
from itertools import product

import numpy as np

from dlexp.report import compare, measure, runs, table

BEGAN = 1_700_000_000_000
DEFAULTS = {
    "objective": "classification",
    "data": "digits",
    "data.n_train": None,
    "model": "mlp",
    "model.hidden": [100, 100, 100],
    "initializer": "he",
    "activation": "relu",
    "normalization": "none",
    "regularizer": "none",
    "optimizer": "adam",
    "optimizer.lr": 0.001,
    "schedule": "constant",
    "epochs": 10,
    "steps": None,
    "batch_size": 100,
    "seed": 0,
    "dtype": "float32",
}
TAGS = {
    "dlexp.version.dlexp": "0.1.0",
    "dlexp.git.commit": "c0ffee",
    "dlexp.version.numpy": "2.4.6",
    "dlexp.numerics.digest": "230db809c26b",
}


def skill(params, seed):
    """A made-up final accuracy: the optimizer's, less the distance of lr from its best, plus the
    seed's own luck.
    """
    best = {
        "sgd": (0.90, 0.1),
        "momentum": (0.95, 0.1),
        "adagrad": (0.93, 0.01),
        "adam": (0.96, 0.001),
    }
    top, lr = best.get(params["optimizer"], (0.8, 0.01))
    off = 0.05 * abs(np.log10(params["optimizer.lr"] / lr))
    luck = np.random.default_rng(seed).normal(0, 0.01)
    key = int(
        hashlib.sha256(
            json.dumps([params, seed], sort_keys=True, default=str).encode()
        ).hexdigest()[:8],
        16,
    )
    return float(np.clip(top - off + luck + np.random.default_rng(key).normal(0, 0.004), 0, 1))


def journal(final, epochs=10, status="FINISHED", error=None, wall=0.1, per_epoch=12, tests=True):
    """The lines of a run that climbs to `final` accuracy; one that diverged has half of them."""
    lines = [{"event": "start", "time_ms": BEGAN, "elapsed": 0.0, "pid": 1}]
    for epoch in range(epochs + 1 if status == "FINISHED" else epochs // 2):
        grown = 0.1 + (final - 0.1) * (1 - np.exp(-5 * epoch / max(epochs, 1)))
        metrics = {
            "train/loss": 2.3 * (1 - grown) + 0.01,
            "train/accuracy": min(1, grown + 0.02),
            "val/loss": 2.4 * (1 - grown) + 0.02,
            "val/accuracy": grown,
        }
        lines.append(event(epoch, per_epoch * epoch, metrics, wall * epoch))
    if status == "FINISHED" and tests:
        lines.append(
            event(
                epochs,
                per_epoch * epochs,
                {"test/loss": 2.4 * (1 - final) + 0.02, "test/accuracy": final},
            )
        )
    return [
        *lines,
        {"event": "finish", "time_ms": BEGAN + 9, "elapsed": 1.0, "status": status, "error": error},
    ]


def event(epoch, step, metrics, elapsed=0.5):
    return {
        "event": "record",
        "time_ms": BEGAN,
        "elapsed": elapsed,
        "epoch": epoch,
        "step": step,
        "metrics": metrics,
    }


def typed(value):
    return value if isinstance(value, str) else json.dumps(value)


def sweep(
    folder,
    axes,
    *,
    score=skill,
    fate=None,
    name=None,
    fixed=(),
    lines=None,
    tags=TAGS,
    implied=None,
    dataset=True,
    command=None,
    belongs=None,
    defaults=None,
    **told,
):
    """Write a sweep over the product of `axes` (key → values).

    `score(params, seed)` is a run's accuracy, `fate(params, seed)` its status, `implied(params)`
    what else follows, `lines(params, seed)` a whole journal, `belongs` (part → condition on params)
    which runs belong to which part, `defaults(params)` what its run.json says nobody has to choose.
    """
    (folder / "runs").mkdir(parents=True)
    ledger, members = [], {part: [] for part in belongs or ()}
    for i, values in enumerate(product(*axes.values())):
        params = DEFAULTS | dict(zip(axes, values, strict=True))
        params |= implied(params) if implied else {}
        seed = params["seed"]
        status = fate(params, seed) if fate else "FINISHED"
        overrides = [f"{k}={typed(v)}" for k, v in zip(axes, values, strict=True)]
        key = hashlib.sha256(
            " ".join([*fixed, *overrides]).encode("utf-8", "surrogatepass")
        ).hexdigest()[:16]
        place = folder / "runs" / f"r{i:04d}"
        for part, condition in (belongs or {}).items():
            members[part] += [key] if condition(params) else []
        told_error = {"DIVERGED": "diverged at step 7: output of dense3 is not finite"}.get(status)
        if status != "NEVER":
            place.mkdir()
            description = {
                "id": f"x-{i}",
                "name": f"run {i}",
                "created_ms": BEGAN + i,
                "params": params,
                "tags": tags,
            }
            digest = hashlib.sha256(
                repr([seed, params["data"]]).encode("utf-8", "replace")
            ).hexdigest()
            description["dataset"] = (
                {
                    "name": params["data"],
                    "source": "https://doi.org/10.24432/C50P49",
                    "sha256": digest,
                    "features": 64,
                    "classes": 10,
                    "train": 1257,
                    "validation": 180,
                    "test": 360,
                }
                if dataset
                else None
            )
            description |= {"defaults": defaults(params)} if defaults else {}
            (place / "run.json").write_text(json.dumps(description), encoding="utf-8")
            written = (
                lines(params, seed)
                if lines
                else journal(score(params, seed), params["epochs"], status, told_error)
            )
            (place / "journal.jsonl").write_text(
                "".join(json.dumps(x) + "\n" for x in written), encoding="utf-8"
            )
            ledger.append(
                {
                    "key": key,
                    "status": status,
                    "folder": f"runs/{place.name}",
                    "overrides": overrides,
                    "time_ms": BEGAN + 1000 * i,
                    "seconds": 1.5,
                    "error": told_error,
                }
            )
    words = [f"{k}={','.join(typed(v) for v in values)}" for k, values in axes.items()]
    description = (
        {
            "id": folder.name,
            "name": name,
            "created_ms": BEGAN,
            "fixed": list(fixed),
            "axes": {k: [typed(v) for v in values] for k, values in axes.items()},
            "command": command or " ".join(["python -m dlexp -m", *fixed, *words]),
        }
        | ({"parts": members} if belongs else {})
        | told
    )
    (folder / "sweep.json").write_text(json.dumps(description), encoding="utf-8")
    (folder / "ledger.jsonl").write_text(
        "".join(json.dumps(x) + "\n" for x in ledger), encoding="utf-8"
    )
    return folder


def arranged(*folders):
    return table.arrange([runs.read(folder) for folder in folders])


def compared(*folders, metric=None, better=None, **asked):
    found = arranged(*folders)
    return compare.compare(found, measure.choose(found, metric, better), **asked)


def small(tmp_path, place="s", seeds=8, optimizers=("sgd", "adam"), **how):
    return sweep(
        tmp_path / place, {"optimizer": list(optimizers), "seed": list(range(seeds))}, **how
    )
