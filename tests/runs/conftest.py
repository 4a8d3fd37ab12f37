"""What tests of runs share."""

import signal

import pytest


@pytest.fixture(autouse=True)
def ctrl_c_is_not_ignored():
    """As it would be where the tests run in the background of a script."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
