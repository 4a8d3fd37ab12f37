"""Sweeps: what is trained, recorded and refused; killed workers and commands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dlexp import config
from dlexp.cli.main import main
from dlexp.config.loader import Loader
from dlexp.storage import journal
from dlexp.storage.ledger import Ledger, LedgerEntry
from dlexp.storage.records import RunDescription
from dlexp.storage.status import Status
from dlexp.sweeps.session import Session

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none")


def sweep(*words, sigil="-m"):
    return main([sigil, *words, *FAST])


def only(folder):
    (found,) = folder.iterdir()
    return found


def entries(outputs):
    lines = (only(outputs / "outputs" / "sweeps") / "ledger.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_a_sweep_trains_every_combination_and_keeps_each_in_its_folder(in_tmp, capsys):
    # the flag may stand behind, as people write it
    assert main(["optimizer=sgd,adam", "seed=0,1", *FAST, "-m"]) == 0
    found = entries(in_tmp)
    assert [e["status"] for e in found] == ["FINISHED"] * 4
    message = [
        RunDescription.read(only(in_tmp / "outputs" / "sweeps") / e["folder"]) for e in found
    ]
    combinations = {(d.params["optimizer"], d.params["seed"]) for d in message}
    assert combinations == {("sgd", 0), ("sgd", 1), ("adam", 0), ("adam", 1)}
    assert {d.id for d in message} == {e["key"] for e in found}
    # the sweep's figures stand for them
    assert not list(in_tmp.glob("outputs/sweeps/*/runs/*/figures"))
    assert "4 finished; 4 newly trained" in capsys.readouterr().out


def test_the_same_command_again_trains_nothing_and_more_seeds_only_the_new_ones(in_tmp, capsys):
    assert sweep("optimizer=sgd,adam", "seed=0,1") == 0
    before = {e["key"]: e["time_ms"] for e in entries(in_tmp)}
    assert sweep("optimizer=sgd,adam", "seed=0,1") == 0
    assert "0 newly trained" in capsys.readouterr().out
    assert sweep("optimizer=sgd,adam", "seed=range(3)") == 0
    assert "6 finished; 2 newly trained" in capsys.readouterr().out
    after = {e["key"]: e["time_ms"] for e in entries(in_tmp)}
    assert len(after) == 6
    assert before.items() <= after.items()
    axes = json.loads((only(in_tmp / "outputs" / "sweeps") / "sweep.json").read_text())["axes"]
    assert axes["seed"] == ["0", "1", "2"]


def test_sweeps_that_fix_other_things_or_sweep_other_keys_are_other_sweeps(in_tmp):
    assert sweep("seed=0,1") == 0
    assert sweep("optimizer=sgd", "seed=0,1") == 0
    assert sweep("optimizer=sgd,adam", "seed=0,1", "observer=none", "hydra.launcher.n_jobs=1") == 0
    assert sweep("optimizer=sgd,adam", "seed=0,1") == 0  # observers and workers change no number
    assert len(list((in_tmp / "outputs" / "sweeps").iterdir())) == 3


def test_changed_data_are_another_run(in_tmp, capsys):
    rows = [f"{i % 7},{i % 5},{'ab'[i % 2]}" for i in range(300)]
    (in_tmp / "t.csv").write_text("\n".join(["x,y,label", *rows]))
    words = ("data=csv", "data.path=t.csv", "batch_size=10", "seed=0,1")
    assert sweep(*words) == 0
    rows[0] = "3,3,a"
    (in_tmp / "t.csv").write_text("\n".join(["x,y,label", *rows]))
    capsys.readouterr()
    assert sweep(*words) == 0
    assert "2 finished; 2 newly trained" in capsys.readouterr().out


def test_a_sweep_can_have_a_name(in_tmp):
    assert sweep("seed=0,1", "sweep=mine") == 0
    assert (in_tmp / "outputs" / "sweeps" / "mine" / "ledger.jsonl").exists()


def test_resume_says_the_sweeps_own_command_again(in_tmp, capsys):
    assert sweep("seed=0,1", "sweep=mine") == 0
    capsys.readouterr()
    assert main(["resume", "mine"]) == 0
    assert "2 finished; 0 newly trained" in capsys.readouterr().out
    assert main(["resume", "min"]) == 2
    message = capsys.readouterr().err
    assert (
        "resume=min (command line): there is no such run or sweep; choose from last, mine"
        in message
    )
    assert "choose from last, mine; did you mean 'mine'?" in message


def test_a_run_in_a_sweep_is_the_run_alone_to_the_last_bit(in_tmp):
    import dlexp

    assert sweep("seed=0,1", "regularizer=dropout") == 0
    alone = dlexp.run("seed=1", "regularizer=dropout", *FAST, keep=False)
    folders = [only(in_tmp / "outputs" / "sweeps") / e["folder"] for e in entries(in_tmp)]
    (folder,) = [f for f in folders if RunDescription.read(f).params["seed"] == 1]
    written = [e.metrics for e in journal.events(folder)[0] if e.kind == "record"]
    assert written == [r.metrics for r in alone.records]


def test_paired_values_advance_together(in_tmp):
    assert (
        sweep(
            "optimizer=sgd,adam",
            "optimizer.lr=0.1,0.001",
            "seed=0,1",
            "zip=[optimizer,optimizer.lr]",
        )
        == 0
    )
    message = [
        RunDescription.read(only(in_tmp / "outputs" / "sweeps") / e["folder"]).params
        for e in entries(in_tmp)
    ]
    assert {(p["optimizer"], p["optimizer.lr"]) for p in message} == {("sgd", 0.1), ("adam", 0.001)}
    assert len(message) == 4


def test_a_dry_run_lists_the_jobs_and_creates_nothing(in_tmp, capsys):
    assert main(["-m", "--dry-run", "optimizer=sgd,adam", "seed=0,1", *FAST]) == 0
    out = capsys.readouterr().out
    assert out.count("to do") == 4
    assert "4 jobs, 0 done" in out
    assert list(in_tmp.iterdir()) == []


def test_repeated_values_are_left_out_with_a_warning(in_tmp, capsys):
    assert sweep("seed=0,1,1,0") == 0
    out, err = capsys.readouterr()
    assert "2 of 4 jobs repeat another one and are left out" in err
    assert "2 finished" in out


REFUSED = [
    (
        ["seed=0,1", "optimizer=sgd,adm"],
        "optimizer=adm (command line): there is no optimizer of that name",
    ),
    (["seed=0,-1"], "seed=-1 (command line): must be >= 0"),
    (["batch_size=10,5000"], "batch_size=5000 (command line): there are only 100 training samples"),
    (["seed=range(100)", "max_jobs=99"], "the sweep has 100 jobs; max_jobs=99 is the limit"),
    (["seed=range(20001)"], "the sweep has 20,001 jobs; max_jobs=20000 is the limit"),
    (["seed=1"], "-m asks for a sweep, but no key has several values"),
    (["seed=0,1", "sweep=../x"], "sweep=../x"),
    (
        ["seed=0,1", "zip=[seed,epoch]"],
        "zip=epoch (command line): is not swept, so it cannot be paired",
    ),
    (
        ["optimizer=sgd,adam", "optimizer.lr=1,2,3", "zip=[optimizer,optimizer.lr]"],
        "optimizer has 2, optimizer.lr has 3",
    ),
    (["seed=0,1", "zip=3"], "zip=3 (command line): must be a list of keys"),
    (["seed=0,1", "hydra/launcher=../x"], "hydra/launcher=../x"),
]


@pytest.mark.parametrize(
    ("words", "message"), REFUSED, ids=[" ".join(words) for words, _ in REFUSED]
)
def test_a_mistake_in_any_job_is_told_before_the_first_one_starts(words, message, in_tmp, capsys):
    assert sweep(*words) == 2
    err = capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def test_a_job_that_diverges_is_a_result_and_not_a_failure(in_tmp, capsys):
    assert sweep("optimizer=sgd", "optimizer.lr=0.1,3e38") == 0
    assert sorted(e["status"] for e in entries(in_tmp)) == ["DIVERGED", "FINISHED"]


BAD = '''
import os, signal
from dlexp import Optimizer, plugin, positive

@plugin("{name}")
class {cls}(Optimizer):
    """{name}: https://example.org"""
    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        {body}
'''


def write_plugin(folder, name, body):
    (folder / "plugins" / "optimizer").mkdir(parents=True, exist_ok=True)
    text = BAD.format(name=name, cls=name.capitalize(), body=body)
    (folder / "plugins" / "optimizer" / f"{name}.py").write_text(text)


def dlexp(*words, cwd, **more):
    return subprocess.run(
        [sys.executable, "-m", "dlexp", *words, *FAST],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=120,
        **more,
    )


def test_a_job_that_raises_or_kills_its_worker_is_recorded_as_what_it_is_and_the_others_go_on(
    in_tmp,
):
    write_plugin(in_tmp, "raiser", "raise RuntimeError('no')")
    write_plugin(in_tmp, "killer", "os.kill(os.getpid(), signal.SIGKILL)")
    done = dlexp("-m", "optimizer=sgd,raiser,killer,adam", "seed=0,1", cwd=in_tmp)
    assert done.returncode == 1, done.stderr
    by = {(e["overrides"][-2], e["overrides"][-1]): e for e in entries(in_tmp)}
    statuses = {key: e["status"] for key, e in by.items()}
    assert len(statuses) == 8
    assert {s for (o, _), s in statuses.items() if o in ("optimizer=sgd", "optimizer=adam")} == {
        "FINISHED"
    }
    assert {s for (o, _), s in statuses.items() if o == "optimizer=raiser"} == {"FAILED"}
    assert {s for (o, _), s in statuses.items() if o == "optimizer=killer"} == {"KILLED"}
    assert "RuntimeError: no" in done.stdout
    assert "the worker was killed by SIGKILL" in done.stdout
    assert "Traceback" not in done.stderr
    log = (
        only(in_tmp / "outputs" / "sweeps") / by["optimizer=raiser", "seed=0"]["folder"] / "run.log"
    )
    assert "RuntimeError: no" in log.read_text()

    write_plugin(in_tmp, "raiser", "w -= lr * g")  # mended: another source, another run
    again = dlexp("-m", "optimizer=sgd,raiser,adam", "seed=0,1", cwd=in_tmp)
    assert again.returncode == 0
    assert "6 finished; 2 newly trained" in again.stdout


def test_failed_runs_are_trained_again_on_request_only(in_tmp):
    write_plugin(
        in_tmp, "moody", "\n        if not os.path.exists('calm'): raise RuntimeError('no')"
    )
    assert dlexp("-m", "optimizer=moody,sgd", cwd=in_tmp).returncode == 1
    (in_tmp / "calm").touch()
    assert "1 failed, 1 finished; 0 newly trained" in dlexp(
        "-m", "optimizer=moody,sgd", cwd=in_tmp
    ).stdout.replace("1 finished, 1 failed", "1 failed, 1 finished")
    again = dlexp("-m", "--retry-failed", "optimizer=moody,sgd", cwd=in_tmp)
    assert again.returncode == 0
    assert "2 finished; 1 newly trained" in again.stdout


def ended(outputs):
    return [
        line
        for p in outputs.glob("outputs/sweeps/*/ledger.jsonl")
        for line in p.read_text().splitlines()
    ]


def marked(mark):
    """Living processes with a mark in their environment, by /proc."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (
                mark.encode() in (process / "environ").read_bytes()
                and int(process.name) != os.getpid()
            ):
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at processes through /proc")
def test_a_killed_command_takes_its_workers_along_and_repeated_completes_the_sweep(
    in_tmp, start, monkeypatch, until
):
    monkeypatch.setenv("DLEXP_TEST_SWEEP", str(in_tmp))
    words = ["seed=range(6)", "epochs=40", "model.hidden=[10]", "data.n_train=200"]
    first = start(*words)
    until(lambda: len(ended(in_tmp)) >= 2)
    first.kill()
    first.communicate()
    began = time.monotonic()
    until(lambda: not marked(f"DLEXP_TEST_SWEEP={in_tmp}"), 5)
    assert time.monotonic() - began < 2
    kept = [json.loads(line) for line in ended(in_tmp)]
    second = start(*words)
    assert "Traceback" not in second.communicate(timeout=120)[1]
    assert second.returncode == 0
    found = [json.loads(line) for line in ended(in_tmp)]
    assert len({e["key"] for e in found}) == len(found) == 6
    assert found[: len(kept)] == kept
    folders = list(in_tmp.glob("outputs/sweeps/*/runs/*"))
    assert len(folders) == 6
    assert all(journal.events(f)[0][-1].status == "FINISHED" for f in folders)


def test_ctrl_c_stops_a_sweep_and_the_same_command_goes_on(in_tmp, start, until):
    words = ["seed=range(6)", "epochs=40", "model.hidden=[10]", "data.n_train=200"]
    first = start(*words)
    until(lambda: len(ended(in_tmp)) >= 1)
    first.send_signal(signal.SIGINT)
    assert "Traceback" not in first.communicate(timeout=30)[1]
    assert first.returncode == 130
    second = start(*words)
    second.communicate(timeout=120)
    assert second.returncode == 0
    assert len(ended(in_tmp)) == 6


def test_a_second_command_on_a_living_sweep_is_refused(in_tmp, capsys):
    folder = in_tmp / "outputs" / "sweeps" / "mine"
    with Ledger(folder).held():
        assert sweep("seed=0,1", "sweep=mine") == 2
    assert "another command is at work on this sweep" in capsys.readouterr().err


def test_a_half_written_line_of_the_ledger_is_cut_off(tmp_path):
    ledger = Ledger(tmp_path)
    with ledger.held():
        ledger.write(LedgerEntry("a", Status.FINISHED, "runs/a"))
        with (tmp_path / "ledger.jsonl").open("a") as file:
            file.write('{"key": "b", "sta')
    again = Ledger(tmp_path)
    with again.held():
        again.write(LedgerEntry("c", Status.DIVERGED, "runs/c"))
    third = Ledger(tmp_path)
    third.read()
    assert list(third.entries) == ["a", "c"]


def test_a_run_that_ended_unwritten_is_taken_over_and_one_that_did_not_end_is_kept(tmp_path):
    from dlexp.storage.journal import Journal

    done = Journal(tmp_path / "runs" / "a-x", RunDescription())
    done.finish("FINISHED")
    Journal(tmp_path / "runs" / "b-x", RunDescription())._file.close()
    ledger = Ledger(tmp_path)
    with ledger.held():
        ledger.adopt("a", "a-x", ["seed=0"])
        ledger.adopt("b", "b-x", ["seed=1"])
    assert ledger.entries["a"].status == "FINISHED"
    assert "b" not in ledger.entries
    assert (tmp_path / "runs" / "b-x").exists()


@pytest.fixture
def composed(monkeypatch):
    """The overrides of every job that Hydra composes from here on."""
    seen, original = [], Loader.load_job

    def load(self, config, overrides):
        seen.append(overrides)
        return original(self, config, overrides)

    monkeypatch.setattr(Loader, "load_job", load)
    return seen


def test_jobs_that_differ_in_their_seed_alone_are_composed_once_and_are_what_hydra_would_make(
    in_tmp, composed, caught
):
    assert sweep("optimizer=sgd,adam", "seed=range(4)", "init=xavier", "--dry-run") == 0
    assert len(composed) == 2
    assert len(caught) == 8
    for overrides, setup in caught:
        alone = config.compose_run(*overrides)
        assert (setup.experiment, setup.yaml, setup.overrides) == (
            alone.experiment,
            alone.yaml,
            alone.overrides,
        )


@pytest.fixture
def caught(monkeypatch):
    """The validated jobs of the sweeps from here on."""
    found = []
    original = Session.run

    def run(self, jobs, plan, **how):
        found.extend(jobs)
        return original(self, jobs, plan, **how)

    monkeypatch.setattr(Session, "run", run)
    return found


def test_a_study_in_which_the_seed_says_something_else_too_is_composed_for_every_seed(
    in_tmp, composed, caught
):
    (in_tmp / "experiment").mkdir()
    (in_tmp / "experiment" / "grow.yaml").write_text(
        "# @package _global_\nmodel: {hidden: ['${seed}', 5]}\n"
    )
    words = [
        "--config-dir",
        str(in_tmp),
        "experiment=grow",
        "seed=3,4",
        "epochs=1",
        "tracking=none",
        "--dry-run",
    ]
    assert main(["-m", *words]) == 0
    assert len(composed) == 2
    assert [setup.experiment.model.hidden for _, setup in caught] == [(3, 5), (4, 5)]


def test_a_seed_that_is_refused_is_refused_with_its_place_as_ever(in_tmp, capsys):
    assert sweep("seed=0,9223372036854775808") == 2
    first = capsys.readouterr().err
    assert sweep("seed=0,1,99999999999999999999") == 2
    assert "seed=99999999999999999999 (command line): must be < 2**63" in capsys.readouterr().err
    assert "seed=9223372036854775808 (command line): must be < 2**63" in first
