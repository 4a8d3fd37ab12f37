"""Promises of every plugin."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import json
import math
from typing import Any
from unittest import SkipTest

import numpy as np

from dlexp.conformance import toy
from dlexp.conformance.numerical import trials
from dlexp.core import registry
from dlexp.core.kinds.data import Data
from dlexp.core.kinds.observer import Observer
from dlexp.core.registry import Plugin
from dlexp.errors import FieldError


def check_can_be_built_from_its_defaults(p: Plugin | type[Plugin]) -> None:
    cls = p if isinstance(p, type) else type(p)
    try:
        cls()
    except Exception as e:
        raise AssertionError(
            f"{cls.__name__}() raises {type(e).__name__}: {e}; give each field a valid default"
        ) from e


def check_documented(p: Plugin) -> None:
    first = (inspect.getdoc(type(p)) or "").split("\n")[0]
    own = type(p).__dict__.get("__doc__")
    assert own, "write a class docstring: its first line, the equation, is what --help shows"
    assert first, "start the class docstring on its first line, with the equation"
    assert not first.startswith(f"{type(p).__name__}("), (
        f"the docstring is a signature, {first!r}: write the equation"
    )
    assert sum(c.isalpha() for c in first) >= 3, (
        f"the docstring's first line has no words: {first!r}; write what the plugin does"
    )


def check_names_its_source(p: Plugin) -> None:
    if isinstance(p, Observer):
        raise SkipTest("an observer implements no published method")
    if isinstance(p, Data):
        raise SkipTest(
            "a data set names its source in the method `source`, which has its own check"
        )
    doc = inspect.getdoc(type(p)) or ""
    lines = [
        line.partition(":")[2]
        for line in doc.split("\n")
        if line.startswith(("Source:", "Sources:"))
    ]
    assert any(len(line) > 10 for line in lines), (
        "end the docstring with a line `Source: author (year), https://…`"
    )


def check_frozen(p: Plugin) -> None:
    for name in [*(f.name for f in dataclasses.fields(p)), "anything"]:  # type: ignore[arg-type]
        kept = getattr(p, name, None)
        try:
            setattr(p, name, kept)
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError(
            f"{name} can be assigned to: decorate the class with `@plugin`, define no __setattr__"
        )


def check_file_is_called_like_the_plugin(p: Plugin) -> None:
    home, _, place = type(p).__module__.partition("dlexp.plugins.")
    if home or not place:
        raise SkipTest("it is not in a plugin folder, where files are found by their names")
    assert place == f"{p.kind}.{p.name}", (
        f"{place.replace('.', '/')}.py registers the {p.kind} {p.name!r}: call the file"
        f" {p.kind}/{p.name}.py"
    )


def check_class_is_called_like_the_plugin(p: Plugin) -> None:
    cls = type(p).__name__
    fits = (
        cls.startswith("No") if p.name == "none" else cls.lower() == p.name.replace("_", "").lower()
    )
    assert fits, f"the class of {p.name!r} is called {cls}: call it {_camel(p.name)}"


def _camel(name: str) -> str:
    return "No…" if name == "none" else "".join(word.capitalize() for word in name.split("_"))


def check_is_found_at_its_import_path(p: Plugin) -> None:
    cls = type(p)
    target: Any = importlib.import_module(cls.__module__)
    for name in cls.__qualname__.split("."):
        target = getattr(target, name, None)
    assert target is cls, (
        f"{cls.__module__}.{cls.__qualname__} is not this class: define it at the top level of its"
        " file, so that it can be sent to worker processes"
    )


def check_survives_config(p: Plugin) -> None:
    from omegaconf import OmegaConf

    for schema in (type(p), p):
        try:
            back = OmegaConf.to_object(OmegaConf.structured(schema))
        except Exception as e:
            raise AssertionError(
                f"OmegaConf does not accept its fields ({e}): use float, int, bool, str, tuple[int,"
                " ...] and `… | None`"
            ) from e
        assert back == (type(p)() if schema is type(p) else p), (
            f"comes back from its configuration as {back}"
        )


def check_survives_json(p: Plugin) -> None:
    try:
        written = json.loads(json.dumps(registry.as_dict(p)))
    except TypeError as e:
        raise AssertionError(f"a run's journal cannot hold its fields: {e}") from e
    back = registry.from_dict(p.kind, written)
    assert back == p, (
        f"comes back from a run's journal as {back}: fields must be numbers, strings or lists of"
        " them"
    )


def check_refuses_nan_and_infinity(p: Plugin) -> None:
    floats = [f.name for f in dataclasses.fields(p) if "float" in str(f.type)]  # type: ignore[arg-type]
    if not floats:
        raise SkipTest("it has no float field")
    for name in floats:
        for bad in (math.nan, math.inf, -math.inf):
            many = isinstance(getattr(p, name), tuple)
            _refused(p, name, (bad, bad) if many else bad)


def check_enforces_its_ranges(p: Plugin) -> None:
    tried = list(trials(p))
    if not tried:
        raise SkipTest("none of its fields declares a range")
    for name, value, allowed in tried:
        if not allowed:
            _refused(p, name, value)


def _refused(p: Plugin, name: str, value: Any) -> None:
    try:
        dataclasses.replace(p, **{name: value})  # type: ignore[type-var]
    except FieldError as e:
        if e.key != name:
            raise AssertionError(f"{name}={value} is refused, but the error names {e.key!r}") from e
    else:
        raise AssertionError(
            f"{name}={value} is accepted: a __post_init__ must call super().__post_init__()"
        )


def check_keeps_no_state_on_itself(p: Plugin) -> None:
    before = _memory(p)
    toy.trained(p)
    after = _memory(p)
    changed = [name for name in before | after if before.get(name) != after.get(name)]
    assert not changed, (
        f"training changes {', '.join(changed)} of the plugin: keep state in slots, s or p"
    )


def _memory(p: Plugin) -> dict[str, str]:
    """The state of a plugin as text: its instance's values, its class's containers and numbers."""
    kinds_of_memory = (dict, list, set, np.ndarray, int, float)
    own = {
        k: v
        for k, v in vars(type(p)).items()
        if isinstance(v, kinds_of_memory) and not k.startswith("__")
    }
    return {name: repr(value) for name, value in {**own, **vars(p)}.items()}


def check_draws_on_no_global_random_state(p: Plugin) -> None:
    with toy.global_randomness() as touched:
        toy.trained(p)
    assert not touched, (
        f"{' and '.join(touched)} was used: draw only from the generator that is passed"
    )


def check_same_seed_gives_the_same_bits(p: Plugin) -> None:
    first, second = toy.outcome(toy.trained(p)), toy.outcome(toy.trained(p))
    differs = toy.same(first, second)
    assert not differs, (
        f"two runs with one seed differ in {differs}: keep no state, and draw only from the"
        " generator that is passed"
    )
