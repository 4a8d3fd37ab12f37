"""What leaves this machine, and what is written down: nothing that nobody asked for."""

import os

import pytest

from dlexp.cli import main

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none", "tracking=none")
SECRET = "s3cr3t-0f-somebody"
NAMES = ("AWS_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN", "GITHUB_TOKEN", "PGPASSWORD",
         "DLEXP_SOMETHING", "HYDRA_SOMETHING", "SSH_AUTH_SOCK", "http_proxy", "PS1")  # fmt: skip


def written(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("words", [FAST, ("-m", "seed=0,1", *FAST)], ids=["run", "sweep"])
def test_nothing_of_the_environment_is_written_down(in_tmp, monkeypatch, words):
    for name in NAMES:
        monkeypatch.setenv(name, f"{SECRET}-{name}")
    assert main(list(words)) == 0
    files = written(in_tmp)
    assert len(files) > 4
    assert [path for path, content in files.items() if SECRET.encode() in content] == []


def test_no_other_variable_is_written_down_either(in_tmp, monkeypatch):
    values = {name: f"value-of-{i}-{SECRET}" for i, name in enumerate(sorted(os.environ)) if name.isupper()}
    kept = ("PATH", "HOME", "PWD", "TMPDIR", "PYTEST_CURRENT_TEST", "COLUMNS")  # without which nothing runs
    for name in set(values) - set(kept):
        monkeypatch.setenv(name, values[name])
    monkeypatch.delenv("DLEXP_PLUGINS", raising=False)
    monkeypatch.delenv("DLEXP_OUTPUTS", raising=False)
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "MPLBACKEND", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    assert main(list(FAST)) == 0
    assert [path for path, content in written(in_tmp).items() if SECRET.encode() in content] == []


def test_a_password_in_an_address_is_refused_since_it_would_be_written_down(in_tmp, capsys):
    assert main([*FAST[:-1], "tracking.uri=http://ann:hunter2@localhost:1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "MLFLOW_TRACKING_PASSWORD" in err
    assert "hunter2" not in err
    assert list(in_tmp.iterdir()) == []
