"""Multi-layer perceptron."""

from dlexp import Dense, Model, each_positive, plugin


@plugin("mlp")
class MLP(Model):
    """dense → normalization → activation → noise for each hidden width, then a dense read-out

    `hidden=[]` is softmax regression.
    Source: Rumelhart, Hinton & Williams (1986), https://doi.org/10.1038/323533a0
    """

    hidden: tuple[int, ...] = each_positive(100, 100, 100, 100, 100)

    def layers(self, n_out, activation, normalization, noise):
        for units in self.hidden:
            yield Dense(units=units)
            yield normalization
            yield activation
            yield from noise
        yield Dense(units=n_out)
