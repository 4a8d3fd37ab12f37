"""A table of the user's own: its form, its columns, its gaps, and what is said to one that cannot
be used.
"""

import gzip
import io
import warnings

import numpy as np
import pandas as pd
import pytest

from dlexp import DataError, FieldError
from dlexp.config import compose_run
from dlexp.core import registry
from dlexp.data.tables import delimited, parquet, reading
from dlexp.data.tables.headers import is_header

TABLE, CSV = registry.find("data", "table"), registry.find("data", "csv")
VAN = [
    [95, 48, 83, 178, "van"],
    [91, 41, 84, 141, "van"],
    [104, 50, 106, 209, "saab"],
    [93, 41, 82, 159, "bus"],
]


def rng(seed=0):
    return np.random.default_rng(seed)


def placed(folder, text, name="table.csv"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(folder / name)


def rows(n=20, head="a,b,kind\n", line="{i},{j}.5,{k}\n", words="xyz"):
    return head + "".join(
        line.format(i=7 * i % 30, j=i * i, k=words[i % len(words)]) for i in range(n)
    )


def lines(*several):
    return "".join(",".join(map(str, row)) + "\n" for row in several)


def refused(folder, text, name="table.csv", **settings):
    with pytest.raises(DataError) as e:
        TABLE(path=placed(folder, text, name), **settings).dataset(rng())
    assert "\n" not in str(e.value)
    return str(e.value)


def told(folder, text, name="table.csv", **settings):
    return TABLE(path=placed(folder, text, name), **settings).dataset(rng()).describe()


# Names or a sample?


@pytest.mark.parametrize("plugin", [TABLE, CSV])
def test_a_first_sample_of_whole_numbers_and_a_word_is_not_taken_for_names(tmp_path, plugin):
    data = plugin(path=placed(tmp_path, lines(*VAN * 9)), standardize=False)
    x = np.concatenate([split.x for split in data.load(rng())])
    assert len(x) == 36
    assert (x == VAN[0][:4]).all(axis=1).sum() == 9


def test_a_first_line_that_may_be_either_is_refused_with_the_option_that_decides(tmp_path):
    text = lines(VAN[0], *VAN[2:] * 12)  # a van that comes once
    message = refused(tmp_path, text)
    assert message.endswith(
        "line 1 may be the names of the columns or the first sample: set data.header=true or "
        "data.header=false"
    )
    for header, n, names in ((True, 24, VAN[0][:4]), (False, 25, range(4))):
        found = told(tmp_path, text, header=header)
        assert found["train"] + found["validation"] + found["test"] == n
        assert found["feature_names"] == [*map(str, names)]


@pytest.mark.parametrize(
    ("first", "rest", "header"),
    [
        ("a,b", ["1,x", "2,y"], True),
        ("a,y", ["1,y", "2,n"], True),  # a name that is a word of its column, too
        ("5.1,3.5,setosa", ["4.9,3,setosa", "7,3.2,virginica"], False),
        ("1,2,0", ["3,4,1", "5,6,0"], False),
        ("0,1,2,3", ["5,6,7,0", "8,9,4,1"], True),  # pandas' names for the columns of an array
        ("0,1,2", ["5,6,2", "8,9,1"], None),
        ("0,1,2,kind", ["5,6,7,x", "8,9,4,x"], True),
        ("2019,2020,label", ["5,6,x", "8,9,x"], True),
        ("2019,2020,van", ["5,6,bus", "8,9,bus"], None),
        ("year,2019,kind", ["5,6,x", "8,9,x"], True),
        ("unknown,3.5,van", ["5,6,bus", "8,9,bus"], None),
        ("unknown,3,van", ["5,6,van", "8,9,bus"], None),
        ("?,3,van", ["5,6,van", "8,9,bus"], False),
        ("e,x,s", ["p,x,s", "p,b,y", "e,x,y"], False),
        ("class,cap,odor", ["p,x,s", "p,x,y", "e,x,y", "e,b,s"], True),
        ("q,r,s", ["p,x,1", "p,x,2"], True),
        ("good film,pos", ["bad film,neg", "so so,neg"], None),
        ("text,label", ["bad film,neg", "so so,neg"], True),
        (",a,kind", ["0,3,x", "1,4,y"], True),
        ("1,2,x", [], None),
    ],
)
def test_the_cells_below_decide_whether_line_1_holds_names(first, rest, header):
    assert is_header(first.split(","), [line.split(",") for line in rest]) is header


@pytest.mark.parametrize("seed", range(3))
def test_no_drawn_sample_is_ever_taken_for_names(seed):
    drawn = rng(seed)
    for _ in range(300):
        n, k = int(drawn.integers(2, 12)), int(drawn.integers(1, 6))
        kinds = [drawn.choice(["whole", "small", "real", "word", "rare"]) for _ in range(k)]
        table = [[_cell(drawn, kind) for kind in kinds] for _ in range(n)]
        assert is_header(table[0], table[1:]) is not True, table


def _cell(drawn, kind):
    if drawn.random() < 0.1:
        return "?"
    if kind == "word":
        return str(drawn.choice(["van", "bus", "saab", "Private"]))
    return {
        "whole": str(drawn.integers(5, 300)),
        "small": str(drawn.integers(3, 9)),
        "real": f"{drawn.normal():.3f}",
        "rare": f"w{drawn.integers(10**6)}",
    }[kind]


# Form.


@pytest.mark.parametrize("sign", [",", ";", "\t", "|", " ", "   "])
def test_the_delimiter_is_recognised(tmp_path, sign):
    assert told(tmp_path, rows().replace(",", sign))["feature_names"] == ["a", "b"]


def test_a_delimiter_of_ones_own_is_said(tmp_path):
    assert "has only one column" in refused(tmp_path, rows().replace(",", "~"))
    assert told(tmp_path, rows().replace(",", "~"), delimiter="~")["feature_names"] == ["a", "b"]


@pytest.mark.parametrize("word", ["semicolon", ";"])
def test_words_say_what_a_shell_would_take(tmp_path, word):
    text = rows(line="{i};{j},5;{k}\n", head="a;b;kind\n")
    expected = TABLE(path=placed(tmp_path, rows(), "plain.csv")).dataset(rng()).sha256
    for settings in ({}, {"delimiter": word}, {"decimal": "comma"}):
        assert TABLE(path=placed(tmp_path, text), **settings).dataset(rng()).sha256 == expected
    built = compose_run(
        "data=table", "data.delimiter=semicolon", "data.decimal=comma", "data.drop=[a,'b c']"
    )
    assert built.experiment.data.drop == ("a", "b c")


def test_commas_and_points_in_one_table_are_refused_with_the_option(tmp_path):
    message = refused(tmp_path, rows(line="{i}.5;{j},5;{k}\n", head="a;b;kind\n"))
    assert "set data.decimal=comma or data.decimal=point" in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings_with_a_mark_and_utf_8_are_recognised_packed_or_not(tmp_path, encoding, packed):
    text = rows(head="ä,b,种类\n").encode(encoding)
    found = told(tmp_path, gzip.compress(text) if packed else text)
    assert (found["feature_names"], found["label"]) == (["ä", "b"], "种类")


@pytest.mark.parametrize(
    ("encoding", "word"),
    [("gbk", "宽度"), ("cp1252", "größe"), ("shift_jis", "犬"), ("cp1251", "да")],
)
def test_other_encodings_are_refused_with_the_line_and_what_to_say(tmp_path, encoding, word):
    text = (rows() + f"1,2,{word}\n" * 9).encode(encoding)
    message = refused(tmp_path, text)
    assert "line 22: byte 0x" in message
    assert "is not UTF-8; set its encoding: data.encoding=" in message
    assert (
        word
        in told(tmp_path, text, encoding="gb18030" if encoding == "gbk" else encoding)[
            "class_names"
        ]
    )
    assert "not ascii" in refused(tmp_path, text, encoding="ascii")


@pytest.mark.parametrize(
    "bad",
    [
        {"encoding": "klingon"},
        {"encoding": "base64"},
        {"decimal": "x"},
        {"missing": "zero"},
        {"delimiter": ",,"},
        {"delimiter": ",", "decimal": ","},
    ],
)
def test_a_form_that_there_is_not_is_refused(bad):
    with pytest.raises(FieldError):
        TABLE(**bad)


def test_numbers_are_read_to_the_bit(tmp_path):
    numbers = [
        repr(float(v)) for v in rng().standard_normal(300) * 10.0 ** rng().integers(-30, 30, 300)
    ]
    text = "a,kind\n" + "".join(f"{v},{'xy'[i % 2]}\n" for i, v in enumerate(numbers))
    table = reading.read(
        TABLE(path=placed(tmp_path, text))._file(),
        None,
        encoding=None,
        delimiter=None,
        decimal=None,
        header=None,
    )
    assert table.columns[0].values.tolist() == [*map(float, numbers)]


# Columns.


def test_the_label_may_stand_anywhere_and_another_one_that_looks_like_it_is_named(tmp_path):
    text = lines(["Species", "a", "b"], *(["uvw"[i % 3], i * i, i % 2] for i in range(40)))
    found = told(tmp_path, text)
    assert found["label"] == "b"
    assert found["warnings"] == [
        "'b', the last column, is taken as the label, but 'Species' is called like a label:"
        " data.label=Species"
    ]
    assert told(tmp_path, text, label="Species")["warnings"] == []
    found = told(tmp_path, text.replace("Species", "flower", 1))
    assert "'flower' is the only column with words: data.label=flower" in found["warnings"][0]


@pytest.mark.parametrize("name", ["", "Unnamed: 0", "ID", "id", "Index", "first", "zero"])
def test_a_column_that_numbers_the_samples_is_left_out_with_a_notice_and_used_on_request(
    tmp_path, name
):
    start = 1 if name == "first" else 0
    text = lines([name, "a", "kind"], *([i + start, i * i, "xy"[i % 2]] for i in range(40)))
    found, name = told(tmp_path, text), name or "Unnamed: 0"
    assert (found["feature_names"], [*found["dropped"]]) == (["a"], [name])
    assert f"left out: {name} (" in " ".join(
        TABLE(path=placed(tmp_path, text)).dataset(rng()).messages()
    )
    assert told(tmp_path, text, keep=(name,))["feature_names"] == [name, "a"]


@pytest.mark.parametrize(
    "column", [range(2, 42), range(39, -1, -1), [0, *range(39)], range(0, 80, 2), [7] * 40]
)
def test_no_other_column_is_ever_left_out(tmp_path, column):
    text = lines(["idx", "a", "kind"], *([c, i * i, "xy"[i % 2]] for i, c in enumerate(column)))
    assert told(tmp_path, text)["dropped"] == {}


def test_the_label_is_never_left_out(tmp_path):
    found = told(tmp_path, lines(["a", "id"], *([i * i, i % 3] for i in range(40))))
    assert (found["label"], found["dropped"]) == ("id", {})
    assert "is the label: set data.label=<another column>" in refused(
        tmp_path, rows(), drop=("kind",)
    )


def test_every_column_of_csv_is_a_feature_as_it_was(tmp_path):
    text = lines(["Id", "a", "kind"], *([i, i * i, "xy"[i % 2]] for i in range(40)))
    found = CSV(path=placed(tmp_path, text)).dataset(rng()).describe()
    assert (found["feature_names"], found["dropped"]) == (["Id", "a"], {})


def test_columns_are_left_out_by_name(tmp_path):
    found = told(tmp_path, rows(), drop=("b",))
    assert (found["feature_names"], found["dropped"]) == (["a"], {"b": "data.drop"})
    assert "data.drop=" in (message := refused(tmp_path, rows(), drop=("B",)))
    assert "did you mean 'b'?" in message
    assert "no column is left beside the label 'kind'" in refused(tmp_path, rows(), drop=("a", "b"))


def test_words_become_one_feature_each_and_true_and_false_one(tmp_path):
    cells = [
        [i * i, ("red", " blue ")[i % 2], ("True", "false")[i % 2], "xyz"[i % 3]] for i in range(45)
    ]
    text = lines(["size", "colour", "dry", "kind"], *cells)
    data = TABLE(path=placed(tmp_path, text), standardize=False)
    dataset = data.dataset(rng())
    assert dataset.describe()["feature_names"] == ["size", "colour=blue", "colour=red", "dry"]
    assert dataset.describe()["encoded"] == {"colour": ["blue", "red"]}
    assert (dataset.train.x[:, 1] + dataset.train.x[:, 2] == 1).all()


def test_at_most_fifty_words_a_column_are_encoded(tmp_path):
    def made(n):
        return lines(
            ["a", "name", "kind"], *([i * i, f"w{i % n}", "xy"[i % 2]] for i in range(120))
        )

    assert told(tmp_path, made(50))["features"] == 51
    message = refused(tmp_path, made(51))
    assert (
        "column 'name' holds 51 different words, more than 50: 'data.drop=[name]' leaves it out"
        in message
    )


def test_a_word_among_numbers_is_a_mistake_and_no_category(tmp_path):
    message = refused(tmp_path, rows() + "1,red,x\n")
    assert "line 22, column 'b': 'red' is not a number, as others in it are; " in message


@pytest.mark.parametrize(
    ("words", "classes"),
    [(("1.0", "2.0"), [1, 2]), (("10", "9"), [9, 10]), (("b", "a"), ["a", "b"])],
)
def test_whole_numbers_and_words_are_classes(tmp_path, words, classes):
    assert told(tmp_path, rows(words=words))["class_names"] == classes


def test_fractional_targets_are_refused_with_the_reason_and_one_class_with_its_column(tmp_path):
    message = refused(tmp_path, rows(words=("1", "2", "2.5")))
    assert (
        "column 'kind', taken as the label: line 4 has 2.5, but classes are whole numbers or words"
        in message
    )
    assert "fractional targets (regression) are not trained" in message
    message = refused(tmp_path, rows(words="0"))
    assert (
        "column 'kind', taken as the label: all labels are 0; at least two classes are needed"
        in message
    )


# Missing values.


def gaps():
    cells = [
        [i % 7, "NA" if i in (4, 9) else i * i, "?" if i == 5 else "uv"[i % 2], "xy"[i % 2]]
        for i in range(60)
    ]
    return lines(["a", "b", "c", "kind"], *cells)


def test_missing_values_are_refused_in_one_line_that_says_what_can_be_done(tmp_path):
    message = refused(tmp_path, gaps())
    assert (
        "line 6, column 'b': 'NA' is missing; 2 of 60 samples have no value, as have others in 1"
        " more columns: " in message
    )
    for option in ("data.missing=drop", "data.missing=mean", "'data.drop=[b]'"):
        assert option in message


def test_samples_with_missing_values_are_left_out(tmp_path):
    found = told(tmp_path, gaps(), missing="drop")
    assert found["train"] + found["validation"] + found["test"] == 57
    assert (found["dropped_samples"], found["filled"]) == (3, {})


def test_missing_values_become_the_mean_of_the_training_split_alone(tmp_path):
    dataset = TABLE(path=placed(tmp_path, gaps()), missing="mean", standardize=False).dataset(rng())
    assert dataset.describe()["filled"] == {"b": 2, "c": 1}
    assert dataset.describe()["dropped_samples"] == 0
    whole = TABLE(path=placed(tmp_path, gaps()), missing="mean").dataset(rng())
    np.testing.assert_allclose(whole.train.x.mean(axis=0), 0, atol=1e-6)
    squares = {float(i * i) for i in range(60)}
    inside = np.array([v in squares for v in dataset.train.x[:, 1].tolist()])
    filled = {
        v for split in dataset.splits.values() for v in split.x[:, 1].tolist() if v not in squares
    }
    assert filled == {float(np.float32(dataset.train.x[inside, 1].astype(np.float64).mean()))}


def test_a_sample_without_a_label_is_left_out_or_refused(tmp_path):
    text = rows(21) + "1,2,\n"
    for missing in ("refuse", "mean"):
        assert "1 of 22 samples have no label: data.missing=drop leaves them out" in refused(
            tmp_path, text, missing=missing
        )
    assert told(tmp_path, text, missing="drop")["dropped_samples"] == 1


def test_a_column_without_a_value_is_named(tmp_path):
    text = lines(["a", "b", "kind"], *([i * i, "", "xy"[i % 2]] for i in range(40)))
    assert "column 'b' has no value in the training split; 'data.drop=[b]'" in refused(
        tmp_path, text, missing="mean"
    )
    assert "no sample is without missing values; 'data.drop=[b]'" in refused(
        tmp_path, text, missing="drop"
    )


def test_a_short_line_is_no_missing_value(tmp_path):
    assert "line 22 has 2 columns, the line of names 3" in refused(
        tmp_path, rows() + "1,2\n", missing="drop"
    )


# Limits.


def test_a_packed_file_that_unfolds_to_more_than_the_limit_is_refused_before_it_is_held(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(delimited, "LIMIT", 2**22)
    bomb = gzip.compress(b"a,b,kind\n" + b"1,2,x\n" * 10**6, 9)
    assert len(bomb) < 10**5
    assert "its text has more than 4,194,304 bytes, which is the limit" in refused(tmp_path, bomb)


def test_a_parquet_file_that_unfolds_to_more_than_the_limit_is_refused_before_it_is_read(
    tmp_path, monkeypatch
):
    file = io.BytesIO()
    pd.DataFrame({"a": np.zeros(10**6), "kind": ["x", "y"] * 500_000}).to_parquet(file)
    assert len(file.getvalue()) < 10**5
    monkeypatch.setattr(parquet, "UNFOLDED", 10**7)
    assert "its cells need 16,000,000 bytes; the limit is 10,000,000" in refused(
        tmp_path, file.getvalue()
    )


@pytest.mark.parametrize("cut", [0.3, 0.9])
@pytest.mark.parametrize("kind", ["gz", "parquet"])
def test_a_truncated_file_is_refused(tmp_path, kind, cut):
    content = gzip.compress(rows(200).encode())
    if kind == "parquet":
        file = io.BytesIO()
        pd.DataFrame({"a": np.arange(50) ** 2, "kind": ["x", "y"] * 25}).to_parquet(file)
        content = file.getvalue()
    assert "truncated or damaged" in refused(tmp_path, content[: int(cut * len(content))])


@pytest.mark.parametrize(
    "column", [[1j, 2j] * 20, pd.date_range("2020", periods=40), [[1], [2]] * 20]
)
def test_a_parquet_column_of_another_kind_is_named(tmp_path, column):
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = pd.DataFrame(
            {"when": pd.Series([*map(str, column)] if column[0] == 1j else column)}
        )
    frame.assign(kind=["x", "y"] * 20).to_parquet(file)
    if column[0] == 1j:
        assert told(tmp_path, file.getvalue())["encoded"] == {"when": ["1j", "2j"]}
    else:
        assert "column 'when' holds " in refused(tmp_path, file.getvalue())


@pytest.mark.parametrize("missing", [None, np.nan])
def test_parquet_gives_what_csv_gives(tmp_path, missing):
    columns = {
        "id": np.arange(5, 65),
        "a": np.r_[np.arange(59) ** 2.0, np.nan],
        "c": [*"uv"] * 29 + [missing, "u"],
    }
    frame = pd.DataFrame({**columns, "kind": np.arange(60) % 3})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv")
    a, b = (
        TABLE(path=str(tmp_path / f"t.{s}"), missing="mean").dataset(rng())
        for s in ("parquet", "csv")
    )
    assert a.sha256 == b.sha256
    same = ("label", "class_names", "feature_names", "filled", "encoded", "dropped_samples")
    assert [a.notes[k] for k in same] == [b.notes[k] for k in same]
