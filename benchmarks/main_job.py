"""Wall time of the main job, compared with a bare MLflow script that logs the same things.

    python -m benchmarks.main_job [--rounds 5] [--page]

Both run in turn, on stores that exist already, each in a fresh process. Prints the median and the
range of each, and of the ratio pair by pair. The main job trains as well; the bare script only
logs.
"""

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks import goals
from benchmarks.measuring import Spread, Times, over, table
from benchmarks.page import asked_for, tell

HERE = Path(__file__).resolve().parent
JOB = ["optimizer=adam", "init=he", "regularizer=dropout"]


def timed(command: list[str], folder: Path) -> float:
    """Wall seconds of a command that must succeed and send everything."""
    began = time.perf_counter()
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"DLEXP_OUTPUTS": str(folder / "outputs")},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr}")
    if "not complete yet" in done.stdout:
        raise SystemExit(done.stdout)
    return time.perf_counter() - began


def main() -> None:
    """Time both in turn, print the comparison, and write the page if requested."""
    args = asked_for(__doc__ or "", rounds=5).parse_args()
    with TemporaryDirectory(prefix="dlexp-bench-") as name:
        folder = Path(name)
        job = [sys.executable, "-m", "dlexp", *JOB]
        timed(job, folder)  # creates the store, and the run that the bare script logs again
        run = next((folder / "outputs" / "runs").iterdir())
        bare = [
            sys.executable,
            "-m",
            "benchmarks.bare_mlflow",
            str(run),
            str(folder / "bare.db"),
            str(folder / "bare"),
        ]
        timed(bare, folder)
        pairs = [(timed(job, folder), timed(bare, folder)) for _ in range(args.rounds)]
    times = {"main job": [a for a, _ in pairs], "bare script": [b for _, b in pairs]}
    tell("main_job", report(times), write=args.page)
    goals.tell(kept(times), write=args.page)


def report(times: Times) -> str:
    """Both, and their ratio."""
    lines = [[f"{what}, s", str(Spread.of(values))] for what, values in times.items()]
    lines.append(
        ["ratio, pair by pair", *(str(Spread.of(ratio)) for ratio in kept(times).values())]
    )
    head = f"Wall time: median (smallest–largest), n = {len(times['main job'])}:"
    return f"{head}\n\n{table(['', ''], lines)}"


def kept(times: Times) -> dict[str, list[float]]:
    """The goal's values."""
    return {"main job ÷ bare MLflow script, wall time": over(times, "main job", "bare script")}


if __name__ == "__main__":
    main()
