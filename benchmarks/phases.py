"""The process that `startup.py` times: prints its CPU time whenever a part of its work ends."""

import sys
import time
from itertools import pairwise

STEPS = 500


def main(how: str) -> list[float]:
    """CPU seconds of each part, in the order of `startup.PARTS`."""
    ended = [time.process_time()]

    def end() -> None:
        ended.append(time.process_time())

    import numpy as np  # noqa: F401

    end()
    from dlexp import Experiment  # noqa: F401

    end()
    if how == "hydra":
        from dlexp.config import compose  # noqa: F401
    end()
    from benchmarks.peers import with_dlexp
    from benchmarks.workloads import W1

    end()
    if how == "hydra":
        with_dlexp.setup(W1.overrides)
    end()
    trainer = with_dlexp.trainer(W1, 0) if how == "hydra" else with_dlexp.by_hand(W1, 0)
    end()
    with_dlexp.training(trainer).train(STEPS)
    end()
    return [ended[0], *(b - a for a, b in pairwise(ended))]


if __name__ == "__main__":
    print(*main(sys.argv[1]))
