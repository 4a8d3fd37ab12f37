"""Fashion-MNIST: made like MNIST, but harder."""

from dlexp import IdxImages, plugin


@plugin("fashion_mnist")
class FashionMNIST(IdxImages):
    """70,000 pictures of clothes, 28 × 28, ten classes: downloaded (30 MB) or from data.folder

    784 inputs in 0 … 1; 55,000 for training, 5,000 for validation, 10,000 for testing, as MNIST.
    Classes: T-shirt, trouser, pullover, dress, coat, sandal, shirt, sneaker, bag, ankle boot.
    `folder` holds the four IDX files, gzipped or not (`IdxImages` says which names are looked for).
    Source: Xiao, Rasul & Vollgraf (2017), https://arxiv.org/abs/1708.07747
    """

    link = "https://github.com/zalandoresearch/fashion-mnist"
    mirrors = (
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    sha256 = {
        "train-images-idx3-ubyte.gz": (
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"
        ),
        "train-labels-idx1-ubyte.gz": (
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"
        ),
    }
