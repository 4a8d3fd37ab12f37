"""A sweep resumes its unfinished runs, and skips a run that another process trains."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from filelock import FileLock

from dlexp.storage import checkpoint, journal

FUSE = '''
import os, signal
from pathlib import Path

from dlexp import Optimizer, plugin, positive

@plugin("fuse")
class Fuse(Optimizer):
    """Gradient descent that kills its process at step 12, once, if there is a file called `fuse`"""

    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        if t == 12 and Path("fuse").exists():
            Path("fuse").unlink()
            os.kill(os.getpid(), signal.SIGKILL)
        w -= lr * g
'''
SWEEP = (
    "-m",
    "optimizer=fuse",
    "seed=0,1",
    "sweep=s",
    "epochs=6",
    "model.hidden=[5]",
    "data.n_train=400",
    "regularizer=dropout",
    "normalization=batch_norm",
    "checkpoint.epochs=1",
    "tracking=none",
    "hydra.launcher.n_jobs=1",
)


def dlexp(*words, cwd):
    command = [sys.executable, "-m", "dlexp", *words]
    return subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=120
    )


def place_of(folder, seed):
    """The run folder of a seed."""
    (place,) = (folder / "outputs/sweeps/s/runs").glob(f"*-s{seed}")
    return place


def ledger(folder):
    return [
        json.loads(line)
        for line in (folder / "outputs/sweeps/s/ledger.jsonl").read_text().splitlines()
    ]


def weights(place):
    return journal.events(place)[0][-1].weights


def resumed(place):
    return [event.step for event in journal.events(place)[0] if event.kind == "resume"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sweep that was not disturbed; the digests of its networks, by seed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "plugins/optimizer").mkdir(parents=True)
    (folder / "plugins/optimizer/fuse.py").write_text(FUSE)
    assert dlexp(*SWEEP, cwd=folder).returncode == 0
    return {seed: weights(place_of(folder, seed)) for seed in (0, 1)}


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """A sweep whose first run was killed at step 12, in its third epoch."""
    folder = tmp_path_factory.mktemp("killed") / "home"
    (folder / "plugins/optimizer").mkdir(parents=True)
    (folder / "plugins/optimizer/fuse.py").write_text(FUSE)
    (folder / "fuse").touch()
    assert dlexp(*SWEEP, cwd=folder).returncode == 1
    assert [entry["status"] for entry in ledger(folder)] == ["KILLED", "FINISHED"]
    return folder


@pytest.fixture
def killed(original, tmp_path):
    """A copy of it."""
    return shutil.copytree(original, tmp_path / "home")


def test_a_run_that_was_cut_short_goes_on_from_its_checkpoint_to_the_bits_of_an_undisturbed_one(
    killed, whole
):
    done = dlexp(*SWEEP, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert (
        "sweep     2 finished; 1 newly trained, 1 of them resumed from a checkpoint\n"
        in done.stdout
    )
    assert resumed(place_of(killed, 0)) == [8]
    assert {seed: weights(place_of(killed, seed)) for seed in (0, 1)} == whole
    events, _ = journal.events(place_of(killed, 0))
    assert ledger(killed)[-1]["seconds"] == pytest.approx(events[-1].elapsed, abs=0.001), (
        "all its parts together"
    )


def damage(place):
    (place / checkpoint.FOLDER / checkpoint.LAST).write_bytes(b"PK")


def another_machine(place):
    told = json.loads((place / "run.json").read_text())
    told["tags"]["dlexp.numerics.core"] = "Abacus"
    (place / "run.json").write_text(json.dumps(told))


def another_number(place):
    """In the journal, behind the checkpoint: what is measured again will differ."""
    saved = int(checkpoint.load(place / checkpoint.FOLDER / checkpoint.LAST)["measured"])
    lines = [json.loads(line) for line in (place / journal.EVENTS).read_text().splitlines()]
    measured = [line for line in lines if line["event"] == "record"]
    lines.insert(
        lines.index(measured[saved - 1]) + 1, {**measured[-1], "metrics": {"train/loss": 7.0}}
    )
    (place / journal.EVENTS).write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.mark.parametrize(
    ("harm", "reason"),
    [
        (damage, "the checkpoint cannot be read: "),
        (another_machine, "core was Abacus, is "),
        (another_number, "resumed, it is another run: at step "),
    ],
)
def test_where_its_checkpoint_cannot_be_used_a_run_is_trained_anew_and_the_reason_is_printed(
    killed, whole, harm, reason
):
    harm(place_of(killed, 0))
    done = dlexp(*SWEEP, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert f"\nrestarted 1 unfinished run: {reason}" in done.stdout
    assert "delete it" not in done.stdout, "nobody need do that"
    assert resumed(place_of(killed, 0)) == []
    assert weights(place_of(killed, 0)) == whole[0]


def test_a_run_that_somebody_resumed_to_its_end_is_taken_over_whatever_the_ledger_says_of_it(
    killed, whole
):
    place = place_of(killed, 0)
    assert dlexp("resume", place.name, cwd=killed).returncode == 0
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    done = dlexp(*SWEEP, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert "2 finished; 0 newly trained" in done.stdout
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    assert weights(place) == whole[0]


def test_a_run_that_another_process_trains_is_left_alone_and_the_command_to_repeat_is_printed(
    killed, whole
):
    place = place_of(killed, 0)
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with FileLock(place / journal.LOCK):
        done = dlexp(*SWEEP, cwd=killed)
        assert done.returncode == 1
        assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before
    last = done.stderr.splitlines()[-1]
    assert last.startswith(
        f"dlexp: error: runs/{place.name} is being trained by another process. When it has ended: "
    )
    advice = last.partition("When it has ended: ")[2]
    assert (
        subprocess.run(
            ["bash", "-c", advice.replace("python", sys.executable, 1)],
            cwd=killed,
            check=False,
            capture_output=True,
        ).returncode
        == 0
    )
    assert resumed(place) == [8]
    assert weights(place) == whole[0]


CHANGE = {
    "edit": "path = Path(__file__); path.write_text(path.read_text() + 'EDITED = 1')",
    "delete": "Path(__file__).unlink()",
    "data": (
        "import numpy as np; np.savez('a.npz', x=np.ones((200, 3)) * [[1, 2, 3]], y=np.arange(200)"
        " % 2)"
    ),
}
DIE = "; os.kill(os.getpid(), signal.SIGKILL)"
CHANGER = FUSE.replace("os.kill(os.getpid(), signal.SIGKILL)", "{what}")


def change(folder, what):
    """A sweep of three runs, of which the first changes a file; returns the ended command."""
    (folder / "plugins/optimizer").mkdir(parents=True)
    (folder / "plugins/optimizer/fuse.py").write_text(CHANGER.replace("{what}", what))
    (folder / "fuse").touch()
    rng = np.random.default_rng(0)
    np.savez(folder / "a.npz", x=rng.normal(size=(200, 3)), y=np.arange(200) % 2)
    words = (
        "-m",
        "optimizer=fuse",
        "seed=0,1,2",
        "sweep=s",
        "epochs=30",
        "model.hidden=[5]",
        "data=npz",
        "data.path=a.npz",
        "tracking=none",
        "hydra.launcher.n_jobs=1",
    )
    return dlexp(*words, cwd=folder)


def test_runs_behind_an_edit_of_their_plugin_record_the_code_that_trained_them(tmp_path):
    assert change(tmp_path, CHANGE["edit"]).returncode == 0
    told = [json.loads((place_of(tmp_path, seed) / "run.json").read_text()) for seed in (0, 1, 2)]
    assert len({description["sources"]["optimizer/fuse.py"] for description in told}) == 1
    replayed = dlexp("replay", place_of(tmp_path, 2).name, cwd=tmp_path)
    assert "\nchanged   optimizer/fuse.py was changed\n" in replayed.stdout


@pytest.mark.parametrize(
    ("what", "reason"),
    [
        (CHANGE["edit"] + DIE, "plugins/optimizer/fuse.py was changed: SHA-256 "),
        (CHANGE["delete"] + DIE, "what it needs cannot be imported: "),
        (CHANGE["data"], "a.npz holds other data: SHA-256 "),
    ],
)
def test_a_job_whose_code_or_data_are_other_ones_is_refused_and_the_sweep_stops_with_the_reason(
    tmp_path, what, reason
):
    done = change(tmp_path, what)
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith("dlexp: error: the sweep was stopped: ")
    assert reason in last
    assert (
        "; 2 of 3 runs were not trained. To train with the current files: python -m dlexp -m"
        " optimizer=fuse" in last
    )
    assert "Traceback" not in done.stderr
    (entry,) = ledger(tmp_path)
    assert "seed=0" in entry["overrides"], "what was refused is in no ledger"
    assert not list((tmp_path / "outputs/sweeps/s/runs").glob("*-s[12]"))


def test_a_run_whose_worker_outlives_its_command_for_a_moment_is_trained_when_that_has_ended(
    killed, whole
):
    place = place_of(killed, 0)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            (
                "import sys, time; from filelock import FileLock\n"
                "with FileLock(sys.argv[1]): print(flush=True); time.sleep(float(sys.argv[2]))"
            ),
            str(place / journal.LOCK),
            "3",
        ],
        stdout=subprocess.PIPE,
    )
    with holder:
        holder.stdout.readline()
        done = dlexp(*SWEEP, cwd=killed)
    assert done.returncode == 0, done.stderr
    assert weights(place) == whole[0]
