"""`python -m dlexp.tracking [--sweep] <folder>…`: mirror these runs and sweeps to MLflow, then end.

With `--sweep`, the process has a low priority, because jobs are training meanwhile.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from dlexp.tracking import environment

if __name__ == "__main__":
    os.environ.update(environment())  # before MLflow is imported, which reads some of it then
    # this process serves only MLflow, whose internal messages help nobody here
    warnings.simplefilter("ignore")
    if "--sweep" in sys.argv and hasattr(os, "nice"):
        os.nice(10)
    from dlexp.tracking.limits import limited
    from dlexp.tracking.sender import run

    with limited():
        sys.exit(run([Path(word) for word in sys.argv[1:] if word != "--sweep"]))
