"""What is typed, and the YAML files behind it: whatever is wrong is one line, exit status 2, and
nothing is created.

tests/config/test_errors.py has the everyday mistakes (names, keys, types, ranges),
tests/sweeps/test_sweep.py and test_search.py have those of sweeps. Here stand those that are rarer
or meant ill.
"""

import os
import subprocess
import sys

import pytest

from dlexp.cli.main import main
from dlexp.config import compose_run, yamlfile
from dlexp.errors import UserError

CHOSEN = "choose from adagrad"
TYPED = [  # what is typed, its key and place, what is said
    # YAML 1.1's traps, and numbers that are none
    ("epochs=no", "epochs=no (command line)", "must be a whole number"),
    ("epochs=yes", "epochs=yes (command line)", "must be a whole number"),
    ("dtype=no", "dtype=no (command line)", "must be one of float32, float64"),
    ("optimizer=no", "optimizer=no (command line)", "there is no optimizer of that name"),
    ("optimizer=off", "optimizer=off (command line)", "there is no optimizer of that name"),
    ("seed=010", "seed=010 (command line)", "a number must not begin with 0"),
    (
        "model.hidden=[10,010]",
        "model.hidden=[10,010] (command line)",
        "a number must not begin with 0",
    ),
    ("-m seed=01,02", "seed=01,02 (command line)", "a number must not begin with 0"),
    ("seed=1e3", "seed=1e3 (command line)", "must be a whole number"),
    ("seed=0x10", "seed=0x10 (command line)", "must be a whole number"),
    ("seed=1:30", "seed=1:30 (command line)", "must be a whole number"),
    ("epochs=.5", "epochs=.5 (command line)", "must be a whole number"),
    ("epochs=1.0", "epochs=1.0 (command line)", "must be a whole number"),
    ("batch_size=1e2", "batch_size=1e2 (command line)", "must be a whole number"),
    ("optimizer.lr=1e", "optimizer.lr=1e (command line)", "must be a number"),
    ("optimizer.lr=0x10", "optimizer.lr=0x10 (command line)", "must be a number"),
    ("optimizer.lr=1:30", "optimizer.lr=1:30 (command line)", "must be a number"),
    ("optimizer.lr=−1", "optimizer.lr=−1 (command line)", "needs quotes"),
    ("optimizer.lr=1'000", "optimizer.lr=1'000 (command line)", "needs quotes"),
    ("quick=maybe", "quick=maybe (command line)", "must be true or false"),
    # brackets, quotes, spaces
    ("optimizer.lr=[", "optimizer.lr=[ (command line)", "cannot be read"),
    (
        "optimizer.lr=]",
        "optimizer.lr=] (command line)",
        "cannot be read: it is neither a value nor a list",
    ),
    ("optimizer.lr={", "optimizer.lr={ (command line)", "cannot be read"),
    ("optimizer.lr='", "optimizer.lr=' (command line)", "needs quotes"),
    ('optimizer.lr="', 'optimizer.lr=" (command line)', "needs quotes"),
    ("optimizer.lr=1,", "optimizer.lr=1, (command line)", "it ends too early"),
    ("model.hidden=[50,100", "model.hidden=[50,100 (command line)", "cannot be read"),
    ("model.hidden=[50,,100]", "model.hidden=[50,,100] (command line)", "cannot be read"),
    (["optimizer.lr = 1"], "optimizer.lr = 1 (command line)", "no key has such characters"),
    ("model.hidden=" + "[" * 3000, "model.hidden=[[[[", "(command line): "),
    (
        "model.hidden=" + "[" * 200_000,
        "model.hidden (command line)",
        "longer than 100,000 characters",
    ),
    ("optimizer..lr=1", "optimizer..lr=1 (command line)", "cannot be read"),
    (".optimizer=1", ".optimizer=1 (command line)", "cannot be read"),
    ("optimizer.lr[0]=1", "optimizer.lr[0]=1 (command line)", "no key has such characters"),
    ("seed=1\n2", "seed=1 2 (command line)", ""),
    ("sweep=日本", "sweep=日本 (command line)", "needs quotes"),
    ("=1", "(command line)", "there is no such key"),
    ("==", "(command line)", "cannot be read"),
    ("++", "++ (command line)", "an override is written key=value"),
    ("~", "(command line)", "~ removes a part"),
    # references
    ("optimizer.lr=${", "optimizer.lr=${ (command line)", "cannot be read"),
    ("optimizer.lr=${}", "optimizer.lr=${} (command line)", "cannot be read"),
    ("optimizer.lr=${.}", "optimizer.lr=${.} (command line)", ""),
    ("optimizer.lr=${optimizer.lr}", "optimizer.lr=${optimizer.lr} (command line)", "recursive"),
    ("seed=${seed}", "seed=${seed} (command line)", "recursive"),
    ("seed=${epochs} epochs=${seed}", "(command line)", "recursive"),
    (
        "optimizer.lr=${oc.env:NO_SUCH}",
        "optimizer.lr=${oc.env:NO_SUCH} (command line)",
        "may only name another key",
    ),
    (
        "optimizer.lr=${nope:1}",
        "optimizer.lr=${nope:1} (command line)",
        "may only name another key",
    ),
    ("optimizer=${seed}", "optimizer=${seed} (command line)", "an option of optimizer is a name"),
    ("seed=???", "seed=??? (command line)", ""),
    ("optimizer.lr=???", "optimizer.lr=??? (command line)", "has no value"),
    # signs, deletions, whole groups
    ("++optimizer=adam", "optimizer=adam (command line)", "leave the + out"),
    ("+optimizer=adam", "optimizer=adam (command line)", "leave the + out"),
    ("~optimizer.lr", "optimizer.lr (command line)", "~ removes a part"),
    ("~hydra", "hydra (command line)", "~ removes a part"),
    ("checkpoint=5", "checkpoint=5 (command line)", "is a group of values"),
    ("early_stopping=null", "early_stopping=null (command line)", "cannot be null"),
    ("checkpoint.epochs=0", "checkpoint.epochs=0 (command line)", "must be >= 1"),
    ("max_jobs=0", "max_jobs=0 (command line)", "must be >= 1"),
    # sweeps
    ("-m seed=1,2 sweep=a,b", "sweep=a,b (command line)", "has one value for the whole sweep"),
    (
        "-m seed=1,2 max_jobs=1,2",
        "max_jobs=1,2 (command line)",
        "has one value for the whole sweep",
    ),
    ("-m seed=glob(*)", "seed=glob(*) (command line)", "matches names of files"),
    ("-m optimizer=glob(*)", "optimizer=glob(*) (command line)", ""),
    ("-m seed=choice()", "seed=choice() (command line)", "cannot be read"),
    ("-m seed=range(0)", "seed=range(0", "is an empty range"),
    ("-m seed=range(1e9)", "max_jobs", "1,000,000,000 values"),
    ("-m seed=1", "-m asks for a sweep", "no key has several values"),
    # Hydra's own
    ("hydra/launcher=basic", "hydra/launcher=basic (command line)", "choose from local"),
    ("hydra/sweeper=basic", "hydra/sweeper=basic (command line)", "choose from grid, random, tpe"),
    ("hydra/launcher=../x", "hydra/launcher=../x (command line)", "an option is a name"),
    ("hydra.launcher.n_jobs=0", "hydra.launcher.n_jobs=0 (command line)", "at least 1"),
    (
        "hydra.launcher._target_=os.system",
        "hydra.launcher._target_=os.system (command line)",
        "cannot be set",
    ),
    (
        "++hydra.sweeper._target_=os.system",
        "hydra.sweeper._target_=os.system (command line)",
        "cannot be set",
    ),
    (
        "hydra.sweeper.params._target_=os.system",
        "hydra.sweeper.params._target_=os.system (command line)",
        "",
    ),
    ("hydra.searchpath=[/tmp]", "hydra.searchpath=[/tmp] (command line)", "cannot be set"),
    ("+hydra.job.env_set.X=1", "hydra.job.env_set.X=1 (command line)", "cannot be set"),
    ("hydra.job.chdir=true", "hydra.job.chdir=true (command line)", "cannot be set"),
    ("hydra/job_logging=default", "hydra/job_logging=default (command line)", "cannot be set"),
    ("hydra.mode=X", "hydra.mode=X (command line)", "must be RUN or MULTIRUN"),
    ("hydra.mode=1.5", "hydra.mode=1.5 (command line)", "must be RUN or MULTIRUN"),
    ("-m seed=0,1 hydra.mode=RUN", "hydra.mode=RUN (command line)", "conflicts with -m"),
    *(
        (
            f"hydra.verbose={value}",
            f"hydra.verbose={value} (command line)",
            "must be true, false, or names of loggers",
        )
        for value in ("3", "1.5", "null", "[1]", "[[a]]", "{a:1}", "${seed}", "???", "")
    ),
    ("+hydra.verbose=true", "hydra.verbose=true (command line)", "leave the + out"),
    ("hydra.launcher.n_jobs=x", "hydra.launcher.n_jobs=x (command line)", "must be a whole number"),
    (
        "hydra.sweeper.n_trials=3",
        "hydra.sweeper.n_trials=3 (command line)",
        "exists only in a search: use hydra/sweeper=",
    ),
    (
        "hydra.sweeper.max_batch_size=3",
        "hydra.sweeper.max_batch_size=3 (command line)",
        "cannot be set",
    ),
    (
        "-m seed=0,1 hydra/sweeper=random hydra.sweeper.seed=x",
        "hydra.sweeper.seed=x (command line)",
        "a whole number",
    ),
    (
        "-m seed=0,1 hydra/sweeper=tpe hydra.sweeper.metric=[a]",
        "hydra.sweeper.metric=[a] (command line)",
        "be text",
    ),
    (
        "+hydra.sweeper.params.optimizer=3",
        "hydra.sweeper.params.optimizer=3 (command line)",
        "is a name",
    ),
    (
        "+hydra.sweeper.params.sed=3",
        "hydra.sweeper.params.sed=3 (command line)",
        "did you mean 'seed'?",
    ),
    (
        "+hydra.sweeper.params.optimizer.lr=3",
        "hydra.sweeper.params.optimizer.lr=3 (command line)",
        "optimizer.lr=…",
    ),
    ("_target_=os.system", "_target_=os.system (command line)", "there is no such key"),
    (
        "tracking._target_=os.system",
        "tracking._target_=os.system (command line)",
        "mlflow has no field _target_",
    ),
    # flags and commands
    ("--config-dir nope", "--config-dir=nope (command line)", "there is no such folder"),
    ("--config-dir", "(command line)", "expected one argument"),
    ("--cfg job --package nope", "--package=nope (command line)", "no such part"),
    ("--package seed", "--package=seed (command line)", "add --cfg job"),
    ("--info nope", "(command line)", "invalid choice"),
    ("-", "- (command line)", "an override is written key=value"),
    ("ui --uri nope", "--uri=nope", "must be a server or a database"),
    ("ui --host 0.0.0.0", "ui (command line)", "unrecognized arguments"),
    ("report ../..", "report=../..", "there is no sweep"),
    ("resume /", "resume=/ (command line)", ""),
    ("resume \0", "resume=", "(command line)"),
    ("replay /dev/null", "replay=/dev/null (command line)", "there is no run"),
    ("probe nope observer=[path]", "probe=nope (command line)", "there is no run"),
    ("--resolve epochs=1", "--resolve (command line)", "add --cfg job"),
    ("observer=[[curves]]", "observer=[[curves]] (command line)", "takes names, not lists of them"),
    (
        "regularizer=[{dropout:1}]",
        "regularizer=[{dropout:1}] (command line)",
        "an option of regularizer is a name",
    ),
    ("help *", "", "there is no command, group, option, study or key called *; choose from claims"),
    ("help ad?m", "", "did you mean 'adam'?"),
    *(
        (words + "x" * 300, key, "the name is too long: a part of a path may have 255 bytes")
        for words, key in (
            ("resume ", "resume=xxx"),
            ("replay ", "replay=xxx"),
            ("report ", "report=xxx"),
            ("doctor ", "doctor=xxx"),
            ("sync ", "sync=xxx"),
            ("--config-dir ", "--config-dir=xxx"),
            ("data=csv data.path=", "data.path=xxx"),
            ("data=mnist data.folder=", "data.folder=xxx"),
        )
    ),
    ("help " + "x" * 300, "", "there is no command, group, option, study or key called xxx"),
    ("sync /dev/null", "sync (command line)", "there is no run in /dev/null"),
]
GLOBAL = "# @package _global_\n"
FILES = [  # what an experiment file holds, its place, what is said
    ("", "(experiment/x.yaml)", "is empty"),
    ("# nothing else\n", "(experiment/x.yaml)", "is empty"),
    ("- a\n- b\n", "(experiment/x.yaml)", "must be keys with values"),
    ("word\n", "(experiment/x.yaml)", "must be keys with values"),
    (GLOBAL + "optimizer:\n\tlr: 1\n", "(experiment/x.yaml, line 3)", "is not valid YAML"),
    (
        GLOBAL + "seed: 1\nseed: 2\n",
        "(experiment/x.yaml, line 3)",
        "the key seed occurs twice",
    ),
    (
        GLOBAL + "optimizer: {lr: 1, lr: 2}\n",
        "(experiment/x.yaml, line 2)",
        "the key lr occurs twice",
    ),
    (
        GLOBAL.encode() + "study: {title: 学習}\n".encode("shift-jis"),
        "(experiment/x.yaml, line 2)",
        "is not UTF-8",
    ),
    (GLOBAL.encode("utf-16"), "(experiment/x.yaml, line 1)", "is not UTF-8"),
    (b"\0\1\2", "(experiment/x.yaml, line 1)", "control characters"),
    (GLOBAL + "seed: 'x\n", "(experiment/x.yaml, line 3)", "is not valid YAML"),
    (GLOBAL + "a: b: c\n", "(experiment/x.yaml, line 2)", "is not valid YAML"),
    (GLOBAL + "epochs: no\n", "(experiment/x.yaml, line 2)", "no means false to YAML"),
    (GLOBAL + "epochs: 1\nquick: On\n", "(experiment/x.yaml, line 3)", "On means true to YAML"),
    (GLOBAL + "study: {title: {no: x}}\n", "(experiment/x.yaml, line 2)", "no means false to YAML"),
    (GLOBAL + "seed: 010\n", "(experiment/x.yaml, line 2)", "010 is read as an octal number"),
    (GLOBAL + "seed: 0x10\n", "(experiment/x.yaml, line 2)", "0x10 is not a decimal number"),
    (GLOBAL + "seed: 0b11\n", "(experiment/x.yaml, line 2)", "0b11 is not a decimal number"),
    (GLOBAL + "seed: 1:30\n", "(experiment/x.yaml, line 2)", "1:30 is read in base 60"),
    (GLOBAL + "seed: 2026-01-01\n", "seed (experiment/x.yaml)", "must be a whole number"),
    (GLOBAL + "epochs: 1e3\n", "epochs (experiment/x.yaml)", "must be a whole number"),
    (GLOBAL + "sede: 1\n", "sede (experiment/x.yaml)", "did you mean 'seed'?"),
    (GLOBAL + "1: 1\n", "1 (experiment/x.yaml)", "there is no such key"),
    (GLOBAL + "optimizer: 5\n", "(experiment/x.yaml)", ""),
    (GLOBAL + "optimizer: [adam]\n", "(experiment/x.yaml)", ""),
    (GLOBAL + "seed: -1\n", "seed=-1 (experiment/x.yaml)", "must be >= 0"),
    (GLOBAL + "seed: ${seed}\n", "seed (experiment/x.yaml)", "recursive"),
    (
        GLOBAL + "seed: ${nope}\n",
        "seed (experiment/x.yaml)",
        "refers to nope, which does not exist",
    ),
    (GLOBAL + "a: &a [*a]\n", "(experiment/x.yaml, line 2)", "*a refers to itself"),
    (GLOBAL + "a: *b\n", "(experiment/x.yaml, line 2)", "is not valid YAML"),
    (
        GLOBAL + "a: " + "[" * 60 + "]" * 60,
        "(experiment/x.yaml, line 2)",
        "nested more than 50 levels",
    ),
    (GLOBAL + "a: " + "[" * 100_000, "(experiment/x.yaml, line 2)", "nested more than 50 levels"),
    (GLOBAL + "a: " + "x" * 300_000, "(experiment/x.yaml)", "is larger than 262,144 bytes"),
    (
        GLOBAL + "a: [" + "1," * 60_000 + "1]",
        "(experiment/x.yaml, line 2)",
        "expands to more than 50,000 values",
    ),
    ("# @package a b c\nseed: 1\n", "(experiment/x.yaml)", "its first lines cannot be read"),
    ("seed: 1\n", "(experiment/x.yaml)", "# @package _global_"),
    (GLOBAL + "defaults: 5\n", "defaults (experiment/x.yaml)", "must be a list"),
    (GLOBAL + "defaults: [nope]\n", "(command line)", "there is no experiment of that name"),
    (GLOBAL + "defaults:\n  - ../../etc/passwd\n", "(experiment/x.yaml)", "is not a group"),
    (
        GLOBAL + "defaults:\n  - override /optimizer: nope\n",
        "optimizer=nope (experiment/x.yaml)",
        CHOSEN,
    ),
    (
        GLOBAL + "hydra: {verbose: 3}\n",
        "hydra.verbose=3 (experiment/x.yaml)",
        "must be true, false",
    ),
    (
        GLOBAL + "study: 5\nhydra: {mode: MULTIRUN, sweeper: {params: {seed: '1,2'}}}\n",
        "study=5 (x)",
        "title",
    ),
]


def refused(words, in_tmp, capsys):
    """The line that refuses it."""
    before = sorted(in_tmp.rglob("*"))
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1
    assert len(err) < 1500
    assert sorted(in_tmp.rglob("*")) == before, "something was created"
    return err


def experiment(folder, text, name="experiment/x.yaml"):
    file = folder / "mine" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    group, _, stem = name.removesuffix(".yaml").rpartition("/")
    return ["--config-dir", "mine", f"{group}={stem}"]


@pytest.mark.parametrize(
    ("typed", "subject", "message"), TYPED, ids=[str(row[0])[:40] for row in TYPED]
)
def test_what_cannot_be_meant_is_one_line_and_nothing_is_created(
    typed, subject, message, in_tmp, capsys
):
    err = refused(typed if isinstance(typed, list) else typed.split(" "), in_tmp, capsys)
    assert subject in err
    assert message in err


@pytest.mark.parametrize(("text", "place", "message"), FILES, ids=range(len(FILES)))
def test_a_study_that_cannot_be_meant_is_told_with_file_and_line(
    text, place, message, in_tmp, capsys
):
    err = refused(experiment(in_tmp, text), in_tmp, capsys)
    assert place in err
    assert message in err


def test_there_are_more_than_eighty_rows():
    assert len(TYPED) + len(FILES) >= 120


def test_a_file_of_a_few_lines_that_unfolds_to_billions_is_refused_without_unfolding_it(
    in_tmp, capsys
):
    lines = ["a0: &a0 [1,1,1,1,1,1,1,1,1,1]"] + [
        f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)
    ]
    err = refused(experiment(in_tmp, GLOBAL + "\n".join(lines)), in_tmp, capsys)
    assert "(experiment/x.yaml, line 6): expands to more than 50,000 values" in err


HARMLESS = [
    "\ufeff" + GLOBAL + "seed: 7\n",
    GLOBAL.replace("\n", "\r\n") + "seed: 7\r\n",
    GLOBAL + "epochs: &x 7\nseed: *x\n",
    GLOBAL + "seed: 7 # 日本\n",
    "\n\n" + GLOBAL + "seed: 7",
    GLOBAL + "seed: 7\ntracking: {experiment: 'no'}\n",
]


@pytest.mark.parametrize("text", HARMLESS, ids=range(len(HARMLESS)))
def test_a_byte_order_mark_windows_line_ends_and_references_do_no_harm(text, in_tmp, capsys):
    assert main(["--cfg", "job", *experiment(in_tmp, text)]) == 0
    assert "seed: 7" in capsys.readouterr().out


def test_a_variant_may_not_bear_the_name_of_a_plugin_nor_hide_it(in_tmp, capsys):
    err = refused(experiment(in_tmp, "lr: 3\n", "optimizer/adam.yaml"), in_tmp, capsys)
    assert "(optimizer/adam.yaml): is also the name of the plugin optimizer/adam" in err


@pytest.mark.parametrize(
    "others", [{}, {"a": "defaults: [z]"}, {"a": "defaults: [b]", "b": "defaults: [/optimizer: z]"}]
)
def test_a_variant_whose_defaults_lead_back_to_it_is_told(others, in_tmp, capsys):
    words = experiment(in_tmp, f"defaults: [{'a' if others else 'z'}]\n", "optimizer/z.yaml")
    for name, text in others.items():
        (in_tmp / "mine/optimizer" / f"{name}.yaml").write_text(text)
    assert "defaults (optimizer/z.yaml): includes this file again" in refused(words, in_tmp, capsys)


def test_a_variant_may_name_others_of_which_two_name_a_third(in_tmp, capsys):
    words = experiment(in_tmp, "defaults: [a, b]\n", "optimizer/z.yaml")
    for name in "ab":
        (in_tmp / "mine/optimizer" / f"{name}.yaml").write_text("defaults: [adam]\n")
    assert main(["--cfg", "job", *words]) == 0


@pytest.mark.parametrize("words", ["resume last", "doctor", "sync", "report last"])
def test_an_outputs_folder_whose_name_is_too_long_is_told(words, in_tmp, capsys, monkeypatch):
    monkeypatch.setenv("DLEXP_OUTPUTS", "x" * 300)
    err = refused(words.split(), in_tmp, capsys)
    assert "DLEXP_OUTPUTS=xxx" in err
    assert "(environment): the name is too long" in err


def test_files_beside_the_groups_are_nobodys_business(in_tmp, capsys):
    (in_tmp / "mine").mkdir()
    for name in ("config", "schema", "hydra_defaults"):
        (in_tmp / "mine" / f"{name}.yaml").write_text("seed: 99\n_target_: os.system\n")
    assert main(["--config-dir", "mine", "--cfg", "job"]) == 0
    assert "seed: 0" in capsys.readouterr().out


@pytest.mark.parametrize("make", ["folder", "fifo", "dangling", "device"])
def test_what_is_no_file_is_no_study(make, in_tmp, capsys):
    home = in_tmp / "mine" / "experiment"
    home.mkdir(parents=True)
    path = home / "x.yaml"
    {
        "folder": path.mkdir,
        "fifo": lambda: os.mkfifo(path),
        "dangling": lambda: path.symlink_to("nowhere"),
        "device": lambda: path.symlink_to("/dev/zero"),
    }[make]()
    assert "experiment=x" in refused(["--config-dir", "mine", "experiment=x"], in_tmp, capsys)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_study_that_may_not_be_read_is_told(in_tmp, capsys):
    words = experiment(in_tmp, "x")
    (in_tmp / "mine" / "experiment" / "x.yaml").chmod(0)
    assert "(experiment/x.yaml): cannot be read: Permission denied" in refused(
        words, in_tmp, capsys
    )


def test_python_raises_the_same(in_tmp):
    for words in (["seed=${seed}"], ["seed=???"], ["seed=010"], ["optimizer.lr=" + "[" * 3000]):
        with pytest.raises(UserError):
            compose_run(*words)


def test_hydra_reads_files_of_other_programs_as_ever(in_tmp):
    from hydra._internal.sources_registry import SourcesRegistry

    compose_run("seed=1")
    assert SourcesRegistry.instance().types["file"].__module__.startswith("hydra.")


def test_what_a_run_writes_can_be_read_again(tmp_path):
    for text in (
        "no",
        "010",
        "1:30",
        "0x10",
        "null",
        "日本",
        "~",
        "2026-01-01",
        "a: b",
        "*x",
        "!!x",
    ):
        import yaml

        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"x": text}, allow_unicode=True), encoding="utf-8")
        assert yamlfile.construct(yamlfile.read(file, "x"), "x") == {"x": text}


PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["sweep='层'"], "sweep="),
        (["data=csv", "data.path=数据.csv"], "there is no such file"),
        (["--config-dir", "配置", "experiment='坏'"], "experiment="),
        (["优化器=adam"], "no key has such characters"),
    ],
)
def test_a_locale_without_chinese_letters_gets_the_same_line(words, message, in_tmp):
    home = in_tmp / "配置" / "experiment"
    home.mkdir(parents=True)
    (home / "坏.yaml").write_text(GLOBAL + "seed: -1\n")
    before = sorted(in_tmp.rglob("*"))
    done = subprocess.run(
        [sys.executable, "-m", "dlexp", *words],
        cwd=in_tmp,
        env={**os.environ, **PLAIN},
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith(b"dlexp: error: ")
    assert done.stderr.count(b"\n") == 1
    assert message.encode() in done.stderr
    assert sorted(in_tmp.rglob("*")) == before
