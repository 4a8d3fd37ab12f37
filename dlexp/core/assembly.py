"""Errors while a run is assembled: those of a plugin's code become one line that names it."""

from __future__ import annotations

import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from dlexp.core.arrays import Context
from dlexp.core.network import Network
from dlexp.errors import PluginError, UserError, describe_error, is_of_the_machine

if TYPE_CHECKING:
    from dlexp.core.registry import Plugin

HOME = "dlexp.plugins."
# raises only where a plugin uses its arrays wrongly, as in `p.mean = x`
ARRAYS = "dlexp.core.arrays"
SAMPLES = 2  # shown to a network before its first step


@contextmanager
def blamed(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Turn exceptions from the code of one of these plugins into a `PluginError` that names it.

    The innermost frame of a plugin or of dlexp decides whose error it is. Errors of dlexp itself,
    of the machine and of a lack of memory keep their traceback.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        of_machine = isinstance(e, MemoryError) or is_of_the_machine(e)
        if of_machine or (origin := _origin(e, plugins)) is None:
            raise
        kind, name, place = origin
        data = "".join(f" for data={p.name}" for p in plugins if p.kind == "data" != kind)
        notes = "".join(f": {note}" for note in getattr(e, "__notes__", ()))
        wrong = f"cannot be built{data}{notes}: {type(e).__name__}: {describe_error(e)} ({place})"
        raise PluginError(" ".join(wrong.split()), key=kind, value=name) from e


def _origin(error: Exception, plugins: Sequence[Plugin]) -> tuple[str, str, str] | None:
    """Kind, name and line of the plugin that raised the error; None if dlexp raised it."""
    modules = {type(p).__module__: p for p in plugins}
    for frame, line in reversed([*traceback.walk_tb(error.__traceback__)]):
        module = str(frame.f_globals.get("__name__"))
        file = frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
        owner: Plugin | None = modules.get(module)
        if owner is not None:
            return owner.kind, owner.name, f"{file}:{line}"
        if module.startswith(HOME):
            kind, _, name = module.removeprefix(HOME).partition(".")
            return kind, name, f"{file}:{line}"
        if module != ARRAYS and (module.startswith("dlexp.") or module == "dlexp"):
            return None
    return None


def try_out(problem: object) -> None:
    """Pass two samples through a problem's network in evaluation mode, to check the layers' widths.

    Raises `PluginError` for a layer of another width, and what the layers raise.
    """
    network = getattr(problem, "network", None)
    if not isinstance(network, Network):
        return
    x = np.zeros((SAMPLES, network.n_in), network.params.storage.dtype)
    shapes = zip(network.names, network.layers, network.widths, strict=True)
    outputs = network.outputs(x, Context(training=False, rng=np.random.default_rng(0)))
    with np.errstate(all="ignore"):
        for (_, y), (name, layer, width) in zip(outputs, shapes, strict=True):
            if np.shape(y) != (SAMPLES, width):
                wrong = f"{name} gives {np.shape(y)} for {SAMPLES} samples, its width() promises"
                raise PluginError(f"{wrong} {width} features", key=layer.kind, value=layer.name)
