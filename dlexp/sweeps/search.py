"""Search instead of a grid: trials drawn at random, or where results so far promise most (TPE).

A search keeps no record of its own. It is repeatable: the same seed draws the same trials, and the
sweep's ledger knows which of them are trained. So repeating the command continues the search, and a
larger n_trials adds trials at the end.
"""

from __future__ import annotations

from collections.abc import Callable

from dlexp.config import Composition
from dlexp.sweeps.session import Session
from dlexp.sweeps.tpe import optuna, tpe
from dlexp.sweeps.trials import Options, Search

__all__ = ["STRATEGIES", "Options", "random", "run", "tpe"]


def random(search: Search) -> None:
    """Draw distinct trials at once.

    Source: Bergstra & Bengio (2012), https://jmlr.org/papers/v13/bergstra12a.html
    """
    search.train(search.space.draws(search.options.n_trials, search.options.seed))


STRATEGIES: dict[str, Callable[[Search], None]] = {"random": random, "tpe": tpe}


def run(
    strategy: str,
    sweep: Composition,
    session: Session,
    options: Options,
    n_jobs: int | None,
) -> None:
    """Search with a strategy of STRATEGIES and note the best trial. Raises `UserError`."""
    if strategy == "tpe":
        optuna()
    search = Search.of(sweep, session, options, n_jobs)
    STRATEGIES[strategy](search)
    if search.trials:
        session.notes.append(search.best())
    made = min(options.n_trials, search.space.size) if session.dry_run else len(search.trials)
    if made < options.n_trials:
        note = f"only {made} different trials are possible; {options.n_trials} were requested"
        session.notes.append(f"space     {note}")
        if session.dry_run:
            print(note)
