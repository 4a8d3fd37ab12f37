"""Fill the tutorial from the reports of its studies: `scripts/make_tutorial [outputs]`.

Copies the figures that pages show and the verdicts, and writes tables and numbers into the marked
places of the pages (see tutorial_pages.py). Without new results, it changes no byte.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tutorial_pages import HOME, PAGES, Verdicts, render

from dlexp.core.silent_keys import is_silent
from dlexp.errors import UserError
from dlexp.sweeps.study import NamedStudy

IMAGE = re.compile(r"!\[([^\]]*)\]\(([^)]+)\)")
CLAIMED = (
    "says",
    "of",
    "against",
    "direction",
    "margin",
    "metric",
    "part",
    "over",
    "reduce",
    "tuned",
)


@cache
def study_now(name: str) -> tuple[NamedStudy, dict[str, list[str]]]:
    """A study by its present file, and the values that it sweeps."""
    from dlexp.config import Composition, grid, parse

    config = Composition.of(parse([f"experiment={name}"])).config
    study = NamedStudy.of(config)
    assert study is not None
    return study, {
        key: [str(value) for value in values] for key, values in grid.plan_of(config).swept.items()
    }


def differences(study: NamedStudy, verdicts: Verdicts) -> list[str]:
    """The differences between a study's claims and its verdicts; empty if there are none."""
    assert study.description is not None
    claimed = {claim["id"]: claim for claim in study.description["claims"]}
    judged = {claim["id"]: claim for claim in verdicts["claims"]}
    wrong = [f"{name} has no verdict" for name in claimed if name not in judged]
    wrong += [f"{name} is no longer claimed" for name in judged if name not in claimed]
    for name in claimed.keys() & judged.keys():
        for key in CLAIMED:
            if key in claimed[name] and claimed[name][key] != judged[name][key]:
                wrong.append(f"{name}: {key} was {judged[name][key]}, is {claimed[name][key]}")
    return wrong


def collect(outputs: Path, name: str) -> tuple[Verdicts, str, str, Path]:
    """A study's verdicts (parsed and as text), settings digest and report. Raises `UserError`."""
    study, swept = study_now(name)
    again = f"run it first: python -m dlexp experiment={name}"
    place = _newest(outputs, name, swept)
    if place is None:
        raise UserError(
            f"there is no sweep in {outputs} of the study in its present form; {again}",
            key=name,
        )
    if changed := _changed(place):
        raise UserError(f"its settings were different: {changed}; {again}", key=str(place))
    try:
        text = (place / "report" / "verdicts.json").read_text(encoding="utf-8")
    except OSError:
        raise UserError(
            f"has no report; make it: python -m dlexp report {place}", key=str(place)
        ) from None
    verdicts = json.loads(text)
    if wrong := differences(study, verdicts):
        raise UserError(f"{'; '.join(wrong)}; {again}", key=str(place))
    return verdicts, text, study.digest, place / "report"


def _newest(outputs: Path, name: str, swept: Mapping[str, list[str]]) -> Path | None:
    """The newest sweep of a study with exactly its file's values; no quick one."""
    sweeps = []
    for path in outputs.glob("sweeps/*/sweep.json"):
        sweep = json.loads(path.read_text(encoding="utf-8"))
        extra = [o for o in sweep["fixed"] if not (is_silent(o) or o.startswith("experiment="))]
        if sweep["name"] == name and not extra and sweep["axes"] == swept:
            sweeps.append((sweep["created_ms"], path.parent))
    return max(sweeps)[1] if sweeps else None


def _changed(place: Path) -> str:
    """The overrides of a run of each part that had another meaning when it was trained."""
    from dlexp.config import compose_run

    parts = json.loads((place / "sweep.json").read_text(encoding="utf-8"))["parts"].values()
    entries = {
        e["key"]: e
        for line in (place / "ledger.jsonl").open(encoding="utf-8")
        for e in [json.loads(line)]
    }
    for entry in [entries[keys[0]] for keys in parts]:
        then = json.loads((place / entry["folder"] / "run.json").read_text(encoding="utf-8"))[
            "params"
        ]
        now = json.loads(json.dumps(compose_run(*entry["overrides"]).experiment.params()))
        keys = sorted(key for key in then.keys() | now.keys() if then.get(key) != now.get(key))
        if keys:
            return ", ".join(f"{key} {then.get(key)}, now {now.get(key)}" for key in keys)
    return ""


def small(source: Path) -> bytes:
    """A figure with a palette of 256 colours, a third of its size; an animation is not changed."""
    from PIL import Image

    if source.suffix == ".gif":
        return source.read_bytes()
    with Image.open(source) as image:
        flat = Image.new("RGB", image.size, "white")
        flat.paste(image, mask=image.getchannel("A") if image.mode == "RGBA" else None)
    made = io.BytesIO()
    flat.quantize(256, dither=Image.Dither.NONE).save(made, "PNG", optimize=True)
    return made.getvalue()


def wanted() -> dict[str, set[str]]:
    """The figures that pages and README show, by study."""
    shown: dict[str, set[str]] = {name: set() for name in PAGES}
    for page in [*HOME.glob("*/*.md"), *HOME.parents[1].glob("README*.md")]:
        for _, target in IMAGE.findall(page.read_text(encoding="utf-8")):
            place = (page.parent / target).resolve()
            if HOME / "figures" in place.parents:
                shown[place.parent.name].add(place.name)
    return shown


def put(path: Path, content: bytes) -> None:
    """Write a file unless it has this content already, and print its name."""
    if not path.is_file() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"written  {path.relative_to(HOME.parents[1])}")


def main(outputs: Path) -> None:
    """Copy the studies' results, then fill the pages."""
    known, index = {}, {}
    shown = wanted()
    for name in PAGES:
        known[name], text, digest, report = collect(outputs, name)
        figures = {figure: small(report / "figures" / figure) for figure in sorted(shown[name])}
        for figure, content in figures.items():
            put(HOME / "figures" / name / figure, content)
        put(HOME / "verdicts" / f"{name}.json", text.encode())
        sums = {figure: hashlib.sha256(content).hexdigest() for figure, content in figures.items()}
        index[name] = {"settings": digest, "figures": sums}
    put(HOME / "studies.json", (json.dumps(index, indent=1) + "\n").encode())
    for old in HOME.glob("figures/*/*"):
        if old.name not in shown.get(old.parent.name, ()):
            old.unlink()
    for page in sorted(HOME.glob("*/*.md")):
        filled = render(page.read_text(encoding="utf-8"), page.parent.name, known)
        put(page, filled.encode())


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1] if len(sys.argv) > 1 else "outputs"))
    except (UserError, FileNotFoundError) as e:
        sys.exit(f"make_tutorial: error: {e}")
