# ruff: noqa: F401
"""The modules of `benchmarks/`, whose names are too short to stand on the path for longer."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "benchmarks"))
try:
    import budget
    import changes
    import command
    import fresh
    import goals
    import growth
    import late
    import main_job
    import measuring
    import page
    import parts
    import peers
    import phases
    import startup
    import step
    import sweep
    import sweep_peer
    import table
    import tried
    import worker
    import workloads
finally:
    sys.path.remove(str(ROOT / "benchmarks"))
