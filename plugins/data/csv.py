"""Your own table from a CSV file: an older name of `table`."""

import numpy as np

from dlexp import TableData, plugin


@plugin("csv")
class Csv(TableData):
    """Your own table; older name of data=table: every column is a feature, also sample numbers

    It keeps older runs resumable, and has the same fields as data=table.
    Source: RFC 4180, https://www.rfc-editor.org/rfc/rfc4180
    """

    suffix = ".csv"
    delimiter: str | None = ","
    leaves_out = ()
    no_label = ("", "nan", "NaN", "NAN", "Nan")

    def example(self, folder):
        """Three clusters of 40 samples with 4 features, labelled with words."""
        from dataclasses import replace

        rng = np.random.default_rng(0)
        labels = np.arange(120) % 3
        x = rng.standard_normal((120, 4)) + 3 * np.eye(3, 4)[labels]
        names = np.array(["ant", "bee", "cat"])[labels]
        lines = [
            ",".join([*map(str, row), name]) for row, name in zip(x.tolist(), names, strict=True)
        ]
        (folder / "example.csv").write_text(
            "\n".join(["a,b,c,d,animal", *lines]) + "\n", encoding="utf-8"
        )
        return replace(
            self,
            path=str(folder / "example.csv"),
            label=None,
            drop=(),
            keep=(),
            words=(),
            delimiter=",",
            header=None,
            decimal=None,
            encoding=None,
        )
