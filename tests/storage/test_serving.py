"""A network as a file: it is loaded as it was saved, and any other file is refused."""

import json
import shutil
import sys
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest

from dlexp import Context, DataError, Dense, Network, PluginError, plugin, tracking
from dlexp.core import registry
from dlexp.core.kinds import Layer
from dlexp.plugins import discovery
from dlexp.runs import lifecycle
from dlexp.storage import network_file
from dlexp.tracking import state

EVALUATING = Context(training=False, rng=None)


def network(dtype="float32", hidden=8):
    """Trained a little, so that no array (batch norm's averages among them) is at its start."""
    parts = [("normalization", "batch_norm"), ("activation", "relu"), ("regularizer", "dropout")]
    between = [registry.find(kind, name)() for kind, name in parts]
    made = Network([Dense(units=hidden), *between, Dense(units=3)], 5, np.dtype(dtype))
    rng = np.random.default_rng(1)
    made.params.storage[...] = np.abs(rng.standard_normal(made.params.storage.shape)) + 0.1
    return made


@pytest.fixture
def saved(tmp_path):
    network_file.save_network(tmp_path / "network.npz", network())
    return tmp_path / "network.npz"


def samples(n=7):
    return np.random.default_rng(2).standard_normal((n, 5)).astype(np.float32)


def refused(path, error=DataError):
    with pytest.raises(error) as caught:
        network_file.load_network(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def rewritten(path, change=lambda description: description, **entries):
    """The file again, with its description changed and whole entries replaced."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    description = json.loads(contents[network_file.DESCRIPTION])
    change(description)
    contents[network_file.DESCRIPTION] = json.dumps(description).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**contents, **entries}.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_loaded_network_is_the_saved_one_bit_for_bit(tmp_path, dtype):
    made = network(dtype)
    network_file.save_network(tmp_path / "n.npz", made)
    loaded = network_file.load_network(tmp_path / "n.npz")
    assert loaded.layers == made.layers
    assert loaded.params.storage.dtype == made.params.storage.dtype
    assert (loaded.params.storage == made.params.storage).all()
    x = samples().astype(dtype)
    assert (loaded.forward(x, EVALUATING)[0] == made.forward(x, EVALUATING)[0]).all()


def test_the_same_network_gives_the_same_bytes_and_leaves_no_other_file(tmp_path):
    for name in ("a", "b"):
        network_file.save_network(tmp_path / name, network())
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    with zipfile.ZipFile(tmp_path / "a") as archive:
        # not the time of day
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a", "b"]


def test_numpy_reads_the_arrays_without_pickle(saved):
    with np.load(saved, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files if name != network_file.DESCRIPTION}
    assert {name: a.shape for name, a in arrays.items()} == {
        n: s.shape for n, s in network().params.specs.items()
    }


def test_every_truncation_is_refused(saved, monkeypatch):
    # they are; asking anew each time is slow
    monkeypatch.setattr(discovery, "discover", lambda: None)
    whole = saved.read_bytes()
    for length in range(0, len(whole) - 1, 17):
        saved.write_bytes(whole[:length])
        assert str(saved) in refused(saved)


def test_a_flipped_bit_is_refused_or_changes_nothing(saved, monkeypatch):
    monkeypatch.setattr(discovery, "discover", lambda: None)
    whole, expected = saved.read_bytes(), network().params.storage
    refusals = 0
    for i in range(0, len(whole), 11):
        damaged = bytearray(whole)
        damaged[i] ^= 4
        saved.write_bytes(damaged)
        try:
            assert (network_file.load_network(saved).params.storage == expected).all(), f"byte {i}"
        except (DataError, PluginError):
            refusals += 1
    assert refusals > len(whole) // 11 // 2


def test_a_missing_file_and_a_file_of_another_kind_are_refused(tmp_path):
    assert "there is no file" in refused(tmp_path / "none.npz")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    (tmp_path / "text.npz").write_text("hello")
    for name in ("other.npz", "text.npz"):
        assert "no network saved by dlexp" in refused(tmp_path / name)


def test_a_promise_of_more_numbers_than_the_file_has_is_refused_before_anything_is_allocated(
    saved, monkeypatch
):
    rewritten(saved, lambda description: description["layers"][0]["fields"].update(units=10**12))
    # building it would fail otherwise than with a DataError
    monkeypatch.setattr(network_file, "Network", None)
    assert "declares" in refused(saved)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda description: description.update(format=99), "format 99"),
        (lambda description: description.update(dtype="object"), "object"),
        (lambda description: description.update(n_in=0), "n_in is 0"),
        (lambda description: description.update(n_in=True), "n_in is True"),
        (lambda description: description.update(n_out=4), "3 outputs, not 4"),
        (lambda description: description.update(classes=["a"]), "1 classes for 3 outputs"),
        (lambda description: description["layers"][0]["fields"].update(units=-1), "units"),
        (
            lambda description: description["layers"][0]["fields"].update(units=9),
            "not the float32 array",
        ),
        (lambda description: description["layers"][0]["fields"].update(colour="red"), "colour"),
        (
            lambda description: description["layers"].append(
                {"kind": "optimizer", "name": "adam", "fields": {}}
            ),
            "is no layer",
        ),
        (lambda description: description.update(layers=3), "TypeError"),
    ],
)
def test_a_description_that_does_not_hold_is_refused(saved, change, message):
    assert message in refused(rewritten(saved, change))


def test_arrays_of_another_type_are_refused_and_objects_never_loaded(saved, tmp_path):
    np.save(tmp_path / "w.npy", network("float64").params["dense1.W"])
    rewritten(saved, **{"dense1.W.npy": (tmp_path / "w.npy").read_bytes()})
    assert "dense1.W is not the float32 array" in refused(saved)
    np.save(tmp_path / "o.npy", np.array([print], dtype=object), allow_pickle=True)
    rewritten(saved, **{"dense1.W.npy": (tmp_path / "o.npy").read_bytes()})
    assert "dense1.W is not the float32 array" in refused(saved)


def test_bytes_behind_an_array_are_refused(saved):
    with zipfile.ZipFile(saved) as archive:
        whole = archive.read("dense1.W.npy")
    assert "dense1.W is not" in refused(rewritten(saved, **{"dense1.W.npy": whole + b"more"}))


def test_an_unknown_plugin_is_named_with_the_place_to_look_for_it(saved):
    rewritten(saved, lambda description: description["layers"][2].update(name="rely"))
    message = refused(saved, PluginError)
    assert "activation=rely" in message
    assert "DLEXP_PLUGINS" in message
    assert "did you mean 'relu'" in message


def test_a_layer_of_ones_own_is_saved_by_name_and_one_that_is_no_plugin_is_not(tmp_path):
    class Doubled(Layer):
        def forward(self, x, p, ctx):
            return 2 * x, lambda dy: 2 * dy

    Doubled.name = "doubled"
    with pytest.raises(PluginError, match="@plugin"):
        network_file.save_network(tmp_path / "n.npz", Network([Dense(units=2), Doubled()], 5))
    assert not list(tmp_path.iterdir())
    own = plugin("doubled")(Doubled)
    try:
        network_file.save_network(tmp_path / "n.npz", Network([Dense(units=2), own()], 5))
        assert isinstance(network_file.load_network(tmp_path / "n.npz").layers[1], own)
    finally:
        registry.unregister(own)


def test_predictions_are_the_softmax_of_the_network_for_arrays_frames_and_lists(saved):
    served, x = network_file._load_pyfunc(str(saved)), samples(2500)
    z = network().forward(x, EVALUATING)[0].astype(np.float64)
    expected = np.exp(z - z.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    for data in (x, x.astype(np.float64), pd.DataFrame(x), x.tolist()):
        np.testing.assert_allclose(served.predict(data), expected, rtol=1e-5, atol=1e-30)
    assert (served.predict(x, {"output": "labels"}) == expected.argmax(axis=1)).all()
    assert served.predict(x[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("output", "answers"), [("sigmoid", ["probabilities", "labels"]), ("identity", ["values"])]
)
def test_a_network_answers_as_its_objective_declares(tmp_path, output, answers):
    made, x = network("float64"), 100 * samples(6).astype(np.float64)
    made.params["dense2.b"][...] -= made.forward(x, EVALUATING)[0].mean(axis=0)
    z = made.forward(x, EVALUATING)[0]
    network_file.save_network(tmp_path / "n.npz", made, output=output)
    served = network_file._load_pyfunc(str(tmp_path / "n.npz"))
    with np.errstate(over="ignore"):
        expected = {"identity": z, "sigmoid": 1 / (1 + np.exp(-z))}[output]
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_allclose(served.predict(x), expected, rtol=1e-12, atol=1e-300)
    if "labels" in answers:
        assert (
            served.predict(x, {"output": "labels"}).tolist()
            == (expected >= 0.5).astype(int).tolist()
        )
    for other in {"probabilities", "labels", "values"} - {*answers}:
        with pytest.raises(DataError, match=f"choose from {', '.join(answers)}"):
            served.predict(x, {"output": other})


def test_a_file_that_says_nothing_of_its_output_is_a_softmax_and_an_unknown_output_is_refused(
    saved,
):
    x, before = samples(), network_file._load_pyfunc(str(saved)).predict(samples())
    rewritten(saved, lambda description: description.pop("output"))
    assert network_file.describe(saved)["output"] == "softmax"
    assert (network_file._load_pyfunc(str(saved)).predict(x) == before).all()
    rewritten(saved, lambda description: description.update(output="hardmax"))
    assert "its output is 'hardmax', not softmax or sigmoid or identity" in refused(saved)


REGRESSION = """
import numpy as np
from dlexp import Context, Network, Objective, Problem, plugin

@plugin("regression")
class Regression(Objective):
    '''L = ½·mean (network(x) − label)²'''
    output = "identity"

    def build(self, parts, rngs):
        dataset = parts.data.dataset(rngs["split"])
        layers = parts.model.layers(1, parts.activation, parts.normalization, [])
        network = Network(layers, dataset.n_features, np.dtype(parts.dtype))
        network.initialize(parts.initializer, rngs["init"])
        return Fit(network, dataset)

class Fit(Problem):
    steps_per_epoch = 1

    def __init__(self, network, dataset):
        self.network, self.dataset, self.params = network, dataset, network.params

    def batches(self, rng):
        yield self.dataset.train

    def loss(self, split, ctx):
        y, backward = self.network.forward(split.x.astype(self.params.storage.dtype), ctx)
        error = y[:, 0] - split.labels
        backward((error / len(error))[:, None].astype(y.dtype))
        return float(0.5 * np.mean(error**2))

    def evaluate(self):
        ctx = Context(training=False, rng=None)
        y, _ = self.network.forward(self.dataset.train.x.astype(self.params.storage.dtype), ctx)
        return {"train/loss": float(0.5 * np.mean((y[:, 0] - self.dataset.train.labels) ** 2))}
"""


@pytest.fixture
def regression(in_tmp, monkeypatch):
    """An objective of one's own whose network predicts a number."""
    (in_tmp / "own" / "objective").mkdir(parents=True)
    (in_tmp / "own" / "objective" / "regression.py").write_text(REGRESSION)
    monkeypatch.setenv("DLEXP_PLUGINS", str(in_tmp / "own"))
    discovery.discover()
    yield
    registry.unregister(registry.find("objective", "regression"))
    del sys.modules["dlexp.plugins.objective.regression"]


def test_the_saved_network_of_a_regression_predicts_its_numbers_also_from_mlflow(
    regression, in_tmp
):
    words = ["objective=regression", "data=blobs", "model.hidden=[4]", "epochs=3", "observer=none"]
    run = lifecycle.run_overrides((*words, "checkpoint.epochs=1", "tracking.wait=60"))
    x = run.dataset.test.x[:5]
    expected, _ = run.network.forward(x.astype(np.float32), EVALUATING)
    assert len(np.unique(expected)) > 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.set_tracking_uri(tracking.store_uri(in_tmp / "outputs"))
        loaded = mlflow.pyfunc.load_model(f"runs:/{state.load(run.folder).run_id}/network")
        (entry,) = mlflow.MlflowClient().search_logged_models(["1"])
    assert entry.model_type == "regressor"
    for served in (network_file._load_pyfunc(str(run.folder / "network.npz")), loaded):
        assert (served.predict(x) == expected).all()


def test_an_objective_that_declares_another_output_is_refused_when_it_is_registered():
    class Odd(registry.find("objective", "classification")):
        output = "hardmax"

    with pytest.raises(
        PluginError,
        match=r"objective=odd: .*output = 'hardmax' is none of softmax, sigmoid, identity",
    ):
        plugin("odd")(Odd)


def test_named_classes_are_the_labels(tmp_path):
    network_file.save_network(tmp_path / "n.npz", network(), classes=["ant", "bée", "cat"])
    served, x = network_file._load_pyfunc(str(tmp_path / "n.npz")), samples()
    numbers = served.predict(x).argmax(axis=1)
    assert served.predict(x, {"output": "labels"}).tolist() == [
        ["ant", "bée", "cat"][i] for i in numbers
    ]
    with pytest.raises(ValueError, match="2 names for 3"):
        network_file.save_network(tmp_path / "n.npz", network(), classes=["ant", "bée"])


@pytest.mark.parametrize(
    "data", [samples()[:, :3], samples()[0], [["a", "b", "c", "d", "e"]], {"x": 1}, [[1], [1, 2]]]
)
def test_data_that_do_not_fit_are_refused(saved, data):
    with pytest.raises(DataError, match="data"):
        network_file._load_pyfunc(str(saved)).predict(data)


def test_an_unknown_output_is_refused_with_the_known_ones(saved):
    with pytest.raises(DataError, match="probabilities, labels"):
        network_file._load_pyfunc(str(saved)).predict(samples(), {"output": "logits"})


def test_a_failed_save_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()
    monkeypatch.setattr(
        network_file.npy,
        "write_array",
        lambda *_, **__: (_ for _ in ()).throw(OSError("disk full")),
    )
    with pytest.raises(OSError, match="disk full"):
        network_file.save_network(saved, network(hidden=3))
    assert saved.read_bytes() == before
    assert [p.name for p in saved.parent.iterdir()] == [saved.name]


def test_a_network_can_be_moved_and_copied(saved, tmp_path):
    shutil.move(saved, tmp_path / "elsewhere")
    assert network_file.describe(tmp_path / "elsewhere")["n_in"] == 5
