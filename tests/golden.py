"""Small runs whose weights are recorded to the bit, for tests/core/test_golden_weights.py.

    python tests/golden.py     records the weights of this machine's arithmetic

Do that after NUMERICS was raised (dlexp/core/identity.py), after a plugin's numbers changed
(scripts/known_sources.py --other), or on a machine whose arithmetic is not recorded yet. Runs of
one identity have the same bits: what is recorded of an identity stays. Bits differ between
processors and versions of NumPy: digests are kept for each numerics fingerprint, and the weights
themselves for machines that have none.
"""

import dataclasses
import hashlib
import json
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import yaml

FOLDER = Path(__file__).parent / "references" / "golden"
DIGESTS, WEIGHTS = FOLDER / "digests.json", FOLDER / "weights.npz"
TO_DO = (
    "raise NUMERICS in dlexp/core/identity.py, or run scripts/known_sources.py --other if a"
    " plugin's numbers changed; then: python tests/golden.py"
)
SMALL = ("batch_size=20", "epochs=3")
BASE = (*SMALL, "data=blobs", "data.n=200", "data.features=4", "model.hidden=[6]")
FILES = (*SMALL, "model.hidden=[3]")
EVERYTHING = (
    *("normalization=batch_norm", "regularizer=[dropout,weight_decay]", "clip_norm=0.5"),
    *("model.hidden=[6,5]", "epochs=12", "early_stopping.patience=2", "optimizer.lr=0.1"),
)
SURFACE = ("steps=30", "optimizer.lr=0.001")
MENU = {
    "objective": "classification",
    "data": "digits",
    "model": "mlp",
    "initializer": "he",
    "activation": "relu",
    "normalization": "none",
    "regularizer": "none",
    "optimizer": "adam",
    "schedule": "constant",
}
ONE_OPTION = {  # each with all else at its default
    "optimizer": ("adagrad", "adam", "momentum", "nesterov", "rmsprop", "sgd"),
    "initializer": ("he", "normal", "xavier", "zeros"),
    "activation": ("relu", "sigmoid", "tanh"),
    "normalization": ("batch_norm",),
    "regularizer": ("decoupled_weight_decay", "dropout", "inverted_dropout", "l1", "weight_decay"),
    "schedule": ("cosine", "step", "warmup_cosine"),
}
SETUPS = {
    **{
        f"{kind}={name}": (*BASE, f"{kind}={name}")
        for kind, names in ONE_OPTION.items()
        for name in names
    },
    "everything": (*BASE, *EVERYTHING),
    "everything float64": (*BASE, *EVERYTHING, "dtype=float64"),
    "float64": (*BASE, "dtype=float64", "seed=1"),
    "data=digits": (*SMALL, "model.hidden=[3]", "data.n_train=60"),
    "data=gaussian": (*SMALL, "model.hidden=[2]", "data=gaussian", "data.n=200"),
    "data=spirals": (*SMALL, "model.hidden=[6]", "data=spirals"),
    "data=mnist": (*FILES, "data=mnist", "data.folder=images", "data.n_train=60"),
    "data=fashion_mnist": (*FILES, "data=fashion_mnist", "data.folder=images", "data.n_train=60"),
    "data=npz": (*FILES, "data=npz", "data.path=a.npz"),
    "data=csv": (*FILES, "data=csv", "data.path=a.csv"),
    "data=table": (*FILES, "data=table", "data.path=a.csv", "data.drop=[b]"),
    **{f"objective={s}": (f"objective={s}", *SURFACE) for s in ("beale", "rosenbrock", "valley")},
    "objective=valley momentum": ("objective=valley", *SURFACE, "optimizer=momentum"),
}


def write_data(folder):
    """The files that some setups read, from formulas."""
    from dlexp.core import registry

    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(200, 3)), np.arange(200) % 3
    x[:, 0] += y
    np.savez(folder / "a.npz", x=x, y=y)
    rows = [f"{a!r},{b!r},{c!r},{'uvw'[k]}" for (a, b, c), k in zip(x.tolist(), y, strict=True)]
    (folder / "a.csv").write_text("\n".join(["a,b,c,label", *rows, ""]), encoding="utf-8")
    (folder / "images").mkdir()
    registry.find("data", "mnist")().example(folder / "images")


def weights(name):
    """The weights that a setup ends with, in a working folder with the data."""
    trainer = experiment(SETUPS[name]).trainer()
    for _ in trainer.run():
        pass
    return trainer.problem.params.storage.copy()


def experiment(words):
    """What `dlexp <words>` trains, without Hydra, which takes its time."""
    from dlexp.core import kinds, registry
    from dlexp.core.early_stopping import EarlyStopping
    from dlexp.core.experiment import Experiment

    values = {key: yaml.safe_load(value) for key, _, value in (w.partition("=") for w in words)}

    def plugin(kind, name, prefix):
        given = {k.removeprefix(prefix): v for k, v in values.items() if k.startswith(prefix)}
        return registry.find(kind, name)(**given)

    parts = {}
    for kind, usual in MENU.items():
        chosen = values.get(kind, usual)
        if kind in kinds.MANY:
            names = [chosen] if isinstance(chosen, str) else chosen
            parts[kind] = tuple(plugin(kind, n, f"{kind}.{n}.") for n in names if n != "none")
        else:
            parts[kind] = plugin(kind, chosen, f"{kind}.")
    plain = {k: v for k, v in values.items() if "." not in k and k not in MENU}
    stopping = {k: v for k, v in values.items() if k.startswith("early_stopping.")}
    stopping = EarlyStopping(**{k.partition(".")[2]: v for k, v in stopping.items()})
    return Experiment(**parts, **plain, early_stopping=stopping)


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


def is_close(a, b):
    """Whether two arrays of weights are the same but for the arithmetic of their machines."""
    limit = {"float32": 1e-4, "float64": 1e-9}[str(a.dtype)]
    return a.shape == b.shape and a.dtype == b.dtype and np.allclose(a, b, limit, limit)


def defaults():
    """The defaults of the fields that dlexp's own classes have: `Experiment.epochs`,
    `Data.n_train`.
    """
    from dlexp.core.early_stopping import EarlyStopping
    from dlexp.core.experiment import Experiment
    from dlexp.core.registry import every

    classes = {Experiment, EarlyStopping}.union(*(cls.__mro__ for cls in every()))
    own = (c for c in classes if c.__module__.startswith("dlexp."))
    return {
        f"{cls.__name__}.{f.name}": f.default
        for cls in own
        if not cls.__module__.startswith("dlexp.plugins.")
        for f in (dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ())
        if isinstance(f.default, str | int | float | None)
    }


def identities():
    """The identity of each setup."""
    from dlexp.runs import identity

    return {name: identity.of_experiment(experiment(SETUPS[name])).key() for name in SETUPS}


def record():
    """Write the digests for this machine's arithmetic, and the weights. What is recorded stays
    where the identity is the same.
    """
    from dlexp.runs import provenance

    arrays = {name: weights(name) for name in SETUPS}
    with provenance.one_blas_thread():
        fingerprint = provenance.numerics()
    here = {name: digest(array) for name, array in arrays.items()}
    keys, known = identities(), {"identities": {}, "digests": {}, "defaults": {}}
    if DIGESTS.exists():
        known = json.loads(DIGESTS.read_text())
        same = {name for name, key in keys.items() if known["identities"].get(name) == key}
        for one in known["digests"].values():
            one["weights"] = {n: one["weights"][n] for n in same if n in one["weights"]}
        was = known["digests"].get(fingerprint["digest"], {"weights": {}})["weights"]
        with np.load(WEIGHTS) as file:
            before = {name: file[name] for name in file if name in same}
        other = {name for name in was if was[name] != here[name]}
        other |= {name for name in before if not is_close(arrays[name], before[name])}
        if other:
            sys.exit(f"{', '.join(sorted(other))}: other bits of the same identity: {TO_DO}")
        arrays |= before
    known["identities"] = keys
    known["digests"][fingerprint["digest"]] = {"arithmetic": fingerprint, "weights": here}
    known["defaults"] = defaults() | known["defaults"]
    FOLDER.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(WEIGHTS, **arrays)
    DIGESTS.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    from dlexp.plugins import discovery

    discovery.discover()
    with TemporaryDirectory() as folder:
        os.chdir(folder)
        write_data(Path(folder))
        record()
