"""The table by its older name, data=csv: how it is read, and what is said to one that cannot be
used.
"""

import csv
import io

import numpy as np
import pytest
import yaml

from dlexp import DataError, FieldError, Split, three_way
from dlexp.config import compose_run, rebuild
from dlexp.core import registry
from dlexp.core.dataset import standardized
from dlexp.data.tables import delimited

CSV = registry.find("data", "csv")


def rng(seed=0):
    return np.random.default_rng(seed)


def table(text, **settings):
    """A CSV plugin on this text; bytes or str."""

    def make(folder):
        (folder / "table.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
        return CSV(path=str(folder / "table.csv"), **settings)

    return make


def rows(n=20, head="a,b,kind\n", line="{i},{j}.5,{k}\n", words="xyz"):
    return head + "".join(line.format(i=i, j=i * i, k=words[i % len(words)]) for i in range(n))


def test_a_table_is_read_line_by_line(tmp_path):
    data = table(rows(30), standardize=False)(tmp_path)
    train, validation, test = data.load(rng())
    assert [len(s) for s in (train, validation, test)] == [21, 3, 6]
    both = np.concatenate([s.x for s in (train, validation, test)])
    labels = np.concatenate([s.labels for s in (train, validation, test)])
    order = np.argsort(both[:, 0])
    np.testing.assert_array_equal(both[order, 0], np.arange(30))
    np.testing.assert_array_equal(both[order, 1], np.arange(30) ** 2 + 0.5)
    np.testing.assert_array_equal(labels[order], np.arange(30) % 3)


@pytest.mark.parametrize(
    "make",
    [
        table(
            b"\xef\xbb\xbf" + rows(head="kind,a,b\n", line="{k},{i},{j}.5\n").encode(), label="kind"
        ),
        table(rows().replace("\n", "\r\n")),
        table(rows().replace("\n", "\n\n")),
        table(rows().rstrip("\n")),
        table(rows().replace(",", ";"), delimiter=";"),
        table(rows().replace(",", "\t"), delimiter="tab"),
        table(rows(head="kind,a,b\n", line='"{k}",{i}, {j}.5 \n'), label="kind"),
        table(rows(head="a,kind,b\n", line="{i},{k},{j}.5\n"), label="kind"),
        table(rows(head="0,1,2\n")),
    ],
    ids=[
        "byte_order_mark",
        "crlf",
        "empty_lines",
        "no_last_newline",
        "semicolon",
        "tab",
        "quoted",
        "label",
        "counted",
    ],
)
def test_spellings_of_one_table_give_the_same_samples(tmp_path, make):
    (tmp_path / "plain").mkdir()
    expected = table(rows())(tmp_path / "plain").dataset(rng()).sha256
    assert make(tmp_path).dataset(rng()).sha256 == expected


def test_whole_number_labels_are_sorted_as_numbers(tmp_path):
    data = table(rows(words=["10", "9", "-1"]), standardize=False)(tmp_path)
    train, *_ = data.load(rng())
    by_label = {int(label): int(x[0]) % 3 for x, label in zip(train.x, train.labels, strict=True)}
    assert by_label == {0: 2, 1: 1, 2: 0}  # −1, 9, 10


BAD_TABLES = {
    "empty": (table(""), "data.path=PATH: the file is empty"),
    "only_blank_lines": (table("\n\n"), "there is no text in it"),
    "only_names": (table("a,b,kind\n"), "there is no sample in it, only a line of column names"),
    "wider_first_line": (
        table("x,0,0,0\n" + rows()),
        "line 1 has 4 columns, most lines have 3: take out what stands",
    ),
    "doubled_name": (table(rows(head="a,a,kind\n")), "line 1: columns 1 and 2 are both named 'a'"),
    "one_column": (
        table("a;b;kind\n1;2;x\n"),
        "line 1 has only one column, 'a;b;kind'; two are needed: set data.del",
    ),
    "text_for_a_number": (
        table(rows() + "1,red,x\n"),
        "line 22, column 'b': 'red' is not a number",
    ),
    "text_before_the_label": (
        table(rows() + "\nred,1,x\n"),
        "line 23, column 'a': 'red' is not a number",
    ),
    "python_number": (
        table(rows() + "1,1_000,x\n"),
        "line 22, column 'b': '1_000' is not a number",
    ),
    "arabic_digit": (table(rows() + "1,٣,x\n"), "line 22, column 'b': '٣' is not a number"),
    "decimal_comma": (table(rows() + '1,"2,5",x\n'), "line 22, column 'b': '2,5' is not a number"),
    "long_text": (
        table(rows() + f"1,{'r' * 99},x\n"),
        f"line 22, column 'b': '{'r' * 37}…' is not a number",
    ),
    "empty_cell": (
        table(rows() + "1,,x\n"),
        "line 22, column 'b': '' is missing; 1 of 21 samples have no value: data",
    ),
    "blank_cell": (
        table(rows() + "1,  ,x\n"),
        "line 22, column 'b': '' is missing; 1 of 21 samples have no value: d",
    ),
    "nan": (
        table(rows() + "nan,2,x\n"),
        "line 22, column 'a': 'nan' is missing; 1 of 21 samples have no value: data",
    ),
    "inf": (table(rows() + "1,-inf,x\n"), "line 22, column 'b': '-inf' is not a finite number"),
    "overflow": (
        table(rows() + "1,1e999,x\n"),
        "line 22, column 'b': '1e999' is not a finite number",
    ),
    "more_than_float32": (
        table(rows() + "1,1e39,x\n"),
        "line 22, column 'b': '1e39' is not a finite number of float32's range",
    ),
    "no_label": (
        table(rows() + "1,2,\n"),
        "line 22, column 'kind': '' is missing; 1 of 21 samples have no label",
    ),
    "nan_label": (
        table(rows() + "1,2,NaN\n"),
        "line 22, column 'kind': 'NaN' is missing; 1 of 21 samples have no label",
    ),
    "measured_label": (
        table(rows(words=["0.5", "1.5"])),
        "column 'kind', taken as the label: line 2 has 0.5, but cl",
    ),
    "short_line": (table(rows() + "1,2\n"), "line 22 has 2 columns, the line of names 3"),
    "long_line": (table(rows() + "1,2,x,4\n"), "line 22 has 4 columns, the line of names 3"),
    "line_numbers_count_quoted_line_ends": (
        table('a,"b\nc",kind\n1,?,x\n'),
        r"line 3, column 'b\nc': '?' is missing",
    ),
    "latin_1": (
        table(rows().encode() + "1,2,é\n".encode("latin-1")),
        "line 22: byte 0xe9 is not UTF-8",
    ),
    "nul": (table(rows() + "1,2,\0\n"), "there is a NUL byte in it"),
    "open_quote": (table(rows() + '1,"2,x\n'), "line 22: unexpected end of data"),
    "one_class": (
        table(rows(words="x")),
        "column 'kind', taken as the label: all labels are 'x'; at least two classes are needed",
    ),
    "too_few": (table(rows(2)), "2 samples, 1 of the rarest of 2 classes, are too few to split"),
    "every_sample_its_class": (
        table(rows(20, words=[str(i) for i in range(20)])),
        "1 of the rarest of 20 classes",
    ),
    "strange_label": (
        table(rows(), label="kin"),
        "data.label=kin: there is no such column; there are a, b, kind; did",
    ),
    "label_in_capitals": (table(rows(), label="KIND"), "did you mean 'kind'?"),
    "many_columns": (
        table(",".join(f"c{i}" for i in range(785)) + "\n", label="y"),
        "c19, … (785 in all)",
    ),
}


@pytest.mark.parametrize("name", BAD_TABLES)
def test_a_table_that_cannot_be_used_is_refused_with_line_and_column(tmp_path, name):
    make, wrong = BAD_TABLES[name]
    data = make(tmp_path)
    with pytest.raises(DataError) as e:
        data.dataset(rng())
    text = str(e.value)
    assert wrong.replace("PATH", data.path) in text
    assert text.startswith(("data.path=", "data.label="))
    assert "\n" not in text


def test_a_table_over_the_limit_is_refused_before_it_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LIMIT", 100)
    with pytest.raises(
        DataError, match="its text has more than 100 bytes, which is the limit: use a Parquet file"
    ):
        table(rows())(tmp_path).load(rng())


@pytest.mark.parametrize("delimiter", ["", ",,", '"', "\n", "tabs"])
def test_a_delimiter_that_is_none_is_refused(delimiter):
    with pytest.raises(FieldError, match="must be one character"):
        CSV(delimiter=delimiter)


def before_pandas(text):
    """The samples as the reader before pandas took them: Python's csv and float, the last column
    the label.
    """
    lines = [row for row in csv.reader(io.StringIO(text)) if row]
    x = np.array([[float(cell) for cell in row[:-1]] for row in lines[1:]])
    words = [row[-1].strip() for row in lines[1:]]
    return Split(x, np.searchsorted(np.unique(words), words))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("features", [1, 4, 9])
def test_the_numbers_are_those_of_the_reader_before_pandas(tmp_path, features, seed):
    drawn = rng(seed)
    numbers = [
        f"{v:.17g}"
        for v in drawn.standard_normal(60 * features)
        * 10.0 ** drawn.integers(-20, 20, 60 * features)
    ]
    numbers[:4] = [" 2.50 ", '"7"', "12345678901234567890123", "1E5"]
    cells = [numbers[i::60] for i in range(60)]
    head = ["id", *(f"f{i}" for i in range(1, features)), "kind"]
    text = "\n".join(",".join([*row, "xyz"[i % 3]]) for i, row in enumerate(cells))
    text = f"{','.join(head)}\n{text}\n"
    expected = standardized(*three_way(before_pandas(text), 6, 12, rng(seed)))
    for ours, theirs in zip(table(text)(tmp_path).load(rng(seed)), expected, strict=True):
        assert ours.x.tobytes() == theirs.x.tobytes()
        assert ours.labels.tobytes() == theirs.labels.tobytes()


def test_a_run_that_was_described_before_pandas_is_built_again_as_it_was(tmp_path):
    described = compose_run("data=csv", "data.path=/x/t.csv").yaml
    new = ("drop", "keep", "words", "missing", "header", "decimal", "encoding")
    told = yaml.safe_load(described)
    told["data"] = {k: v for k, v in told["data"].items() if k not in new}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(told, sort_keys=False))
    assert [*told["data"]] == [
        "name",
        "n_train",
        "path",
        "standardize",
        "validation",
        "test",
        "label",
        "delimiter",
    ]
    assert rebuild(tmp_path / "config.yaml").experiment.data == CSV(path="/x/t.csv")
