"""A folder of a read-only file system: one line, and what can be read there is read."""

import errno
import json
import os
import shutil
import subprocess
import sys

import pytest
from run_folders import records, run_folder, with_store
from sweep_folders import fill, sweep_folder

import dlexp
from dlexp.cli.main import main
from dlexp.storage import journal
from dlexp.tracking import address

RUN = ("epochs=1", "model.hidden=[5]", "observer=none")


@pytest.fixture
def mount(in_tmp):
    """Say `ro` or `rw` of the working folder, a file system of its own."""

    def remount(mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", in_tmp], check=True)

    try:
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "none", in_tmp], capture_output=True, text=True, check=False
        )
        why = done.stderr.strip()
    except OSError as e:
        why = str(e)
    if why:
        pytest.skip(f"no file system may be mounted here: {why}")
    os.chdir(in_tmp)
    yield remount
    os.chdir("/")
    subprocess.run(["umount", "-l", in_tmp], check=True)


def message(words):
    """The last line of a command's output on each stream, without a traceback."""
    done = subprocess.run(
        [sys.executable, "-m", "dlexp", *words], capture_output=True, text=True, check=False
    )
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_every_command_says_in_one_line_that_a_folder_is_read_only(mount):
    main([*RUN])
    (folder,) = journal.Path("outputs/runs").iterdir()
    mount("ro")
    assert message(["replay", "last"])[:2] == (
        0,
        "same      3 records of 7 metrics and the weights, to the bit\n",
    )
    assert message(["doctor"])[:2] == (0, "all is well (1 run)\n")
    assert "the run folder cannot be created: Read-only file system" in message([*RUN])[2]
    mount("rw")
    (folder / "mlflow.json").unlink()
    lines = (folder / journal.EVENTS).read_text().splitlines(keepends=True)
    (folder / journal.EVENTS).write_text("".join(lines[:-1]))
    mount("ro")
    for words in (["resume", "last"], ["ui"]):
        status, _, err = message(words)
        assert status == 1, err
        assert err.startswith("dlexp: error: /")
        assert err.endswith(": Read-only file system\n")
        assert err.count("\n") == 1
    status, _, err = message(["sync"])
    assert status == 1
    assert "the sender cannot be started: " in err
    assert err.count("\n") == 1
    status, out, _ = message(["doctor"])
    assert status == 1
    assert "cannot be repaired: " in out
    assert out.endswith("1 to do (1 run)\n")


@pytest.fixture
def of_another(in_tmp):
    """Outputs with a sweep and two runs, one killed, which the command may read and not write."""
    outputs = in_tmp / "outputs"
    (outputs / "runs").mkdir(parents=True)
    with_store(outputs)
    shown = {"uri": address.OWN, "experiment": "dlexp", "model": False, "wait": 60}
    run_folder(outputs / "runs" / "a", "", records(2), net=False, tracking=shown)
    (fill(sweep_folder(outputs / "sweeps" / "s", None)) / "lock").touch()
    dead = dlexp.run(*RUN, "tracking=none").folder
    lines = (dead / journal.EVENTS).read_text().splitlines(keepends=True)
    (dead / journal.EVENTS).write_text("".join(lines[:-1]))
    if os.geteuid() != 0:
        subprocess.run(["chmod", "-R", "a-w", outputs], check=True)
        yield []
        subprocess.run(["chmod", "-R", "u+w", outputs], check=True)
        return
    if shutil.which("setpriv") is None:
        pytest.skip("root may write everything here")
    subprocess.run(["chown", "-R", "65534:65534", outputs], check=True)
    powers = "-dac_override,-dac_read_search,-fowner,-chown"
    # root without the right to write everywhere
    yield ["setpriv", f"--bounding-set={powers}", f"--inh-caps={powers}"]


EACH = """
import contextlib, io, json, os, sys
from dlexp.cli.main import main
from dlexp.tracking import address
for words in json.load(sys.stdin):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main(words)
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


def test_outputs_of_another_user_are_one_line_whatever_the_command(of_another):
    verbs = [
        ["sync"],
        ["ui"],
        ["doctor"],
        ["report", "s"],
        ["resume", "last"],
        ["resume", "s"],
        [*RUN],
        ["-m", "seed=0,1", *RUN],
        ["probe", "last", "observer=[curves]"],
        ["replay", "last"],
        ["-m", "seed=0,1", "--dry-run", *RUN],
        ["doctor", "--dry-run"],
    ]
    command = [*of_another, sys.executable, "-c", EACH]
    done = subprocess.run(
        command, input=json.dumps(verbs), capture_output=True, text=True, check=True
    )
    results = dict(
        zip(map(" ".join, verbs), map(json.loads, done.stdout.splitlines()), strict=True)
    )
    denied = os.strerror(errno.EACCES)
    for words, (status, out, err) in results.items():
        assert "Traceback" not in out + err, words
        if words.startswith(("doctor", "replay")) or "--dry-run" in words:
            assert err == "", words
        else:
            assert status == (2 if words == "report s" else 1), (words, out, err)
            assert denied in err, words
            assert (
                len([line for line in err.splitlines() if line.startswith("dlexp: error: ")]) <= 1
            ), words
    assert "cannot be repaired: " in results["doctor"][1]
    assert results["replay last"][0] == 0


def test_what_no_lock_can_be_taken_of_is_not_being_written(in_tmp, capsys, monkeypatch):
    run = dlexp.run(*RUN, "tracking=none")

    def refuse(lock, *_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), lock.lock_file)

    monkeypatch.setattr(journal.FileLock, "acquire", refuse)
    assert not journal.is_alive(run.folder)
    assert main(["sync"]) == 0
    assert main(["doctor"]) == 0
    lines = (run.folder / journal.EVENTS).read_text().splitlines(keepends=True)
    (run.folder / journal.EVENTS).write_text("".join(lines[:-1]))
    capsys.readouterr()
    assert main(["resume", "last"]) == 1
    assert (
        capsys.readouterr().err
        == f"dlexp: error: {run.folder / journal.LOCK}: {os.strerror(errno.EROFS)}\n"
    )
