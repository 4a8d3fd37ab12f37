"""Whose fault it is that a run cannot be assembled: a plugin's own exceptions in one line, ours as
they are.
"""

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
# raises only where a plugin asks its arrays for what they do not give, as in `p.mean = x`
ASKED = "dlexp.core.arrays"
SAMPLES = 2  # shown to a network before its first step


@contextmanager
def blamed(plugins: Sequence[Plugin]) -> Iterator[None]:
    """Inside, an ordinary exception out of the code of one of these plugins becomes a `PluginError`
    that names it.

    Whose code it is, the innermost frame says that is a plugin's or dlexp's: what dlexp itself
    raises keeps its traceback, and so do a lack of memory and what is of the machine.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as e:
        at_fault = (
            None if isinstance(e, MemoryError) or is_of_the_machine(e) else _at_fault(e, plugins)
        )
        if at_fault is None:
            raise
        kind, name, place = at_fault
        data = "".join(f" for data={p.name}" for p in plugins if p.kind == "data" != kind)
        notes = "".join(f": {note}" for note in getattr(e, "__notes__", ()))
        wrong = f"cannot be built{data}{notes}: {type(e).__name__}: {describe_error(e)} ({place})"
        raise PluginError(" ".join(wrong.split()), key=kind, value=name) from e


def _at_fault(error: Exception, plugins: Sequence[Plugin]) -> tuple[str, str, str] | None:
    """Kind, name and line of the plugin whose code raised the error; None where it was dlexp's own."""
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
        if module != ASKED and (module.startswith("dlexp.") or module == "dlexp"):
            return None
    return None


def try_out(problem: object) -> None:
    """Show a problem's network two samples, in evaluation mode: its layers must take them, and keep
    their widths.

    Raises `PluginError` for a layer that does not, and what the layers raise.
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
                wrong = (
                    f"{name} gives {np.shape(y)} for {SAMPLES} samples, its width() promises"
                    f" {width} features"
                )
                raise PluginError(wrong, key=layer.kind, value=layer.name)
