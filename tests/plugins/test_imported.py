"""The digest of a source is that of the code in memory, whatever becomes of the file."""

import hashlib
import importlib
import os
import sys

import pytest

from dlexp.config import compose_run
from dlexp.core import registry
from dlexp.plugins import discovery, source_code
from dlexp.runs import provenance


def sha256(text):
    return hashlib.sha256(text.encode()).hexdigest()


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package whose modules are watched."""
    folder = tmp_path / "watched_package"
    folder.mkdir()
    (folder / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    source_code.watch("watched_package")
    yield folder
    for name in [name for name in sys.modules if name.startswith("watched_package")]:
        del sys.modules[name]


def load():
    sys.modules.pop("watched_package.it", None)
    importlib.invalidate_caches()
    return importlib.import_module("watched_package.it").VALUE


def test_an_edit_after_the_import_does_not_change_the_digest(package):
    (package / "it.py").write_text("VALUE = 1\n")
    assert load() == 1
    (package / "it.py").write_text("VALUE = 2\n")
    assert source_code.digest(package / "it.py") == sha256("VALUE = 1\n")
    assert load() == 2
    assert source_code.digest(package / "it.py") == sha256("VALUE = 2\n")


def test_an_edit_in_the_second_of_the_import_is_not_taken_for_what_python_has_cached(package):
    for value in (1, 2):  # the same size, the same second: Python would read 1 from its cache
        (package / "it.py").write_text(f"VALUE = {value}\n")
        os.utime(package / "it.py", ns=(0, 1_700_000_000_000_000_000 + value))
        cached = importlib.util.cache_from_source(str(package / "it.py"))
        assert load() == value
        os.utime(cached, ns=(0, 1_700_000_000_500_000_000))
        assert source_code.digest(package / "it.py") == sha256(f"VALUE = {value}\n")


def test_a_file_that_has_not_changed_for_long_is_read_from_pythons_cache(package, monkeypatch):
    (package / "it.py").write_text("VALUE = 1\n")
    os.utime(package / "it.py", ns=(0, 1_700_000_000_000_000_000))
    assert load() == 1
    # compiling it again would fail
    monkeypatch.setattr(source_code._Loader, "source_to_code", None)
    assert load() == 1


def test_all_that_decides_a_runs_numbers_is_known_when_plugins_are_discovered():
    experiment = compose_run(
        "data=npz", "data.path=x.npz", "regularizer=[dropout,weight_decay]"
    ).experiment
    files = {path.name: path for path in provenance.source_files(experiment).values()}
    for name in ("trainer.py", "optimizer.py", "file_data.py", "npz.py", "dropout.py", "adam.py"):
        assert files[name] in source_code._sources, name


def test_a_module_that_a_plugin_imports_counts_as_its_code(tmp_path, monkeypatch):
    folder = tmp_path / "plugins" / "optimizer"
    folder.mkdir(parents=True)
    (tmp_path / "rules_of_mine.py").write_text("import numpy\nfrom steps_of_mine import LONG\n")
    (tmp_path / "steps_of_mine.py").write_text("LONG = 1\n")
    (folder / "_shared.py").write_text("FACTOR = 2\n")
    (folder / "helped.py").write_text(
        "from dlexp import Optimizer, plugin\nfrom rules_of_mine import LONG\nfrom ._shared import"
        ' FACTOR\n@plugin("helped")\nclass Helped(Optimizer):\n    """w"""\n    lr: float = 0.1\n  '
        "  def update(self, w, g, s, lr, t):\n        import unknown_here\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    discovery.discover()
    try:
        (tmp_path / "steps_of_mine.py").write_text("LONG = 3\n")
        digests = provenance.sources(compose_run("optimizer=helped").experiment)
        own = {name for name in digests if name.startswith((tmp_path.name, "optimizer/"))}
        assert own == {f"{tmp_path.name}/{name}_of_mine.py" for name in ("rules", "steps")} | {
            "optimizer/helped.py",
            "optimizer/_shared.py",
        }
        assert digests[f"{tmp_path.name}/steps_of_mine.py"] == sha256("LONG = 1\n")[:16]
    finally:
        registry.unregister(registry.find("optimizer", "helped"))
        for name in ("rules_of_mine", "steps_of_mine"):
            del sys.modules[name]
