"""A user's mistake ends in one line, exit status 2, and nothing created."""

import logging

import pytest

from dlexp.cli.main import main

# What is typed, and what the one line must say.
TABLE = [
    # unknown options and keys, with the nearest name
    (
        "optimizer=adm",
        (
            "optimizer=adm (command line): there is no optimizer of that name; choose from adagrad,"
            " adam,"
        ),
        "did you mean 'adam'?",
    ),
    ("init=hee", "initializer=hee (command line)", "did you mean 'he'?"),
    ("regularizer=[dropout,foo]", "regularizer=foo (command line)", "inverted_dropout"),
    ("objective=nope", "objective=nope", "valley"),
    ("tracking=wandb", "tracking=wandb", "mlflow, none"),
    ("experiment=nope", "experiment=nope (command line)", "there is no experiment of that name"),
    (
        "optimizer.lrr=1",
        "optimizer.lrr=1 (command line): adam has no field lrr; choose from lr, beta1, beta2, eps",
        "'lr'?",
    ),
    (
        "optimizer=sgd optimizer.beta1=0.9",
        "optimizer.beta1=0.9 (command line): sgd has no field beta1",
        "choose from lr",
    ),
    (
        "optmizer=adam",
        "optmizer=adam (command line): there is no such key",
        "did you mean 'optimizer'?",
    ),
    ("sed=1", "sed=1 (command line)", "did you mean 'seed'?"),
    ("dropout.ratio=0.5", "dropout.ratio=0.5", "did you mean 'regularizer.dropout.ratio'?"),
    (
        "regularizer.dropout.ratio=0.3",
        "regularizer.dropout.ratio=0.3 (command line)",
        "not selected: use regularizer=dropout",
    ),
    ("early_stopping.foo=1", "early_stopping.foo=1", "patience, metric"),
    (
        "early_stopping.patience=3 early_stopping.metric=val/lss",
        "early_stopping.metric=val/lss",
        "did you mean 'val/loss'?",
    ),
    # types
    ("optimizer.lr=abc", "optimizer.lr=abc (command line): must be a number", ""),
    ("optimizer.lr=true", "optimizer.lr=true (command line): must be a number", ""),
    ("optimizer.lr=", "optimizer.lr= (command line): must be a number", ""),
    ("optimizer.lr=[0.1]", "optimizer.lr=[0.1] (command line): must be a number", ""),
    ("optimizer.lr={a:1}", "optimizer.lr={a:1} (command line): must be a number", ""),
    ("optimizer.lr=null", "optimizer.lr=null (command line): cannot be null", ""),
    ("model.hidden=50", "model.hidden=50 (command line): must be a list", ""),
    ("model.hidden=[a]", "model.hidden=[a] (command line): must be a whole number", ""),
    ("seed=1.5", "seed=1.5 (command line): must be a whole number", ""),
    ("seed=xx", "seed=xx (command line): must be a whole number", ""),
    ("seed=true", "seed=true (command line): must be a whole number", ""),
    ("epochs=null", "epochs=null (command line): cannot be null", ""),
    # ranges
    ("optimizer.lr=nan", "optimizer.lr=nan (command line): must be a finite number", ""),
    ("optimizer.lr=inf", "optimizer.lr=inf (command line): must be a finite number", ""),
    ("optimizer.lr=-1", "optimizer.lr=-1 (command line): must be > 0", ""),
    ("optimizer.lr=0", "optimizer.lr=0 (command line): must be > 0", ""),
    ("optimizer.beta1=1", "optimizer.beta1=1 (command line): must be >= 0 and < 1", ""),
    ("model.hidden=[50,0]", "model.hidden=[50,0] (command line): must be numbers > 0", ""),
    ("seed=-1", "seed=-1 (command line): must be >= 0", ""),
    ("seed=9223372036854775808", "seed=9223372036854775808", "2**63"),
    ("epochs=-1", "epochs=-1 (command line): must be >= 0", ""),
    ("steps=-1", "steps=-1 (command line): must be >= 0", ""),
    ("eval_every=0", "eval_every=0 (command line): must be >= 1", ""),
    ("clip_norm=0", "clip_norm=0 (command line): must be > 0", ""),
    ("dtype=float16", "dtype=float16 (command line): must be one of float32, float64", ""),
    ("batch_size=0", "batch_size=0 (command line): must be > 0", ""),
    ("batch_size=5000", "batch_size=5000 (command line): there are only 1257 training samples", ""),
    (
        "batch_size=1 normalization=batch_norm",
        "batch_size=1 (command line): batch_norm needs at least 2 samples",
        "",
    ),
    (
        "regularizer=dropout regularizer.dropout.ratio=1",
        "regularizer.dropout.ratio=1 (command line)",
        ">= 0 and < 1",
    ),
    (
        "regularizer=dropout regularizer.dropout.ratio=50",
        "regularizer.dropout.ratio=50 (command line)",
        "",
    ),
    ("data.n_train=0", "data.n_train=0 (command line): must be >= 1", ""),
    ("data.n_train=99999", "data.n_train=99999 (command line)", "1257"),
    # what a configuration must not become
    ("++optimizer.foo=1", "optimizer.foo=1 (command line): adam has no field foo", ""),
    ("+new.key=1", "new.key=1 (command line): there is no such key", ""),
    ("+optimizer.lr=1", "optimizer.lr=1 (command line)", "leave the + out"),
    ("~optimizer", "optimizer (command line): ~ removes a part", ""),
    ("~seed", "seed (command line): ~ removes a part", ""),
    ("optimizer=null", "optimizer=null (command line)", ""),
    ("regularizer=null", "regularizer=null (command line)", "regularizer=none"),
    ("optimizer=", "optimizer= (command line)", ""),
    ("optimizer=[sgd,adam]", "optimizer=[sgd,adam] (command line): optimizer takes one option", ""),
    ("optimizer=../../x", "optimizer=../../x (command line)", "choose from"),
    ("optimizer=/etc/passwd", "optimizer=/etc/passwd (command line)", ""),
    ("regularizer=[../x]", "regularizer=[../x] (command line)", ""),
    ("optimizer@foo=adam", "optimizer=adam (command line): @foo", "leave the @ out"),
    ("optimizer=5", "optimizer=5 (command line)", "is a name"),
    (
        "optimizer.lr=0.1,0.2",
        "optimizer.lr=0.1,0.2 (command line): several values make a sweep",
        "-m optimizer.lr=0.1,0.2",
    ),
    ("optimizer=sgd,adam", "optimizer=sgd,adam (command line): several values make a sweep", ""),
    ("seed=range(3)", "seed=range(3) (command line): several values make a sweep", ""),
    (
        "hydra.run.dir=/tmp/x",
        "hydra.run.dir=/tmp/x (command line): this key of Hydra cannot be set",
        "",
    ),
    ("+hydra.callbacks.x._target_=webbrowser.open", "hydra.callbacks.x._target_", "cannot be set"),
    (
        "optimizer._target_=os.system",
        "optimizer._target_=os.system (command line): adam has no field _target_",
        "",
    ),
    (
        "optimizer.lr=${nope}",
        "optimizer.lr=${nope} (command line)",
        "refers to nope, which does not exist",
    ),
    ("optimizer.lr=0.1(", "optimizer.lr=0.1( (command line): cannot be read", ""),
    # a surface has no network
    (
        "objective=valley init=he",
        "initializer=he (command line): objective=valley has no initializer",
        "",
    ),
    (
        "objective=valley model.hidden=[5]",
        "model.hidden=[5] (command line): objective=valley has no model",
        "",
    ),
    ("objective=valley regularizer=dropout", "regularizer=dropout (command line)", "no network"),
    (
        "objective=valley batch_size=7",
        "batch_size=7 (command line): objective=valley has no batch_size",
        "",
    ),
    (
        "objective=valley objective.start=[1,2,3]",
        "objective.start=[1,2,3] (command line): must be 2 values",
        "",
    ),
    (
        "objective=valley objective.start=[]",
        "objective.start=[] (command line): must be 2 values",
        "",
    ),
    (
        "objective=valley objective.start=[1e300,1]",
        "objective.start=[1e300,1] (command line): must be within ±1e+09",
        "",
    ),
    (
        "regularizer=dropout regularizer.ratio=0.2",
        "there is no regularizer called ratio",
        "regularizer.<name>.<value>",
    ),
    (
        "observer=curves observer.curves.x=1",
        "observer.curves.x=1 (command line): curves has no field x",
        "",
    ),
    (
        "regularizer=[dropout,none]",
        "regularizer=[dropout,none] (command line): each name may occur once,"
        " and `none` only alone",
        "",
    ),
    ("regularizer=[l1,l1]", "regularizer=[l1,l1] (command line): each name may occur once", ""),
    ("model.hidden={a:1}", "model.hidden={a:1} (command line): must be a list", ""),
    (
        "tracking.uri=nonsense://x",
        "tracking.uri=nonsense://x (command line): must be a server or a database",
        "",
    ),
    ("tracking.uri=", "tracking.uri= (command line): must be a server or a database", ""),
    ("data=csv data.path=~/no_such_file.csv", "no_such_file.csv", ""),
    # words that are neither
    ("trian", "trian", "is neither a command nor key=value"),
    ("seed=1 foo", "foo (command line): an override is written key=value", ""),
    ("--foo", "unrecognized arguments: --foo", ""),
    ("--experimental-rerun x.pickle", "--experimental-rerun", ""),
    ("--cfg jib", "invalid choice", ""),
    (
        "help adm",
        "there is no command, group, option, study or key called adm",
        "did you mean 'adam'?",
    ),
]


@pytest.mark.parametrize(("typed", "subject", "more"), TABLE, ids=[row[0] for row in TABLE])
def test_a_mistake_is_one_line_and_exit_status_2_and_nothing_is_created(
    typed, subject, more, in_tmp, capsys
):
    assert main(typed.split()) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1
    assert subject in err
    assert more in err
    assert list(in_tmp.iterdir()) == []


def test_a_value_in_a_file_is_told_with_the_file(in_tmp, capsys):
    (in_tmp / "mine" / "experiment").mkdir(parents=True)
    (in_tmp / "mine" / "experiment" / "bad.yaml").write_text(
        "# @package _global_\noptimizer: {lr: -3}\n"
    )
    assert main(["--config-dir", "mine", "experiment=bad"]) == 2
    assert (
        capsys.readouterr().err
        == "dlexp: error: optimizer.lr=-3.0 (experiment/bad.yaml): must be > 0\n"
    )


def test_a_file_that_is_no_yaml_is_told_with_file_and_line(in_tmp, capsys):
    (in_tmp / "mine" / "experiment").mkdir(parents=True)
    (in_tmp / "mine" / "experiment" / "bad.yaml").write_text(
        "# @package _global_\noptimizer: {lr: [\n"
    )
    assert main(["--config-dir", "mine", "experiment=bad"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("dlexp: error: (experiment/bad.yaml, line 3): is not valid YAML")
    assert err.count("\n") == 1


def test_a_broken_plugin_is_told_with_file_and_line_and_the_others_go_on(
    in_tmp, monkeypatch, capsys, caplog
):
    from dlexp.plugins import discovery

    folder = in_tmp / "elsewhere" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "broken_one.py").write_text("import numpy\n\n1 / 0\n")
    monkeypatch.setenv("DLEXP_PLUGINS", str(folder.parent))
    assert main(["optimizer=broken_one"]) == 2
    err = capsys.readouterr().err.splitlines()[-1]
    assert err.startswith("dlexp: error: optimizer=broken_one (command line): cannot be loaded: ")
    assert "broken_one.py:3: ZeroDivisionError" in err
    assert discovery.broken("optimizer", "broken_one") is not None
    assert main(["--cfg", "job", "optimizer=sgd"]) == 0


def test_our_own_mistake_keeps_its_traceback(in_tmp, monkeypatch):
    from dlexp.config import Composition

    def defect(*args):
        raise KeyError("a defect of ours")

    monkeypatch.setattr(Composition, "setup", defect)
    with pytest.raises(KeyError, match="a defect of ours"):
        main(["epochs=0"])


@pytest.fixture(autouse=True)
def quiet_logger():
    """`main` gives the logger a terminal handler; take it away again."""
    log = logging.getLogger("dlexp")
    handlers, propagate = list(log.handlers), log.propagate
    yield
    log.handlers[:], log.propagate = handlers, propagate
