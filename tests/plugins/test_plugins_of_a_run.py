"""A run that cannot be assembled from its plugins is refused before anything is created."""

import sys
import textwrap

import pytest

from dlexp import PluginError
from dlexp.cli.main import main
from dlexp.conformance.toy import experiment
from dlexp.core import registry
from dlexp.core.layers import Dense
from dlexp.plugins import discovery

HEAD = "import numpy as np\nfrom dlexp import *\nfrom dlexp import plugin\n"
MODEL = '''
class Square(Layer):
    """Takes square images."""
    name = "square"

    def arrays(self, n):
        side = int(n**0.5)
        {arrays}

    def width(self, n):
        return {width}

    def forward(self, x, p, ctx):
        {forward}
        return x, lambda dy: dy

@plugin("{name}")
class Images(Model):
    """square → dense"""

    def layers(self, n_out, activation, normalization, noise):
        {layers}
        yield Square()
        yield Dense(units=n_out)
'''
RIGHT = {"arrays": "return {}", "width": "n", "forward": "pass", "layers": "pass"}
WRONG = {  # what the model does: what is said
    "divides": (
        {"arrays": "return {'W': Param((n // (n - side * side), 2))}"},
        "square1 is given 4 features, the data have 4: ZeroDivisionError: ",
    ),
    "lays_out": ({"layers": "1 // 0"}, "ZeroDivisionError: "),
    "reshapes": (
        {"forward": "x.reshape(-1, 3, 3)"},
        "ValueError: cannot reshape array of size 8 into shape (3,3)",
    ),
    "overstates": (
        {"width": "n + 1"},
        "square1 gives (2, 4) for 2 samples, its width() promises 5 features",
    ),
    "shrinks": ({"width": "n - 9"}, "square1 has the width -5: sizes are whole numbers from 1"),
    "halves": ({"arrays": "return {'W': Param((n / 2, 2))}"}, "square1.W has the shape (2.0, 2)"),
    "convolves": (
        {"arrays": "return {'W': Param((1, 2, 2))}"},
        "an initializer draws (fan_in, fan_out)",
    ),
}
FAST = ["data=blobs", "data.features=4", "observer=none", "tracking=none", "epochs=1"]


@pytest.fixture
def own(in_tmp, monkeypatch):
    """Writes a plugin into a folder of one's own and discovers it."""
    monkeypatch.setenv("DLEXP_PLUGINS", str(in_tmp / "own"))
    before = {*registry.every()}

    def write(kind, name, text):
        file = in_tmp / "own" / kind / f"{name}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(HEAD + textwrap.dedent(text))
        discovery.discover()

    yield write
    for cls in {*registry.every()} - before:
        registry.unregister(cls)
        sys.modules.pop(cls.__module__, None)


def refused(words, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1, err
    return err


@pytest.mark.parametrize("name", WRONG)
def test_a_model_that_cannot_be_built_for_its_data_says_so_in_one_line(name, own, in_tmp, capsys):
    changed, said = WRONG[name]
    text = MODEL
    for key, value in {**RIGHT, **changed, "name": f"images_{name}"}.items():
        text = text.replace(f"{{{key}}}", value)
    own("model", f"images_{name}", text)
    err = refused([*FAST, f"model=images_{name}"], capsys)
    assert said in err
    if name in ("divides", "lays_out", "reshapes"):
        assert err.startswith(
            f"dlexp: error: model=images_{name} (command line): cannot be built for data=blobs: "
        )
        assert f"(images_{name}.py:" in err
    assert not (in_tmp / "outputs").exists()


def test_data_and_objectives_that_raise_are_named_with_their_line(own, in_tmp, capsys):
    own(
        "data",
        "raising",
        '@plugin("raising")\nclass R(Data):\n    """R"""\n    def load(self, rng):\n       '
        ' {}["x"]\n',
    )
    err = refused([*FAST[2:], "data=raising"], capsys)
    assert (
        err == "dlexp: error: data=raising (command line): cannot be built: KeyError: 'x'"
        " (raising.py:8)\n"
    )
    own(
        "objective",
        "lost",
        '@plugin("lost")\nclass L(Objective):\n    """L"""\n    def build(self, p, rngs):\n       '
        " p.x\n",
    )
    assert (
        "objective=lost (command line): cannot be built for data=blobs: AttributeError:"
        in refused([*FAST, "objective=lost"], capsys)
    )
    assert not (in_tmp / "outputs").exists()


@pytest.mark.parametrize("line", ["p.b = p.b + 0", "p.c"])
def test_a_layer_that_misuses_its_arrays_is_named_with_its_line_before_anything_is_created(
    line, own, in_tmp, capsys
):
    head = '@plugin("rebinds")\nclass B(Activation):\n    """B"""\n    def arrays(self, n):\n'
    body = (
        "        return {'b': Param((n,), start=0)}\n    def forward(self, x, p, ctx):\n       "
        f" {line}\n"
    )
    own("activation", "rebinds", head + body)
    err = refused([*FAST, "activation=rebinds"], capsys)
    assert err.startswith(
        "dlexp: error: activation=rebinds (command line): cannot be built for data=blobs: "
    )
    assert err.endswith(" (rebinds.py:10)\n")
    assert not (in_tmp / "outputs").exists()


def test_a_defect_of_dlexps_own_keeps_its_traceback(monkeypatch):
    def broken(self, n):
        raise ZeroDivisionError

    monkeypatch.setattr(Dense, "arrays", broken)
    with pytest.raises(ZeroDivisionError):
        experiment().trainer()


NETWORK_WITHOUT_DATA = '''
@plugin("dataless")
class Dataless(Objective):
    """L = ½‖network(1)‖²"""

    def build(self, parts, rngs):
        layers = parts.model.layers(2, parts.activation, parts.normalization, [])
        network = Network(layers, 3, np.dtype(parts.dtype))
        network.initialize(parts.initializer, rngs["init"])
        return Ones(network)

class Ones(Problem):
    steps_per_epoch = 1

    def __init__(self, network):
        self.network, self.params = network, network.params

    def batches(self, rng):
        yield np.ones((4, 3), self.params.storage.dtype)

    def loss(self, x, ctx):
        y, backward = self.network.forward(x, ctx)
        backward(y)
        return float(0.5 * (y * y).sum())

    def evaluate(self):
        return {"train/loss": 1.0}
'''


@pytest.mark.parametrize("more", [[], ["-m", "seed=0,1"]])
def test_an_observer_that_was_asked_for_and_cannot_look_is_refused_and_what_it_lacks_named(
    more, own, in_tmp, capsys
):
    own("objective", "dataless", NETWORK_WITHOUT_DATA)
    words = [*more, "objective=dataless", "observer=[diagnostics]", "tracking=none", "epochs=1"]
    said = "diagnostics needs a data set, and objective=dataless has none"
    assert refused(words, capsys).endswith(f": {said}\n")
    said = "diagnostics needs a network and a data set, and objective=valley has none"
    assert said in refused(
        [*more, "objective=valley", "observer=[diagnostics]", "steps=1", "tracking=none"], capsys
    )
    assert not (in_tmp / "outputs").exists()


def test_an_observer_of_the_menu_that_cannot_look_stays_silent(own, in_tmp, capsys, caplog):
    own("objective", "dataless", NETWORK_WITHOUT_DATA)
    assert main(["objective=dataless", "tracking=none", "epochs=1"]) == 0
    assert "is not called again" not in caplog.text


def test_an_observer_that_needs_what_there_is_not_is_refused_when_it_is_registered():
    with pytest.raises(PluginError, match=r"needs 'datasett'; there are network, dataset, softmax"):
        registry.plugin("odd")(
            type("Odd", (registry.find("observer", "none"),), {"needs": ("datasett",)})
        )
