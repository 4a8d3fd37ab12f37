"""The provenance of a run: commit, dirty flag, versions, numerics fingerprint, name."""

import subprocess
import sys
from dataclasses import replace

import pytest

from dlexp.config import compose_run
from dlexp.runs import provenance


@pytest.fixture
def repository(tmp_path):
    def git(*words):
        subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *words],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    git("init", "-q")
    (tmp_path / "a.py").write_text("1")
    git("add", "."), git("commit", "-qm", "one")
    provenance.git.cache_clear(), provenance._is_dirty.cache_clear()
    return tmp_path


def dirty(folder):
    provenance.git.cache_clear(), provenance._is_dirty.cache_clear()
    return provenance.git(folder)["dirty"]


def test_a_clean_checkout_is_told_by_its_commit(repository):
    described = provenance.git(repository)
    assert len(described["commit"]) == 40
    assert described["dirty"] == "false"


def test_a_changed_file_a_new_file_and_only_they_make_it_dirty(repository):
    (repository / "outputs" / "runs").mkdir(parents=True)
    (repository / "outputs" / "runs" / "x").write_text("a run")
    assert dirty(repository) == "false"
    (repository / "plugin.py").write_text("new")
    assert dirty(repository) == "true"
    (repository / "plugin.py").unlink()
    (repository / "a.py").write_text("2")
    assert dirty(repository) == "true"


def test_a_package_installed_inside_somebodys_repository_has_no_commit_of_its_own(repository):
    (repository / "site").mkdir()
    (repository / "site" / "installed.py").write_text("")
    assert provenance.git(repository / "site", of="installed.py") == {}
    assert provenance.git(repository, of="a.py")["dirty"] == "true"


def test_a_checkout_is_looked_through_once_for_all_folders_of_it(repository, monkeypatch):
    commands, run = [], provenance._run_git
    monkeypatch.setattr(
        provenance,
        "_run_git",
        lambda folder, *words: commands.append(words[0]) or run(folder, *words),
    )
    (repository / "folder").mkdir()
    assert provenance.git(repository) == provenance.git(repository / "folder") != {}
    assert sorted(commands) == ["rev-parse", "rev-parse", "status"]


def test_a_checkout_without_a_commit_has_none(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert provenance.git(tmp_path) == {}


def test_no_repository_has_no_commit(tmp_path):
    assert provenance.git(tmp_path) == {}


def test_the_fingerprint_knows_the_number_of_blas_threads():
    with provenance.one_blas_thread():
        one = provenance.numerics()
    assert one["threads"] == "1"
    assert len(one["digest"]) == 12
    assert {"numpy", "blas", "core", "simd"} <= set(one)


@pytest.mark.parametrize(
    ("overrides", "name"),
    [
        ((), "adam he s0"),
        (("regularizer=dropout", "seed=7"), "adam he dropout s7"),
        (
            ("optimizer=sgd", "optimizer.lr=0.5", "init=normal", "init.std=1"),
            "sgd lr=0.5 normal std=1.0 s0",
        ),
        (
            ("regularizer=[dropout,l1]", "model.hidden=[50,20]", "epochs=3"),
            "adam he dropout l1 hidden=50-20 epochs=3 s0",
        ),
        (
            ("normalization=batch_norm", "activation=tanh", "model.hidden=[]"),
            "adam he batch_norm tanh hidden=none s0",
        ),
        (("data=csv", "data.path=/some/where/t.csv"), "adam he csv path=t.csv s0"),
        (("objective=valley", "optimizer=momentum"), "valley momentum s0"),
    ],
)
def test_a_runs_name_says_the_choices_that_matter(overrides, name):
    assert provenance.run_name(compose_run(*overrides).experiment) == name


def test_a_seed_has_its_own_place_in_the_name():
    e = compose_run("epochs=3").experiment
    assert provenance.run_name(replace(e, seed=12)).endswith("epochs=3 s12")


def test_the_fingerprint_names_numpys_blas_whichever_was_loaded_first(monkeypatch):
    libs = provenance._libraries(len(sys.modules)).info()
    theirs = {
        "user_api": "blas",
        "internal_api": "other",
        "version": "0",
        "filepath": "/elsewhere/libother.so",
    }

    class Loaded:
        def info(self):
            return [theirs, *libs]

    expected = provenance.numerics()
    monkeypatch.setattr(provenance, "_libraries", lambda modules: Loaded())
    assert provenance.numerics() == expected
    assert "other" not in expected["blas"]
