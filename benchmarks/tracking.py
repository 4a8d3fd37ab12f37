"""What tracking costs the training: without it, with a local store, with a hanging server.

    python -m benchmarks.tracking [rounds] [epochs]

The three are run in turn, each in a fresh process, and compared within each round: slow
rounds cancel out. Printed are the CPU time of the training process, and the wall time, which
depends on the sender's process as well: on a busy machine, the CPU time is the better measure.
"""

import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from filelock import FileLock

JOB = ["optimizer=adam", "init=he", "regularizer=dropout", "observer=none"]
TRAIN = """if True:
    import json, sys, time
    from dlexp.cli.main import main
    from dlexp.experiment import Run

    train = Run.train

    def timed(*args, **more):
        cpu, wall = time.process_time(), time.perf_counter()
        train(*args, **more)
        with open("times.json", "w") as file:
            json.dump({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}, file)

    Run.train = timed
    sys.exit(main(sys.argv[1:]))
"""


@contextlib.contextmanager
def hanging():
    """The address of a server that accepts every connection and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def timed(folder: Path, *words: str) -> dict[str, float]:
    """Train once; seconds of the training part."""
    environment = os.environ | {
        "DLEXP_OUTPUTS": str(folder / "outputs"),
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    }
    environment["MLFLOW_TRACKING_URI"] = ""
    done = subprocess.run(
        [sys.executable, "-c", TRAIN, *JOB, *words],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr}")
    results: dict[str, float] = json.loads((folder / "times.json").read_text())
    return results


def at_rest(folder: Path) -> None:
    """Wait until no sender is running, which would slow down the next one."""
    for lock in folder.glob("outputs/runs/*/mlflow.lock"):
        with FileLock(lock):
            pass


def main(rounds: int, epochs: int) -> None:
    """Time all three, round by round, and print the ratios."""
    results: dict[str, list[dict[str, float]]] = {
        "none": [],
        "local store": [],
        "hanging server": [],
    }
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        folder, length = Path(name), f"epochs={epochs}"
        timed(folder, "epochs=1")  # creates the store
        for i in range(rounds):
            for what in sorted(
                results, key=lambda what: (list(results).index(what) + i) % len(results)
            ):  # each is first once
                if what == "hanging server":
                    with hanging() as address:
                        results[what].append(
                            timed(folder, length, f"tracking.uri={address}", "tracking.wait=0")
                        )
                else:
                    results[what].append(
                        timed(folder, length, *(["tracking=none"] if what == "none" else []))
                    )
                at_rest(folder)
    print(f"{rounds} rounds of {epochs} epochs; the training part, and its ratio to none")
    for clock in ("cpu", "wall"):
        base = [times[clock] for times in results["none"]]
        for what, times in results.items():
            values = [t[clock] for t in times]
            ratios = [v / b for v, b in zip(values, base, strict=True)]
            spread = f"{statistics.median(ratios):.3f}  ({min(ratios):.3f} … {max(ratios):.3f})"
            print(f"{clock:4}  {what:14}  {statistics.median(values):7.2f} s   {spread}")


if __name__ == "__main__":
    main(
        int(sys.argv[1]) if len(sys.argv) > 1 else 7, int(sys.argv[2]) if len(sys.argv) > 2 else 300
    )
