"""What leaves this machine, and what is written down: nothing that nobody asked for."""

import json
import os

import pytest

from dlexp.cli.main import main
from dlexp.config import compose_run

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none", "tracking=none")
SECRET = "s3cr3t-0f-somebody"
NAMES = (
    "AWS_SECRET_ACCESS_KEY",
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "GITHUB_TOKEN",
    "PGPASSWORD",
    "DLEXP_SOMETHING",
    "HYDRA_SOMETHING",
    "SSH_AUTH_SOCK",
    "http_proxy",
    "PS1",
)


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
    values = {
        name: f"value-of-{i}-{SECRET}"
        for i, name in enumerate(sorted(os.environ))
        if name.isupper()
    }
    # without which nothing runs
    kept = ("PATH", "HOME", "PWD", "TMPDIR", "PYTEST_CURRENT_TEST", "COLUMNS")
    for name in set(values) - set(kept):
        monkeypatch.setenv(name, values[name])
    monkeypatch.delenv("DLEXP_PLUGINS", raising=False)
    monkeypatch.delenv("DLEXP_OUTPUTS", raising=False)
    for name in (
        "OPENBLAS_NUM_THREADS",
        "OMP_NUM_THREADS",
        "MKL_NUM_THREADS",
        "MPLBACKEND",
        "PYTHONPATH",
    ):
        monkeypatch.delenv(name, raising=False)
    assert main(list(FAST)) == 0
    assert [path for path, content in written(in_tmp).items() if SECRET.encode() in content] == []


ASKING = (
    "${oc.env:SECRET_TOKEN}",
    "x_${oc.env:SECRET_TOKEN}",
    "${ oc.env : SECRET_TOKEN }",
    "${oc.env:SECRET_TOKEN,x}",
    "${oc.${dtype}:SECRET_TOKEN}",
    "${oc.decode:${oc.env:SECRET_TOKEN}}",
    "${oc.create:['${oc.env:SECRET_TOKEN}']}",
    "${oc.select:seed,'${oc.env:SECRET_TOKEN}'}",
    "${hydra:runtime.cwd}",
    "${now:%H}",
    "${optimizer.${oc.env:SECRET_TOKEN}}",
)


@pytest.mark.parametrize("asking", ASKING)
@pytest.mark.parametrize("key", ["tracking.experiment", "sweep", "data.path"])
def test_no_value_asks_the_environment_on_the_command_line_or_in_a_file(
    key, asking, in_tmp, monkeypatch, capsys
):
    monkeypatch.setenv("SECRET_TOKEN", SECRET)
    home = in_tmp / "mine" / "experiment"
    home.mkdir(parents=True)
    nested = key.replace(".", ": {") + f": {json.dumps(asking)}" + "}" * key.count(".")
    (home / "x.yaml").write_text(f"# @package _global_\nseed: 1\n{nested}\n")
    for words in (
        [f"{key}={asking}"],
        [f"{key}='{asking}'"],
        ["--config-dir", "mine", "experiment=x"],
        ["-m", f"{key}={asking}", "seed=1,2"],
        ["--cfg", "job", "--resolve", f"{key}={asking}"],
        [f"hydra.sweeper.params.{key}={asking}", "seed=1,2", "-m"],
    ):
        assert main(words) == 2, words
        out, err = capsys.readouterr()
        assert SECRET not in out + err
        assert err.startswith("dlexp: error: ")
        assert err.count("\n") == 1
        plain = "'" not in asking or words[0] == "--config-dir"
        assert not plain or "may only name another key" in err or "cannot be read" in err, err
        assert "mine" not in words or "x.yaml, line 3): ${" in err
    assert [p.name for p in in_tmp.iterdir()] == ["mine"]


def test_a_value_may_still_name_another_key(in_tmp):
    assert compose_run("epochs=7", "seed=${epochs}").experiment.seed == 7
    assert (
        compose_run("model.hidden=[${batch_size},5]").experiment.model.hidden[0]
        == compose_run().experiment.batch_size
    )


def test_a_password_in_an_address_is_refused_since_it_would_be_written_down(in_tmp, capsys):
    assert main([*FAST[:-1], "tracking.uri=http://ann:hunter2@localhost:1"]) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert "MLFLOW_TRACKING_PASSWORD" in err
    assert "hunter2" not in err
    assert list(in_tmp.iterdir()) == []


def test_a_defect_in_a_run_is_not_announced_by_hydra_with_everything_that_was_asked(
    in_tmp, monkeypatch, capfd
):
    def broken(setup):
        raise RuntimeError("a defect")

    monkeypatch.setattr("dlexp.runs.lifecycle.perform", broken)
    with pytest.raises(RuntimeError, match="a defect"):
        main([*FAST, f"sweep={SECRET}"])
    assert SECRET not in capfd.readouterr().err
