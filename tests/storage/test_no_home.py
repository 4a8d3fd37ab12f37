"""Users without a home folder: a container's uid without an entry in passwd, HOME unset or `/`."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from dlexp import paths
from dlexp.cli.main import main
from dlexp.data import download
from dlexp.tracking import environment, state

UNSET = (
    "HOME",
    "XDG_CACHE_HOME",
    "MPLCONFIGDIR",
    "LOGNAME",
    "USER",
    "LNAME",
    "USERNAME",
    "DLEXP_CACHE",
)
NOBODY_IS_KNOWN = (
    "import pwd\ndef unknown(who): raise KeyError(who)\npwd.getpwuid = pwd.getpwnam = unknown\n"
)


def unknown(who):
    raise KeyError(who)


@pytest.fixture
def nobody(in_tmp, monkeypatch):
    """A user whom the system does not know."""
    # a command gives its libraries a place, for good
    monkeypatch.setattr(os, "environ", os.environ.copy())
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    return in_tmp


def test_without_a_home_folder_fetched_files_are_kept_under_the_outputs(nobody, monkeypatch):
    assert download.cache_folder("mnist") == nobody / "outputs" / "cache" / "dlexp" / "mnist"
    variables = paths.substitutes()
    assert variables["HOME"] == "/"
    assert (
        Path(variables["MPLCONFIGDIR"]).parent
        == Path(variables["XDG_CACHE_HOME"])
        == nobody / "outputs" / "cache"
    )
    assert environment()["HOME"] == "/"
    monkeypatch.setenv("DLEXP_CACHE", str(nobody / "mine"))
    assert download.cache_folder("mnist") == nobody / "mine" / "mnist"


def test_so_they_are_where_the_home_folder_cannot_be_written(in_tmp, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("DLEXP_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(in_tmp))
    # root may write anywhere
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != in_tmp)
    assert download.cache_folder("mnist") == in_tmp / "outputs" / "cache" / "dlexp" / "mnist"
    assert "HOME" not in paths.substitutes()
    assert "MPLCONFIGDIR" in paths.substitutes()


def test_who_has_a_home_folder_is_given_nothing(in_tmp, monkeypatch):
    monkeypatch.setenv("HOME", str(in_tmp))
    assert paths.substitutes() == {}


def test_data_that_are_fetched_end_in_one_line_without_a_home_folder(nobody, monkeypatch, capsys):
    def away(*_):
        raise OSError("no network")

    monkeypatch.setattr(download, "_download", away)
    assert main(["data=mnist", "epochs=1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "no network" in err
    assert (nobody / "outputs" / "cache" / "dlexp" / "mnist").is_dir()


def test_outputs_in_a_home_folder_that_nobody_has_are_refused(nobody, monkeypatch, capsys):
    monkeypatch.setenv("DLEXP_OUTPUTS", "~/runs")
    assert main(["tracking=none"]) == 2
    assert capsys.readouterr().err.startswith(
        "dlexp: error: DLEXP_OUTPUTS=~/runs (environment): there is no such home"
    )
    assert list(nobody.iterdir()) == []


def test_a_run_without_a_home_folder_reaches_mlflow_and_is_quiet(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(NOBODY_IS_KNOWN)
    words = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=[curves]")
    env = {k: v for k, v in os.environ.items() if k not in UNSET} | {"PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-m", "dlexp", *words]
    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (run,) = (tmp_path / "outputs" / "runs").iterdir()
    assert state.load(run).done, done.stdout
