"""Classification: a model, its data, and softmax cross-entropy."""

import numpy as np

from dlexp import Context, FieldError, Network, Objective, Problem, plugin, softmax_cross_entropy

SPLITS = ("train", "val", "test")
CHUNK = 1000  # samples evaluated at a time: their activations stay in cache


@plugin("classification")
class Classification(Objective):
    """L = −mean log softmax(network(x))[label], over minibatches of a labelled data set

    Source: Goodfellow, Bengio & Courville (2016), section 6.2.2,
    https://www.deeplearningbook.org/contents/mlp.html
    """

    measures = tuple(f"{split}/{what}" for split in SPLITS for what in ("loss", "accuracy"))

    def build(self, parts, rngs):
        dataset = parts.data.dataset(rngs["split"])
        noise = [layer for r in parts.regularizer if (layer := r.layer())]
        layers = parts.model.layers(dataset.n_classes, parts.activation, parts.normalization, noise)
        network = Network(layers, dataset.n_features, np.dtype(parts.dtype))
        network.initialize(parts.initializer, rngs["init"])
        return Supervised(network, dataset, parts.batch_size)


class Supervised(Problem):
    """A network and the labelled splits it is trained, validated and tested on."""

    def __init__(self, network, dataset, batch_size):
        self.network, self.dataset, self.batch_size = network, dataset, batch_size
        self.params = network.params
        self.n_train = len(dataset.train)
        if batch_size > self.n_train:
            raise FieldError(
                f"there are only {self.n_train} training samples",
                key="batch_size",
                value=batch_size,
            )
        for layer in network.layers:
            if batch_size < layer.min_batch:
                wrong = f"{layer.name} needs at least {layer.min_batch} samples a batch"
                raise FieldError(wrong, key="batch_size", value=batch_size)
        self.steps_per_epoch = self.n_train // batch_size
        dtype = self.params.storage.dtype
        self.x = {name: split.x.astype(dtype, copy=False) for name, split in dataset.splits.items()}
        self.labels = {name: split.labels for name, split in dataset.splits.items()}
        self.buffer = np.empty((batch_size, dataset.n_features), dtype)

    def batches(self, rng):
        """Shuffled minibatches, without an incomplete one at the end. All reuse the same memory."""
        order = rng.permutation(self.n_train)
        for start in range(0, self.steps_per_epoch * self.batch_size, self.batch_size):
            i = order[start : start + self.batch_size]
            # "clip": no copy of the output
            np.take(self.x["train"], i, axis=0, out=self.buffer, mode="clip")
            yield self.buffer, self.labels["train"][i]

    def loss(self, batch, ctx):
        x, labels = batch
        logits, backward = self.network.forward(x, ctx)
        loss, dlogits = softmax_cross_entropy(logits, labels)
        backward(dlogits)
        return loss

    def evaluate(self):
        return self._score("train", "train") | self._score("val", "validation")

    def test(self):
        return self._score("test", "test")

    def _score(self, prefix, split):
        """Loss in nats and accuracy in 0 … 1 over a whole split, in evaluation mode."""
        x, labels = self.x[split], self.labels[split]
        ctx = Context(training=False, rng=None)
        loss = hits = 0.0
        for i in range(0, len(x), CHUNK):
            logits, _ = self.network.forward(x[i : i + CHUNK], ctx)
            part = labels[i : i + CHUNK]
            loss += softmax_cross_entropy(logits, part)[0] * len(part)
            hits += int((logits.argmax(axis=1) == part).sum())
        return {f"{prefix}/loss": loss / len(x), f"{prefix}/accuracy": hits / len(x)}

    def explain(self, batch, ctx):
        x, labels = batch
        if name := self.params.non_finite_value():
            return name
        for name, output in self.network.outputs(x, ctx):
            if not np.isfinite(output).all():
                return f"output of {name}"
        return self.params.non_finite() or "loss"
