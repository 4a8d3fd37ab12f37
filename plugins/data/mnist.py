"""MNIST, the handwritten digits that everybody measures on."""

from dlexp import IdxImages, plugin


@plugin("mnist")
class MNIST(IdxImages):
    """70,000 handwritten digits, 28 × 28, ten classes: downloaded (11 MB) or from data.folder

    784 inputs in 0 … 1; 55,000 for training, 5,000 for validation, 10,000 for testing. Training and
    validation are drawn anew for every seed, stratified; the test split is always the same.
    `folder` holds the four IDX files, gzipped or not (`IdxImages` says which names are looked for).
    Source: LeCun, Bottou, Bengio & Haffner (1998), https://doi.org/10.1109/5.726791,
    http://yann.lecun.com/exdb/mnist/
    """

    link = "http://yann.lecun.com/exdb/mnist/"
    mirrors = (
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
    )
    sha256 = {
        "train-images-idx3-ubyte.gz": (
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"
        ),
        "train-labels-idx1-ubyte.gz": (
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"
        ),
    }
