"""The saved network takes the raw table it was trained on; a command prints what it uses of it."""

import json
import shutil
import warnings
import zipfile

import numpy as np
import pandas as pd
import pytest
from run_folders import send, with_store

import dlexp
from dlexp import DataError, tracking
from dlexp.cli.main import main
from dlexp.core.layers import Dense
from dlexp.core.network import Network
from dlexp.data.tables import preparation
from dlexp.storage import network_file
from dlexp.tracking import state

SMALL = ("model.hidden=[4]", "epochs=1", "batch_size=10", "observer=none")
LABELS = {"words": ["ant", "bee", "cat"], "numbers": [3, 5, 9]}


def table(kind="words", n=90):
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "kind": np.array(LABELS[kind])[np.arange(n) % 3],
            "size": rng.normal(5, 2, n),
            "count": rng.integers(0, 9, n),
            "colour": rng.choice(["red", "blue"], n),
            "dry": rng.random(n) < 0.5,
        }
    )
    frame.loc[[4, 9], "size"] = np.nan
    frame.loc[7, "colour"] = None
    return frame


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A run on a table, by the command; its folder, and the table."""
    home = tmp_path_factory.mktemp("trained")
    table().to_csv(home / "t.csv")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DLEXP_OUTPUTS", str(home / "outputs"))
        words = (
            f"data.path={home / 't.csv'}",
            "data.label=kind",
            "data.missing=mean",
            "tracking=none",
        )
        return dlexp.run("data=table", *words, *SMALL)


def served(run):
    return network_file._load_pyfunc(str(run.folder / "network.npz"))


def expected(run):
    """What the trained network says of its own splits, by the row of each sample in the table."""
    return network_file.Predictor(run.network).predict(
        np.concatenate([s.x for s in run.dataset.splits.values()])
    )


def test_the_raw_table_gives_what_the_prepared_samples_give_to_the_bit(trained):
    frame = table()
    found = served(trained).predict(frame)
    ours, theirs = (sorted(map(bytes, a)) for a in (np.ascontiguousarray(found), expected(trained)))
    assert ours == theirs


@pytest.mark.parametrize(
    "change",
    [
        lambda frame: frame.drop(columns="kind"),
        lambda frame: frame[[*frame.columns[::-1]]],
        lambda frame: frame.assign(more="x"),
        lambda frame: frame.rename(columns=lambda name: f" {name} "),
        lambda frame: frame.astype(object),
        lambda frame: frame.astype({"dry": str, "size": str}),
        lambda frame: frame.to_dict("list"),
        lambda frame: frame.convert_dtypes(),
    ],
    ids=[
        "no label",
        "another order",
        "more columns",
        "blanks",
        "objects",
        "text",
        "mapping",
        "nullable",
    ],
)
def test_columns_may_come_in_any_order_and_type_with_others_beside_them(trained, change):
    model, frame = served(trained), table()
    np.testing.assert_array_equal(model.predict(change(frame)), model.predict(frame))


def test_labels_are_the_classes_of_the_table(trained, in_tmp):
    labels = served(trained).predict(table(), {"output": "labels"})
    assert set(labels.tolist()) <= set(LABELS["words"])
    table("numbers").to_parquet(in_tmp / "t.parquet")
    run = dlexp.run(
        "data=table",
        "data.path=t.parquet",
        "data.label=kind",
        "data.missing=drop",
        "tracking=none",
        *SMALL,
    )
    labels = served(run).predict(table("numbers").dropna(), {"output": "labels"})
    assert set(labels.tolist()) <= set(LABELS["numbers"])
    with pytest.raises(
        DataError, match=r"row 4 \(counted from 0\), column 'size': the value is missing"
    ):
        served(run).predict(table("numbers"))


def test_samples_that_are_prepared_already_are_taken_as_they_were(trained):
    x = trained.dataset.test.x
    for data in (x, x.tolist(), pd.DataFrame(x)):
        np.testing.assert_array_equal(
            served(trained).predict(data), network_file.Predictor(trained.network).predict(x)
        )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda frame: frame.rename(columns={"size": "sizes"}),
            "the data have no column 'size'; there are .* 'sizes'?",
        ),
        (
            lambda frame: frame.assign(colour="green"),
            "row 0 .*, column 'colour': 'green' is none of its words: blue, red",
        ),
        (
            lambda frame: frame.assign(size="big"),
            "row 0 .*, column 'size': 'big' is not a finite number",
        ),
        (
            lambda frame: frame.assign(size=np.inf),
            "row 0 .*, column 'size': 'inf' is not a finite number",
        ),
    ],
)
def test_a_table_that_does_not_fit_is_refused_in_one_line(trained, change, message):
    with pytest.raises(DataError, match=message):
        served(trained).predict(change(table()))


def test_a_network_without_a_table_is_read_and_served_as_before(trained, tmp_path):
    network_file.save_network(tmp_path / "old.npz", trained.network)
    with zipfile.ZipFile(tmp_path / "old.npz") as archive:
        assert preparation.ENTRY not in archive.namelist()
    assert network_file.load_preparation(tmp_path / "old.npz") is None
    assert served(trained).network.layers == network_file.load_network(tmp_path / "old.npz").layers
    with pytest.raises(DataError, match="the data cannot be used"):
        network_file._load_pyfunc(str(tmp_path / "old.npz")).predict(table())


def test_a_network_whose_outputs_are_not_the_classes_of_its_table_is_saved_without_their_names(
    trained, tmp_path
):
    layers = [*trained.network.layers[:-1], Dense(units=1)]
    one = Network(layers, trained.network.n_in)
    for output in ("sigmoid", "identity"):
        network_file.save_network(tmp_path / "one.npz", one, output=output, dataset=trained.dataset)
        assert network_file.describe(tmp_path / "one.npz")["classes"] is None
        assert network_file._load_pyfunc(str(tmp_path / "one.npz")).predict(table()).shape == (
            90,
            1,
        )


@pytest.mark.parametrize(
    "change",
    [
        {"scale": [1.0]},
        {"columns": 3},
        {"columns": [["a", None]]},
        {"fill": "x"},
        {"classes": None},
        None,
    ],
)
def test_a_damaged_table_of_a_network_is_refused(trained, tmp_path, change):
    path = tmp_path / "n.npz"
    with zipfile.ZipFile(trained.folder / "network.npz") as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == preparation.ENTRY:
                content = json.dumps(json.loads(content) | change).encode() if change else b"[1"
            new.writestr(name, content)
    with pytest.raises(DataError) as e:
        network_file._load_pyfunc(str(path))
    assert str(path) in str(e.value)
    assert "\n" not in str(e.value)


def test_mlflows_model_takes_the_raw_table(trained, tmp_path):
    outputs = tmp_path / "outputs"
    with_store(outputs)
    folder = outputs / "runs" / trained.folder.name
    shutil.copytree(trained.folder, folder)
    recorded = json.loads((folder / "run.json").read_text())
    recorded["tracking"] = {
        "uri": tracking.store_uri(outputs),
        "artifacts": None,
        "experiment": "dlexp",
        "model": True,
        "wait": 30,
    }
    (folder / "run.json").write_text(json.dumps(recorded))
    assert send(folder) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import mlflow

        mlflow.set_tracking_uri(tracking.store_uri(outputs))
        loaded = mlflow.pyfunc.load_model(f"runs:/{state.load(folder).run_id}/network")
        probabilities = loaded.predict(table())
        labels = loaded.predict(table().drop(columns="kind"), params={"output": "labels"})
    np.testing.assert_array_equal(probabilities, served(trained).predict(table()))
    assert set(labels.tolist()) <= set(LABELS["words"])
    assert "columns, size, count, colour, dry" in loaded.metadata.metadata["input"]


def test_run_json_and_run_log_name_label_classes_features_and_what_was_done(trained):
    recorded = json.loads((trained.folder / "run.json").read_text())["dataset"]
    assert recorded["label"] == "kind"
    assert (recorded["classes"], recorded["class_names"]) == (3, ["ant", "bee", "cat"])
    assert recorded["feature_names"] == ["size", "count", "colour=blue", "colour=red", "dry"]
    assert recorded["dropped"] == {"Unnamed: 0": "called like a numbering"}
    assert recorded["filled"] == {"size": 2, "colour": 1}
    assert recorded["encoded"] == {"colour": ["blue", "red"]}
    assert (
        "table     label 'kind' (3 classes: ant, bee, cat); 5 features; "
        in (trained.folder / "run.log").read_text()
    )


def test_a_command_says_which_column_was_the_label_and_a_sweep_says_it_once(in_tmp, capsys):
    table().fillna({"size": 1.0, "colour": "red"}).to_csv(in_tmp / "t.csv", index=False)
    words = ["data=table", "data.path=t.csv", "tracking=none", *SMALL]
    assert main(words) == 0
    out = capsys.readouterr().out
    took = "table     label 'dry' (2 classes: False, True); 7 features; one-hot: kind, colour"
    doubt = "warning   'dry', the last column, is taken as the label, but "
    assert took in out
    assert main([*words, "data.label=kind"]) == 0
    assert "warning" not in capsys.readouterr().out
    assert main(["-m", "seed=0,1", *words]) == 0
    out = capsys.readouterr().out
    assert out.count(took) == 1
    assert out.count(doubt) == 0


def test_a_doubt_about_the_label_is_said_at_the_end_and_in_a_notebook(in_tmp, capsys, caplog):
    table().dropna().rename(columns={"kind": "species"}).to_csv(in_tmp / "t.csv", index=False)
    words = ["data=table", "data.path=t.csv", "tracking=none", *SMALL]
    doubt = (
        "'dry', the last column, is taken as the label, but 'species' is called like a label:"
        " data.label=species"
    )
    assert main(words) == 0
    assert f"warning   {doubt}\n" in capsys.readouterr().out
    with caplog.at_level("WARNING", logger="dlexp"):
        dlexp.run(*words, keep=False)
    assert doubt in caplog.text or doubt in capsys.readouterr().err
