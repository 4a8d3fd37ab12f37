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
dlexp composes its configuration with Hydra (https://hydra.cc). It supports these flags of Hydra:

  --multirun, -m                train every combination of the given values
  --cfg, -c job|hydra|all       show the configuration, train nothing
  --package, -p <key>           with --cfg: show only this part
  --resolve                     with --cfg: replace references such as ${{seed}} by values
  --info, -i [what]             show: all, config, defaults, defaults-tree, plugins or searchpath
  --config-dir, -cd <folder>    options and studies of your own: <folder>/<group>/<name>.yaml

these groups:

  hydra/launcher                {", ".join(LAUNCHERS)}
  hydra/sweeper                 {", ".join(SWEEPERS)}

and these keys: {", ".join(key for key in HYDRA_KEYS if "/" not in key)},
in a study's file also hydra.sweeper.params and hydra.sweeper.parts.
"""


def text(flags: Flags) -> str:
    """The output that the flags ask for. Raises `UserError`."""
    if flags.hydra_help:
        return HYDRA_HELP
    composition = Composition.of(flags)
    with composition.explained():
        if flags.info:
            return composition.loader.info(flags.info)
        return config(composition, flags.cfg or "job", flags.package, resolve=flags.resolve)


def config(composition: Composition, which: str, package: str | None, *, resolve: bool) -> str:
    """The configuration of a run, or of what all jobs of a sweep share, as YAML.

    A list of defaults names the option of each group, so that the text composes to the same again:
    saved as experiment/<name>.yaml, or with a group as package as <group>/<name>.yaml. Raises
    `UserError` for an unknown package.
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
    except ValueError:  # no such key
        node = missing
    if node is missing:
        wrong = "the configuration has no such part"
        raise UserError(wrong, key="--package", value=package, where=COMMAND_LINE)
    return node


def _typed(value: Any) -> Any:
    return "null" if value is None else value
