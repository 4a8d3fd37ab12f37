"""The parts of a step: dlexp's time besides matrix products, and that of JAX's scan.

    python -m benchmarks.parts [W1 W2 W3 W4] [--rounds 9] [--page]

Both sides' products are timed alone (`peers/gemm.py`, and as a scan of products in
`peers/with_jax.py`), in turn with their whole steps. Inside dlexp's step, clocks hang at the
functions of layers, loss and optimizer; the products alone are taken off the dense layers' time.
The parts are wall time on a core of their own, measured with clocks and after the rest; the whole
is CPU time without clocks. Some percent lie between.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from benchmarks.measuring import Measured, alone, measure, table
from benchmarks.page import asked_for, tell
from benchmarks.workloads import WORKLOADS, Workload

COLUMNS = ("GEMM", "dlexp", "JAX products", "JAX scan")
GATHER, DENSE, LOSS, UPDATE, REST = "batch gathered", "biases", "loss", "update", "rest"


class Clocked:
    """A layer with clocks at its two directions."""

    def __init__(self, layer: Any, spent: Counter[str]) -> None:
        self.layer, self.spent = layer, spent

    def forward(self, x: Any, p: Any, ctx: Any) -> Any:
        """The layer's own, timed under its name."""
        y, backward = clocked(self.layer.forward, self.layer.name, self.spent)(x, p, ctx)
        return y, clocked(backward, self.layer.name, self.spent)


def clocked(function: Callable[..., Any], part: str, spent: Counter[str]) -> Callable[..., Any]:
    """The function, with its time added to `part`."""

    def timed(*args: Any) -> Any:
        began = time.perf_counter()
        try:
            return function(*args)
        finally:
            spent[part] += time.perf_counter() - began

    return timed


def parts(workload: Workload, rounds: int) -> dict[str, float]:
    """Seconds of a step by part, medians over rounds; "dense" includes its products."""
    from benchmarks.peers.with_dlexp import batches, trainer
    from dlexp.runs import provenance

    with provenance.one_blas_thread():
        running = trainer(workload, 0)
        endless = batches(running)
        for _ in range(workload.steps):
            running.step(next(endless))
        spent: Counter[str] = Counter()
        gather = clocked(lambda: next(endless), GATHER, spent)
        results = []
        with hung(running, spent):
            for _ in range(rounds):
                spent.clear()
                began = time.perf_counter()
                for _ in range(workload.steps):
                    running.step(gather())
                results.append(shares(spent, time.perf_counter() - began, workload.steps))
    return {part: statistics.median(f[part] for f in results) for part in results[0]}


def shares(spent: Counter[str], whole: float, steps: int) -> dict[str, float]:
    """Seconds of one step by part, and the rest without a clock."""
    return {
        part: seconds / steps for part, seconds in [*spent.items(), (REST, whole - spent.total())]
    }


@contextmanager
def hung(running: Any, spent: Counter[str]) -> Iterator[None]:
    """Context manager: clocks at the layers, the loss and the update of this trainer."""
    network, optimizer = running.problem.network, running.optimizer
    layers, objective = network.layers, sys.modules[type(running.problem).__module__]
    loss = objective.softmax_cross_entropy  # type: ignore[attr-defined]

    class Timed:
        lr, update = optimizer.lr, staticmethod(clocked(optimizer.update, UPDATE, spent))

    try:
        network.layers = tuple(Clocked(layer, spent) for layer in layers)
        objective.softmax_cross_entropy = clocked(loss, LOSS, spent)  # type: ignore[attr-defined]
        running.optimizer = Timed
        yield
    finally:
        network.layers, running.optimizer = layers, optimizer
        objective.softmax_cross_entropy = loss  # type: ignore[attr-defined]


def report(results: dict[str, tuple[Measured, dict[str, float]]]) -> str:
    """Two tables, a column for each workload: dlexp's parts, and JAX's products and the rest."""
    names = [part for part in next(iter(results.values()))[1] if part not in ("dense", REST)]
    names = list(
        dict.fromkeys(
            [*names, *(p for _, ps in results.values() for p in ps if p not in ("dense", REST))]
        )
    )
    rows: dict[str, list[str]] = {
        name: []
        for name in ("products alone (GEMM)", DENSE, *names, REST, "the parts' sum", "a step")
    }
    theirs: dict[str, list[str]] = {name: [] for name in ("products alone", "all else", "a step")}
    for measured, spent in results.values():
        median = {c: statistics.median(v) for c, v in measured.times.items()}
        rows["products alone (GEMM)"].append(micro(median["GEMM"]))
        rows[DENSE].append(micro(spent["dense"] - median["GEMM"]))
        for name in (*names, REST):
            rows[name].append(micro(spent[name]) if name in spent else "–")
        rows["the parts' sum"].append(micro(sum(spent.values())))
        rows["a step"].append(micro(median["dlexp"]))
        missing = measured.absent.get("JAX scan") or measured.absent.get("JAX products")
        for name, seconds in _theirs(median).items():
            theirs[name].append(missing or micro(seconds))
    labelled = {
        DENSE: "dense layers beyond their products",
        GATHER: GATHER,
        LOSS: "softmax cross-entropy",
        UPDATE: "Adam's update",
        REST: "loop, check for NaN and infinity, clocks",
    }
    ours = table(
        ["dlexp, µs", *results],
        [[labelled.get(name, name), *cells] for name, cells in rows.items()],
    )
    others = table(["JAX scan, µs", *results], [[name, *cells] for name, cells in theirs.items()])
    return (
        "Microseconds of a step, medians; the whole is measured without"
        f" clocks:\n\n{ours}\n\n{others}"
    )


def _theirs(median: dict[str, float]) -> dict[str, float]:
    whole, products = (median.get(c, 0.0) for c in ("JAX scan", "JAX products"))
    return {"products alone": products, "all else": whole - products, "a step": whole}


def micro(seconds: float) -> str:
    """Microseconds, without a fraction."""
    return f"{1e6 * seconds:,.0f}"


def main() -> None:
    """Measure, print, and write the page if requested."""
    parser = asked_for(__doc__ or "", rounds=9)
    parser.add_argument(
        "workloads", nargs="*", metavar="W", help=f"of {', '.join(WORKLOADS)}; all by default"
    )
    args = parser.parse_args()
    names: Sequence[str] = args.workloads or list(WORKLOADS)
    for unknown in set(names) - set(WORKLOADS):
        parser.error(f"there is no workload {unknown}; there are {', '.join(WORKLOADS)}")
    alone()
    tell(
        "parts",
        report(
            {
                w: (measure(WORKLOADS[w], COLUMNS, args.rounds), parts(WORKLOADS[w], args.rounds))
                for w in names
            }
        ),
        write=args.page,
    )


if __name__ == "__main__":
    main()
