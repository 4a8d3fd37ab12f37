"""A launcher needs four methods: a short one runs a sweep, and one loop keeps jobs running."""

import json
from contextlib import nullcontext
from functools import partial

import pytest

from dlexp.cli.main import main
from dlexp.storage import journal
from dlexp.sweeps import session
from dlexp.sweeps.launcher import JobLost, JobRefused, run_jobs
from dlexp.sweeps.worker import train_job

FAST = ("epochs=1", "model.hidden=[5]", "data.n_train=100", "tracking=none", "sweep=s")
WORDS = ("-m", "optimizer=sgd,adam", "optimizer.lr=0.1,3e38", "seed=0,1", *FAST)


class InProcess:
    """A launcher that trains in this process."""

    def __init__(self):
        self.jobs = []

    def submit(self, jobs):
        self.jobs += jobs
        return range(len(self.jobs) - len(jobs), len(self.jobs))

    def ended(self, handles):
        return handles

    def result(self, handle):
        return train_job(self.jobs[handle])

    def cancel(self, handle):
        pass


@pytest.fixture
def launched_by(monkeypatch):
    """From here on, sweeps have this launcher."""
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")
    original = session.Session

    def launch(launcher):
        made = partial(original, launcher=lambda: nullcontext(launcher))
        monkeypatch.setattr(session, "Session", made)
        return launcher

    return launch


def ledger(folder):
    """The entries of a sweep without their times and costs, and the weights of each run."""
    sweep = folder / "outputs" / "sweeps" / "s"
    entries = [json.loads(line) for line in (sweep / "ledger.jsonl").read_text().splitlines()]
    kept = ("key", "status", "folder", "overrides", "error")
    return sorted(
        [[*(e[name] for name in kept), weights(sweep / e["folder"])] for e in entries], key=str
    )


def weights(run):
    return journal.events(run)[0][-1].weights if run.exists() else None


@pytest.mark.parametrize("sweeper", [(), ("hydra/sweeper=random", "hydra.sweeper.n_trials=4")])
def test_a_launcher_of_a_few_lines_runs_a_whole_sweep_to_the_ledger_and_weights_of_the_usual_one(
    sweeper, in_tmp, launched_by, monkeypatch, capsys
):
    (in_tmp / "usual").mkdir()
    (in_tmp / "toy").mkdir()
    monkeypatch.chdir(in_tmp / "usual")
    monkeypatch.setattr("dlexp.cli.summary.comparison", lambda session: "")
    status = main([*WORDS, *sweeper])
    usual = capsys.readouterr().out.replace("/usual/", "/toy/")
    monkeypatch.chdir(in_tmp / "toy")
    toy = launched_by(InProcess())
    assert main([*WORDS, *sweeper]) == status == 0
    assert capsys.readouterr().out == usual
    assert len(toy.jobs) == 8
    entries = ledger(in_tmp / "toy")
    assert {entry[1] for entry in entries} == {"FINISHED", "DIVERGED"}
    assert entries == ledger(in_tmp / "usual")
    assert main([*WORDS, *sweeper]) == 0
    assert "0 newly trained" in capsys.readouterr().out


def test_a_job_that_a_launcher_loses_is_killed_with_its_reason_and_trained_when_asked_again(
    in_tmp, launched_by, capsys
):
    class Losing(InProcess):
        def result(self, handle):
            return JobLost("the node is gone") if handle == 0 else super().result(handle)

    words = ("-m", "seed=0,1", *FAST)
    launched_by(Losing())
    assert main([*words]) == 1
    assert "1 killed, 1 finished; 2 newly trained" in capsys.readouterr().out
    assert [(e[1], e[4]) for e in ledger(in_tmp) if e[1] != "FINISHED"] == [
        ("KILLED", "the node is gone")
    ]
    launched_by(InProcess())
    assert main([*words]) == 0
    assert "2 finished; 1 newly trained" in capsys.readouterr().out


class Clerk:
    """A launcher whose jobs are their own results; counts running jobs, ends the newest."""

    def __init__(self):
        self.submitted, self.cancelled, self.most = [], [], 0

    def submit(self, jobs):
        self.submitted += jobs
        return jobs

    def ended(self, handles):
        self.most = max(self.most, len(handles))
        return handles[-1:]

    def result(self, handle):
        return handle

    def cancel(self, handle):
        self.cancelled.append(handle)


def run(launcher, jobs, n_jobs, on_end=lambda number, result: None):
    started, ended = [], []

    def end(number, result):
        ended.append((number, result))
        on_end(number, result)

    run_jobs(launcher, jobs, n_jobs, on_start=started.append, on_end=end)
    return started, ended


@pytest.mark.parametrize(("n_jobs", "most"), [(1, 1), (3, 3), (9, 5)])
def test_as_many_jobs_are_in_flight_as_there_may_be_and_each_ends_with_its_own_result(n_jobs, most):
    clerk = Clerk()
    started, ended = run(clerk, list("abcde"), n_jobs)
    assert clerk.most == most
    assert clerk.submitted == list("abcde")
    assert started == [0, 1, 2, 3, 4]
    assert sorted(ended) == list(enumerate("abcde"))
    assert clerk.cancelled == []


def test_after_a_refused_job_none_is_submitted_and_those_in_flight_are_completed():
    clerk = Clerk()
    refused = JobRefused("other data")
    _, ended = run(clerk, ["a", refused, "c", "d"], 2)
    assert ended == [(1, refused), (0, "a")]
    assert clerk.submitted == ["a", refused]


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, OSError])
def test_whatever_ends_the_loop_cancels_the_jobs_in_flight_and_no_other(error):
    def fail(number, result):
        raise error

    clerk = Clerk()
    with pytest.raises(error):
        run(clerk, list("abcde"), 3, on_end=fail)
    assert clerk.submitted == ["a", "b", "c"]
    assert clerk.cancelled == ["a", "b"]
