"""The forms in which real tables come, each with what a run says of it. Values are drawn, the forms
are real.
"""

import gzip
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn import datasets

IRIS = Path(datasets.__file__).parent / "data" / "iris.csv"
FLOWERS = ["Iris-setosa", "Iris-versicolor", "Iris-virginica"]


@dataclass(frozen=True)
class Real:
    """Bytes of a file, the one option it needs, and what a run says of it; `doubt` of its label."""

    content: bytes
    label: str
    classes: list
    features: int
    n: int
    option: str = ""
    dropped: list = field(default_factory=list)
    suffix: str = "csv"
    doubt: str = ""


def _rng():
    return np.random.default_rng(7)


def _iris():
    """The values of scikit-learn's file, whose first line is its own; the species as words."""
    frame = pd.read_csv(IRIS, skiprows=1, header=None)
    frame[4] = frame[4].map(dict(enumerate(FLOWERS)))
    return frame


def _headerless(frame, sep=",", end="\n"):
    return (frame.to_csv(header=False, index=False, sep=sep).rstrip("\n") + end).encode()


def _penguins(n=90):
    rng = _rng()
    frame = pd.DataFrame(
        {
            "species": np.array(["Adelie", "Chinstrap", "Gentoo"])[np.arange(n) % 3],
            "island": rng.choice(["Biscoe", "Dream", "Torgersen"], n),
            "bill_length_mm": rng.normal(44, 5, n).round(1),
            "bill_depth_mm": rng.normal(17, 2, n).round(1),
            "flipper_length_mm": rng.normal(200, 14, n).round(),
            "body_mass_g": rng.normal(4200, 800, n).round(),
            "sex": rng.choice(["male", "female"], n),
            "year": 2007 + np.arange(n) % 3,
        }
    )
    frame.loc[3, ["bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g", "sex"]] = (
        np.nan
    )
    frame.loc[[8, 10], "sex"] = np.nan
    return frame.to_csv(index=False, na_rep="NA").encode()


def _titanic(n=120):
    rng = _rng()
    frame = pd.DataFrame(
        {
            "survived": rng.integers(0, 2, n),
            "pclass": rng.integers(1, 4, n),
            "sex": rng.choice(["male", "female"], n),
            "age": np.where(rng.random(n) < 0.2, np.nan, rng.integers(1, 80, n)),
            "sibsp": rng.integers(0, 4, n),
            "fare": rng.gamma(2, 15, n).round(4),
            "embarked": rng.choice(["S", "C", "Q"], n),
            "class": rng.choice(["First", "Second", "Third"], n),
            "who": rng.choice(["man", "woman", "child"], n),
            "adult_male": rng.random(n) < 0.5,
            "deck": np.where(rng.random(n) < 0.7, None, "C"),
            "alone": rng.random(n) < 0.6,
        }
    )
    return frame.to_csv(index=False).encode()


def _wine_quality(n=90):
    rng = _rng()
    names = ["fixed acidity", "volatile acidity", "citric acid", "pH", "alcohol", "quality"]
    columns = [*(rng.normal(5, 1, n).round(2) for _ in names[1:]), 3 + np.arange(n) % 5]
    head = ";".join(f'"{name}"' for name in names)
    return (
        "\n".join([head, *(";".join(map(str, row)) for row in zip(*columns, strict=True))]).encode()
        + b"\n"
    )


def _measured(n=60):
    rng = _rng()
    return pd.DataFrame(
        {
            "width": rng.normal(3, 1, n).round(3),
            "height": rng.normal(9, 2, n).round(3),
            "kind": np.array(["a", "b"])[np.arange(n) % 2],
        }
    )


def _wine(n=60):
    x = datasets.load_wine(as_frame=True)
    return _headerless(pd.concat([x.target + 1, x.data], axis=1))


def _adult(n=80):
    rng = _rng()
    rows = zip(
        rng.integers(17, 80, n),
        rng.choice(["Private", "State-gov", "?"], n),
        rng.integers(10**4, 10**6, n),
        rng.choice(["Bachelors", "HS-grad"], n),
        rng.choice(["Male", "Female"], n),
        np.array(["<=50K", ">50K"])[np.arange(n) % 2],
        strict=True,
    )
    return "\n".join(", ".join(map(str, row)) for row in rows).encode() + b"\n\n"


def _vehicle(n=60):
    rng = _rng()
    rows = [
        [*rng.choice(np.arange(30, 300), 18, replace=False), w]
        for w in np.tile(["van", "bus", "saab"], n // 3)
    ]
    return "\n".join(",".join(map(str, row)) for row in rows).encode() + b"\n"


def _wisconsin(n=80):
    rng = _rng()
    rows = [
        [rng.integers(10**5, 10**7), *rng.integers(1, 11, 9), 2 + 2 * (i % 2)] for i in range(n)
    ]
    rows[23][6] = "?"
    return "\n".join(",".join(map(str, row)) for row in rows).encode() + b"\n"


def _mushrooms(n=80, head=True):
    rng = _rng()
    names = ["class", "cap-shape", "cap-surface", "bruises", "odor"]
    rows = [
        [
            "ep"[i % 2],
            rng.choice([*"bxfk"]),
            rng.choice([*"sy"]),
            rng.choice([*"tf"]),
            rng.choice([*"npal"]),
        ]
        for i in range(n)
    ]
    return "\n".join(",".join(row) for row in ([names] if head else []) + rows).encode() + b"\n"


def _parquet(frame):
    file = io.BytesIO()
    frame.to_parquet(file, index=False)
    return file.getvalue()


_NAMED = _iris().set_axis(
    ["SepalLengthCm", "SepalWidthCm", "PetalLengthCm", "PetalWidthCm", "Species"], axis=1
)
REAL = {
    "pandas to_csv": Real(
        _measured().to_csv().encode(), "kind", ["a", "b"], 2, 60, dropped=["Unnamed: 0"]
    ),
    "Kaggle's iris": Real(
        _NAMED.set_axis(np.arange(1, 151)).rename_axis("Id").to_csv().encode(),
        "Species",
        FLOWERS,
        4,
        150,
        dropped=["Id"],
    ),
    "penguins": Real(
        _penguins(),
        "year",
        [2007, 2008, 2009],
        12,
        87,
        "data.missing=drop",
        doubt="data.label=species",
    ),
    "titanic": Real(
        _titanic(),
        "alone",
        ["False", "True"],
        18,
        120,
        "data.missing=mean",
        doubt="data.label=survived",
    ),
    "winequality": Real(_wine_quality(), "quality", [3, 4, 5, 6, 7], 5, 90),
    "TSV": Real(
        _measured().to_csv(sep="\t", index=False).encode(), "kind", ["a", "b"], 2, 60, suffix="tsv"
    ),
    "decimal comma": Real(
        _measured().to_csv(sep=";", decimal=",", index=False).encode(), "kind", ["a", "b"], 2, 60
    ),
    "GBK": Real(
        _measured()
        .set_axis(["宽度", "高度", "种类"], axis=1)
        .replace({"a": "猫", "b": "狗"})
        .to_csv(index=False)
        .encode("gbk"),
        "种类",
        ["狗", "猫"],
        2,
        60,
        "data.encoding=gb18030",
    ),
    "iris.data": Real(_headerless(_iris(), end="\n\n"), "4", FLOWERS, 4, 150, suffix="data"),
    "wine.data": Real(_wine(), "0", [1, 2, 3], 13, 178, "data.label=0", suffix="data"),
    "adult.data": Real(_adult(), "5", ["<=50K", ">50K"], 8, 80, "data.missing=mean", suffix="data"),
    "vehicle": Real(_vehicle(), "18", ["bus", "saab", "van"], 18, 60),
    "breast-cancer-wisconsin": Real(
        _wisconsin(), "10", [2, 4], 10, 79, "data.missing=drop", suffix="data"
    ),
    "mushrooms": Real(_mushrooms(), "class", ["e", "p"], 12, 80, "data.label=class"),
    "agaricus-lepiota.data": Real(
        _mushrooms(head=False), "0", ["e", "p"], 12, 80, "data.label=0", suffix="data"
    ),
    "scikit-learn's iris": Real(IRIS.read_bytes(), "virginica", [0, 1, 2], 4, 150),
    "gz": Real(
        gzip.compress(_measured().to_csv(index=False).encode()),
        "kind",
        ["a", "b"],
        2,
        60,
        suffix="csv.gz",
    ),
    "Parquet": Real(_parquet(_measured()), "kind", ["a", "b"], 2, 60, suffix="parquet"),
    "UTF-16": Real(
        _measured().to_csv(sep="\t", index=False).encode("utf-16"), "kind", ["a", "b"], 2, 60
    ),
    "byte-order mark": Real(
        _measured().to_csv(index=False).encode("utf-8-sig"), "kind", ["a", "b"], 2, 60
    ),
}
