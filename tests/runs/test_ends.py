"""The end of a run: its folder and exit status are right, and its measurements are kept."""

import errno
import io
import json
import os
import re
import resource
import signal
import subprocess
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from mischief import mischief

import dlexp
from dlexp.cli.main import main
from dlexp.core.registry import find
from dlexp.runs import lifecycle
from dlexp.storage import checkpoint, journal, network_file, records as storage_records

SMALL = (
    "model.hidden=[16]",
    "data.n_train=200",
    "batch_size=50",
    "epochs=10",
    "regularizer=dropout",
    "observer=none",
    "tracking=none",
)
ARMED = (*SMALL, "schedule=mischief", "checkpoint.epochs=1")


@pytest.fixture
def whole(tmp_path_factory):
    """The weights of the run that nothing happens to."""
    with mischief(-1, lambda: None):
        run = dlexp.run(*ARMED, keep=False)
    return run.trainer.problem.params.storage.copy()


def the_run(folder):
    (loaded,) = (folder / "outputs" / "runs").iterdir()
    return loaded


def ending(folder):
    events, _ = journal.events(folder)
    assert events[-1].kind == "finish"
    return events[-1].status


def is_whole(folder, whole):
    """Whether a run has its result, each measurement once, and an undisturbed run's weights."""
    events, _ = journal.events(folder)
    measured = [e.step for e in events if e.kind == "record"]
    network = network_file.load_network(folder / "network.npz")
    assert (network.params.storage == whole).all()
    assert measured == [*range(0, 41, 4), 40]
    return ending(folder) == "FINISHED"


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_an_interruption_waits_for_the_step_saves_and_says_how_to_go_on(
    in_tmp, capsys, whole, number, status
):
    with mischief(18, lambda: signal.raise_signal(number)):
        assert main(list(ARMED)) == status
        folder = the_run(in_tmp)
        out = capsys.readouterr().out
        assert "interrupted at step 19 of 40\n" in out
        assert f"go on     python -m dlexp resume {folder.name}\n" in out
        assert ending(folder) == "INTERRUPTED"
        assert checkpoint.load(folder / "checkpoints/last.npz")["trainer"]["t"] == 19
        assert main(["resume", folder.name]) == 0
    assert is_whole(folder, whole)
    assert [
        e.kind for e in journal.events(folder)[0] if e.kind in ("start", "finish", "resume")
    ] == ["start", "finish", "resume", "finish"]


def test_a_second_interruption_does_not_wait_and_the_last_checkpoint_stands(in_tmp, capsys, whole):
    def twice():
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)

    with mischief(18, twice):
        assert main(list(ARMED)) == 130
        folder = the_run(in_tmp)
        assert ending(folder) == "INTERRUPTED"
        assert checkpoint.load(folder / "checkpoints/last.npz")["trainer"]["t"] == 16
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 0
    assert is_whole(folder, whole)


def test_a_plugin_that_calls_exit_fails_the_run_and_never_finishes_it(in_tmp, capsys, whole):
    def leave():
        raise SystemExit(0)

    with mischief(18, leave):
        assert main(list(ARMED)) == 1
    folder = the_run(in_tmp)
    assert ending(folder) == "FAILED"
    out, err = capsys.readouterr()
    with_its_place = re.compile(
        r"something in it called sys.exit\(0\): \S*test_ends.py:\d+$", re.MULTILINE
    )
    assert "the run failed at step 18: something in it called sys.exit(0): " in err
    assert with_its_place.search(err)
    assert with_its_place.search(out.splitlines()[0])
    assert with_its_place.search(journal.events(folder)[0][-1].error)
    assert f"go on     python -m dlexp resume {folder.name}\n" in out
    assert "mischief.py" in (folder / "run.log").read_text(), "the log says where"
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 0
    assert is_whole(folder, whole)


def test_an_exception_keeps_its_traceback_and_the_run_can_go_on_when_it_is_mended(
    in_tmp, capsys, whole
):
    with mischief(18, lambda: [][1]):
        assert main(list(ARMED)) == 1
    folder = the_run(in_tmp)
    assert ending(folder) == "FAILED"
    assert "IndexError" in capsys.readouterr().err
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 0
    assert is_whole(folder, whole)


def test_a_full_disk_fails_the_run_in_one_line_and_what_was_saved_stands(in_tmp, capsys, whole):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    sizes = []

    # no file may grow beyond what the journal has now: the next record is one line too much
    def fill():
        sizes.append((the_run(in_tmp) / "journal.jsonl").stat().st_size)
        resource.setrlimit(resource.RLIMIT_FSIZE, (sizes[0], before[1]))

    with mischief(18, fill):
        try:
            assert main(list(ARMED)) == 1
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    out, err = capsys.readouterr()
    assert "Traceback" not in err
    full = f"{the_run(in_tmp)}/checkpoints/last.npz: {os.strerror(errno.EFBIG)}\n"
    assert f"the run failed at step 20: {full}" in err
    assert f"failed    {full}" in out
    assert f"go on     python -m dlexp resume {the_run(in_tmp).name}\n" in out
    ended = f"{the_run(in_tmp)}/journal.jsonl: {os.strerror(errno.EFBIG)}\n"
    assert f"the end of the run cannot be written to the journal: {ended}" in err
    folder = the_run(in_tmp)
    assert checkpoint.load(folder / "checkpoints/last.npz")["trainer"]["t"] == 16
    assert [p.name for p in folder.rglob("*.part")] == []
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 0
    assert is_whole(folder, whole)


@pytest.fixture
def small_disk(in_tmp):
    """A disk of a megabyte, where one may be mounted."""
    place = in_tmp / "disk"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError as e:
        pytest.skip(f"no disk can be mounted here: {e}")
    if done.returncode:
        pytest.skip(f"no disk may be mounted here: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True, timeout=20)


def test_a_disk_that_is_really_full_ends_the_run_in_the_same_way(
    small_disk, monkeypatch, capsys, whole
):
    monkeypatch.setenv("DLEXP_OUTPUTS", str(small_disk / "outputs"))

    def fill():  # to the last byte
        with suppress(OSError), (small_disk / "rubbish").open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))

    with mischief(18, fill):
        assert main(list(ARMED)) == 1
    err = capsys.readouterr().err
    assert "Traceback" not in err
    assert "the run failed at step 20: " in err
    assert f"checkpoints/last.npz: {os.strerror(errno.ENOSPC)}" in err
    folder = the_run(small_disk)
    assert checkpoint.load(folder / "checkpoints/last.npz")["trainer"]["t"] == 16
    assert [p.name for p in folder.rglob("*.part")] == []
    (small_disk / "rubbish").unlink()
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 0
    assert is_whole(folder, whole)


def test_a_disk_that_is_full_from_the_start_is_one_line_and_leaves_no_folder(
    small_disk, monkeypatch, capsys
):
    monkeypatch.setenv("DLEXP_OUTPUTS", str(small_disk / "outputs"))
    with suppress(OSError), (small_disk / "rubbish").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    for words in (SMALL, ("-m", "seed=0,1", *SMALL)):
        assert main(list(words)) == 1
        err = capsys.readouterr().err
        assert err.startswith("dlexp: error: ")
        assert err.endswith(f": {os.strerror(errno.ENOSPC)}\n")
        assert err.count("\n") == 1
        assert [p.name for p in small_disk.iterdir()] == ["rubbish"]


@pytest.mark.parametrize("name", ["run.json", "config.yaml", "run.log", "sweep.json"])
def test_whatever_cannot_be_written_at_first_leaves_no_folder(in_tmp, name, monkeypatch, capsys):
    write = journal.write_atomically

    def full(path, text):
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        write(path, text)

    for module in (journal, storage_records):
        monkeypatch.setattr(module, "write_atomically", full)
    words = ("-m", "seed=0,1", *SMALL) if name == "sweep.json" else SMALL
    assert main(list(words)) == 1
    err = capsys.readouterr().err
    assert err.endswith(f": {os.strerror(errno.ENOSPC)}\n")
    assert err.count("\n") == 1
    assert list(in_tmp.iterdir()) == []


def test_a_checkpoint_that_cannot_be_written_leaves_the_one_before(tmp_path):
    path = tmp_path / "last.npz"
    checkpoint.save(path, {"t": 1, "w": np.arange(3.0)})
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
            checkpoint.save(path, {"t": 2, "w": np.arange(1000.0)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert checkpoint.load(path)["t"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["last.npz"]


def test_half_a_line_that_a_killed_run_leaves_is_cut_off_and_nothing_else(in_tmp, whole):
    with mischief(18, lambda: signal.raise_signal(signal.SIGINT)):
        main(list(ARMED))
        folder = the_run(in_tmp)
        journal_file = folder / "journal.jsonl"
        lines = journal_file.read_bytes().splitlines(keepends=True)
        # no end, and the last record begun once more
        journal_file.write_bytes(b"".join(lines[:-1]) + lines[-2][:40])
        run = lifecycle.resume(folder)
    assert is_whole(folder, whole)
    assert journal_file.read_bytes().startswith(b"".join(lines[:-1]) + b'{"event": "resume"')
    assert [r.step for r in run.records] == [*range(0, 41, 4), 40], "those of before are there too"


def test_what_a_killed_run_left_half_written_is_removed_when_it_goes_on(in_tmp, whole):
    with mischief(18, lambda: signal.raise_signal(signal.SIGINT)):
        main(list(ARMED))
        folder = the_run(in_tmp)
        (folder / "figures").mkdir(exist_ok=True)
        places = ("checkpoints/last.npz", "figures/curves.png", "network.npz")
        for place in places:
            (folder / f"{place}.999999999.part").write_bytes(b"half")
        (folder / "probes" / "p").mkdir(parents=True)
        others = [
            f"mlflow.json.{os.getppid()}.part",
            "notes.part",
            "probes/p/run.json.999999999.part",
        ]
        for name in others:
            (folder / name).write_bytes(b"{")
        lifecycle.resume(folder)
    left = {str(path.relative_to(folder)) for path in folder.rglob("*.part")}
    assert left == set(others), "of a sender at work, of the user, of a probe"
    assert is_whole(folder, whole)


def test_a_checkpoint_that_was_put_together_by_hand_is_refused(tmp_path):
    path, forged = tmp_path / "last.npz", tmp_path / "forged.npz"
    checkpoint.save(path, {"w": np.arange(3.0)})
    other = io.BytesIO()
    np.save(other, np.arange(3.0) + 1)
    # whose own sums are right
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(forged, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, other.getvalue() if name == "a0.npy" else archive.read(name))
    with pytest.raises(dlexp.DataError, match="a0 does not have its SHA-256"):
        checkpoint.load(forged)


@pytest.mark.parametrize("byte", range(0, 1200, 41))
def test_a_checkpoint_with_one_wrong_byte_is_refused(tmp_path, byte):
    path = tmp_path / "last.npz"
    tree = {"t": 3, "w": np.arange(60.0), "deep": [(1, {"x": float("inf")}), None, "é"]}
    checkpoint.save(path, tree)
    data = bytearray(path.read_bytes())
    data[byte % len(data)] ^= 16
    path.write_bytes(data)
    try:
        loaded = checkpoint.load(path)
    except dlexp.DataError:
        return
    assert loaded["t"] == 3, "it was read: a byte that means nothing, such as a time of day"
    assert (loaded["w"] == tree["w"]).all()
    assert loaded["deep"] == tree["deep"]


def test_what_cannot_be_resumed_is_refused_with_the_reason(in_tmp, capsys):
    run = dlexp.run(*SMALL)
    name = run.folder.name

    def refused(*words):
        assert main(["resume", *words]) == 2
        return capsys.readouterr().err

    assert "has ended: FINISHED; there is nothing to resume" in refused(name)
    assert "there is no such run or sweep; choose from last" in refused("nosuch")
    assert "--retry-failed" in refused(name, "--retry-failed")
    events = (run.folder / "journal.jsonl").read_text().splitlines(keepends=True)
    (run.folder / "journal.jsonl").write_text("".join(events[:-1]))
    message = json.loads((run.folder / "run.json").read_text())
    (run.folder / "run.json").write_text(
        json.dumps(message | {"dataset": {**message["dataset"], "sha256": "0" * 64}})
    )
    assert "the data are not what they were: SHA-256 000000000000…" in refused(name)
    (run.folder / "run.json").write_text(json.dumps(message))
    (run.folder / "checkpoints").mkdir()
    (run.folder / "checkpoints/last.npz").write_bytes(b"nothing")
    assert "the checkpoint cannot be read" in refused(name)
    assert "delete it to start again from step 0" in refused(name)
    checkpoint.save(run.folder / "checkpoints/last.npz", {"measured": 99, "trainer": {"t": 1}})
    assert "has 12 measurements, and the checkpoint counts 99" in refused(name)
    (run.folder / "checkpoints/last.npz").unlink()
    config = (run.folder / "config.yaml").read_text()
    (run.folder / "config.yaml").write_text(config.replace("name: adam", "name: adem"))
    assert "adem" in refused(name)
    (run.folder / "config.yaml").write_text("- 1")
    assert "not the configuration of a run" in refused(name)


def test_a_run_that_is_being_trained_is_not_resumed(in_tmp, capsys):
    heard = []

    def ask():
        folder = the_run(in_tmp)
        with pytest.raises(dlexp.UserError, match="is being trained now"):
            lifecycle.resume(folder)
        heard.append(folder)

    with mischief(5, ask):
        assert main(list(ARMED)) == 0
    assert heard
    assert ending(the_run(in_tmp)) == "FINISHED"


def test_a_resumed_run_that_measures_otherwise_fails_and_names_the_number(
    in_tmp, capsys, monkeypatch
):
    with mischief(18, lambda: signal.raise_signal(signal.SIGINT)):
        assert main(list(ARMED)) == 130
    folder = the_run(in_tmp)
    (folder / "checkpoints/last.npz").unlink()
    adam = find("optimizer", "adam")
    update = adam.update
    monkeypatch.setattr(
        adam, "update", lambda self, w, g, s, lr, t: update(self, w, g, s, 1.001 * lr, t)
    )
    with mischief(-1, lambda: None):
        assert main(["resume", "last"]) == 1
    assert "resumed, it is another run: at step 4, train/loss was" in capsys.readouterr().out
    assert ending(folder) == "FAILED"


def test_states_are_saved_as_often_as_asked_and_the_best_network_beside_them(in_tmp):
    seen = []

    def look():
        seen.append((the_run(in_tmp) / "checkpoints").exists())

    with mischief(30, look):
        dlexp.run(*SMALL, "schedule=mischief")
        assert seen == [False], "ten seconds have not passed"
        run = dlexp.run(
            *SMALL, "checkpoint.epochs=3", "early_stopping.patience=50", "optimizer.lr=0.1"
        )
    assert checkpoint.load(run.folder / "checkpoints/last.npz")["trainer"]["t"] == 36
    best = network_file.load_network(run.folder / "checkpoints/best.npz")
    assert (best.params.storage == run.trainer.best.storage).all()
    assert run.trainer.best.step < 40, "the last is not the best"
    assert (run.network.params.storage == run.trainer.best.storage).all()
    assert main([*SMALL, "checkpoint.epochs=0"]) == 2
    assert main([*SMALL, "checkpoint.seconds=-1"]) == 2
