"""The source code that this process runs: each file as it was when it was imported.

A file can be edited while its process runs. What is recorded of a run must be the code that trained
it, so no file is read a second time. A file has two digests: of its bytes, and of its code alone,
which comments, docstrings and formatting do not change.
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
        """Of the bytes."""
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def code(self) -> str:
        """Of the code alone, shortened; of the bytes, where they are not Python's source."""
        try:
            return code_digest(self.content)
        except (SyntaxError, ValueError):
            return self.sha256[:SHORT]


_sources: dict[Path, Source] = {}


def source(path: Path) -> Source:
    """A source file as this process imported it. Raises `OSError` for one that is not there.

    A file that was imported without `Finder` is read when it is first asked for: `remember` it in
    time.
    """
    if path not in _sources:
        _sources[path] = Source(path.read_bytes())
    return _sources[path]


def digest(path: Path) -> str:
    """The SHA-256 of a source file as this process imported it. Raises `OSError`."""
    return source(path).sha256


def code_of(sha256: str) -> str | None:
    """The digest of the code of a known file whose bytes have the SHA-256 that begins so."""
    return next((s.code for s in _sources.values() if s.sha256.startswith(sha256)), None)


def remember(names: Iterable[str]) -> None:
    """Read the files of modules that have just been imported; a module that is not imported is
    passed over.
    """
    for name in dict.fromkeys(names):
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None and Path(file).is_file():
            source(Path(file))


def lineage(cls: type) -> list[type]:
    """A class and those it is made of, as far as they are dlexp's or the user's."""
    return [base for base in cls.__mro__ if base.__module__ not in ("builtins", "abc")]


@cache
def file_of(cls: type) -> Path | None:
    """The file that a class stands in; None for one that was typed into a notebook."""
    try:
        return Path(inspect.getfile(cls))
    except (OSError, TypeError):
        return None


@cache
def companions(cls: type) -> frozenset[Path]:
    """The files of the user's own modules that a class's file imports when it is imported, and that
    those import.

    Not what is installed, nor dlexp: their versions are recorded. What a function imports is not
    seen.
    """
    found: set[Path] = set()
    todo = [cls.__module__]
    while todo:
        module = sys.modules.get(todo.pop())
        file = Path(getattr(module, "__file__", None) or "")
        if module is None or file in found or file.suffix != ".py" or not _is_own(file):
            continue
        found.add(file)
        todo += _imports(file, module.__package__ or "")
    return frozenset(found - {file_of(cls)})


def _is_own(file: Path) -> bool:
    return not any(
        file.is_relative_to(folder) for folder in (*INSTALLED, Path(__file__).parents[1])
    )


def _imports(file: Path, package: str) -> list[str]:
    """The modules that a source file names in its import statements, functions aside."""
    found: list[str] = []
    try:
        todo: list[ast.AST] = [ast.parse(file.read_bytes())]
    except (
        OSError,
        SyntaxError,
        ValueError,
    ):  # it was edited at this moment; its own digest will tell
        return found
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            home = resolve_name("." * node.level + (node.module or ""), package)
            found += [home, *(f"{home}.{alias.name}" for alias in node.names)]
        elif not isinstance(node, FUNCTIONS):
            todo += ast.iter_child_nodes(node)
    return found


class _Loader(SourceFileLoader):
    """Imports the very bytes it takes the digest of.

    Python takes a cached `.pyc` for current if the source has its size and the second of its time.
    After a quick edit that is wrong, so a cached file that is not clearly younger than its source
    is not used.
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
        """Whether Python may use its cached file, or make one where there is none."""
        try:
            cached = Path(cache_from_source(self.path)).stat().st_mtime_ns
        except (OSError, NotImplementedError):  # no cached file, or a Python that keeps none
            return True
        return cached - Path(self.path).stat().st_mtime_ns > CLEARLY


class Finder:
    """Finds the modules of one package, such as all plugins, and remembers what was imported of
    each.
    """

    def __init__(self, package: str) -> None:
        self.package = package

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where a module is, as Python itself finds it; None for one of another package."""
        if not fullname.startswith(f"{self.package}."):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and type(spec.loader) is SourceFileLoader:
            spec.loader = _Loader(fullname, spec.loader.path)
        return spec


def watch(package: str) -> None:
    """From now on, remember each module of this package as it is imported."""
    if not any(
        isinstance(finder, Finder) and finder.package == package for finder in sys.meta_path
    ):
        sys.meta_path.insert(0, Finder(package))
