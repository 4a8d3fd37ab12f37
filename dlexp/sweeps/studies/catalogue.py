"""The available studies: files in conf/experiment/ and in a folder of the user."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dlexp import paths, shell
from dlexp.errors import UserError, nearest
from dlexp.report import words


@dataclass(frozen=True)
class CatalogueEntry:
    """A study with claims: what its file contains, and its expected duration relative to others."""

    name: str
    title: str
    cost: float
    home: Path | None = None  # a folder of the user, which contains experiment/


def words_of(path: Path) -> Mapping[str, Any]:
    """The key `study` of a file. Raises `UserError` for invalid YAML."""
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig")) or {}
    except UnicodeDecodeError as e:
        raise UserError(
            f"cannot be read: byte {e.object[e.start]:#04x} is not UTF-8", key=str(path)
        ) from None
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as e:
        raise UserError(f"cannot be read: {' '.join(str(e).split())}", key=str(path)) from None
    study = content.get("study") if isinstance(content, dict) else None
    return study if isinstance(study, dict) else {}


def in_english(text: Any) -> str:
    """A text of a study in English, on one line."""
    return words.plain((text.get("en") if isinstance(text, Mapping) else text) or "")


@dataclass(frozen=True)
class Catalogue:
    """The files of a folder by name: studies with claims, other files, and unreadable files."""

    studies: dict[str, CatalogueEntry] = field(default_factory=dict)
    without_claims: dict[str, Path] = field(default_factory=dict)
    broken: dict[str, UserError] = field(default_factory=dict)

    @staticmethod
    def of(folder: Path, home: Path | None = None) -> Catalogue:
        """Every file of a folder."""
        catalogue = Catalogue()
        for path in sorted(folder.glob("*.yaml")):
            try:
                study = words_of(path)
            except UserError as e:
                catalogue.broken[path.stem] = e
                continue
            if study.get("claims"):
                title = in_english(study.get("title")) or path.stem
                catalogue.studies[path.stem] = CatalogueEntry(path.stem, title, _cost(study), home)
            else:
                catalogue.without_claims[path.stem] = path
        return catalogue


def _cost(study: Mapping[str, Any]) -> float:
    cost = study.get("cost")
    return float(cost) if isinstance(cost, (int, float)) else 1.0


def named(folder: Path) -> list[CatalogueEntry]:
    """The studies with claims in a folder of experiments, by name, without unreadable files."""
    return list(Catalogue.of(folder).studies.values())


def chosen(names: Sequence[str], home: Path | None) -> list[CatalogueEntry]:
    """The studies of these names, or all, sorted by name.

    An unreadable file of the user gives a warning; if it was requested by name, an error.
    """
    shipped = Catalogue.of(paths.CONF / "experiment")
    own = _own(home, names) if home else Catalogue()
    for name in own.studies:
        if name in shipped.studies:
            raise UserError(
                "dlexp has a study of this name: give yours another name",
                key="--config-dir",
                value=name,
                where="command line",
            )
    known = dict(sorted({**shipped.studies, **own.studies}.items()))
    for name in names:
        if name in own.broken:
            raise own.broken[name]
        if name in own.without_claims or name in shipped.without_claims:
            path = own.without_claims.get(name) or shipped.without_claims[name]
            theirs = ["--config-dir", str(path.parents[1])] if name in own.without_claims else []
            way = shell.command(*theirs, f"experiment={name}")
            raise UserError(
                f"makes no claims; to train it: {way}", key="claims", value=name, where=str(path)
            )
        if name not in known:
            raise UserError(
                "there is no such study",
                key="claims",
                value=name,
                where="command line",
                allowed=", ".join(known),
                hint=nearest(name, known),
            )
    for error in own.broken.values():
        print(f"dlexp: warning: {error}; it is left out", file=sys.stderr)
    return [study for name, study in known.items() if name in names or not names]


def _own(home: Path, names: Sequence[str]) -> Catalogue:
    folder = home / "experiment"
    catalogue = Catalogue.of(folder, home)
    if not catalogue.studies and not {*names} & {*catalogue.without_claims, *catalogue.broken}:
        if catalogue.broken:
            raise next(iter(catalogue.broken.values()))
        wrong = (
            f"there is no study with claims in {folder}"
            if folder.is_dir()
            else f"there is no folder {folder}"
        )
        raise UserError(wrong, key="--config-dir", value=str(home), where="command line")
    return catalogue
