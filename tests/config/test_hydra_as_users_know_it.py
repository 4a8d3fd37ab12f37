"""What Hydra's users expect works: its flags, its groups and its syntax for several values."""

import logging
import re

import pytest
import yaml

from dlexp.cli.main import main
from dlexp.config import compose, compose_run, loader
from dlexp.errors import UserError

GLOBAL = "# @package _global_\n"
FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none")


def shown(capsys, *words):
    """What a command prints."""
    status = main([*words])
    out, err = capsys.readouterr()
    assert status == 0, err
    return out


def jobs(capsys, *words):
    """The jobs of a sweep, as a dry run lists them."""
    return re.findall(r"^to do  (.*)$", shown(capsys, *words, "--dry-run"), re.MULTILINE)


def written(folder, group, text, name="mine"):
    """A file of the user's; the words that use it."""
    (folder / "own" / group).mkdir(parents=True, exist_ok=True)
    (folder / "own" / group / f"{name}.yaml").write_text(text, encoding="utf-8")
    return ["--config-dir", "own", f"{group}={name}"]


# --- --cfg


def test_cfg_job_names_the_option_that_is_chosen_of_each_group(in_tmp, capsys):
    words = ["objective=valley", "optimizer=heavy_momentum", "observer=[path,curves]"]
    chosen = yaml.safe_load(shown(capsys, "--cfg", "job", *words))["defaults"]
    assert {"override /objective": "valley"} in chosen
    assert {"override /optimizer": "heavy_momentum"} in chosen
    assert {"override /observer": ["path", "curves"]} in chosen
    assert {"override /regularizer": "none"} in chosen


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["optimizer=heavy_momentum", "optimizer.lr=0.5", "init=xavier", "seed=7", "steps=30"],
        ["regularizer=[weight_decay,dropout]", "regularizer.dropout.ratio=0.5", "observer=none"],
        ["objective=rosenbrock", "optimizer=sgd", "tracking=none", "checkpoint.seconds=null"],
        ["data=blobs", "data.features=3", "seed=${epochs}", "clip_norm=1"],
    ],
    ids=lambda words: " ".join(words) or "the defaults",
)
def test_what_cfg_job_shows_is_a_file_that_composes_to_the_same(words, in_tmp, capsys):
    own = written(in_tmp, "experiment", shown(capsys, "--cfg", "job", *words))
    again, once = compose_run(*own), compose_run(*words)
    assert again.experiment == once.experiment
    assert again.yaml == once.yaml


def test_a_group_that_is_shown_alone_is_a_variant_that_composes_to_the_same(in_tmp, capsys):
    words = ["optimizer=heavy_momentum", "optimizer.lr=0.5"]
    text = shown(capsys, "-c", "job", "-p", "optimizer", *words)
    assert text == ("# @package optimizer\ndefaults:\n- heavy_momentum\nlr: 0.5\nmomentum: 0.99\n")
    own = written(in_tmp, "optimizer", text)
    assert compose_run(*own).experiment == compose_run(*words).experiment


def test_cfg_hydra_shows_the_part_that_is_hydras_and_all_shows_both(in_tmp, capsys):
    hydra = yaml.safe_load(shown(capsys, "--cfg", "hydra", "hydra.launcher.n_jobs=2"))
    assert list(hydra) == ["hydra"]
    assert hydra["hydra"]["launcher"] == {"n_jobs": 2}
    assert hydra["hydra"]["runtime"]["choices"]["optimizer"] == "adam"
    both = yaml.safe_load(shown(capsys, "--cfg", "all"))
    assert both["optimizer"]["lr"] == 0.001
    assert both["hydra"]["sweeper"] == {"params": {}, "parts": {}}


def test_resolve_shows_what_references_lead_to(in_tmp, capsys):
    words = ["--cfg", "job", "seed=${epochs}", "epochs=7", "--package", "seed"]
    assert "seed: ${epochs}" in shown(capsys, *words[:-2])
    assert "seed: 7" in shown(capsys, *words[:-2], "--resolve")
    assert shown(capsys, *words) == "7\n"


def test_a_value_that_is_null_is_shown_as_such_and_a_part_that_is_missing_is_not(in_tmp, capsys):
    assert shown(capsys, "--cfg", "job", "--package", "clip_norm") == "null\n"
    assert main(["--cfg", "job", "--package", "optimizer.momentum"]) == 2
    assert main(["--cfg", "job", "--package", "[["]) == 2


def test_of_a_sweep_its_base_is_shown_though_only_its_jobs_have_some_values(in_tmp, capsys):
    words = ["-m", "optimizer=momentum,nesterov", "optimizer.momentum=0.5", "seed=0,1", "epochs=7"]
    assert yaml.safe_load(shown(capsys, *words, "--cfg", "job"))["epochs"] == 7
    assert shown(capsys, *words, "-c", "hydra", "-p", "hydra.mode") == "RunMode.MULTIRUN\n"
    info = shown(capsys, *words, "--info", "all")
    assert "\nepochs: 7\n" in info
    assert "optimizer: adam" in info


# --- --info, --hydra-help, --config-dir


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("all", "Installed Hydra Plugins"),
        ("config", "\nepochs: 50\n"),
        ("defaults", "| optimizer/adam "),
        ("defaults-tree", "optimizer: adam"),
        ("plugins", "ConfigSource:"),
        ("searchpath", "| main "),
    ],
)
def test_info_says_what_hydra_found(what, words, in_tmp, capsys):
    root = logging.getLogger()
    before = (list(root.handlers), root.level)
    assert words in shown(capsys, "--info", what)
    assert (list(root.handlers), root.level) == before


def test_hydra_help_lists_what_of_hydra_is_open(in_tmp, capsys):
    text = shown(capsys, "--hydra-help")
    for word in ("--multirun", "--config-dir", "grid, random, tpe", "hydra.launcher.n_jobs"):
        assert word in text


def test_a_file_of_the_users_own_comes_before_one_of_dlexps_with_its_name(in_tmp, capsys):
    own = written(in_tmp, "experiment", GLOBAL + "seed: 77\n", "dropout")
    setup = compose_run(*own)
    assert setup.experiment.seed == 77
    assert [path.parent.parent.name for _, path in setup.files[:1]] == ["own"]
    assert len(setup.files) == 2


def test_flags_may_stand_between_overrides(in_tmp, capsys):
    assert jobs(capsys, "seed=1", "-m", "init=he,xavier") == [
        "seed=1 initializer=he",
        "seed=1 initializer=xavier",
    ]


# --- several values


@pytest.mark.parametrize(
    ("word", "values"),
    [
        ("seed=0,1", "01"),
        ("seed=choice(4,2)", "42"),
        ("seed=range(3)", "012"),
        ("seed=range(1,7,3)", "14"),
        ("seed=sort(3,1,2)", "123"),
        ("seed=sort(3,1,2,reverse=true)", "321"),
        ("seed=tag(mine,choice(1,2))", "12"),
        ("seed=shuffle(1,1)", "1"),
    ],
)
def test_hydras_words_for_several_values_make_a_job_each(word, values, in_tmp, capsys):
    assert jobs(capsys, "-m", word) == [f"seed={value}" for value in values]


def test_an_interval_is_drawn_from_by_the_sweeper_that_is_chosen(in_tmp, capsys):
    words = ["-m", "optimizer.lr=tag(log,interval(1e-4,1))", "hydra.sweeper.n_trials=3"]
    drawn = jobs(capsys, *words, "hydra/sweeper=random", "hydra.sweeper.seed=1")
    assert len({*drawn}) == 3
    assert jobs(capsys, *words, "hydra/sweeper=random", "hydra.sweeper.seed=2") != drawn
    assert main([*words[:2]]) == 2
    assert "hydra/sweeper=random" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("head", "sweeper", "n"),
    [
        ("", "params: {seed: 'range(2)', optimizer: 'sgd,adam'}", 4),
        ("", "{params: {seed: '0,1'}, parts: {a: {epochs: 1}, b: {epochs: '2,3'}}}", 6),
        (
            "defaults:\n  - override /hydra/sweeper: random\n",
            "{n_trials: 3, params: {optimizer.lr: 'interval(0.1,1)'}}",
            3,
        ),
    ],
    ids=["params", "parts", "random"],
)
def test_a_study_says_in_its_file_what_it_sweeps_and_with_what(head, sweeper, n, in_tmp, capsys):
    sweeper = sweeper if sweeper.startswith("{") else f"{{{sweeper}}}"
    text = f"{GLOBAL}{head}hydra:\n  mode: MULTIRUN\n  launcher: {{n_jobs: 1}}\n"
    own = written(in_tmp, "experiment", f"{text}  sweeper: {sweeper}\n")
    assert len(jobs(capsys, *own)) == n


def test_sweeper_params_can_be_typed_and_the_launcher_chosen(in_tmp, capsys):
    words = ["-m", "+hydra.sweeper.params.seed='0,1'", "hydra/launcher=local"]
    assert jobs(capsys, *words, "hydra.launcher.n_jobs=1") == ["seed=0", "seed=1"]


# --- one function for all


def test_words_compose_to_the_setup_of_their_run_or_of_every_job_of_their_sweep(in_tmp):
    (alone,) = compose(["seed=3", *FAST])
    assert alone == compose_run("seed=3", *FAST)
    setups = compose(["-m", "optimizer=sgd,adam", "seed=range(2)", *FAST])
    assert [(s.experiment.optimizer.name, s.experiment.seed) for s in setups] == [
        ("sgd", 0),
        ("sgd", 1),
        ("adam", 0),
        ("adam", 1),
    ]
    assert all(setup == compose_run(*setup.overrides) for setup in setups)


def test_a_study_composes_to_the_jobs_of_its_smaller_budget_too(in_tmp):
    text = (
        GLOBAL
        + "hydra: {mode: MULTIRUN, sweeper: {params: {optimizer: 'sgd,adam', seed: range(9)}}}\n"
        + "study: {title: t, quick: {params: {seed: '1,2', epochs: 1}}}\n"
    )
    own = written(in_tmp, "experiment", text)
    assert len(compose(own)) == 18
    quick = compose([*own, "quick=true"])
    assert [(s.experiment.seed, s.experiment.epochs) for s in quick] == [(1, 1), (2, 1)] * 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-m", "seed=0,1"], "the words ask for a sweep: use python -m dlexp -m seed=0,1"),
        (["seed=0,1"], "several values make a sweep: use python -m dlexp -m seed=0,1"),
        (["--dry-run"], "--dry-run (command line): can be set only on the command line"),
        (["--cfg", "job"], "--cfg (command line): can be set only on the command line"),
    ],
    ids=" ".join,
)
def test_a_notebook_trains_single_runs(words, message, in_tmp):
    import dlexp

    with pytest.raises(UserError) as caught:
        dlexp.run(*words)
    assert message in str(caught.value)
    assert list(in_tmp.iterdir()) == []


def test_a_notebook_trains_one_run_with_the_settings_that_a_study_fixes(in_tmp):
    experiment = compose_run("experiment=dropout", "epochs=1", "seed=4").experiment
    assert (experiment.data.n_train, experiment.epochs, experiment.seed) == (300, 1, 4)


def test_a_search_has_no_list_of_jobs(in_tmp):
    with pytest.raises(UserError, match="draws its jobs while it trains"):
        compose(["-m", "optimizer=sgd,adam", "hydra/sweeper=random"])


@pytest.mark.parametrize(
    "words", [["seed=1"], ["-m", "seed=0,1"], ["experiment=dropout"], ["hydra.mode=RUN"]]
)
def test_a_command_is_composed_once_beside_its_jobs(words, in_tmp, monkeypatch):
    composed, original = [], loader.Loader.load

    def load(self, *args, **kwargs):
        composed.append(args)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(loader.Loader, "load", load)
    main([*words, "quick=true", "--dry-run", *FAST])
    assert len(composed) == 1


# --- Hydra stays Hydra


def test_another_program_may_use_hydra_around_dlexp(tmp_path):
    from hydra import compose as theirs, initialize_config_dir
    from hydra.core.global_hydra import GlobalHydra

    (tmp_path / "config.yaml").write_text("a: 1\n")
    with initialize_config_dir(str(tmp_path), version_base="1.3"):
        before = GlobalHydra.instance().hydra
        assert compose_run("seed=5").experiment.seed == 5
        assert GlobalHydra.instance().hydra is before
        assert theirs("config", ["a=2"]) == {"a": 2}


def test_hydras_own_parser_of_arguments_is_never_built(in_tmp, monkeypatch, capsys):
    """It cannot be built on Python 3.14."""

    def refuse(*args, **kwargs):
        raise AssertionError("Hydra's parser")

    monkeypatch.setattr("hydra._internal.utils.get_args_parser", refuse)
    monkeypatch.setattr("hydra.main", refuse)
    for words in (["--cfg", "all"], ["--info"], ["--hydra-help"], ["-m", "seed=0,1", "--dry-run"]):
        assert main(words) == 0
