"""Tables as they come: each trains with at most one option, and what was taken as label and
features is said.
"""

import numpy as np
import pytest
from real_tables import REAL

import dlexp
from dlexp import DataError
from dlexp.core import registry

TABLE = registry.find("data", "table")
SMALL = (
    "data=table",
    "model.hidden=[4]",
    "epochs=1",
    "batch_size=10",
    "observer=none",
    "tracking=none",
)


def placed(name, folder):
    path = folder / f"table.{REAL[name].suffix}"
    path.write_bytes(REAL[name].content)
    return path


@pytest.mark.parametrize("name", REAL)
def test_a_real_table_trains_with_at_most_one_option_and_says_what_it_took(name, in_tmp):
    real = REAL[name]
    option = [real.option] if real.option else []
    run = dlexp.run(*SMALL, f"data.path={placed(name, in_tmp)}", *option, keep=False)
    told = run.dataset.describe()
    assert run.status == "FINISHED"
    assert (told["label"], told["class_names"]) == (real.label, real.classes)
    assert sum(len(split) for split in run.dataset.splits.values()) == real.n
    assert [*told["dropped"]] == real.dropped
    assert told["features"] == len(told["feature_names"]) == real.features
    message = "\n".join(run.dataset.messages())
    assert (
        f"label {real.label!r} ({len(real.classes)} classes: {', '.join(map(str, real.classes))})"
        in message
    )
    assert real.doubt in message
    assert ("data.label=" in message) == bool(real.doubt)


@pytest.mark.parametrize("name", [name for name, real in REAL.items() if real.option])
def test_where_a_real_table_needs_an_option_one_line_says_which(name, in_tmp):
    key, _, value = REAL[name].option.partition("=")
    data = TABLE(path=str(placed(name, in_tmp)))
    try:
        message, wanted = " ".join(data.dataset(np.random.default_rng(0)).messages()), "label"
    except DataError as e:
        message, wanted = str(e), f"{key}="
        value = "<column>" if key == "data.label" and f"{key}=<column>" in message else value
        wanted = f"{key}={value}" if value != "gb18030" else "data.encoding=gb18030 (Chinese)"
    assert wanted in message
    assert "\n" not in message
