"""docs/speed.md: what stands between `<!-- begin NAME -->` and `<!-- end -->` is written by the commands, never typed.

python benchmarks/main_job.py | python benchmarks/page.py main_job      # any command's output as a block
"""

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
    """Replace a block of the page. Raises `ValueError` where the page has no such block."""
    old = page.read_text("utf-8")
    block = re.compile(rf"(<!-- begin {re.escape(name)} -->\n).*?(<!-- end -->)", re.DOTALL)
    new, n = block.subn(lambda m: f"{m[1]}{text.strip()}\n{m[2]}", old)
    if n != 1:
        raise ValueError(f"{page.name} has {n} blocks called {name}, not one")
    page.write_text(new, "utf-8")


def tell(name: str, text: str, *, write: bool) -> None:
    """Print a result; write it and where it was measured into the page if asked to."""
    print(text, flush=True)
    if write:
        stamped = f"{text.strip()}\n\n{stamp()}"  # before the page itself is changed: that is no change of dlexp
        put("machine", machine())
        put(name, stamped)


def stamp() -> str:
    """When, with which code, how busy the machine was."""
    command = " ".join([f"python benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    asked = subprocess.run(["git", "-C", str(ROOT), "describe", "--always", "--dirty"], capture_output=True, text=True,
                           check=False)  # fmt: skip
    load = f"; load average {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    commit = asked.stdout.strip() or "unknown"
    return f"*{datetime.date.today()}, `{command}`, dlexp at {commit}{load}.*"


def machine() -> str:
    """Processor, caches, system and versions, as a list."""
    import numpy as np
    from threadpoolctl import threadpool_info

    blas = next((lib for lib in threadpool_info() if lib["user_api"] == "blas"), {})
    simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])  # type: ignore[call-overload,index]
    lines = [
        f"{_processor()}, {os.cpu_count()} processors{_caches()}",
        f"{platform.system()} {platform.release()}, {platform.machine()}, Python {platform.python_version()}",
        f"NumPy's BLAS: {' '.join(str(blas.get(k, '?')) for k in ('internal_api', 'version', 'architecture'))}",
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
        named = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text("utf-8"))
    except OSError:
        named = None
    return named[1] if named else platform.processor() or "an unnamed processor"


def _caches() -> str:
    sizes = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / what).read_text("utf-8").strip() for what in ("level", "type", "size"))
        sizes += [f"L{level} {size}"] if kind != "Instruction" else []
    return f", caches {', '.join(sizes)}" if sizes else ""


def asked_for(what: str, *, rounds: int) -> argparse.ArgumentParser:
    """The options that all commands have."""
    parser = argparse.ArgumentParser(description=what.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=rounds, help="repetitions, in turn (default: %(default)s)")
    parser.add_argument("--page", action="store_true", help="write the result into docs/speed.md")
    return parser


if __name__ == "__main__":
    words = sys.stdin.read().rstrip()
    if not words:  # the command before the pipe has failed
        raise SystemExit("there is nothing to write into the page; what stands there stays")
    print(words)
    put(sys.argv[1], f"```text\n{words}\n```\n\n*{datetime.date.today()}*")
