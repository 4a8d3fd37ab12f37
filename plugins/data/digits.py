"""The digits that come with scikit-learn: 8 × 8 pixels, real handwriting, no download."""

from functools import cache

import numpy as np

from dlexp import Data, Split, plugin, three_way


@plugin("digits")
class Digits(Data):
    """1,797 handwritten digits, 8 × 8 pixels in 0 … 1: 1,257 training, 180 validation, 360 test

    Stratified, and drawn anew for every seed.
    Source: Alpaydin & Kaynak (1998), https://doi.org/10.24432/C50P49
    """

    def files(self):
        from importlib.util import find_spec
        from pathlib import Path

        # Found without importing scikit-learn, which costs ten times as long as reading the file.
        package = Path(find_spec("sklearn").submodule_search_locations[0])
        return [package / "datasets" / "data" / "digits.csv.gz"]

    def load(self, rng):
        (file,) = self.files()
        table = _table(file)
        samples = Split(table[:, :64] / 16, table[:, 64].astype(np.int64))
        return three_way(samples, validation=180, test=360, rng=rng)

    def source(self):
        return "https://doi.org/10.24432/C50P49"


@cache
def _table(file):
    """The file as it is, read once: the runs of a sweep ask again and again."""
    # NumPy reads them twelve times as fast as fractions
    whole = np.loadtxt(file, delimiter=",", dtype=np.uint8)
    return whole.astype(np.float32)
