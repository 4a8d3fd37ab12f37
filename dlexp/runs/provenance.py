"""What can change a run's bits beside its configuration: versions, source, arithmetic."""

from __future__ import annotations

import hashlib
import platform
import shlex
import sys
from contextlib import AbstractContextManager, suppress
from dataclasses import fields
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np

from dlexp import paths
from dlexp.core.defaults import defaults
from dlexp.core.experiment import Experiment
from dlexp.core.fields import defaults_of
from dlexp.core.kinds.declaration import every
from dlexp.core.registry import Plugin
from dlexp.plugins import source_code
from dlexp.plugins.code_digest import SHORT
from dlexp.redaction import clean
from dlexp.runs.run import Run

NUMERIC_MODULES = (
    *(kind.cls.__module__.removeprefix("dlexp.") for kind in every() if kind.identity),
    "core.kinds.layer",
    "core.arrays",
    "core.dataset",
    "core.directions",
    "core.early_stopping",
    "core.experiment",
    "core.layers",
    "core.loss",
    "core.network",
    "core.params",
    "core.parts",
    "core.pieces",
    "core.problem",
    "core.surface",
    "core.trainer",
    "data.file_data",
    "data.tables.cells",
    "data.tables.columns",
    "data.tables.delimited",
    "data.tables.headers",
    "data.tables.parquet",
    "data.tables.preparation",
    "data.tables.reading",
    "data.tables.table_data",
)
source_code.remember(f"dlexp.{name}" for name in NUMERIC_MODULES)
PLUGINS = "dlexp.plugins."
HOME = Path(__file__).parents[1]
PACKAGES = (
    "dlexp",
    "numpy",
    "hydra-core",
    "omegaconf",
    "mlflow",
    "scikit-learn",
    "pandas",
    "pyarrow",
)


def one_blas_thread() -> AbstractContextManager[Any]:
    """Inside, matrix products use one thread, because their bits depend on it."""
    libraries = _libraries(len(sys.modules))
    limits: AbstractContextManager[Any] = libraries.limit(limits=1, user_api="blas")
    return limits


@lru_cache(maxsize=1)
def _libraries(modules: int) -> Any:
    """The loaded BLAS libraries; cached until the number of `modules` changes."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@cache
def versions() -> dict[str, str]:
    """Python's and the packages' versions. Looked up once: it reads every package's metadata."""
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = "not installed"
    return versions


def numerics() -> dict[str, str]:
    """The numerics fingerprint: what decides the bits of arithmetic, within `one_blas_thread`.

    Equal fingerprints mean equal bits; `digest` is a short name for the whole.
    """
    blas = _blas()
    simd: Any = np.show_config(mode="dicts")
    values = {
        "numpy": np.__version__,
        "blas": f"{blas.get('internal_api', '?')} {blas.get('version', '?')}",
        "core": str(blas.get("architecture", "?")),
        "threads": str(blas.get("num_threads", "?")),
        "simd": " ".join(simd["SIMD Extensions"].get("found", [])),
        "machine": platform.machine(),
        "system": platform.system(),
    }
    digest = hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()
    return values | {"digest": digest[:12]}


def _blas() -> dict[str, Any]:
    """NumPy's BLAS among the loaded ones: SciPy brings another."""
    blas = [lib for lib in _libraries(len(sys.modules)).info() if lib["user_api"] == "blas"]
    home = Path(np.__file__).parent
    folders = (home.with_name("numpy.libs"), home / ".dylibs")
    own = [lib for lib in blas if Path(lib["filepath"]).parent in folders]
    return next(iter([*own, *blas]), {})


def source_files(e: Experiment) -> dict[str, Path]:
    """The files of the code that decides a run's numbers, by their short names."""
    framework = {HOME / f"{name.replace('.', '/')}.py" for name in NUMERIC_MODULES}
    framework.update(file for file in _files_of_classes(e) if _is_framework(file))
    own = {f"dlexp/{file.relative_to(HOME).as_posix()}": file for file in sorted(framework)}
    return own | plugin_files(e)


def plugin_files(e: Experiment) -> dict[str, Path]:
    """The files of plugins, and of the user's own modules that they import."""
    classes = _classes(e)
    files = {file for file in _files_of_classes(e) if not _is_framework(file)}
    files = files.union(
        *(source_code.companions(cls) for cls in classes if cls.__module__.startswith(PLUGINS))
    )
    named: dict[str, Path] = {}
    for file in sorted(files):
        name = "/".join(file.parts[-2:])
        named[name if name not in named else "/".join(file.parts[-3:])] = file
    return named


def _classes(e: Experiment) -> set[type]:
    """The classes of the chosen plugins and their bases; observers change no number."""
    chosen = (p for kind, several in e.chosen() if kind.identity for p in several)
    return {cls for p in chosen for cls in source_code.lineage(type(p))}


def _files_of_classes(e: Experiment) -> set[Path]:
    return {file for cls in _classes(e) if (file := source_code.file_of(cls))}


def _is_framework(file: Path) -> bool:
    """Whether a file is dlexp's own and not a shipped plugin."""
    return file.is_relative_to(HOME) and not file.is_relative_to(paths.PLUGINS)


def sources(e: Experiment) -> dict[str, str]:
    """The code that decides a run's numbers, as imported: file → start of its SHA-256."""
    digests = {}
    for name, path in source_files(e).items():
        with suppress(OSError):  # defined in a notebook
            digests[name] = source_code.digest(path)[:SHORT]
    return digests


def weights(run: Run) -> str:
    """The SHA-256 of a run's parameters now: equal digests mean bit-identical networks."""
    return hashlib.sha256(run.trainer.problem.params.storage.tobytes()).hexdigest()


@cache
def git(folder: Path, *, of: str = "") -> dict[str, str]:
    """Commit and dirty flag of a folder's checkout; empty if there is none, or no git.

    Dirty means that a file was changed or added, and is not ignored (runs under `outputs` do not
    count). With `of`, the checkout counts only if that file is part of it: a package that is
    installed inside another repository has no commit of its own.
    """
    try:
        if of:
            _run_git(folder, "ls-files", "--error-unmatch", of)
        top, _, commit = _run_git(folder, "rev-parse", "--show-toplevel", "HEAD").rpartition("\n")
        return {"commit": commit, "dirty": "true" if _is_dirty(Path(top)) else "false"}
    except OSError:
        return {}


@cache
def _is_dirty(top: Path) -> bool:
    """Cached: dlexp's own checkout is often the working folder."""
    outputs = (":(exclude)**/outputs/**", ":(exclude)outputs/**")
    return bool(_run_git(top, "status", "--porcelain", "--", ".", *outputs))


def _run_git(folder: Path, *words: str) -> str:
    """The output of git. Raises `OSError` if it fails or is not installed."""
    import subprocess

    command = ["git", "-C", str(folder), *words]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, timeout=10, check=True
        ).stdout.strip()
    except subprocess.SubprocessError as e:
        raise OSError(str(e)) from None


def tags(overrides: list[str]) -> dict[str, str]:
    """The provenance of a run as flat MLflow tags."""
    source, working = git(Path(__file__).resolve().parent, of=Path(__file__).name), git(Path.cwd())
    tags = {
        "dlexp.overrides": clean(" ".join(overrides)),
        "dlexp.command": clean(shlex.join(["python", "-m", "dlexp", *overrides])),
        "dlexp.platform": f"{platform.system()} {platform.machine()}, {Path(sys.executable).name}",
    }
    tags |= {f"dlexp.git.{k}": v for k, v in source.items()}  # of dlexp itself
    tags |= {f"git.{k}": v for k, v in working.items()}  # of the folder it was called in
    tags |= {f"dlexp.version.{k}": v for k, v in versions().items()}
    tags |= {f"dlexp.numerics.{k}": v for k, v in numerics().items()}
    if commit := (working or source).get("commit"):
        tags["mlflow.source.git.commit"] = commit
    return tags


def run_name(e: Experiment) -> str:
    """The choices that matter, short enough for a table: `adam lr=0.01 he dropout s3`.

    It has the optimizer, the initializer, other choices, values that differ from their class's
    default, and the seed.
    """
    usual = defaults().chosen
    words: list[str] = []
    for kind, plugins in sorted(e.chosen(), key=lambda pair: pair[0].name_rank):
        for p in plugins if kind.identity else ():
            if kind.always_named or p.name not in usual.get(kind.name, ()):
                words.append(p.name)
            words += _changed(p)
    values = defaults_of(e) | {"seed": e.seed}
    words += [f"{k}={v}" for k, v in e.settings().items() if k in values and v != values[k]]
    return " ".join([*words, f"s{e.seed}"])


def _changed(p: Plugin) -> list[str]:
    """`field=value` for each field that differs from its default; only the last part of a path."""
    default = type(p)()
    pairs = ((f.name, getattr(p, f.name), getattr(default, f.name)) for f in fields(cast("Any", p)))
    return [f"{name}={_short(value)}" for name, value, usual in pairs if value != usual]


def _short(value: Any) -> str:
    if isinstance(value, tuple):
        return "-".join(map(str, value)) or "none"
    return Path(value).name if isinstance(value, str) else str(value)
