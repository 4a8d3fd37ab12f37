"""The wheel: conf and plugins travel inside it, and the main job runs from it, anywhere."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "build",
        "--wheel",
        "--no-isolation",
        "--outdir",
        str(folder),
        str(ROOT),
    ]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def test_a_wheel_holds_every_plugin_and_every_configuration_and_no_test(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, inside in (("plugins", "dlexp/_plugins"), ("conf", "dlexp/_conf")):
        files = [
            p for p in (ROOT / folder).rglob("*") if p.is_file() and "__pycache__" not in p.parts
        ]
        assert files
        assert {f"{inside}/{p.relative_to(ROOT / folder)}" for p in files} <= names
    assert {n.split("/")[0].split("-")[0] for n in names} == {"dlexp"}


def test_the_main_job_runs_from_an_unpacked_wheel_in_an_empty_folder(wheel, tmp_path):
    site, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    environment = {**os.environ, "PYTHONPATH": str(site)}

    def run(*words):
        return subprocess.run(
            [sys.executable, *words],
            cwd=empty,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert str(site) in run("-c", "import dlexp; print(dlexp.__file__)")
    job = ["optimizer=adam", "init=he", "regularizer=dropout", "epochs=1", "tracking=none"]
    assert "finished" in run("-m", "dlexp", *job)
    assert str(site / "dlexp" / "_plugins") in run("-m", "dlexp", "help", "adam")
    assert (empty / "outputs" / "runs").is_dir()


def test_the_version_is_told_once():
    import tomllib

    import dlexp

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert dlexp.__version__ == project["version"]


def test_every_constraint_lies_within_the_bounds_of_the_project():
    import tomllib

    from packaging.requirements import Requirement

    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    wanted = [
        Requirement(r) for r in [*project["dependencies"], *project["optional-dependencies"]["dev"]]
    ]
    bounds = {r.name.lower(): r.specifier for r in wanted}
    lines = [
        line
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    pinned = {}
    for r in map(Requirement, lines):
        (version,) = (s.version for s in r.specifier)
        pinned.setdefault(r.name.lower(), []).append(version)
    for name, bound in bounds.items():
        assert name in pinned, f"{name} is not pinned in constraints.txt"
        assert all(bound.contains(version) for version in pinned[name]), name
