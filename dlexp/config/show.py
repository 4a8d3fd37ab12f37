"""What `--cfg`, `--info` and `--hydra-help` print."""

from __future__ import annotations

from typing import Any

from omegaconf import Container, DictConfig, OmegaConf, flag_override

from dlexp.config.compose import PARTS, Composition
from dlexp.config.flags import Flags
from dlexp.config.hydra_groups import LAUNCHERS, SWEEPERS
from dlexp.config.overrides import HYDRA_KEYS
from dlexp.config.where import COMMAND_LINE
from dlexp.core import kinds
from dlexp.errors import UserError

GLOBAL = "_global_"
HYDRA_HELP = f"""\
dlexp composes with Hydra (https://hydra.cc). Of Hydra's flags it has:

  --multirun, -m                every combination of the values given
  --cfg, -c job|hydra|all       show the configuration, train nothing
  --package, -p <key>           of --cfg: show a part of it
  --resolve                     of --cfg: follow references such as ${{seed}}
  --info, -i [what]             all, config, defaults, defaults-tree, plugins or searchpath
  --config-dir, -cd <folder>    options and studies of your own: <folder>/<group>/<name>.yaml

of its groups

  hydra/launcher                {", ".join(LAUNCHERS)}
  hydra/sweeper                 {", ".join(SWEEPERS)}

and of its keys: {", ".join(key for key in HYDRA_KEYS if "/" not in key)},
and in a study's file hydra.sweeper.params and hydra.sweeper.parts.
"""


def text(flags: Flags) -> str:
    """What the flags ask for. Raises `UserError`."""
    if flags.hydra_help:
        return HYDRA_HELP
    composition = Composition.of(flags)
    with composition.explained():
        if flags.info:
            return composition.loader.info(flags.info)
        return config(composition, flags.cfg or "job", flags.package, resolve=flags.resolve)


def config(composition: Composition, which: str, package: str | None, *, resolve: bool) -> str:
    """The configuration of a run, or of what all jobs of a sweep share, as YAML.

    What is chosen of each group stands in a list of defaults, so that the text composes to the same
    again: saved as experiment/<name>.yaml, or with a group as package as <group>/<name>.yaml.
    Raises `UserError` for a package that is not there.
    """
    chosen: Any = OmegaConf.to_container(composition.config.hydra.runtime.choices)
    node = _part(_selected(composition.config, which), package)
    if isinstance(node, Container) and resolve:
        OmegaConf.resolve(node)
    if not isinstance(node, Container):
        return f"{_typed(node)}\n"
    head = f"# @package {package or GLOBAL}\n" if package or which == "job" else ""
    if package in PARTS - {*kinds.MANY}:
        head += OmegaConf.to_yaml({"defaults": [chosen[package]]})
    elif package in (None, GLOBAL) and which == "job":
        groups = [group for group in node if group in PARTS]
        defaults = [{f"override /{group}": chosen.get(group) or [*node[group]]} for group in groups]
        head += OmegaConf.to_yaml({"defaults": defaults})
    return head + OmegaConf.to_yaml(node)


def _selected(config: DictConfig, which: str) -> DictConfig:
    """The configuration without Hydra's part, that part alone, or both."""
    with flag_override(config, ["struct", "readonly"], [False, False]):
        if which == "job":
            del config["hydra"]
        elif which == "hydra":
            for key in [key for key in config if key != "hydra"]:
                del config[key]
            with flag_override(config.hydra, "struct", False):
                del config.hydra["help"], config.hydra["hydra_help"]
    return config


def _part(config: DictConfig, package: str | None) -> Any:
    if package in (None, GLOBAL):
        return config
    missing = object()
    try:
        node = OmegaConf.select(config, str(package), default=missing, throw_on_missing=False)
    except ValueError:  # no key at all
        node = missing
    if node is missing:
        wrong = "there is no such part of the configuration"
        raise UserError(wrong, key="--package", value=package, where=COMMAND_LINE)
    return node


def _typed(value: Any) -> Any:
    return "null" if value is None else value
