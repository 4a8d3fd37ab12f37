"""Columns whose every value is a word: numbers among words, and words that elsewhere mean that a
value is missing.
"""

import io

import numpy as np
import pandas as pd
import pytest

from dlexp import DataError
from dlexp.core import registry
from dlexp.data.tables.preparation import Preparation

TABLE = registry.find("data", "table")
DOORS, SLEEP = ("2", "3", "4", "5more"), ("None", "Apnea", "Insomnia")


def car(n=48):
    """Numbers, and a column of numbers and one word, as in UCI's car.data; the label has a class
    called None.
    """
    lines = [f"{i * 7 % 31},{DOORS[i % 4]},{SLEEP[i % 3]}" for i in range(n)]
    return "\n".join(["speed,doors,sleep", *lines]) + "\n"


def made(folder, content, **settings):
    path = folder / "car.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return TABLE(path=str(path), **settings).dataset(np.random.default_rng(0))


def test_numbers_among_words_are_refused_with_the_option_that_makes_them_words(tmp_path):
    with pytest.raises(
        DataError,
        match=r"'5more' is not a number, .*; 'data.words=\[doors\]' makes every value of it",
    ):
        made(tmp_path, car(), missing="drop")


def in_parquet():
    file = io.BytesIO()
    pd.read_csv(io.StringIO(car()), keep_default_na=False, dtype={"doors": "str"}).to_parquet(file)
    return file.getvalue()


@pytest.mark.parametrize("content", [car, in_parquet], ids=["text", "parquet"])
def test_in_a_column_of_words_numbers_are_words_and_none_is_a_class(tmp_path, content):
    dataset = made(tmp_path, content(), words=("doors", "sleep"))
    found = dataset.describe()
    assert found["encoded"] == {"doors": list(DOORS)}
    assert found["class_names"] == sorted(SLEEP)
    assert sum(map(len, dataset.splits.values())) == 48, "no sample is lost"


def test_the_saved_network_takes_such_words_too(tmp_path):
    dataset = made(tmp_path, car().replace("5more", "None"), words=("doors", "sleep"))
    preparation = dataset.preparation
    assert isinstance(preparation, Preparation)
    x = preparation(pd.DataFrame({"doors": ["None", "2"], "speed": [7, 14]}))
    assert x.shape == (2, 5)
    assert np.isfinite(x).all()


def test_a_name_that_no_column_has_is_refused_with_the_nearest(tmp_path):
    with pytest.raises(
        DataError, match=r"data.words=.*there is no column 'slep'.*did you mean 'sleep'\?"
    ):
        made(tmp_path, car(), words=("doors", "slep"))
