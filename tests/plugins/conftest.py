"""What tests of observers share."""

import pytest


@pytest.fixture
def no_observer_breaks(caplog):
    """An observer that raises an error is an error of the test."""
    yield
    assert not [r.getMessage() for r in caplog.records if "is not called again" in r.getMessage()]
