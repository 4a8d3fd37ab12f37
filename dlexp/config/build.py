"""Builds a typed experiment from what Hydra composed; checks every key and every range."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from dlexp import paths
from dlexp.config.explain import explain, no_such_field
from dlexp.config.overrides import ROOT, SECRET
from dlexp.config.where import asks_for, typed_value, where
from dlexp.config.wording import plain
from dlexp.core import kinds
from dlexp.core.early_stopping import EarlyStopping
from dlexp.core.experiment import Experiment
from dlexp.core.kinds import Data
from dlexp.errors import UserError, nearest
from dlexp.redaction import clean, cleaned_of, redacted
from dlexp.storage.checkpoint import Checkpointing
from dlexp.tracking.settings import TRACKING, MLflow, NoTracking

if TYPE_CHECKING:
    from dlexp.core.observed import ObservedRun

R = TypeVar("R", bound="ObservedRun")
# Keys of data, written as absolute paths: a run can be replayed and resumed from any folder.
PATHS = ("path", "folder")


@dataclass(frozen=True)
class Setup:
    """All that a command asks for, with the overrides and files that it came from."""

    experiment: Experiment
    tracking: MLflow | NoTracking
    overrides: tuple[str, ...]
    yaml: str
    files: tuple[tuple[str, Path], ...] = ()
    sweep: str | None = None
    checkpoint: Checkpointing = field(default_factory=Checkpointing)
    # Read from a run's own config.yaml: that file is at fault, not the overrides of that time.
    rebuilt: bool = False

    def with_location(self, error: UserError) -> UserError:
        """The error with the place where its key was set."""
        return with_location(error, () if self.rebuilt else self.overrides, self.files)

    def checked(self, run: R) -> R:
        """The run. Raises `UserError` for a chosen observer that cannot observe this run."""
        explicit = not self.rebuilt and asks_for("observer", self.overrides, self.files)
        for observer in run.experiment.observer if explicit else ():
            if lack := observer.lacks(run):
                wrong = (
                    f"{observer.name} needs {lack}, and objective={run.experiment.objective.name}"
                    " has none"
                )
                raise self.with_location(UserError(wrong, key="observer", value=observer.name))
        return run

    def reseeded(self, seed: int, overrides: Sequence[str]) -> Setup:
        """The same with another seed: composing these overrides, but a hundred times faster."""
        try:
            experiment = replace(self.experiment, seed=seed)
        except UserError as e:
            raise with_location(e, overrides, self.files) from None
        return replace(
            self,
            experiment=experiment,
            overrides=tuple(overrides),
            yaml=to_yaml(experiment, self.tracking, self.checkpoint),
        )


def with_location(
    error: UserError, overrides: Sequence[str], files: Sequence[tuple[str, Path]]
) -> UserError:
    """The error with the place where its key was set, and the value as it was typed there."""
    if error.key and not error.where:
        error.where = where(error.key, overrides, files)
        if typed := typed_value(error.key, overrides):
            error.value, error.message = redacted(typed), cleaned_of(typed, error.message)
    return error


def build(
    cfg: DictConfig,
    overrides: Sequence[str],
    files: Sequence[tuple[str, Path]] = (),
    *,
    again: bool = False,
) -> Setup:
    """The setup that a composed configuration describes. Raises `UserError` for invalid values.

    A value that may be a password is refused, because a run records its overrides; a run that
    exists already (`again`) is not checked.
    """
    try:
        setup = _build(cfg, overrides, files)
        if not again:
            _check_no_secret(setup)
        return setup
    except OmegaConfBaseException as e:
        # of a plain value; the values of a part are checked part by part
        error = explain(e, overrides, files) or UserError(plain(e))
        raise with_location(error, overrides, files) from None


def _check_no_secret(setup: Setup) -> None:
    for _, several in setup.experiment.plugins():
        for p in several:
            for name, value in _values(p).items():
                if any(
                    isinstance(text, str) and clean(text) != text
                    for text in [getattr(p, name), *_several(value)]
                ):
                    raise setup.with_location(
                        UserError(SECRET, key=f"{kinds.key_of(p)}.{name}", value=value)
                    )


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _build(cfg: DictConfig, overrides: Sequence[str], files: Sequence[tuple[str, Path]]) -> Setup:
    reader = Reader(cfg, list(overrides), tuple(files))
    reader.check_keys("", cfg, ROOT)
    parts: dict[str, Any] = {}
    for kind in kinds.KINDS:
        parts[kind] = (
            reader.several(kind) if kind in kinds.MANY else reader.plugin(kind, kinds.KINDS[kind])
        )
    for f in fields(Experiment):
        if f.name not in kinds.KINDS and f.name != "early_stopping":
            parts[f.name] = cfg[f.name]
    parts["early_stopping"] = reader.plugin("early_stopping", EarlyStopping)
    try:
        experiment = Experiment(**parts)
    except UserError as e:
        reader.refuse(e)
    reader.check_objective(experiment)
    tracking = reader.plugin("tracking", (MLflow, NoTracking))
    checkpoint = reader.plugin("checkpoint", Checkpointing)
    if cfg.sweep is not None and not re.fullmatch(
        r"[A-Za-z0-9]([\w.-]{0,78}[\w-])?", cfg.sweep, re.ASCII
    ):
        wrong = "must consist of letters, digits, dots, dashes and underscores, at most 80"
        reader.refuse(UserError(wrong, key="sweep", value=cfg.sweep))
    if cfg.sweep is not None and re.match(
        r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", cfg.sweep, re.IGNORECASE
    ):
        reader.refuse(
            UserError(
                "is a device name on Windows: choose another name", key="sweep", value=cfg.sweep
            )
        )
    if cfg.max_jobs < 1:
        reader.refuse(UserError("must be >= 1", key="max_jobs", value=cfg.max_jobs))
    text = to_yaml(experiment, tracking, checkpoint)
    return Setup(experiment, tracking, tuple(overrides), text, tuple(files), cfg.sweep, checkpoint)


def to_yaml(e: Experiment, tracking: Any, checkpoint: Checkpointing) -> str:
    """The complete configuration as YAML: each part by name with its values, then plain values."""
    import yaml

    parts: dict[str, Any] = {}
    for kind in kinds.KINDS:
        chosen = getattr(e, kind)
        if kind in kinds.MANY:
            parts[kind] = {p.name: _values(p) for p in chosen}
        else:
            parts[kind] = {"name": chosen.name, **_values(chosen)}
    for f in fields(Experiment):
        if f.name not in kinds.KINDS:
            value = getattr(e, f.name)
            parts[f.name] = _values(value) if f.name == "early_stopping" else value
    name = next(name for name, cls in TRACKING.items() if isinstance(tracking, cls))
    parts["checkpoint"] = _values(checkpoint)
    parts["tracking"] = {"name": name, **_values(tracking)}
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # the same text, several times as fast
    try:
        return str(yaml.dump(parts, Dumper=dumper, sort_keys=False, allow_unicode=True))
    except UnicodeEncodeError:  # a file name with characters that the locale cannot decode
        return str(yaml.dump(parts, Dumper=yaml.SafeDumper, sort_keys=False))


def _values(obj: Any) -> dict[str, Any]:
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(obj).items()}
    for key in PATHS if isinstance(obj, Data) else ():
        if values.get(key):
            values[key] = paths.in_utf8(paths.expanded(str(values[key])).absolute())
    return values


@dataclass(frozen=True)
class Reader:
    """Takes objects out of a configuration; its errors name the place of a bad value."""

    cfg: DictConfig
    overrides: list[str]
    files: tuple[tuple[str, Path], ...]

    def refuse(self, error: UserError, prefix: str = "") -> NoReturn:
        """Raise the error with its full key and its place."""
        error.key = f"{prefix}.{error.key}" if prefix else error.key
        raise with_location(error, self.overrides, self.files) from None

    def plugin(self, key: str, wanted: Any) -> Any:
        """The object at a key. Raises `UserError` if it is not of the class `wanted`."""
        node = OmegaConf.select(self.cfg, key)
        cls = OmegaConf.get_type(node) if isinstance(node, DictConfig) else None
        if cls is None or not issubclass(cls, wanted):
            option = key.rpartition(".")[2]
            wrong = (
                "is configured but not selected"
                if "." in key
                else f"is not one of the options of {key}"
            )
            self.refuse(
                UserError(
                    wrong,
                    key=key,
                    hint=f"{key.rpartition('.')[0]}=[{option}]" if "." in key else "",
                )
            )
        known = [f.name for f in fields(cls)]
        for name in node:
            if name not in known:
                value = OmegaConf.to_container(node, resolve=False)[name]  # type: ignore[index]
                self.refuse(no_such_field(f"{key}.{name}", value, "", cls, self.overrides))
        try:
            return OmegaConf.to_object(node)
        except UserError as e:
            self.refuse(e, key)
        except OmegaConfBaseException as e:
            self.refuse(explain(e, self.overrides, self.files) or UserError(plain(e), key=key))

    def several(self, kind: str) -> tuple[Any, ...]:
        """The plugins of a kind that allows several."""
        return tuple(
            self.plugin(f"{kind}.{name}", kinds.KINDS[kind]) for name in self.cfg[kind] or ()
        )

    def check_keys(self, prefix: str, node: DictConfig, known: Sequence[str]) -> None:
        """Raises `UserError` for an unknown key."""
        for key in node:
            if key not in known:
                allowed, hint = ", ".join(known), nearest(str(key), known)
                self.refuse(
                    UserError("there is no such key", key=str(key), allowed=allowed, hint=hint),
                    prefix,
                )

    def check_objective(self, e: Experiment) -> None:
        """Raises `UserError` for an explicit override that has no effect with the objective."""
        objective = e.objective
        for override in self.overrides:
            key, _, value = override.lstrip("+").partition("=")
            kind = key.partition(".")[0]
            if kind in objective.ignores:
                self.refuse(
                    UserError(f"objective={objective.name} has no {kind}", key=key, value=value)
                )
        if "model" in objective.ignores:
            for r in e.regularizer:
                if r.layer() is not None:
                    wrong = (
                        f"acts on a network's activations, and objective={objective.name} has no"
                        " network"
                    )
                    self.refuse(UserError(wrong, key="regularizer", value=r.name))
