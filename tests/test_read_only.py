"""A folder of a read-only file system: one line, and what can be read there is read."""

import errno
import os
import subprocess
import sys

import pytest

import dlexp
from dlexp import journal
from dlexp.cli import main

RUN = ("epochs=1", "model.hidden=[5]", "observer=none")


@pytest.fixture
def mount(in_tmp):
    """Say `ro` or `rw` of the working folder, a file system of its own."""

    def remount(mode):
        subprocess.run(["mount", "-o", f"remount,{mode}", in_tmp], check=True)

    try:
        done = subprocess.run(["mount", "-t", "tmpfs", "none", in_tmp], capture_output=True, text=True, check=False)
        why = done.stderr.strip()
    except OSError as e:
        why = str(e)
    if why:
        pytest.skip(f"no file system may be mounted here: {why}")
    os.chdir(in_tmp)
    yield remount
    os.chdir("/")
    subprocess.run(["umount", "-l", in_tmp], check=True)


def said(words):
    """What a command says in a process of its own: its last line on each stream, and nothing of a traceback."""
    done = subprocess.run([sys.executable, "-m", "dlexp", *words], capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout, done.stderr


def test_every_command_says_in_one_line_that_a_folder_is_read_only(mount):
    main([*RUN])
    (folder,) = journal.Path("outputs/runs").iterdir()
    mount("ro")
    assert said(["replay", "last"])[:2] == (0, "same      3 records of 7 metrics and the weights, to the bit\n")
    assert said(["doctor"])[:2] == (0, "all is well (1 run)\n")
    assert "the run folder cannot be created: Read-only file system" in said([*RUN])[2]
    mount("rw")
    (folder / "mlflow.json").unlink()
    lines = (folder / journal.EVENTS).read_text().splitlines(keepends=True)
    (folder / journal.EVENTS).write_text("".join(lines[:-1]))
    mount("ro")
    for words in (["resume", "last"], ["ui"]):
        status, _, err = said(words)
        assert status == 1, err
        assert err.startswith("dlexp: error: /")
        assert err.endswith(": Read-only file system\n")
        assert err.count("\n") == 1
    status, _, err = said(["sync"])
    assert status == 1
    assert "the sender cannot be started: " in err
    assert err.count("\n") == 1
    status, out, _ = said(["doctor"])
    assert status == 1
    assert "cannot be mended: " in out
    assert out.endswith("1 to do (1 run)\n")


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
    assert capsys.readouterr().err == f"dlexp: error: {run.folder / journal.LOCK}: {os.strerror(errno.EROFS)}\n"
