"""Your own table, with the column that holds the class."""

import numpy as np

from dlexp import TableData, plugin


@plugin("table")
class Table(TableData):
    """Your own table: CSV, TSV (also gzip) or Parquet: data.path=<file> data.label=<column>

    One column, the last or the one that `label` names, holds the class: whole numbers or words. The
    others are features: numbers as they are, true and false as 1 and 0, words (at most 50 a column)
    one-hot. In a column that `words` names every value is a word, also 5 and None. Columns called
    Unnamed: 0, id or index, or that hold exactly 0 … n−1 or 1 … n, are left out unless `keep` names
    them; `drop` leaves out others. Samples with missing values are refused, left out
    (missing=drop), or filled in with the mean of the training split, of words with their shares
    (missing=mean).

    `delimiter` (a character, or comma, semicolon, tab, pipe, space), `header` (whether line 1 holds
    names), `decimal` (point or comma) and `encoding` are recognised unless they are said. 1 GiB of
    text is the limit. The samples are split into training, validation and test samples (70 % / 10 %
    / 20 % unless `validation` and `test` say otherwise). The saved network knows the columns, so
    that MLflow's model takes the raw table.
    Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180
    """

    suffix = ".csv"

    def example(self, folder):
        """Three clusters of 40 samples with 4 features and a word, labelled with words."""
        from dataclasses import replace

        rng = np.random.default_rng(0)
        labels = np.arange(120) % 3
        x = rng.standard_normal((120, 4)) + 3 * np.eye(3, 4)[labels]
        words = [("red", "blue")[i] for i in rng.integers(0, 2, 120)]
        names = np.array(["ant", "bee", "cat"])[labels]
        lines = [
            f"{','.join(map(str, row))},{w},{n}"
            for row, w, n in zip(x.tolist(), words, names, strict=True)
        ]
        (folder / "example.csv").write_text(
            "\n".join(["a,b,c,d,colour,animal", *lines]) + "\n", encoding="utf-8"
        )
        return replace(
            self,
            path=str(folder / "example.csv"),
            label=None,
            drop=(),
            keep=(),
            words=(),
            delimiter=None,
            header=None,
            decimal=None,
            encoding=None,
        )
