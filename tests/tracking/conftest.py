"""A store that the tests of a session share, and folders for it."""

import secrets

import pytest
from run_folders import with_store
from sweep_folders import sweep_folder

from dlexp import tracking
from dlexp.tracking import run_follower, sender


@pytest.fixture(scope="session")
def outputs(tmp_path_factory):
    """One store for all tests, in a folder whose name is no plain word."""
    folder = tmp_path_factory.mktemp("läb outputs")
    with_store(folder)
    return folder


@pytest.fixture
def no_waiting(monkeypatch):
    """The sender does not wait between tries."""
    monkeypatch.setattr(run_follower, "WAITS", (0.0,))
    monkeypatch.setattr(sender, "POLL", 0.01)


@pytest.fixture
def make_sweep(outputs, tmp_path):
    """Sweep folders for the common store, of ids that no other test has."""

    def make(axes=None, name="s", uri=None, **more):
        folder = tmp_path / f"{name}{secrets.token_hex(4)}"
        return sweep_folder(folder, uri or tracking.store_uri(outputs), axes, **more)

    return make
