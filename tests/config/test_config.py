"""From plugins to Hydra and back: what is said is what is built."""

import shlex
import subprocess
import sys

import pytest
import yaml

from dlexp.cli.help import GROUPS, details, overview
from dlexp.config import compose_run
from dlexp.core import kinds, registry
from dlexp.paths import CONF


def built(*overrides):
    return compose_run(*overrides).experiment


def test_the_default_run_is_the_one_the_readme_describes():
    e = built()
    chosen = {kind: [p.name for p in plugins] for kind, plugins in e.plugins()}
    assert chosen == {
        "objective": ["classification"],
        "data": ["digits"],
        "model": ["mlp"],
        "initializer": ["he"],
        "activation": ["relu"],
        "normalization": ["none"],
        "regularizer": ["none"],
        "optimizer": ["adam"],
        "schedule": ["constant"],
        "observer": ["progress", "curves", "path", "histograms"],
    }
    assert e.model.hidden == (100,) * 5
    assert (e.epochs, e.batch_size, e.seed, e.dtype) == (50, 100, 0, "float32")


@pytest.mark.parametrize("cls", list(registry.every()), ids=lambda c: f"{c.kind}/{c.name}")
def test_every_plugin_can_be_chosen_and_comes_back_as_itself(cls):
    e = compose_run(f"{cls.kind}={cls.name}").experiment
    value = getattr(e, cls.kind)
    assert (value[0] if cls.kind in kinds.MANY else value) == cls()


def test_init_is_initializer():
    assert built("init=xavier") == built("initializer=xavier")
    assert built("init=normal", "init.std=0.5").initializer.std == 0.5


def test_several_regularizers_keep_their_order_and_their_values():
    e = built("regularizer=[weight_decay,dropout]", "regularizer.dropout.ratio=0.3")
    assert [(r.name, getattr(r, "ratio", None)) for r in e.regularizer] == [
        ("weight_decay", None),
        ("dropout", 0.3),
    ]


@pytest.mark.parametrize(
    "nothing", ["regularizer=none", "regularizer=[]", "regularizer=[none]", "regularizer=[ ]"]
)
def test_no_regularizer_can_be_said_in_several_ways(nothing):
    assert [r.name for r in built(nothing).regularizer] == ["none"]


def test_a_preset_is_a_plugin_with_other_values_and_can_be_overridden():
    e = built("optimizer=heavy_momentum")
    assert (e.optimizer.name, e.optimizer.lr, e.optimizer.momentum) == ("momentum", 0.003, 0.99)
    assert built("optimizer=heavy_momentum", "optimizer.lr=1").optimizer.lr == 1.0


def test_no_preset_bears_the_name_of_a_plugin():
    for path in CONF.glob("*/*.yaml"):
        assert path.stem not in {cls.name for cls in registry.every(path.parent.name)}, path


@pytest.mark.parametrize("number", ["1e-3", "0.001", "1.0E-3"])
def test_numbers_can_be_written_as_people_write_them(number):
    assert built(f"optimizer.lr={number}").optimizer.lr == 0.001


def test_a_whole_number_serves_where_a_number_is_wanted():
    assert isinstance(built("optimizer.lr=1").optimizer.lr, float)


@pytest.mark.parametrize(
    "path", ["~/my table (1).csv", "数据.csv", "a=b.csv", "it's.csv", "plain.csv", "C:\\x.csv"]
)
def test_a_path_can_be_typed_as_it_is(path):
    assert built("data=csv", f"data.path={path}").data.path == path


def test_a_list_becomes_a_tuple_so_that_experiments_compare_and_hash():
    assert built("model.hidden=[50,20]").model.hidden == (50, 20)
    assert hash(built().model)


def test_a_study_of_ones_own_is_a_file_in_a_folder_of_ones_own(tmp_path, in_tmp, capsys):
    from dlexp.cli.main import main

    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    (tmp_path / "mine" / "experiment" / "wide.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /optimizer: sgd\n  - override /regularizer:"
        " [dropout, l1]\nmodel: {hidden: [300]}\nregularizer: {dropout: {ratio: 0.5}}\n"
    )
    assert main(["--cfg", "job", "--config-dir", "mine", "experiment=wide"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert shown["model"]["hidden"] == [300]
    assert shown["optimizer"] == {"lr": 0.01}
    assert shown["regularizer"]["dropout"] == {"ratio": 0.5}


def test_help_lists_every_option_of_every_group():
    text = overview()
    assert set(GROUPS) == set(kinds.KINDS)
    for cls in registry.every():
        assert f"{cls.name} " in text, cls
    assert "* adam" in text
    assert "heavy_momentum" in text


def test_help_of_one_option_shows_its_equation_its_values_and_its_source():
    text = details("adam")
    assert "m ← β₁m + (1−β₁)g" in text
    assert "optimizer.beta1=0.9" in text
    assert "must be >= 0 and < 1" in text
    assert "https://arxiv.org/abs/1412.6980" in text
    assert "regularizer.dropout.ratio=0.2" in details("dropout")
    assert "model.hidden=[100,100,100,100,100]" in details("mlp")


def test_what_head_cuts_off_of_hydras_information_is_not_complained_about(in_tmp):
    line = f"{shlex.quote(sys.executable)} -m dlexp --info all | head -1"
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=True)
    assert (done.stdout.startswith("Hydra"), done.stderr) == (True, "")
