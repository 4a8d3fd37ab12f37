"""Plugins with one deliberate fault each, and the check that is meant to find it; none of them
stays registered.

`@wrong("check", …)` names that check; `also` names those that cannot but find the fault too.
"""

from dataclasses import dataclass

from dlexp import Optimizer, plugin, positive
from dlexp.core.registry import Plugin, unregister


@dataclass(frozen=True)
class Fault:
    """A plugin class, the check that must find its fault, and those that find it as well."""

    cls: type[Plugin]
    check: str
    also: tuple[str, ...] = ()


# no run goes through
STOPS = "draws_on_no_global_random_state keeps_no_state_on_itself same_seed_gives_the_same_bits"

RANDOM = (
    # nothing is twice the same
    "block_size_is_invisible is_deterministic resumes_bit_for_bit uses_the_lr_it_is_handed"
)

FAULTS: list[Fault] = []
MEMORY = {}  # what plugins that must not remember anything remember
DOC = """Its first line says what it is.

Source: nobody (2026), https://example.org
"""


def wrong(check, name=None, *, also="", doc=DOC):
    """Make the class a plugin that is registered nowhere, and note the check that must find its
    fault.
    """

    def note(cls):
        cls.__doc__ = doc
        made = plugin(name or cls.__name__.lower())(cls)
        unregister(made)
        FAULTS.append(Fault(made, check, tuple(also.split())))
        return made

    return note


@dataclass(frozen=True, kw_only=True)
class Plain(Optimizer):
    """What most of the wrong ones have right: gradient descent."""

    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        w -= lr * g
