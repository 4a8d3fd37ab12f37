"""The promises that every plugin must keep, as one test per plugin and check.

In a test file of your own, for the plugins of your own:

    from dlexp.conformance import parametrize_with_checks

    @parametrize_with_checks(plugins=[Lion, MyNorm(eps=1e-3)], references="tests/references")
    def test_plugin(plugin, check):
        check(plugin)

Without `plugins`, every registered plugin is tested. The tests are called
`optimizer/lion-resumes_bit_for_bit`; what does not apply is skipped with its reason. A check that a
plugin is meant to fail is declared by the plugin, `known_failures = {"resumes_bit_for_bit":
"why"}`: it is then expected to fail, and it is an error if it passes.

`references` is a folder of trajectories that another implementation made, `<kind>/<name>.npz` and
`<kind>/<name>-<variant>.npz`; `dlexp.conformance.reference` describes their content. Without a
file the check `follows_reference` is skipped.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlexp.conformance import every
from dlexp.core import kinds, registry
from dlexp.core.registry import Plugin
from dlexp.errors import PluginError, nearest
from dlexp.plugins.discovery import discover

if TYPE_CHECKING:
    import pytest

PREFIX = "check_"


@dataclass(frozen=True)
class Check:
    """One promise: called with a plugin, it raises an error if the plugin breaks it.

    `AssertionError` says what to change, `unittest.SkipTest` why there is nothing to check.
    """

    function: Callable[..., None]
    subject: Callable[[Any], Any] = lambda p: p
    references: Path | None = None

    @property
    def name(self) -> str:
        """What is promised, as a sentence: `resumes_bit_for_bit`."""
        return self.function.__name__.removeprefix(PREFIX)

    def __call__(self, plugin: Plugin | type[Plugin]) -> None:
        wanted = (
            {"references": self.references}
            if "references" in inspect.signature(self.function).parameters
            else {}
        )
        self.function(self.subject(plugin), **wanted)


def _suites(p: Plugin) -> Iterator[tuple[Any, Callable[[Any], Any]]]:
    """The modules of checks that a plugin's kind names, and what of the plugin each looks at: what
    its function `subject` returns, or the plugin.
    """
    kind = kinds.find(p.kind)
    for name in ("every", *(kind.suites if kind else ())):
        suite = importlib.import_module(f"{__name__}.{name}")
        subject = getattr(suite, "subject", lambda p: p)
        if subject(p) is not None:
            yield suite, subject


def checks_for(plugin: Plugin | type[Plugin], references: str | Path | None = None) -> list[Check]:
    """Every check that applies, in the order they are written.

    A class that cannot be built from its defaults has only the check of that. Raises
    `PluginError` where the plugin's `known_failures` name something that is no check of it.
    """
    p = _built(plugin)
    if p is None:
        return [Check(every.check_can_be_built_from_its_defaults)]
    checks = [
        Check(function, subject, Path(references) if references is not None else None)
        for suite, subject in _suites(p)
        for name, function in vars(suite).items()
        if name.startswith(PREFIX)
    ]
    names = [check.name for check in checks]
    for name in p.known_failures:
        if name not in names:
            wrong = f"known_failures of {p.kind}/{p.name} must name checks that there are for it"
            raise PluginError(wrong, key="known_failures", value=name, hint=nearest(name, names))
    return checks


def parametrize_with_checks(
    plugins: Iterable[Plugin | type[Plugin]] | None = None, *, references: str | Path | None = None
) -> pytest.MarkDecorator:
    """Decorate `def test_plugin(plugin, check): check(plugin)`: one test per plugin and check.

    `plugins` are instances, or classes that are tried with their default fields; None means all
    that are registered. `references` is the folder of reference trajectories. Raises `PluginError`
    for `known_failures` that name no check.
    """
    import pytest

    if plugins is None:
        discover()
        plugins = registry.every()
    cases = []
    for given in plugins:
        p = _built(given) or given
        for check in checks_for(p, references):
            reason = p.known_failures.get(check.name)
            marks = [] if reason is None else [pytest.mark.xfail(reason=reason, strict=True)]
            cases.append(pytest.param(p, check, marks=marks, id=f"{p.kind}/{p.name}-{check.name}"))
    return pytest.mark.parametrize(("plugin", "check"), cases)


def _built(p: Plugin | type[Plugin]) -> Plugin | None:
    """An instance, a class with its default fields; None where it cannot be built."""
    if isinstance(p, Plugin):
        return p
    try:
        return p()
    except Exception:
        return None
