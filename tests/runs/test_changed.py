"""Code, data or machine of a run have changed: resume refuses it, and replay names it."""

import contextlib
import json
import signal
import sqlite3

import numpy as np
import pytest
from mischief import mischief
from run_folders import send, with_store
from test_replay import describe, rewrite

import dlexp
from dlexp import paths, tracking
from dlexp.cli.main import main
from dlexp.runs import lifecycle, provenance
from dlexp.storage import journal
from dlexp.tracking import state

SMALL = ("model.hidden=[8]", "data.n_train=200", "batch_size=50", "epochs=6", "observer=none")
UNTRACKED = (*SMALL, "tracking=none")


def cut_short(*words, at=10):
    """A run that Ctrl-C ended; its folder."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with mischief(at, lambda: signal.raise_signal(signal.SIGINT)):
            assert main([*words, "schedule=mischief"]) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    return max((paths.outputs() / "runs").iterdir())


def edit(folder, before, after):
    text = (folder / "config.yaml").read_text()
    assert before in text
    (folder / "config.yaml").write_text(text.replace(before, after))


def on_an_abacus(folder):
    """As if the run had been begun on another machine."""
    tags = json.loads((folder / "run.json").read_text())["tags"]
    describe(
        folder, tags=tags | {"dlexp.numerics.digest": "0" * 12, "dlexp.numerics.core": "Abacus"}
    )


def other_code(folder, *files):
    """As if these files of plugins had been others when the run was trained."""
    identity = json.loads((folder / "run.json").read_text())["identity"]
    code = identity["code"] | dict.fromkeys(files, "0" * 16)
    describe(folder, identity=identity | {"code": code})


def refused(capsys, *words):
    with mischief(-1, lambda: None):
        assert main(list(words)) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err


@pytest.fixture
def run(in_tmp):
    """A run that was cut short."""
    return cut_short(*UNTRACKED)


@pytest.mark.parametrize("anyway", [(), ("--anyway",)])
def test_a_run_whose_configuration_was_edited_is_not_resumed_as_another_one(run, capsys, anyway):
    edit(run, "lr: 0.001", "lr: 0.002")
    edit(run, "hidden: [8]" if "hidden: [8]" in (run / "config.yaml").read_text() else "- 8", "- 9")
    before = (run / "journal.jsonl").read_bytes()
    said = refused(capsys, "resume", run.name, *anyway)
    assert "it would be another run: " in said
    assert "optimizer.lr was 0.001, is 0.002" in said
    assert "model.hidden was [8], is [9]" in said
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_run_whose_data_lie_elsewhere_now_goes_on_from_any_folder(in_tmp, monkeypatch):
    rng = np.random.default_rng(0)
    np.savez("a.npz", x=rng.normal(size=(300, 3)), y=np.arange(300) % 2)
    words = (
        "data=npz",
        "data.path=a.npz",
        "model.hidden=[8]",
        "epochs=9",
        "observer=none",
        "tracking=none",
    )
    run = cut_short(*words).absolute()
    (in_tmp / "elsewhere").mkdir()
    (in_tmp / "a.npz").rename(in_tmp / "elsewhere/b.npz")
    edit(run, str(in_tmp / "a.npz"), str(in_tmp / "elsewhere/b.npz"))
    monkeypatch.chdir(in_tmp / "elsewhere")
    with mischief(-1, lambda: None):
        assert main(["resume", str(run)]) == 0


def test_a_mixture_goes_back_to_what_it_was_at_first_only_if_that_is_asked_for_and_recorded(
    run, capsys
):
    on_an_abacus(run)
    with mischief(15, lambda: signal.raise_signal(signal.SIGINT)):
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            assert main(["resume", run.name, "--anyway"]) == 130
        finally:
            signal.signal(signal.SIGINT, before)
    here = {f"dlexp.numerics.{key}": value for key, value in provenance_of_this_process().items()}
    # at home on the first machine again
    describe(run, tags=json.loads((run / "run.json").read_text())["tags"] | here)
    capsys.readouterr()
    assert "resumed with changes, which are undone now: core was Abacus" in refused(
        capsys, "resume", run.name
    )
    with mischief(-1, lambda: None):
        assert main(["resume", run.name, "--anyway"]) == 0
    resumed = [e for e in journal.events(run)[0] if e.kind == "resume"]
    assert "undone now" in resumed[-1].changes[0]


def provenance_of_this_process():
    with provenance.one_blas_thread():
        return provenance.numerics()


def test_what_changes_no_number_may_be_edited_before_a_resume(run):
    edit(run, "seconds: 10.0", "seconds: 5.0")
    with mischief(-1, lambda: None):
        assert main(["resume", run.name]) == 0


def test_replay_names_the_configuration_that_was_edited(in_tmp, capsys):
    edit(dlexp.run(*UNTRACKED).folder, "lr: 0.001", "lr: 0.002")
    assert main(["replay", "last"]) == 1
    assert "\nchanged   optimizer.lr was 0.001, is 0.002\n" in capsys.readouterr().out


def test_other_code_or_arithmetic_is_refused_and_nothing_is_written(run, capsys):
    other_code(run, "optimizer/adam.py")
    on_an_abacus(run)
    before = (run / "journal.jsonl").read_bytes()
    said = refused(capsys, "resume", run.name)
    assert (
        "it would not be the same to the bit: optimizer/adam.py was changed; core was Abacus, is "
        in said
    )
    assert "; --anyway continues it and marks it as mixed" in said
    assert (run / "journal.jsonl").read_bytes() == before


def test_a_run_that_goes_on_anyway_is_marked_as_a_mixture_wherever_it_is_shown(
    in_tmp, capsys, monkeypatch
):
    monkeypatch.setattr(tracking, "start", lambda folders: tracking.Sender([], None))
    monkeypatch.setattr(tracking.Sender, "wait", lambda *_: None)
    uri = with_store(in_tmp / "outputs")
    run = cut_short(*SMALL)
    # measured after the state was saved
    rewrite(run, lambda events: events[-2]["metrics"].update({"train/loss": 9.0}))
    (run / "checkpoints/last.npz").unlink()
    on_an_abacus(run)
    capsys.readouterr()
    with mischief(-1, lambda: None):
        assert main(["resume", run.name, "--anyway"]) == 0, (
            "what it measures again may be other numbers"
        )
        assert "\nmixed     since it was resumed: core was Abacus, is " in capsys.readouterr().out
        (resumed,) = [e for e in journal.events(run)[0] if e.kind == "resume"]
        assert [change.partition(",")[0] for change in resumed.changes] == ["core was Abacus"]
        assert send(run) == 0
        from mlflow import MlflowClient

        (shown,) = MlflowClient(uri).search_runs(["1"])
        assert shown.data.tags["dlexp.resumed_with"] == resumed.changes[0]
        assert "> since it was resumed: core was Abacus" in shown.data.tags["mlflow.note.content"]
        main(["replay", run.name])
    assert "changed   since it was resumed: core was Abacus" in capsys.readouterr().out


def test_anyway_means_nothing_to_a_sweep(in_tmp, capsys):
    assert main(["-m", "seed=0,1", *UNTRACKED, "epochs=0"]) == 0
    capsys.readouterr()
    (sweep,) = (in_tmp / "outputs" / "sweeps").iterdir()
    assert "--anyway (command line): applies only to a run" in refused(
        capsys, "resume", sweep.name, "--anyway"
    )


def test_a_run_that_replays_to_the_same_bits_names_what_changed_all_the_same(in_tmp, capsys):
    run = dlexp.run(*UNTRACKED).folder
    other_code(run, "optimizer/adam.py")
    assert main(["replay", "last"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("same ")
    assert out.endswith(", to the bit\nchanged   optimizer/adam.py was changed\n")


def test_other_data_are_not_excused_by_another_machine(in_tmp, capsys):
    x, y = np.random.default_rng(0).random((200, 3)), np.arange(200) % 3
    np.savez("a.npz", x=x, y=y)
    run = dlexp.run(
        "data=npz",
        "data.path=a.npz",
        "model.hidden=[8]",
        "epochs=3",
        "observer=none",
        "tracking=none",
    )
    x[0, 0] += 1e-5
    np.savez("a.npz", x=x, y=y)
    on_an_abacus(run.folder)
    assert main(["replay", "last"]) == 1
    out = capsys.readouterr().out
    assert "changed   the data are not what they were: SHA-256 " in out
    assert out.endswith("within the tolerance of 0.001, but more than the arithmetic has changed\n")


def test_another_ending_is_outside_any_tolerance(in_tmp, capsys, monkeypatch):
    on_an_abacus(dlexp.run(*UNTRACKED).folder)
    monkeypatch.setattr(
        lifecycle, "_train", lambda run, *_: (run.train(), setattr(run, "status", "FAILED"))
    )
    assert main(["replay", "last"]) == 1
    assert "differs   it ended FINISHED, and now FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["nan", "-1", "inf", "much"])
def test_a_tolerance_that_is_none_is_refused(word, in_tmp, capsys):
    message = refused(capsys, "replay", "last", "--tolerance", word)
    wrong = "is not a valid float" if word == "much" else "must be a finite number >= 0"
    assert "--tolerance" in message
    assert wrong in message


@pytest.mark.parametrize("left", [0, 1])
def test_where_nothing_was_measured_there_is_nothing_to_compare(left, in_tmp, capsys):
    run = dlexp.run(*UNTRACKED).folder
    rewrite(run, lambda events: events.__delitem__(slice(left, None)))
    for words in (["replay", run.name], ["probe", run.name, "observer=[path]"]):
        assert "holds no measurement: there is nothing to compare" in refused(capsys, *words)


@pytest.mark.parametrize("left", [0, 1, 4])
@pytest.mark.parametrize("looks", ["while it is short", "as it goes on", "when it is whole"])
def test_what_mlflow_has_of_a_journal_that_was_cut_back_by_hand_is_not_doubled(
    in_tmp, monkeypatch, left, looks
):
    monkeypatch.setattr(tracking, "start", lambda folders: tracking.Sender([], None))
    monkeypatch.setattr(tracking.Sender, "wait", lambda *_: None)
    with_store(in_tmp / "outputs")
    run = dlexp.run(*SMALL).folder

    def shown():
        with contextlib.closing(sqlite3.connect(in_tmp / "outputs" / "mlflow.db")) as store:
            ended = store.execute("select status from runs").fetchall()
            return ended, sorted(
                store.execute("select key, step, value from metrics where is_nan = 0").fetchall()
            )

    assert send(run) == 0
    whole = shown()
    rewrite(run, lambda events: events.__delitem__(slice(left, None)))
    assert not state.is_complete(run)
    if looks == "while it is short":
        assert send(run) == 1
        assert "has lost lines that MLflow has" in state.load(run).error
        assert shown() == whole, "its copy is not overwritten"
    assert main(["resume", run.name]) == 0
    assert not state.is_complete(run)
    if looks == "as it goes on":
        lines = (run / "journal.jsonl").read_bytes().splitlines(keepends=True)
        (run / "journal.jsonl").write_bytes(b"".join(lines[: left + 3]))
        assert send(run) == 0
        assert shown() == ([("KILLED",)], whole[1])
        (run / "journal.jsonl").write_bytes(b"".join(lines))
    for _ in range(2):
        assert send(run) == 0
        assert shown() == whole
        assert state.is_complete(run)


def test_a_run_that_is_only_in_mlflow_replays_by_its_id_there(in_tmp, capsys, monkeypatch):
    monkeypatch.setattr(tracking, "start", lambda folders: tracking.Sender([], None))
    monkeypatch.setattr(tracking.Sender, "wait", lambda *_: None)
    uri = with_store(in_tmp / "outputs")
    run = dlexp.run(*SMALL).folder
    assert send(run) == 0
    known = json.loads((run / "mlflow.json").read_text())["run_id"]
    assert main(["replay", known]) == 0, "by the folder that was sent"
    run.rename(in_tmp / "gone")
    for words in ([known], [known, "--uri", uri]):
        assert main(["replay", *words]) == 0
    assert (
        capsys.readouterr().out.count(
            "same      8 records of 7 metrics and the weights, to the bit\n"
        )
        == 3
    )
    assert "cannot be fetched from" in refused(capsys, "replay", "0" * 32)


def test_a_diverged_run_has_failed_in_mlflow_and_exits_1(in_tmp, monkeypatch):
    monkeypatch.setattr(tracking, "start", lambda folders: tracking.Sender([], None))
    monkeypatch.setattr(tracking.Sender, "wait", lambda *_: None)
    uri = with_store(in_tmp / "outputs")
    assert main([*SMALL, "optimizer=sgd", "optimizer.lr=1e30"]) == 1
    (run,) = (in_tmp / "outputs" / "runs").iterdir()
    assert journal.events(run)[0][-1].status == "DIVERGED"
    assert send(run) == 0
    from mlflow import MlflowClient

    (shown,) = MlflowClient(uri).search_runs(["1"])
    assert (shown.info.status, shown.data.tags["dlexp.status"]) == ("FAILED", "DIVERGED")
