"""An outputs folder."""

import pytest


@pytest.fixture
def home(in_tmp):
    """An outputs folder without runs."""
    (in_tmp / "outputs" / "runs").mkdir(parents=True)
    return in_tmp / "outputs"
