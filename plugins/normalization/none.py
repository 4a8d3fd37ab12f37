"""No normalization."""

from dlexp import Identity, Normalization, plugin


@plugin("none")
class NoNormalization(Identity, Normalization):
    """y = x: the activations as they are."""

    kind = "normalization"
    does_nothing = True
    known_failures = {"names_its_source": "there is nothing to cite"}
