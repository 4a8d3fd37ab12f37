"""How MLflow shows a sweep: its views, the links to them, and the commands that send it."""

import base64
import json
import re
import secrets
import subprocess
import sys
import zlib

import pytest
from run_folders import BEGAN, records, send
from sweep_folders import add, client, fill, found, sweep_folder

from dlexp import tracking
from dlexp.storage.records import SweepDescription
from dlexp.tracking import state, sweep_page, sync, ui, view
from dlexp.tracking.sweep_folder import Survey

pytestmark = pytest.mark.usefixtures("no_waiting")


def test_sync_takes_sweeps_and_leaves_their_runs_to_them(outputs, in_tmp, monkeypatch, capsys):
    def start(folders):
        send(*folders)
        return tracking.Sender(folders, None)

    monkeypatch.setattr(sync, "start", start)
    uri = tracking.store_uri(outputs)
    name = f"s{secrets.token_hex(4)}"
    folder = fill(sweep_folder(in_tmp / "outputs" / "sweeps" / name, uri))
    sweep_folder(in_tmp / "outputs" / "sweeps" / "private", None)
    assert sync.runs(in_tmp / "outputs") == []
    assert sync.send() == 0
    assert "sending 1 sweep …" in capsys.readouterr().out
    assert len(found(outputs, folder)["runs"]) == 4
    assert sync.send([folder / "runs" / "0sgd0-x"]) == 0  # a run is sent with its sweep
    assert "sending 1 sweep …" in capsys.readouterr().out


def unpacked(value):
    told = json.loads(value)
    return json.loads(zlib.decompress(base64.b64decode(told["state"].removeprefix("deflate;"))))


def test_the_views_show_groups_and_runs(outputs, make_sweep):
    folder = fill(make_sweep())
    send(folder)
    tags = client(outputs).get_experiment("1").tags
    key = sweep_page.key(SweepDescription.read(folder))
    groups, each = (unpacked(tags[view.PREFIX + name]) for name in (key, f"{key}-runs"))
    assert groups["searchFilter"] == each["searchFilter"] == f"tags.`dlexp.view` = '{key}'"
    assert groups["groupBy"]["groupByKeys"] == [{"mode": "tag", "groupByData": "dlexp.group"}]
    assert groups["groupsExpanded"] == {"tag.dlexp.group.sgd": False, "tag.dlexp.group.adam": False}
    assert (groups["orderByKey"], groups["orderByAsc"]) == ("metrics.`val/accuracy`", False)
    assert groups["selectedColumns"][:3] == [
        "metrics.`val/accuracy`",
        "metrics.`train/loss`",
        "params.`optimizer`",
    ]
    assert each["groupBy"] is None
    charts = {c["type"]: c for c in each["compareRunCharts"]}
    assert charts["PARALLEL"]["selectedParams"] == ["optimizer"]
    assert charts["BAR"]["metricKey"] == "val/accuracy"


def test_a_search_is_looked_at_without_its_test_metrics(outputs, make_sweep):
    """Whoever chooses by what is seen must choose on validation."""
    shown = {}
    for sweeper in ("grid", "random"):
        folder = make_sweep(
            {"optimizer": ["sgd"], "optimizer.lr": ["interval(0,1)"]}, sweeper=sweeper
        )
        for i in (1, 2):
            lines = records(3, **{"test/accuracy": 0.5})
            add(
                folder,
                f"{i}",
                ["optimizer=sgd", f"optimizer.lr=0.{i}"],
                events=lines,
                **{"optimizer.lr": i / 10},
            )
        send(folder)
        key = sweep_page.key(SweepDescription.read(folder))
        shown[sweeper] = unpacked(client(outputs).get_experiment("1").tags[view.PREFIX + key])
    assert shown["grid"]["orderByKey"] == "metrics.`test/accuracy`"
    assert shown["random"]["orderByKey"] == "metrics.`val/accuracy`"
    assert "test/" in json.dumps(shown["grid"])
    assert "test/" not in json.dumps(shown["random"]["selectedColumns"])
    charts = [
        (c["type"], c.get("metricKey"))
        for c in shown["random"]["compareRunCharts"]
        if not c["deleted"]
    ]
    assert "test/" not in json.dumps(charts)
    assert [c for c in charts if c[1] == "val/accuracy"] == [
        ("BAR", "val/accuracy"),
        ("LINE", "val/accuracy"),
    ]


def test_a_view_of_any_size_has_room_in_mlflow():
    """An experiment's tag may have 5,000 characters."""
    metrics = [f"observed/layer{i}/gradient" for i in range(60)] + ["test/accuracy"]
    groups = [f"optimizer{i} · lr={i / 7} · " + secrets.token_hex(8) for i in range(2000)]
    found = Survey([f"key{i}" for i in range(20)], [], metrics, groups, True, 20_000)
    for grouped in (True, False):
        state = view.sweep("k" * 100, found, grouped=grouped)
        assert len(view.tag_value("x" * 80, state, BEGAN)) < 5000
    # of more runs than MLflow loads, every group has its share
    assert state["orderByKey"] == "params.`seed`"


def test_the_last_sweep_of_the_store_is_linked(outputs, make_sweep, tmp_path):
    uri = tracking.store_uri(outputs)
    for name, created in (("a", BEGAN + 5), ("b", BEGAN + 9), ("c", BEGAN + 7)):
        folder = sweep_folder(tmp_path / "sweeps" / name, uri, created=created)
        state.State(uri, "1", f"{name}9").save(folder)
    assert ui._last_sweep(tmp_path, "sqlite:///other.db", "http://h", ask=False) == []
    (report, own), (name, link) = ui._last_sweep(tmp_path, uri, "http://h", ask=False)
    assert (report, name) == ("report", "sweep")
    assert own == "http://h/#/experiments/1/runs/b9?workflowType=machine_learning"
    assert link.startswith("http://h/#/experiments/1/runs?")
    assert link.endswith(f"viewStateShareKey=b-{BEGAN + 9:x}&compareRunsMode=CHART")


PLUGIN = '''
import sys
from pathlib import Path
from dlexp import Optimizer, plugin, positive

@plugin("spy")
class Spy(Optimizer):
    """w ← w − lr·g: https://example.org"""

    lr: float = positive(0.1)

    def update(self, w, g, s, lr, t):
        heavy = {"mlflow", "sqlalchemy", "pandas"} & set(sys.modules)
        Path("seen.txt").open("a").write(" ".join(["worker", *sorted(heavy)]) + "\\n")
        w -= lr * g
'''


def test_a_command_sends_its_sweep_and_no_worker_imports_mlflow(in_tmp, outputs, capfd):
    (in_tmp / "plugins" / "optimizer").mkdir(parents=True)
    (in_tmp / "plugins" / "optimizer" / "spy.py").write_text(PLUGIN)
    words = [
        "-m",
        "optimizer=spy,sgd",
        "seed=0,1",
        f"sweep=e{secrets.token_hex(4)}",
        "epochs=1",
        "model.hidden=[5]",
        "data.n_train=100",
        f"tracking.uri={tracking.store_uri(outputs)}",
    ]
    message = []
    for more in ([], [], ["seed=2"]):
        done = subprocess.run(
            [sys.executable, "-m", "dlexp", *words, *more],
            cwd=in_tmp,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        message.append(done.stdout)
    assert {*(in_tmp / "seen.txt").read_text().splitlines()} == {"worker"}
    (folder,) = (in_tmp / "outputs" / "sweeps").iterdir()
    assert "MLflow    the sweep's run " in message[0]
    assert "and its 4 runs" in message[0]
    assert re.search(r"look      python -m dlexp ui --uri .?sqlite:", message[0])
    assert "0 newly trained" in message[1]
    assert "and its 6 runs" in message[2]
    told = found(outputs, folder)
    assert (told["status"], len(told["runs"])) == ("FINISHED", 6)
    assert "report/report.html" in told["files"]
