"""Links that lead out of the outputs folder: nothing is written through them."""

import shutil
from pathlib import Path

import pytest
from run_folders import records, run_folder, send, with_store
from sweep_folders import fill, sweep_folder

import dlexp
from dlexp import paths
from dlexp.cli.main import main
from dlexp.storage import journal
from dlexp.storage.ledger import Ledger
from dlexp.tracking import address

TINY = (
    "epochs=1",
    "model.hidden=[4]",
    "data.n_train=40",
    "batch_size=20",
    "observer=none",
    "tracking=none",
)


def tree(folder):
    """Every file with its bytes and the time of its last change, every link with where it leads."""

    def told(p):
        return (
            p.readlink()
            if p.is_symlink()
            else (p.read_bytes(), p.stat().st_mtime_ns)
            if p.is_file()
            else ""
        )

    return {str(p): told(p) for p in sorted(folder.rglob("*"))}


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A run folder without an end, made once."""
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(tmp_path_factory.mktemp("made"))
        patched.delenv("DLEXP_OUTPUTS", raising=False)
        folder = dlexp.run(*TINY, "checkpoint.epochs=1").folder
    lines = (folder / journal.EVENTS).read_text().splitlines(keepends=True)
    (folder / journal.EVENTS).write_text("".join(lines[:-1]) + '{"event": "fin')
    return folder


def lead_out(path, elsewhere):
    """Put a link to a place outside where a file or folder stands, which goes there."""
    elsewhere.mkdir(exist_ok=True)
    if path.exists():
        shutil.move(path, elsewhere / path.name)
    else:
        (elsewhere / path.name).write_text("of somebody else")
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(elsewhere / path.name)


OF_A_RUN = (
    "journal.jsonl",
    "lock",
    "run.log",
    "run.json",
    "config.yaml",
    "mlflow.json",
    "checkpoints",
    "checkpoints/last.npz",
    "network.npz",
    "figures",
    "probes",
    ".",
)


@pytest.mark.parametrize("name", OF_A_RUN)
def test_nothing_of_a_run_is_written_through_a_link_that_leads_out(in_tmp, killed, name, capsys):
    run = in_tmp / "outputs" / "runs" / "r"
    shutil.copytree(killed, run)
    lead_out(run if name == "." else run / name, in_tmp / "elsewhere")
    before = tree(in_tmp)
    for words in (["doctor", "--dry-run"], ["doctor"]):
        assert main(words) == 1
        out, err = capsys.readouterr()
        assert "leads out of the outputs folder, to " in out
        assert err == ""
        assert tree(in_tmp) == before
    outside = tree(in_tmp / "elsewhere")
    for words in (["resume", "last"], ["probe", "last", "observer=[curves]"], ["sync"]):
        main(words)
        assert "Traceback" not in capsys.readouterr().err
        assert tree(in_tmp / "elsewhere") == outside, words


@pytest.mark.parametrize(
    "name", ["ledger.jsonl", "sweep.json", "lock", "report", "runs", "runs/k0-x"]
)
def test_nothing_of_a_sweep_is_written_through_a_link_that_leads_out(in_tmp, name, capsys):
    sweep = fill(sweep_folder(in_tmp / "outputs" / "sweeps" / "s", None))
    with (sweep / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"key": "half')
    member = next((sweep / "runs").iterdir())
    lead_out(member if name == "runs/k0-x" else sweep / name, in_tmp / "elsewhere")
    before, outside = tree(in_tmp), tree(in_tmp / "elsewhere")
    assert main(["doctor", "--dry-run"]) == 1
    assert "leads out of the outputs folder, to " in capsys.readouterr().out
    assert tree(in_tmp) == before
    for words in (["doctor"], ["report", "s"], ["-m", "seed=0,1", "sweep=s", *TINY]):
        main(words)
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        assert tree(in_tmp / "elsewhere") == outside, words


def test_reading_a_ledger_cuts_nothing_off_and_the_next_command_does(in_tmp, capsys):
    sweep = fill(sweep_folder(in_tmp / "outputs" / "sweeps" / "s", None))
    with (sweep / "ledger.jsonl").open("a") as file:
        file.write('{"key": "half')
    before = tree(in_tmp)
    Ledger(sweep).read()
    assert main(["-m", "seed=0,1", "sweep=s", "--dry-run", *TINY]) == 0
    assert main(["doctor", "--dry-run"]) == 1
    assert tree(in_tmp) == before
    with Ledger(sweep).held():
        assert (sweep / "ledger.jsonl").read_bytes().endswith(b"}\n")


def test_the_outputs_folder_may_be_a_link_and_links_may_stay_inside_it(in_tmp, killed, capsys):
    (in_tmp / "disk" / "kept").mkdir(parents=True)
    (in_tmp / "outputs").symlink_to(in_tmp / "disk")
    shutil.copytree(killed, in_tmp / "outputs" / "kept" / "r")
    (in_tmp / "outputs" / "runs").symlink_to(in_tmp / "disk" / "kept")
    assert main(["doctor"]) == 0
    assert main(["resume", "last"]) == 0
    assert main(list(TINY)) == 0
    assert len(list((in_tmp / "disk" / "kept").iterdir())) == 2


@pytest.mark.parametrize("name", ["mlflow.db", "mlflow.db.lock", "mlartifacts"])
def test_no_store_is_filled_through_a_link_that_leads_out(in_tmp, name, capsys):
    outputs = in_tmp / "outputs"
    outputs.mkdir()
    with_store(outputs)
    (outputs / name).exists() or (outputs / name).mkdir() if name == "mlartifacts" else None
    lead_out(outputs / name, in_tmp / "elsewhere")
    before = tree(in_tmp / "elsewhere")
    shown = {"uri": address.OWN, "experiment": "dlexp", "model": False, "wait": 60}
    folder = run_folder(outputs / "runs" / "a", "", records(1), net=False, tracking=shown)
    assert send(folder) == 1
    assert "a link leads out of the outputs folder" in capsys.readouterr().out
    assert tree(in_tmp / "elsewhere") == before


def test_a_link_that_leads_in_a_circle_is_said_in_one_line(in_tmp, capsys):
    (in_tmp / "outputs").symlink_to(in_tmp / "outputs")
    assert main(list(TINY)) == 1
    err = capsys.readouterr().err
    assert err.startswith("dlexp: error: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("path", "home"),
    [
        ("a/outputs/runs/x/journal.jsonl", "a/outputs"),
        ("a/outputs/sweeps/s/runs/m/lock", "a/outputs"),
        ("a/outputs/sweeps/s/sweep.json", "a/outputs"),
        ("a/b/../outputs/runs/x", "a/outputs"),
        ("outputs/sweeps/runs/sweep.json", "outputs"),
        ("outputs/mlflow.db", "outputs"),
        ("elsewhere/x", None),
    ],
)
def test_the_outputs_folder_of_a_path_is_known_by_its_words(in_tmp, path, home):
    assert paths.home(in_tmp / path) == (home and in_tmp / home)


@pytest.mark.parametrize("project", ["/runs", "/runs/project", "/home/me/sweeps/project"])
def test_a_project_below_a_folder_called_runs_keeps_its_own_outputs_folder(monkeypatch, project):
    monkeypatch.setenv("DLEXP_OUTPUTS", f"{project}/outputs")
    assert paths.home(Path(f"{project}/outputs/mlflow.db")) == Path(f"{project}/outputs")
    assert paths.home(Path(f"{project}/outputs/runs/x")) == Path(f"{project}/outputs")
