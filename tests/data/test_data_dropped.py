"""A column of a table that is left out on request may hold anything: what advises to drop it can be
followed.
"""

import numpy as np
import pandas as pd
import pytest

from dlexp import DataError
from dlexp.core import registry

TABLE = registry.find("data", "table")
TEXT = "length (cm),b,kind\n" + "".join(
    f"{7 * i % 30},{i * i}.5,{'xyz'[i % 3]}\n" for i in range(20)
)


def told(folder, text, **settings):
    (folder / "table.csv").write_text(text)
    return (
        TABLE(path=str(folder / "table.csv"), **settings)
        .dataset(np.random.default_rng(0))
        .describe()
    )


def refused(folder, text, **settings):
    with pytest.raises(DataError) as e:
        told(folder, text, **settings)
    assert "\n" not in str(e.value)
    return str(e.value)


@pytest.mark.parametrize("cell", ["n/k", "inf", "1e300"])
def test_the_advice_to_drop_a_column_that_cannot_be_used_works_when_it_is_followed(tmp_path, cell):
    text = TEXT.replace("\n7,", f"\n{cell},", 1)
    message = refused(tmp_path, text)
    assert f"'{cell}'" in message
    made = told(tmp_path, text, drop=("length (cm)",))
    assert (made["feature_names"], made["dropped"]) == (["b"], {"length (cm)": "data.drop"})


def test_the_advice_to_drop_a_column_names_those_already_dropped_and_is_quoted_for_the_shell(
    tmp_path,
):
    text = TEXT.replace("length (cm),b", "a,b (%)").replace(".5,", "x,", 1)
    assert """a word, 'data.drop=[a,"b (%)"]' leaves the column out""" in refused(
        tmp_path, text, drop=("a",)
    )


def test_a_dropped_column_of_a_parquet_file_may_hold_anything(tmp_path):
    frame = pd.DataFrame(
        {"when": pd.date_range("2020", periods=20), "a": range(5, 25), "kind": ["x", "y"] * 10}
    )
    frame.insert(1, "several", [[1, 2]] * 20)
    path = tmp_path / "table.parquet"
    frame.to_parquet(path)
    with pytest.raises(DataError, match=r"'data.drop=\[several,when\]' leaves it out"):
        TABLE(path=str(path), drop=("several",)).dataset(np.random.default_rng(0))
    assert TABLE(path=str(path), drop=("when", "several")).dataset(
        np.random.default_rng(0)
    ).describe()["feature_names"] == ["a"]


def test_a_dropped_column_is_not_said_to_look_like_the_label(tmp_path):
    text = "class,a,late\n" + "".join(f"{i % 3},{i * i},{i % 2}\n" for i in range(20))
    assert told(tmp_path, text)["warnings"]
    assert told(tmp_path, text, drop=("class",))["warnings"] == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_utf_16_asked_for_where_no_mark_tells_the_order_of_bytes_is_one_line(tmp_path, encoding):
    advice = f"set data.encoding={encoding}-le or {encoding}-be"
    assert advice in refused(tmp_path, TEXT, encoding=encoding)


def test_numpys_files_given_as_a_table_are_called_what_they_are(tmp_path):
    for save, name, message in (
        (np.save, "a.npy", "an array of NumPy's"),
        (np.savez, "a.npz", "data=npz"),
    ):
        save(tmp_path / name, np.zeros((20, 2)))
        with pytest.raises(DataError, match=message):
            TABLE(path=str(tmp_path / name)).dataset(np.random.default_rng(0))
