"""The source code of this process: each file as it was when it was imported.

A file can be edited while its process runs. The record of a run must be the code that trained it,
so no file is read twice. A file has two digests: of its bytes, and of its code alone, which
comments, docstrings and formatting do not change.
"""

from __future__ import annotations

import ast
import hashlib
import inspect
import sys
import sysconfig
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from importlib.util import cache_from_source, resolve_name
from pathlib import Path
from types import CodeType, ModuleType

from dlexp.plugins.code_digest import SHORT, code_digest

CLEARLY = 2_000_000_000  # nanoseconds: Python compares whole seconds

INSTALLED = tuple(
    Path(sysconfig.get_path(of)) for of in ("stdlib", "platstdlib", "purelib", "platlib")
)
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


class Source:
    """The content of one source file, with its two digests."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    @cached_property
    def sha256(self) -> str:
        """The SHA-256 of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def code(self) -> str:
        """The short digest of the code; of the bytes, if they are not Python source."""
        try:
            return code_digest(self.content)
        except (SyntaxError, ValueError):
            return self.sha256[:SHORT]


_sources: dict[Path, Source] = {}


def source(path: Path) -> Source:
    """A source file as this process imported it. Raises `OSError` if it is missing.

    A file that was imported without `Finder` is read at the first call: `remember` it early.
    """
    if path not in _sources:
        _sources[path] = Source(path.read_bytes())
    return _sources[path]


def digest(path: Path) -> str:
    """The SHA-256 of a source file as this process imported it. Raises `OSError`."""
    return source(path).sha256


def code_of(sha256: str) -> str | None:
    """The code digest of a known file whose SHA-256 starts with these digits."""
    return next((s.code for s in _sources.values() if s.sha256.startswith(sha256)), None)


def remember(names: Iterable[str]) -> None:
    """Read the files of modules that were just imported; other names are ignored."""
    for name in dict.fromkeys(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and Path(file).is_file():
            source(Path(file))


def lineage(cls: type) -> list[type]:
    """A class and its bases, without those of Python."""
    return [base for base in cls.__mro__ if base.__module__ not in ("builtins", "abc")]


@cache
def file_of(cls: type) -> Path | None:
    """The file of a class; None for a class defined in a notebook."""
    try:
        return Path(inspect.getfile(cls))
    except (OSError, TypeError):
        return None


@cache
def companions(cls: type) -> frozenset[Path]:
    """The user's own modules that a class's file imports at import time, directly or indirectly.

    Installed packages and dlexp are left out, since their versions are recorded. Imports inside
    functions are ignored.
    """
    files: set[Path] = set()
    todo = [cls.__module__]
    while todo:
        module = sys.modules.get(todo.pop())
        file = Path(getattr(module, "__file__", None) or "")
        if module is None or file in files or file.suffix != ".py" or not _is_own(file):
            continue
        files.add(file)
        todo += _imports(file, module.__package__ or "")
    return frozenset(files - {file_of(cls)})


def _is_own(file: Path) -> bool:
    others = (*INSTALLED, Path(__file__).parents[1])
    return not any(file.is_relative_to(folder) for folder in others)


def _imports(file: Path, package: str) -> list[str]:
    """The modules in the import statements of a source file, except inside functions."""
    names: list[str] = []
    try:
        todo: list[ast.AST] = [ast.parse(file.read_bytes())]
    # it was edited just now: its own digest will differ
    except (OSError, SyntaxError, ValueError):
        return []
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            names += [home, *(f"{home}.{alias.name}" for alias in node.names)]
        elif not isinstance(node, FUNCTIONS):
            todo += ast.iter_child_nodes(node)
    return names


class _Loader(SourceFileLoader):
    """Imports exactly the bytes whose digest it takes.

    Python compares a cached `.pyc` with its source by size and whole seconds. After a quick edit
    that is not enough, so a cached file is used only if it is clearly younger than its source.
    """

    def get_code(self, fullname: str) -> CodeType | None:
        self._source = super().get_data(self.path)
        _sources[Path(self.path)] = Source(self._source)
        if self._is_cache_current():
            return super().get_code(fullname)
        code: CodeType = self.source_to_code(self._source, self.path)
        return code

    def get_data(self, path: str) -> bytes:
        return self._source if path == self.path else super().get_data(path)

    def _is_cache_current(self) -> bool:
        """Whether Python may use its cached file, or write one if there is none."""
        try:
            cached = Path(cache_from_source(self.path)).stat().st_mtime_ns
        except (OSError, NotImplementedError):  # no cached file, or a Python that keeps none
            return True
        return cached - Path(self.path).stat().st_mtime_ns > CLEARLY


class Finder:
    """Finds the modules of one package, such as all plugins, and remembers their sources."""

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module, as Python finds it; None for another package."""
        if not fullname.startswith(f"{self.package}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def watch(package: str) -> None:
    """From now on, remember the source of each module of this package when it is imported."""
    if not any(isinstance(f, Finder) and f.package == package for f in sys.meta_path):
        sys.meta_path.insert(0, Finder(package))
