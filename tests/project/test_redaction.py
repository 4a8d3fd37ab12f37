"""A secret in an address is hidden in every part of every message, and nowhere written down."""

import logging

import pytest

from dlexp import errors
from dlexp.cli.main import main
from dlexp.config import compose_run, rebuild
from dlexp.errors import UserError
from dlexp.redaction import clean
from dlexp.runs import lifecycle
from dlexp.runs.run_log import logged_to
from dlexp.tracking import store, translate

SECRET = "wJalrXUt/nFEMI+K7MDENG=q"
SHAPES = {
    "s3": f"s3://key:{SECRET}@host/x.csv",
    "http": f"https://ann:{SECRET}@host:5000/x?y=1",
    "token": f"https://{SECRET.replace('/', '')}@host/x.csv",
    "no slash": f"postgresql+psycopg://ann:{SECRET}@db:5432/runs",
    "query": f"https://host/x.csv?version=2&access_token={SECRET}",
    "signature": f"https://host/x.csv?X-Amz-Signature={SECRET}",
    "quoted": f"'s3://key:{SECRET}@host/x.csv'",
    "spaces": "s3://key:wJalrXUt nFEMI  K7MDENG@host/x.csv",
    "long": f"s3://key:{SECRET * 30}@host/x.csv",
}
PARTS = ("wJalrXUt", "nFEMI", "K7MDENG")  # of the secret: none may be seen
KEYS = (
    "data.path",
    "tracking.uri",
    "tracking.experiment",
    "optimizer",
    "optimizer.lr",
    "seed",
    "sweep",
    "data.label",
    "nothing.of.ours",
    "model.hidden",
    "hydra.verbose",
    "hydra/launcher",
    "experiment",
    "zip",
    "--config-dir",
)
FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "observer=none", "tracking=none")


@pytest.mark.parametrize("key", KEYS)
def test_no_message_shows_a_secret_whatever_its_key_and_its_shape(key, in_tmp, capsys):
    for shape, value in SHAPES.items():
        assert main([f"{key}={value}"]) == 2, shape
        out, err = capsys.readouterr()
        assert not [part for part in PARTS if part in out + err], (shape, out, err)
        assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


STUDY = """# @package _global_
{key}
hydra: {{mode: MULTIRUN, sweeper: {{params: {{seed: '0,1'}}}}}}
"""


@pytest.mark.parametrize(
    "key",
    ["data: {{path: {value}}}\ndefaults: [override /data: csv]", "tracking: {{uri: {value}}}"],
)
@pytest.mark.parametrize("shape", ["s3", "token"])
def test_nor_does_a_message_about_a_file_of_the_users(key, shape, in_tmp, capsys):
    (in_tmp / "mine" / "experiment").mkdir(parents=True)
    text = STUDY.format(key=key.format(value=f'"{SHAPES[shape]}"'))
    (in_tmp / "mine" / "experiment" / "x.yaml").write_text(text)
    assert main(["--config-dir", "mine", "experiment=x"]) == 2
    out, err = capsys.readouterr()
    assert "***" in err
    assert not [part for part in PARTS if part in out + err], (out, err)
    assert [path.name for path in in_tmp.iterdir()] == ["mine"]


@pytest.mark.parametrize("value", SHAPES.values(), ids=SHAPES)
def test_every_part_of_a_message_is_looked_through(value):
    message = UserError(
        f"no {value} here", key=value, value=value, where=value, allowed=f"a, {value}", hint=value
    )
    assert not [part for part in PARTS if part in str(message)]


def test_what_the_system_says_and_what_is_logged_and_sent_is_looked_through(capsys):
    value = SHAPES["s3"]
    assert SECRET not in errors.describe_error(OSError(2, "No such file", value))
    assert SECRET not in errors.describe_error(ValueError(value))
    assert SECRET not in translate.readable(value, 1000)
    assert SECRET not in translate.value([value])
    assert SECRET not in store.explain(OSError(f"failed: {value}"), "http://host")[0]
    logging.getLogger("dlexp").warning("of %s", value)
    assert SECRET not in capsys.readouterr().err


def test_a_runs_log_hides_it(in_tmp):
    with logged_to(in_tmp / "run.log"):
        lifecycle.log.info("asked for: %s", SHAPES["s3"])
    assert "s3://key:***@host/x.csv" in (in_tmp / "run.log").read_text()


def test_what_is_no_secret_is_left_alone():
    for text in (
        "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning",
        "sqlite:////home/a@b/x.db",
        "https://host/x.csv?version=2",
        "ann@example.org: hello",
        "a:b@c",
        "C:/runs/x@y",
        "key:/a/b",
    ):
        assert clean(text) == text


def test_a_run_of_old_that_has_a_secret_is_still_read(in_tmp, capsys):
    """New secrets are refused; an old run's name and overrides are not needed to train it again."""
    assert main([*FAST, f"data.path={SHAPES['s3']}", "data=csv"]) == 2
    assert "which every run would record" in capsys.readouterr().err
    text = (
        compose_run(*FAST)
        .yaml.replace("name: digits", f"name: csv\n  path: {SHAPES['s3']}")
        .replace("n_train: 100", "")
    )
    (in_tmp / "config.yaml").write_text(
        "\n".join(line for line in text.splitlines() if "n_train" not in line)
    )
    assert SECRET in str(rebuild(in_tmp / "config.yaml").experiment.data.path)
