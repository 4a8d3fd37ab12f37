"""The mirror's processes: the parent without MLflow, the sender of a live run, sync, the server."""

import contextlib
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from run_folders import BEGAN, records, run_folder, send, with_store

from dlexp import Record, tracking
from dlexp.cli.main import main
from dlexp.errors import UserError
from dlexp.storage import journal
from dlexp.storage.records import RunDescription
from dlexp.tracking import run_follower, state, sync, ui

SQL = "select m.step, m.value from metrics m where m.key = 'train/loss' order by m.step"


def rows(outputs, query):
    with contextlib.closing(sqlite3.connect(outputs / "mlflow.db")) as store:
        return store.execute(query).fetchall()


def until(true, seconds=300):
    """Wait for something that is going to happen."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.05)


def test_the_parents_side_never_imports_mlflow():
    code = (
        "import sys; from dlexp.tracking import settings, state, sync, translate, ui;"
        " print(*sys.modules)"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    assert "dlexp.tracking" in loaded
    assert not {"mlflow", "pandas", "sqlalchemy"} & set(loaded)


def test_a_live_run_is_followed_a_killed_sender_replaced_and_a_killed_writer_noticed(tmp_path):
    uri = with_store(tmp_path)
    template = run_folder(tmp_path / "template", uri, [], net=False)
    book = journal.Journal(tmp_path / "run", RunDescription.read(template))
    for i in range(3):
        book.record(Record(i, 12 * i, {"train/loss": float(i), "train/grad": float("inf")}))
    first = tracking.start([tmp_path / "run"])
    assert os.getsid(first.process.pid) != os.getsid(0)  # Ctrl-C in the terminal does not reach it
    until(lambda: state.load(tmp_path / "run").sent >= 4)  # while the writer lives
    assert not first.wait(0.01).complete
    assert "background" in str(first.wait(0.01))
    first.process.kill()
    first.process.wait()
    book.record(Record(3, 36, {"train/loss": 3.0}))
    second = tracking.start([tmp_path / "run"])
    until(lambda: state.load(tmp_path / "run").sent >= 5)
    book._file.close()
    book._lock.release()  # as the system does for a writer that was killed
    outcome = second.wait(300)
    assert outcome.complete, (tmp_path / "run" / tracking.LOG).read_text()
    assert second.process.returncode == 0
    assert rows(tmp_path, SQL) == [(i, float(i)) for i in range(4)]
    assert rows(tmp_path, "select status from runs") == [("KILLED",)]
    assert rows(tmp_path, "select value from tags where key = 'dlexp.status'") == [("KILLED",)]
    assert rows(tmp_path, "select count(*) from metrics where key = 'train/grad'") == [(0,)]


@pytest.mark.slow
def test_eight_senders_share_a_store_that_does_not_exist_yet(tmp_path):
    uri = tracking.store_uri(tmp_path / "outputs")
    folders = [run_folder(tmp_path / f"run{i}", uri, records(20)) for i in range(8)]
    started = [tracking.start([folder]) for folder in folders]
    outcomes = [s.wait(300) for s in started]
    assert all(o.complete for o in outcomes), [(f / tracking.LOG).read_text() for f in folders]
    assert rows(tmp_path / "outputs", "select count(*) from experiments where name = 'dlexp'") == [
        (1,)
    ]
    assert rows(tmp_path / "outputs", "select status, count(*) from runs group by status") == [
        ("FINISHED", 8)
    ]
    assert rows(tmp_path / "outputs", "select count(*) from metrics") == [(8 * 40,)]
    assert not list((tmp_path / "outputs").glob("*.new"))


def test_a_second_sender_waits_and_takes_over_a_run_that_was_resumed_while_the_first_sent_its_death(
    tmp_path,
):
    folder = run_folder(tmp_path / "run", with_store(tmp_path), records(2), finish=None, net=False)
    second = run_follower.RunFollower(folder, run_follower.Stores())
    with run_follower.FileLock(folder / "mlflow.lock"):
        with journal.FileLock(folder / "lock"):
            second.look()
        assert not second.over
        assert not (folder / "mlflow.json").exists()
    while not second.over:
        second.look()
    assert rows(tmp_path, "select status from runs") == [("KILLED",)]


def test_a_second_sender_does_not_wait_for_ever_nor_for_what_is_sent(tmp_path, capsys, monkeypatch):
    folder = run_folder(tmp_path / "run", with_store(tmp_path), records(2), net=False)
    with run_follower.FileLock(folder / "mlflow.lock"), monkeypatch.context() as patched:
        patched.setattr(run_follower, "OTHERS", 0.05)
        assert send(folder) == 1
    assert "another sender is working" in capsys.readouterr().out
    assert send(folder) == 0
    with run_follower.FileLock(folder / "mlflow.lock"):
        assert send(folder) == 0


def test_a_sender_that_cannot_be_started_raises_nothing(tmp_path):
    outcome = tracking.start([tmp_path / "nowhere"]).wait(1)
    assert not outcome.complete
    assert "cannot be started" in str(outcome)


def test_a_sender_ends_itself_when_its_folder_is_gone(tmp_path):
    (tmp_path / "run").mkdir()
    outcome = tracking.start([tmp_path / "run"]).wait(300)
    assert not outcome.complete
    assert "\n" not in str(outcome)
    assert "the journal cannot be read" in str(outcome)


def test_sync_finds_runs_and_no_copies_of_their_descriptions(in_tmp, capsys, monkeypatch):
    def start(folders):
        assert send(*folders) == 0
        return tracking.Sender(folders, None)

    monkeypatch.setattr(sync, "start", start)
    outputs = in_tmp / "outputs"
    uri = with_store(outputs)
    runs = [run_folder(outputs / "runs" / name, uri, records(2), net=False) for name in ("b", "a")]
    run_folder(outputs / "runs" / "private", uri, records(2), net=False, tracking=None)
    copy = outputs / "mlartifacts" / "x" / "artifacts"
    copy.mkdir(parents=True)
    for name in ("run.json", "journal.jsonl"):
        (copy / name).write_text((runs[0] / name).read_text())
    assert [f.name for f in sync.runs(outputs)] == ["a", "b", "private"]
    assert sync.send() == 0
    assert "sending 2 runs" in capsys.readouterr().out
    assert rows(outputs, "select name, start_time from runs") == [("adam he dropout s0", BEGAN)] * 2
    with journal.FileLock(runs[1] / "lock"):
        assert sync.send() == 0
    assert "1 run in progress" in (message := capsys.readouterr().out)
    assert "sending 1 run " in message
    assert rows(outputs, "select count(*) from runs") == [(2,)]


def test_sync_without_runs_says_so_and_refuses_what_is_no_run(in_tmp, capsys):
    assert sync.send() == 0
    assert "nothing to send" in capsys.readouterr().out
    with pytest.raises(UserError, match="there is no run in"):
        sync.send([in_tmp])
    assert main(["sync", "--al"]) == 2
    assert "sync (command line): unrecognized arguments: --al" in capsys.readouterr().err


def test_a_store_address_cannot_be_bent_by_a_folders_name(tmp_path):
    for name in ("a?b", "a%20b"):
        with pytest.raises(UserError, match="DLEXP_OUTPUTS"):
            tracking.store_uri(tmp_path / name)


def test_the_server_refuses_a_store_that_does_not_exist_and_says_what_makes_one(in_tmp, capsys):
    with pytest.raises(UserError, match=r"no runs yet.*python -m dlexp optimizer=adam"):
        ui.open_pages()
    assert main(["ui", "--port", "70000"]) == 2
    assert "0 to 65535" in capsys.readouterr().err
    assert main(["ui", "--uri", "http://ann:secret@host:5000"]) == 0
    assert capsys.readouterr().out == "MLflow    http://***@host:5000\n"


def test_a_taken_port_is_replaced_by_a_free_one():
    with socket.socket() as other:
        other.bind((ui.HOST, 0))
        other.listen()
        taken = other.getsockname()[1]
        assert ui.free_port(taken) != taken
    assert ui.free_port(0) > 0


def test_a_server_that_does_not_start_is_said_with_its_log(in_tmp, monkeypatch, capsys):
    (in_tmp / "mlflow.db").write_bytes(b"")
    monkeypatch.setattr(ui.sys, "executable", "/bin/false")
    assert ui.serve(f"sqlite:///{in_tmp}/mlflow.db", port=0) == 1
    assert str(in_tmp / "mlflow-ui.log") in capsys.readouterr().err


def test_the_server_ends_with_all_its_children(monkeypatch):
    monkeypatch.setattr(ui, "GRACE", 0.5)
    command = ["sh", "-c", "trap '' TERM; sleep 300 & echo $!; sleep 300"]
    read, write = os.pipe()
    with ui._running(command, dict(os.environ), write) as server:
        child = int(os.read(read, 20))
        os.kill(child, 0)
    assert server.returncode == -signal.SIGKILL  # it did not listen to SIGTERM
    until(lambda: not alive(child))
    for end in (read, write):
        os.close(end)


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split(") ")[1][0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_the_pages_are_served_on_this_machine_only_and_end_with_ctrl_c(in_tmp):
    folder = run_folder(
        in_tmp / "outputs" / "runs" / "a",
        tracking.store_uri(in_tmp / "outputs"),
        records(2),
        net=False,
    )
    assert send(folder) == 0
    before = {f.name for f in in_tmp.iterdir()}
    command = [sys.executable, "-c", "from dlexp.tracking import ui; ui.open_pages(port=0)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        message = [server.stdout.readline() for _ in range(4)]
        link = message[1].split()[1]
        base, _, page = link.partition("/#/")
        assert base.startswith("http://127.0.0.1:")
        assert page == "experiments/1/runs?workflowType=machine_learning&viewStateShareKey=results"
        assert "mlflow ui --backend-store-uri sqlite:////" in message[2]
        assert ui._get(base) is not None
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert ui._get(f"{base}/health") is None
    assert {f.name for f in in_tmp.iterdir()} == before


def test_patience_is_bounded_unless_the_user_says_otherwise(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "77")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "false")
    monkeypatch.delenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", raising=False)
    found = tracking.environment()
    assert found["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "77"
    assert found["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "0"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"  # never on
    assert run_follower.TRIES <= 3


def test_the_sender_speaks_utf8_whatever_the_locale_says(monkeypatch):
    for message in ("0", "1", None):
        monkeypatch.setenv("PYTHONUTF8", message) if message else monkeypatch.delenv("PYTHONUTF8")
        assert tracking.environment()["PYTHONUTF8"] == "1"


# names of files are ASCII, with what is none smuggled through
PLAIN = {"PYTHONUTF8": "0", "LC_ALL": "C"}


def in_plain(code, folder):
    """What Python prints where names of files are ASCII."""
    environ = {**os.environ, **PLAIN, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environ,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are never ASCII")
def test_an_address_is_the_same_in_every_locale_and_is_printed_so_that_a_shell_understands_it(
    tmp_path,
):
    (tmp_path / "fün").mkdir()
    store = tracking.store_uri(tmp_path / "fün" / "outputs")
    code = """if True:
        from dlexp import paths, tracking
        from dlexp.cli import summary
        uri = tracking.store_uri(paths.outputs())
        print(ascii(uri))
        same = tracking.store_uri(paths.outputs()) == uri
        print(ascii(same), tracking.store_file(uri).parent.parent.is_dir())
        print(tracking.ui_command(uri))
        print(summary._mlflow_lines(tracking.Outcome(True, uri, "1", "x"))[1].partition("(")[0])
    """
    address, same, command, look = in_plain(code, tmp_path / "fün").splitlines()
    assert address == ascii(store)
    assert same == "True True"
    word = command.removeprefix("mlflow ui --backend-store-uri ")
    assert word.isascii()
    assert (
        subprocess.run(["bash", "-c", f"printf %s {word}"], capture_output=True, check=True).stdout
        == store.encode()
    )
    assert look.strip() == "look      python -m dlexp ui"


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere names of files are never ASCII")
def test_a_run_whose_path_the_locale_cannot_say_is_sent(tmp_path):
    (tmp_path / "fün").mkdir()
    words = ["epochs=1", "data.n_train=200", "model.hidden=[5]", "observer=none"]
    message = in_plain(f"from dlexp.cli.main import main; main({words})", tmp_path / "fün")
    assert "MLflow    run " in message, message
    assert rows(tmp_path / "fün" / "outputs", "select status from runs") == [("FINISHED",)]
