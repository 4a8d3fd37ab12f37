"""`python -m dlexp.tracking <folder>…`: mirror these run folders to MLflow, then end."""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

from dlexp.tracking import environment

if __name__ == "__main__":
    os.environ.update(environment())  # before MLflow is imported: it reads some of it then
    warnings.simplefilter("ignore")  # a process of MLflow's alone: what it says of its own insides helps nobody here
    from dlexp.tracking.sender import run

    sys.exit(run([Path(folder) for folder in sys.argv[1:]]))
