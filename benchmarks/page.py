"""docs/speed.md: commands write what is between `<!-- begin NAME -->` and `<!-- end -->`."""

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "speed.md"
PACKAGES = ("numpy", "scikit-learn", "torch", "jax", "jaxlib", "mlflow", "hydra-core")


def put(name: str, text: str, page: Path = PAGE) -> None:
    """Replace a block of the page. Raises `ValueError` if the page has no such block."""
    block(name, page)
    page.write_text(
        _marked(name).sub(lambda m: f"{m[1]}{text.strip()}\n{m[3]}", page.read_text("utf-8")),
        "utf-8",
    )


def block(name: str, page: Path = PAGE) -> str:
    """The content of a block of the page. Raises `ValueError` if the page has no such block."""
    blocks = _marked(name).findall(page.read_text("utf-8"))
    if len(blocks) != 1 or "<!-- begin" in blocks[0][1]:
        raise ValueError(f"{page.name} has {len(blocks)} blocks called {name}, not one that ends")
    return str(blocks[0][1])


def _marked(name: str) -> re.Pattern[str]:
    return re.compile(rf"(<!-- begin {re.escape(name)} -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def tell(name: str, text: str, *, write: bool) -> None:
    """Print a result; write it and its conditions into the page if requested."""
    print(text, flush=True)
    if write:
        # before the page itself is changed, which is no change of dlexp
        stamped = f"{text.strip()}\n\n{stamp()}"
        put("machine", machine())
        put(name, stamped)


def stamp() -> str:
    """Date, command, code, and load of the machine."""
    command = " ".join([f"python -m benchmarks.{Path(sys.argv[0]).stem}", *sys.argv[1:]])
    load = f"; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return f"*{datetime.date.today()}, `{command}`, dlexp at {_commit()}, {_processor()}{load}.*"


def _commit() -> str:
    """The commit, and whether anything but this page was changed since."""

    def git(*words: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(ROOT), *words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/speed.md")
    return (git("describe", "--always") or "unknown") + ("-dirty" if changed else "")


BLAS = ("internal_api", "version", "architecture")


def machine() -> str:
    """Processor, caches, system and versions, as a list."""
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = next((lib for lib in threadpool_info() if lib["user_api"] == "blas"), {})
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload,index]
    lines = [
        f"{_processor()}, {os.cpu_count()} processors{_caches()}",
        (
            f"{platform.system()} {platform.release()}, {platform.machine()}, Python"
            f" {platform.python_version()}"
        ),
        f"NumPy's BLAS: {' '.join(str(blas.get(k, '?')) for k in BLAS)}",
        f"NumPy's SIMD: {simd[-1] if simd else 'baseline'}",
        ", ".join(f"{name} {version_of(name)}" for name in PACKAGES),
    ]
    return "\n".join(f"- {line}" for line in lines)


def version_of(name: str) -> str:
    """An installed package's version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _processor() -> str:
    try:
        info = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        info = ""
    named = re.search(r"model name\s*: (.*)", info)
    return (named[1] if named else platform.processor() or "an unnamed processor") + (
        ", a virtual machine" if re.search(r"flags\s*:.*\bhypervisor\b", info) else ""
    )


def _caches() -> str:
    sizes = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = (
            (index / what).read_text("utf-8").strip() for what in ("level", "type", "size")
        )
        sizes += [f"L{level} {size}"] if kind != "Instruction" else []
    return f", caches {', '.join(sizes)}" if sizes else ""


def asked_for(what: str, *, rounds: int) -> argparse.ArgumentParser:
    """The options of all commands."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="repetitions, in turn (default: %(default)s)"
    )
    parser.add_argument("--page", action="store_true", help="write the result into docs/speed.md")
    return parser
