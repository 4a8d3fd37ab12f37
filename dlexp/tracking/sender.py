"""The sender's process: follows run folders and sweep folders until each is sent."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from dlexp.storage.records import is_sweep
from dlexp.tracking import state as states
from dlexp.tracking.run_follower import RunFollower, Stores
from dlexp.tracking.sweep_follower import SweepFollower

POLL = 0.1  # seconds between looks at the journals


def run(folders: Sequence[Path]) -> int:
    """Mirror these runs and sweeps until all are sent, or cannot be; 0 if all were sent."""
    stores = Stores()
    followers = [
        (SweepFollower if is_sweep(folder) else RunFollower)(folder, stores) for folder in folders
    ]
    try:
        while waiting := [f for f in followers if not f.over]:
            for follower in waiting:
                follower.look()
            if not all(f.over for f in waiting):
                time.sleep(POLL)
    finally:
        for follower in followers:
            follower.release()
    return 0 if all(states.is_complete(folder) for folder in folders) else 1
