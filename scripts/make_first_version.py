"""Write tests/fixtures/first_version: what commit 7c54196 left on the disk, for tests to use.

    git worktree add ../first 7c54196
    python scripts/make_first_version.py ../first

The code of that checkout runs the commands below in a new project folder. The folder's path is in
the files, so choose one that reveals nothing about your machine. The weights depend on the
processor: tests/runs/test_first_version.py compares bits if the numerics fingerprint is the same,
else metrics.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

COMMIT = "7c54196"
PROJECT = Path("/home/user/project")
FIXTURE = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "first_version"
LEFT_OUT = ("mlflow.db*", "mlartifacts", "mlflow.lock", "tracking.log", "report", "figures")

SMALL = ("data=blobs", "data.n=300", "data.n_train=60", "batch_size=20", "model.hidden=[8]")
LONG = ("epochs=400", "eval_every=40")
NOISY = ("optimizer=adam", "normalization=batch_norm", "regularizer=[dropout,weight_decay]")
OBSERVED = (
    "observer=[histograms,diagnostics]",
    "observer.histograms.figure=false",
    "observer.diagnostics.figure=false",
)
SILENT = "observer=none"
OWN = "optimizer=sign_momentum"

# Runs that a signal interrupts.
CUT = {
    "interrupted": (signal.SIGINT, (*SMALL, *LONG, *NOISY, "schedule=cosine", SILENT)),
    "killed": (
        signal.SIGKILL,
        (*SMALL, *LONG, *NOISY, *OBSERVED, "seed=1", "checkpoint.epochs=30"),
    ),
    "own_interrupted": (signal.SIGINT, (*SMALL, *LONG, OWN, "seed=2", SILENT)),
}
FINISHED = {
    "batch_norm": (*SMALL, "epochs=20", *NOISY, SILENT, "seed=3"),
    "own_finished": (*SMALL, "epochs=5", OWN, SILENT),
    "surface": ("objective=rosenbrock", "optimizer=rmsprop", "steps=20", SILENT),
}
HALF = ("-m", *SMALL, "epochs=800", "eval_every=80", "checkpoint.epochs=50", "sweep=half")
HALF += ("normalization=batch_norm", "regularizer=dropout", "optimizer=momentum,adam", "seed=0,1,2")
HALF += ("hydra.launcher.n_jobs=1",)
SWEEPS = (
    ("-m", *SMALL, "epochs=3", "optimizer=sgd,adam", "seed=0,1", "sweep=done"),
    ("-m", *SMALL, "epochs=3", "optimizer.lr=0.01,0.1"),
)

PLUGIN = '''"""A plugin of the user's."""

import numpy as np

from dlexp import Optimizer, fraction, plugin, positive


@plugin("sign_momentum")
class SignMomentum(Optimizer):
    """v ← m·v + (1 − m)·g;  w ← w − lr·sign(v)"""

    lr: float = positive(0.01)
    momentum: float = fraction(0.9)
    slots = ("v",)

    def update(self, w, g, s, lr, t):
        s.v *= self.momentum
        s.v += (1 - self.momentum) * g
        w -= lr * np.sign(s.v)
'''

PREDICT = """
import sys
from pathlib import Path
import numpy as np
from dlexp.serving import Predictor, load_network
network = Predictor(load_network(Path(sys.argv[1])))
x = np.random.default_rng(0).standard_normal((12, 2)).astype(np.float32)
labels = network.predict(x, params={"output": "labels"})
np.savez(sys.argv[2], x=x, probabilities=network.predict(x), labels=labels)
"""


class Project:
    """A working folder in which commands of the old checkout are run."""

    def __init__(self, folder, checkout):
        folder.mkdir(parents=True)
        (folder / "plugins" / "optimizer").mkdir(parents=True)
        (folder / "plugins" / "optimizer" / "sign_momentum.py").write_text(PLUGIN, encoding="utf-8")
        self.folder, self.checkout = folder, checkout

    def begin(self, *words):
        """Start Python with these words."""
        env = {k: v for k, v in os.environ.items() if not k.startswith(("DLEXP_", "MLFLOW_"))}
        env |= {"PYTHONPATH": str(self.checkout), "PYTHONDONTWRITEBYTECODE": "1"}
        return subprocess.Popen([sys.executable, *words], cwd=self.folder, env=env)

    def do(self, *words):
        """Run Python with these words to its end."""
        if code := self.begin(*words).wait():
            raise SystemExit(f"{words} ended with {code}")

    def cut(self, number, is_time, *words):
        """Start a command, and send it a signal as soon as `ready` is true."""
        process = self.begin("-m", "dlexp", *words)
        while not is_time():
            if process.poll() is not None:
                raise SystemExit(f"{words} ended too early: use a longer run")
            time.sleep(0.001)
        process.send_signal(number)
        process.wait()

    def runs(self):
        """The folders of single runs."""
        return set(self.folder.glob("outputs/runs/*"))


def events(run):
    """The complete lines of a journal."""
    path = run / "journal.jsonl"
    lines = path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []
    return [json.loads(line) for line in lines]


def is_half(run):
    """Whether a run has measured something and is still running."""
    names = [event["event"] for event in events(run)]
    return names.count("record") >= 4 and names[-1] != "finish"


def is_saved(run):
    """The same, and it has a checkpoint."""
    return is_half(run) and (run / "checkpoints" / "last.npz").exists()


def make_single_runs(project):
    """Each run's folder by its name."""
    made = {}
    for name, (number, words) in CUT.items():
        before = project.runs()
        is_due = is_half if number == signal.SIGINT else is_saved  # Ctrl-C saves the state

        def is_time(before=before, is_due=is_due):
            return any(map(is_due, project.runs() - before))

        project.cut(number, is_time, *words)
        (made[name],) = project.runs() - before
    for name, words in FINISHED.items():
        before = project.runs()
        project.do("-m", "dlexp", *words)
        (made[name],) = project.runs() - before
    return made


def make_sweeps(project):
    """The half-trained sweep, then the others."""
    half = project.folder / "outputs" / "sweeps" / "half"

    def fourth_is_half():
        ledger = half / "ledger.jsonl"
        ended = len(ledger.read_text().splitlines()) if ledger.exists() else 0
        return ended == 3 and any(map(is_saved, half.glob("runs/*")))

    project.cut(signal.SIGKILL, fourth_is_half, *HALF)
    for words in SWEEPS:
        project.do("-m", "dlexp", *words)


def result(run):
    """How a run ended, and its latest metrics."""
    metrics = {}
    for event in events(run):
        metrics |= event.get("metrics", {})
    return {"weights": event["weights"], "metrics": metrics}


def expected(whole):
    """The results of the interrupted runs, if nothing interrupts them."""
    runs = {}
    for name, (_, words) in CUT.items():
        before = whole.runs()
        whole.do("-m", "dlexp", *words, "tracking=none")
        (run,) = whole.runs() - before
        runs[name] = result(run)
    whole.do("-m", "dlexp", *HALF, "tracking=none")
    members = {}
    for run in (whole.folder / "outputs" / "sweeps" / "half" / "runs").iterdir():
        params = json.loads((run / "run.json").read_text())["params"]
        members[f"{params['optimizer']} s{params['seed']}"] = result(run)
    return {"runs": runs, "half": dict(sorted(members.items()))}


def logged_model(project, network):
    """The folder in which MLflow keeps the model of this network."""
    copies = project.folder.glob("outputs/mlartifacts/**/data/network.npz")
    (copy,) = (path for path in copies if path.read_bytes() == network.read_bytes())
    return copy.parents[1]


def numerics(run):
    """The fingerprint of the arithmetic."""
    prefix = "dlexp.numerics."
    tags = json.loads((run / "run.json").read_text())["tags"]
    return {k.removeprefix(prefix): value for k, value in tags.items() if k.startswith(prefix)}


def main():
    """Make the project and its fixture."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", type=Path, help=f"a checkout of {COMMIT}")
    parser.add_argument("--project", type=Path, default=PROJECT, help="the folder to make")
    args = parser.parse_args()
    checkout = args.checkout.resolve()
    question = ["git", "-C", str(checkout), "rev-parse", "HEAD"]
    head = subprocess.check_output(question, text=True).strip()
    if not head.startswith(COMMIT):
        raise SystemExit(f"{checkout} is at {head[:7]}, not at {COMMIT}")

    project = Project(args.project, checkout)
    made = make_single_runs(project)
    make_sweeps(project)
    project.do("-m", "dlexp", "sync")  # what a killed command's sender has not sent
    whole = Project(args.project.with_name(f"{args.project.name}-whole"), checkout)
    summary = {
        "commit": head,
        "numerics": numerics(made["batch_norm"]),
        "folders": {name: str(run.relative_to(project.folder)) for name, run in made.items()},
        **expected(whole),
    }

    shutil.rmtree(FIXTURE, ignore_errors=True)
    FIXTURE.mkdir(parents=True)
    ignore = shutil.ignore_patterns(*LEFT_OUT)
    shutil.copytree(project.folder, FIXTURE / "project", ignore=ignore)
    network = made["batch_norm"] / "network.npz"
    shutil.copytree(logged_model(project, network), FIXTURE / "model")
    project.do("-c", PREDICT, str(network), str(FIXTURE / "predictions.npz"))
    (FIXTURE / "expected.json").write_text(json.dumps(summary, indent=1) + "\n", encoding="utf-8")
    (FIXTURE / ".gitattributes").write_text("* -text\n", encoding="utf-8")  # no other line ends


if __name__ == "__main__":
    main()
