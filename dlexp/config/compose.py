"""From the words of a command line to setups: of one run, or of each job of a sweep.

One function serves a command, a dry run, a study and a notebook. Every file is read and every value
is checked before anything is created.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.core.utils import configure_log
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override

from dlexp import shell
from dlexp.config import grid, overrides as overrides_, store
from dlexp.config.build import Setup, build
from dlexp.config.explain import explained
from dlexp.config.flags import Flags, parse
from dlexp.config.loader import Loader
from dlexp.config.sources import CheckedFiles
from dlexp.config.where import COMMAND_LINE, where
from dlexp.core import kinds
from dlexp.errors import UserError

USES_SEED = re.compile(r"\$\{[^}]*\bseed\b")
PARTS = frozenset(overrides_.GROUPS) - {"experiment"}


def compose(words: Sequence[str]) -> list[Setup]:
    """The setups that `python -m dlexp <words>` would train: one run, or all jobs of a sweep.

    Raises the `UserError` that the command would print, except for errors in the data.
    """
    composition = Composition.of(_of_a_function(words))
    if not composition.is_sweep:
        return [composition.setup()]
    if composition.sweeper != "grid":
        wrong = "draws its jobs while it trains, so they cannot be listed before"
        raise UserError(wrong, key="hydra/sweeper", value=composition.sweeper)
    with composition.explained():
        jobs = [job for part in grid.grid(composition.config).values() for job in part]
    return list(composition.setups(jobs))


def compose_run(*overrides: str) -> Setup:
    """The setup of one run; with a study, of a run with the settings that the study fixes.

    Raises `UserError` if the overrides themselves ask for a sweep.
    """
    flags = _of_a_function(overrides)
    if flags.multirun:
        wrong = "this trains one run, but the words ask for a sweep: use"
        raise UserError(f"{wrong} {shell.command(*overrides)}", where=COMMAND_LINE)
    composition = Composition.of(flags)
    _refuse_several(overrides_.check(list(composition.words)))
    return composition.setup()


@dataclass(frozen=True)
class Composition:
    """The configuration that Hydra composed from a command.

    `config` is the configuration of the run, or the base of the sweep: what all its jobs share.
    """

    words: tuple[str, ...]
    config: DictConfig
    is_sweep: bool
    loader: Loader

    @staticmethod
    def of(flags: Flags) -> Composition:
        """Compose once, for a run or a sweep. Raises `UserError`."""
        store.register()
        words = overrides_.normalize(flags.overrides)
        parsed = overrides_.check(words)
        loader = Loader(flags.config_dir)
        with explained(words, loader.files):
            config, is_sweep = _composed(loader, parsed, multirun=flags.multirun)
        return Composition(tuple(words), config, is_sweep, loader)

    @property
    def sweeper(self) -> str:
        """The option of `hydra/sweeper`: grid, random or tpe."""
        return str(self.config.hydra.runtime.choices["hydra/sweeper"])

    def set_log_levels(self) -> None:
        """Apply `hydra.verbose` to the loggers."""
        configure_log(self.config.hydra.job_logging, self.config.hydra.verbose)

    def explained(self) -> AbstractContextManager[None]:
        """Context manager: errors of Hydra and OmegaConf become a `UserError`."""
        return explained(self.words, self.loader.files)

    def setup(self) -> Setup:
        """The setup of the run."""
        task: Any = OmegaConf.to_container(self.config.hydra.overrides.task, resolve=False)
        with self.explained(), _apart_from_hydra(self.config) as hydra:
            return build(self.config, task, files_in_use(hydra))

    def setups(self, jobs: Iterable[Sequence[str]]) -> Iterator[Setup]:
        """The setup of each job of the sweep, given its overrides.

        Jobs that differ only in their seed are composed once. Raises the `UserError` of the first
        invalid job.
        """
        siblings: dict[tuple[str, ...], Setup | None] = {}
        for overrides in jobs:
            seeds, rest = _seed_apart(overrides)
            sibling = siblings.get(rest) if len(seeds) == 1 else None
            try:
                if sibling is not None:
                    yield sibling.reseeded(int(seeds[0]), overrides)
                    continue
                with explained(overrides, self.loader.files):
                    config = self.loader.load_job(self.config, overrides)
                    with _apart_from_hydra(config) as hydra:
                        setup = build(config, overrides, files_in_use(hydra))
                        uses_seed = USES_SEED.search(OmegaConf.to_yaml(config))
            except UserError as e:
                raise self.placed(e) from None
            siblings[rest] = None if uses_seed else setup
            yield setup

    def placed(self, error: UserError) -> UserError:
        """A job's mistake with its place: in the study's file, if the user did not type the key."""
        hydra = self.config.hydra
        typed = [
            word.replace(overrides_.SWEPT, "")
            for word in (*hydra.overrides.task, *hydra.overrides.hydra)
        ]
        study = hydra.runtime.choices.get("experiment")
        in_file = error.where == COMMAND_LINE and where(error.key, typed) != COMMAND_LINE
        if study and error.key and in_file:
            error.where = f"experiment/{study}.yaml"
        return error


def files_in_use(hydra: Any) -> list[tuple[str, Path]]:
    """The YAML files behind a configuration, strongest first, each with the package of its keys."""
    scheme = CheckedFiles.scheme()
    roots = [Path(s.path) for s in hydra.runtime.config_sources if s.schema == scheme]
    choices = {g: c for g, c in hydra.runtime.choices.items() if c and not g.startswith("hydra/")}
    named = [
        ("" if group == "experiment" else group, f"{group}/{choice}.yaml")
        for group, choice in sorted(choices.items())
    ]
    named.sort(key=lambda item: item[0] != "")  # an experiment overrides the file of a group
    places = (
        (package, next((path for root in roots if (path := root / name).is_file()), None))
        for package, name in [*named, ("", "config.yaml")]
    )
    return [(package, path) for package, path in places if path is not None]


def _of_a_function(words: Sequence[str]) -> Flags:
    flags = parse(words)
    if others := flags.beside("multirun", "config_dir"):
        raise UserError("can be set only on the command line", key=others[0], where=COMMAND_LINE)
    return flags


@contextmanager
def _apart_from_hydra(config: DictConfig) -> Iterator[Any]:
    """Context manager: the configuration has no `hydra` part, so that no key can refer to it."""
    hydra = config.hydra
    with flag_override(config, ["struct", "no_deepcopy_set_nodes"], [False, True]):
        del config["hydra"]
    try:
        yield hydra
    finally:
        with flag_override(config, ["struct", "no_deepcopy_set_nodes"], [False, True]):
            config["hydra"] = hydra


def _composed(
    loader: Loader, parsed: Sequence[Override], *, multirun: bool
) -> tuple[DictConfig, bool]:
    """The configuration, and whether it is the base of a sweep.

    A configuration composed as a sweep has the answer in `hydra.mode`. Without a study's file and
    without Hydra's overrides, only `-m` asks for a sweep.
    """
    if not multirun and not any(
        o.key_or_group == "experiment" or o.is_hydra_override() for o in parsed
    ):
        _refuse_several(parsed)
        return loader.load(_lines(parsed), sweep=False), False
    base = _base(loader, parsed, multirun=multirun)
    if multirun or base.hydra.mode is RunMode.MULTIRUN:
        base.hydra.mode = RunMode.MULTIRUN
        return base, True
    _refuse_several(parsed)
    if any(OmegaConf.is_missing(base.hydra.runtime.choices, g) for g in base.hydra.runtime.choices):
        return loader.load(_lines(parsed), sweep=False), False  # its error names what is missing
    return base, False


def _base(loader: Loader, parsed: Sequence[Override], *, multirun: bool) -> DictConfig:
    """The base of a sweep.

    It is composed with the default option of a swept group. `optimizer=momentum,nesterov
    optimizer.momentum=0.5` would be refused there, because the default, adam, has no momentum.
    Every job is composed with all words, so the base may omit the values below swept groups.
    """
    try:
        return loader.load(_lines(parsed), sweep=True)
    except Exception:
        swept = {o.key_or_group for o in parsed if o.is_sweep_override()} & PARTS
        if any(o.key_or_group == "experiment" for o in parsed):
            outline = _without(loader, parsed, PARTS)
            if multirun or outline.hydra.mode is RunMode.MULTIRUN:
                # values of one typed option, which overrides a study that sweeps the group
                swept |= _swept_in(outline) - {
                    o.key_or_group for o in parsed if not o.is_sweep_override()
                }
        if not swept:
            raise
    return _without(loader, parsed, swept)


def _without(loader: Loader, parsed: Sequence[Override], groups: Collection[str]) -> DictConfig:
    """The configuration without the values below these groups, typed or in files."""
    kept = [
        o
        for o in parsed
        if o.is_sweep_override()
        or "." not in o.key_or_group
        or o.key_or_group.partition(".")[0] not in groups
    ]
    config = loader.load(_lines(kept), sweep=True, without=groups)
    config.hydra.overrides.task = _lines(o for o in parsed if not o.is_hydra_override())
    return config


def _swept_in(outline: DictConfig) -> set[str]:
    """The groups that a study's file sweeps, including its `quick` part."""
    study: Any = OmegaConf.to_container(outline.study) if OmegaConf.is_dict(outline.study) else {}
    sweeper: Any = OmegaConf.to_container(outline.hydra.sweeper, resolve=False)
    keys: set[str] = set()
    for held in (sweeper, study.get("quick")):
        if isinstance(held, Mapping):
            parts = held.get("parts")
            each = [held.get("params"), *(parts.values() if isinstance(parts, Mapping) else ())]
            keys |= {str(key) for params in each if isinstance(params, Mapping) for key in params}
    return keys & PARTS


def _refuse_several(parsed: Iterable[Override]) -> None:
    """Raises `UserError` if a key has several values and one run is wanted."""
    lines = _lines(parsed)
    for o in parsed:
        if o.is_sweep_override():
            key, _, value = (o.input_line or "").partition("=")
            has_lists = key in (*kinds.MANY, "model.hidden")
            one_list = f" (or [{value}] for one list)" if has_lists else ""
            wrong = f"several values make a sweep: use {shell.command('-m', *lines)}{one_list}"
            raise UserError(wrong, key=key, value=value, where=COMMAND_LINE)


def _lines(parsed: Iterable[Override]) -> list[str]:
    return [o.input_line or "" for o in parsed]


def _seed_apart(overrides: Sequence[str]) -> tuple[list[str], tuple[str, ...]]:
    """The values of the seed, if they are plain numbers, and the other overrides."""
    plain = [o for o in overrides if re.fullmatch(r"seed=\d{1,18}", o)]
    return [o.partition("=")[2] for o in plain], tuple(o for o in overrides if o not in plain)
