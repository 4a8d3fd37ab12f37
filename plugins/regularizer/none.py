"""No regularization."""

from dlexp import Regularizer, plugin


@plugin("none")
class NoRegularizer(Regularizer):
    """Nothing is added to the loss, the weights or the activations."""

    does_nothing = True
    known_failures = {
        "acts_at_some_moment": "none stands for the absence of a regularizer",
        "names_its_source": "there is nothing to cite",
    }
