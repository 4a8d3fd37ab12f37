"""What dlexp never does, whatever it is given: run code from a file, believe a size, leave its
folder, keep a password.

tests/report/test_report_page.py has more than forty hostile names in the report's page,
tests/tracking/test_tracking.py has them in MLflow, tests/data/test_datafiles.py and
test_data_npz.py have the sizes that data files claim.
"""

import ast
import asyncio
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tracemalloc
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pytest

from dlexp.cli.main import main
from dlexp.config import compose_run, loader, sources
from dlexp.errors import UserError
from dlexp.paths import CONF
from dlexp.storage import archives, atomic, checkpoint, network_file
from dlexp.tracking import environment, guard, redacted, ui

ROOT = Path(__file__).parents[2]
ROOMS = ("dlexp", "plugins", "scripts", "examples", "benchmarks")
CODE = [p for room in ROOMS for p in sorted((ROOT / room).rglob("*.py"))]
MODULES = {
    "pickle",
    "cPickle",
    "_pickle",
    "dill",
    "cloudpickle",
    "joblib",
    "marshal",
    "shelve",
    "telnetlib",
    "xmlrpc",
}
CALLS = {
    "eval",
    "exec",
    "compile",
    "__import__",
    "os.system",
    "os.popen",
    "tempfile.mktemp",
    "mktemp",
    "yaml.load",
    "yaml.load_all",
    "yaml.full_load",
    "yaml.unsafe_load",
    "yaml.full_load_all",
    "yaml.unsafe_load_all",
    "torch.load",
    "pd.read_pickle",
    "hydra.utils.instantiate",
    "hydra.utils.call",
    "instantiate",
    "subprocess.getoutput",
    "subprocess.getstatusoutput",
}
LOADERS = {"Loader", "FullLoader", "UnsafeLoader", "CLoader", "CFullLoader", "CUnsafeLoader"}
PICKLES = ("np.save", "npy.write_array")  # what NumPy writes objects with, unless told not to


def unsafe(tree):
    """What in a syntax tree could run what a file says, or a shell."""
    for node in ast.walk(tree):
        names = (
            [a.name for a in node.names] if isinstance(node, (ast.Import, ast.ImportFrom)) else []
        )
        if isinstance(node, ast.ImportFrom):
            names = [str(node.module), *(f"{node.module}.{name}" for name in names)]
        yield from (f"import {n}" for n in names if n.split(".")[0] in MODULES or n in CALLS)
        if (
            isinstance(node, ast.Attribute)
            and node.attr in LOADERS
            and ast.unparse(node.value) == "yaml"
        ):
            yield ast.unparse(node)
        if not isinstance(node, ast.Call):
            continue
        called, words = ast.unparse(node.func), {k.arg: ast.unparse(k.value) for k in node.keywords}
        if called in CALLS:
            yield called
        if words.get("shell", "False") != "False" or words.get("allow_pickle", "False") != "False":
            yield f"{called}({words})"
        if called in PICKLES and "allow_pickle" not in words:
            yield f"{called} without allow_pickle=False"


def test_nothing_runs_what_a_file_says():
    found = [
        f"{p.relative_to(ROOT)}: {what}"
        for p in CODE
        for what in unsafe(ast.parse(p.read_text("utf-8")))
    ]
    assert len(CODE) > 200
    assert not found, "\n".join(["", *found])


UNSAFE = """import pickle|from pickle import loads|import dill as d|eval('1')|exec('1')
import joblib|os.system('ls')|tempfile.mktemp()|from tempfile import mktemp
yaml.load(x, Loader=y)|yaml.unsafe_load(x)|L = yaml.UnsafeLoader|np.save(f, x)
subprocess.run('x', shell=True)|np.load(f, allow_pickle=True)|hydra.utils.instantiate(c)"""


def test_what_is_unsafe_would_be_found():
    assert [code for code in re.split(r"[|\n]", UNSAFE) if not list(unsafe(ast.parse(code)))] == []


def test_no_code_is_named_in_a_configuration():
    said = set()
    for path in CODE:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if "_target_" in (getattr(node, "value", ""), getattr(node, "id", "")):
                said.add(str(path.relative_to(ROOT)))
    assert said == {"dlexp/config/sources.py"}  # which refuses it
    assert not [p for p in CONF.rglob("*.yaml") if "_target_" in p.read_text("utf-8")]


@pytest.mark.parametrize("sweeper", ["grid", "random"])
def test_a_composed_configuration_names_no_code(sweeper, in_tmp, capsys):
    assert main(["--cfg", "all", f"hydra/sweeper={sweeper}"]) == 0
    assert "_target_" not in capsys.readouterr().out


GLOBAL = "# @package _global_\n"
BENT = [  # what a study may not say, and the key that is named
    ("hydra: {callbacks: {x: {_target_: evil.run}}}", "hydra.callbacks.x._target_"),
    ("hydra: {callbacks: {x: 1}}", "hydra.callbacks"),
    ("hydra: {job: {env_set: {PATH: /tmp}}}", "hydra.job"),
    ("hydra: {job: {chdir: true}}", "hydra.job"),
    ("hydra: {searchpath: [file:///tmp]}", "hydra.searchpath"),
    ("hydra: {launcher: {_target_: evil.run}}", "hydra.launcher._target_"),
    ("hydra: {launcher: {x: 1}}", "hydra.launcher.x"),
    ("hydra: {sweeper: {_target_: evil.run}}", "hydra.sweeper._target_"),
    ("hydra: {run: {dir: /tmp/x}}", "hydra.run"),
    ("hydra: {sweep: {dir: /tmp/x}}", "hydra.sweep"),
    ("hydra: {output_subdir: x}", "hydra.output_subdir"),
    ("hydra: {job_logging: {handlers: {x: {(): evil.run}}}}", "hydra.job_logging"),
    ("hydra: 5", "hydra"),
    ("hydra: {sweeper: {params: {'hydra.run.dir': /tmp}}}", "hydra.sweeper.params.hydra.run.dir"),
    (
        "hydra: {sweeper: {params: {'+hydra.x._target_': evil.run}}}",
        "hydra.sweeper.params.+hydra.x._target_",
    ),
    ("hydra: {sweeper: {parts: {a: {'optimizer@b': adam}}}}", "hydra.sweeper.parts.a.optimizer@b"),
    ("optimizer: {_target_: evil.run}", "optimizer._target_"),
    ("x: [1, {y: {_target_: evil.run}}]", "x[1].y._target_"),
    ("<<: {_target_: evil.run}", "_target_"),
    (
        "defaults:\n  - /hydra/callbacks@hydra.callbacks.x: evil",
        "defaults.hydra/callbacks@hydra.callbacks.x",
    ),
    ("defaults:\n  - override /hydra/job_logging: default", "defaults.hydra/job_logging"),
    ("defaults:\n  - override /hydra/launcher: basic", "defaults.hydra/launcher"),
    ("defaults:\n  - override hydra/sweeper: basic", "defaults.hydra/sweeper"),
    ("defaults:\n  - /optimizer@hydra.callbacks.x: adam", "defaults.optimizer@hydra.callbacks.x"),
    ("defaults:\n  - /hydra/output/evil", "defaults.hydra/output/evil"),
    ("optimizer: {lr: !!python/object/apply:os.system [ls]}", "line 2"),
    ("optimizer: {lr: !!python/name:os.system}", "line 2"),
]


@pytest.mark.parametrize(("text", "key"), BENT, ids=range(len(BENT)))
@pytest.mark.parametrize("home", ["mine", "conf"])
def test_a_file_of_the_users_names_no_code_and_bends_hydra_nowhere(
    text, key, home, in_tmp, monkeypatch, capsys
):
    (in_tmp / "evil.py").write_text("raise SystemExit('evil was imported')")
    monkeypatch.syspath_prepend(in_tmp)
    file = in_tmp / home / "experiment" / "x.yaml"
    file.parent.mkdir(parents=True)
    (in_tmp / "mine").mkdir(exist_ok=True)
    file.write_text(GLOBAL + text + "\n")
    if home == "conf":
        for name in ("config.yaml", "hydra_defaults.yaml"):
            shutil.copy(CONF / name, in_tmp / "conf")
        for module in (sources, loader):
            monkeypatch.setattr(module, "CONF", in_tmp / "conf")
    before = sorted(in_tmp.rglob("*"))
    assert main(["--config-dir", "mine", "experiment=x", "-m", "seed=1,2"]) == 2
    err = capsys.readouterr().err
    assert key in err
    assert "(experiment/x.yaml" in err
    assert err.count("\n") == 1
    assert sorted(in_tmp.rglob("*")) == before


@pytest.mark.parametrize("package", ["hydra", "hydra.callbacks", "optimizer", "_name_"])
def test_a_file_stands_in_its_own_place_only(package, in_tmp, capsys):
    file = in_tmp / "mine" / "experiment" / "x.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(f"# @package {package}\nx: {{y: 1}}\n")
    assert main(["--config-dir", "mine", "experiment=x"]) == 2
    assert f"(experiment/x.yaml): @package {package}" in capsys.readouterr().err


def test_every_shipped_study_and_variant_may_say_what_it_says():
    shipped = list(CONF.glob("*/*.yaml"))
    assert len(shipped) > 10
    for path in shipped:
        sources._checked.__wrapped__(path, f"{path.parent.name}/{path.name}", 0, 0)


def promise(shape, kind="<f8"):
    """An .npy file that promises what it has not."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def archive(path, entries, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as new:
        for name, content in entries.items():
            new.writestr(name, content)


def sealed(data):
    """The entries of a checkpoint whose every SHA-256 is right."""
    told = {
        "format": 1,
        "tree": {"dict": [["x", {"array": "a0"}]]},
        "sha256": {"a0": hashlib.sha256(data).hexdigest()},
    }
    text = json.dumps(told)
    return {"a0.npy": data, "state.json": text, "sha256": hashlib.sha256(text.encode()).hexdigest()}


def network(units):
    dense = {"kind": "layer", "name": "dense", "fields": {"units": units}}
    told = {
        "format": 1,
        "n_in": 9,
        "n_out": units,
        "dtype": "float32",
        "classes": None,
        "layers": [dense],
    }
    return {"network.json": json.dumps(told), "dense1.W.npy": promise((9, units), "<f4")}


def unfolding(path):
    """Some hundred bytes of bzip2 that unfold to 200 MB, and claim 20."""
    archive(path, {"x.npy": bytes(200 * 2**20)}, zipfile.ZIP_BZIP2)
    path.write_bytes(
        path.read_bytes().replace((200 * 2**20).to_bytes(4, "little"), (20).to_bytes(4, "little"))
    )


CLAIMS = {
    "a checkpoint of a terabyte": (
        lambda p: archive(p, sealed(promise((2**37,)))),
        checkpoint.load,
    ),
    "a checkpoint of many dimensions": (
        lambda p: archive(p, sealed(promise((2**20,) * 4))),
        checkpoint.load,
    ),
    "a checkpoint that unfolds": (unfolding, checkpoint.load),
    "a network of a terabyte": (lambda p: archive(p, network(2**35)), network_file.load_network),
    "a network that unfolds": (unfolding, network_file.load_network),
    "arrays of a terabyte": (
        lambda p: archive(p, {"x.npy": promise((2**37,))}),
        archives.read_arrays,
    ),
    "arrays that unfold": (unfolding, archives.read_arrays),
    "objects": (
        lambda p: archive(p, {"x.npy": promise((2,), "|O") + bytes(16)}),
        archives.read_arrays,
    ),
}


@pytest.mark.parametrize("name", CLAIMS)
def test_no_memory_is_taken_for_what_a_file_only_claims(name, tmp_path):
    make, load = CLAIMS[name]
    make(tmp_path / "x.npz")
    assert (tmp_path / "x.npz").stat().st_size < 2000
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"x\.npz"):
            load(tmp_path / "x.npz")
        assert tracemalloc.get_traced_memory()[1] < 2**23
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    "hidden", ["[10000000000]", "[100000000000000000000]", "[999999999,999999999]", "[300000000]"]
)
def test_a_network_that_no_memory_holds_is_refused(hidden, in_tmp, capsys):
    assert main([f"model.hidden={hidden}"]) == 2
    err = capsys.readouterr().err
    assert "numbers; 268,435,456 is the most" in err
    assert err.count("\n") == 1
    assert not list(in_tmp.iterdir())


HOSTILE = [
    "",
    ".",
    "..",
    "../x",
    "../../etc/passwd",
    "/",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "..\\x",
    "C:\\x",
    "C:",
    "//server/x",
    "~",
    "~root",
    "a\0b",
    "a\nb",
    "a\rb",
    "a\tb",
    "\x1b[31mred",
    "\u202egnp.exe",
    "\u200b",
    "\ufeff",
    "a" * 81,
    "a" * 5000,
    "日" * 80,
    "é" * 80,
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "&lt;",
    "a b",
    " ",
    "'; DROP TABLE runs; --",
    "$(reboot)",
    "`reboot`",
    "${oc.env:HOME}",
    "%2e%2e%2f",
    "-rf",
    "--help",
    "*",
    "?",
    "con",
    "NUL",
    "aux.txt",
    "com1",
    "a.",
    "a ",
    "|",
    ">x",
    "#",
]


def test_there_are_more_than_forty_hostile_names():
    assert len(set(HOSTILE)) > 40


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_name_of_a_sweep_leaves_its_folder(name, in_tmp):
    quoted = name.replace("\\", "\\\\").replace("'", "\\'")
    for typed in (f"sweep={name}", f"sweep='{quoted}'"):
        try:
            found = compose_run(typed).sweep
        except UserError:
            continue
        assert found is None or re.fullmatch(r"[A-Za-z0-9][\w-]*", found, re.ASCII), found
        assert found is None or found.lower() not in ("con", "nul", "com1")


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
def test_no_word_in_a_runs_name_leaves_its_folder(name, tmp_path):
    folder = tmp_path / f"20260101-000000-abcdef-{atomic.slug(name)}"
    assert folder.parent == tmp_path == folder.resolve().parent
    folder.mkdir()
    assert [f.name for f in tmp_path.iterdir()] == [folder.name]
    assert re.fullmatch(r"[\w.=+-]*", atomic.slug(name))


def test_a_run_on_a_file_of_any_name_stays_in_its_folder(in_tmp):
    labels = np.array(["a", "<b>", "../c"])[np.arange(30) % 3]
    job = [
        "data=npz",
        "epochs=1",
        "batch_size=5",
        "model.hidden=[4]",
        "tracking=none",
        "observer=none",
    ]
    for i, name in enumerate(("日" * 70, "<script>x", "\u202egnp", "a'b\"c", "-rf ..", "a\nb")):
        np.savez(in_tmp / f"{name}.npz", x=np.arange(60.0).reshape(30, 2), y=labels)
        path = f"{name}.npz".replace("\\", "\\\\").replace("'", "\\'")
        assert main([*job, f"data.path='{path}'"]) == 0
        assert len(list((in_tmp / "outputs" / "runs").iterdir())) == i + 1
    assert {p.name for p in in_tmp.iterdir() if p.is_dir()} == {"outputs"}
    assert "\n" not in "".join(p.name for p in in_tmp.glob("outputs/runs/*"))


PASSWORDS = [
    "http://ann:hunter2@host:5000",
    "postgresql://ann:hunter2@host/db",
    "https://ann:hunter2%40@host",
    "mysql://host/db?user=a&password=hunter2",
    "http://hunter2@host",
    "https://host/x?api_key=hunter2",
    "https://host?hunter2",
    "http://host/#hunter2",
    "HTTPS://hunter2@host",
    "postgresql://a:x/hunter2#?@host/db",
    "mysql://host/db?ssl_key=hunter2",
    "http://[hunter2@host",
    "'http://hunter2@host?x=hunter2'",
]


@pytest.mark.parametrize("uri", PASSWORDS)
def test_a_password_is_refused_before_it_is_written_down_and_not_repeated(uri, in_tmp, capsys):
    assert main([f"tracking.uri={uri}"]) == 2
    err = capsys.readouterr().err
    assert "hunter2" not in err
    assert "tracking.uri=" in err
    assert err.count("\n") == 1
    if not uri.startswith("HTTPS"):  # an address is written small
        assert "(command line): holds what may be a password" in err
        assert ("MLFLOW_TRACKING_PASSWORD" in err) == ("http" in uri)
    assert redacted(redacted(uri)) == redacted(uri) != uri
    assert not list(in_tmp.iterdir())


def test_the_sender_authenticates_by_the_environment(monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "hunter2")
    assert environment()["MLFLOW_TRACKING_PASSWORD"] == "hunter2"
    for uri in (
        "http://host:5000/mlflow",
        "postgresql://ann@host/db",
        "sqlite:////home/ann@work/a#b.db",
    ):
        assert compose_run(f"tracking.uri='{uri}'").tracking.uri == uri


@pytest.fixture
def served(in_tmp, monkeypatch):
    """What `ui` would start: its command and its environment."""
    started = {}

    def running(command, settings, out):
        started.update(command=command, settings=settings)
        raise KeyboardInterrupt

    (in_tmp / "mlflow.db").write_bytes(b"SQLite format 3\0")
    monkeypatch.setattr(ui, "_running", running)
    assert ui.open_pages("sqlite:///mlflow.db", port=0) == 0
    return started


def test_the_pages_are_for_this_machine_by_its_own_names(served):
    command = served["command"]
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--app-name") + 1] == "dlexp"
    assert "sqlite" not in " ".join(command), (
        "the store's address may hold a password, and ps shows commands"
    )


HOSTS = (
    "evil.example",
    "10.evil.example",
    "192.168.1.5",
    "127.0.0.1.evil.example",
    "0.0.0.0",
    "localhost:1:2",
    "localhost:x",
    "localhost:5000@evil.example",
    "localhost@evil.example",
    "evil.example#localhost",
)
ORIGINS = (
    "http://evil.example",
    "http://localhost.evil.example",
    "http://localhost:3000",
    "http://127.0.0.1:1",
    "null",
    "http://localhost",
    "file://",
    "http://127.0.0.1:5000@evil.example",
)


def test_a_request_is_own_if_host_and_origin_are_one_place_on_this_machine():
    def own(host, *origins):
        headers = [(b"host", host.encode())] if host is not None else []
        return guard.is_own([*headers, *((b"origin", o.encode()) for o in origins)])

    for host in (
        "localhost",
        "127.0.0.1",
        "[::1]",
        "localhost:5000",
        "127.0.0.1:5000",
        "[::1]:65535",
    ):
        assert own(host)
        assert own(host, f"http://{host}")
        assert not own(host, f"https://{host}")
        assert not own(host, f"http://{host}", "http://evil.example")
        assert not [
            origin for origin in ORIGINS if own(host, origin) and origin != f"http://{host}"
        ]
    assert not [host for host in (*HOSTS, "", None) if own(host)]
    assert not guard.is_own([(b"host", b"localhost"), (b"host", b"evil.example")])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_what_is_not_own_never_reaches_mlflow(kind):
    reached, sent = [], []

    async def app(*call):
        reached.append(call[0])

    async def send(message):
        sent.append(message)

    for host in ("evil.example", "localhost:5000"):
        asyncio.run(
            guard.guarded(app)({"type": kind, "headers": [(b"host", host.encode())]}, None, send)
        )
    assert [dict(scope["headers"])[b"host"] for scope in reached] == [b"localhost:5000"]
    assert sent[0].get("status") == 403 or sent[0]["type"] == "websocket.close"


@pytest.mark.slow
def test_foreign_hosts_and_origins_are_refused(in_tmp):
    run = ["epochs=0", "data=blobs", "model.hidden=[4]", "observer=none"]
    subprocess.run(
        [sys.executable, "-m", "dlexp", *run],
        cwd=in_tmp,
        check=True,
        capture_output=True,
        timeout=300,
    )
    command = [sys.executable, "-c", "from dlexp.tracking import ui; ui.open_pages(port=0)"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=in_tmp) as server:
        try:
            base = [server.stdout.readline() for _ in range(2)][1].split()[1].partition("/#/")[0]

            def ask(path="/", data=None, method=None, **headers):
                try:
                    request = urllib.request.Request(base + path, data, headers, method=method)
                    with urllib.request.urlopen(request, timeout=20) as answer:
                        return answer.status
                except urllib.error.HTTPError as e:
                    e.close()
                    return e.code

            assert ask() == ask(Host="localhost:1") == 200
            create, form = (
                "/api/2.0/mlflow/experiments/create",
                {"Content-Type": "application/json"},
            )
            paths = (
                "/",
                "/health",
                "/version",
                "/graphql",
                "/v1/traces",
                create,
                "/static-files/x",
                "/no/such/page",
            )
            for path in paths:
                for host in (*HOSTS, base.removeprefix("http://") + "@evil.example"):
                    assert ask(path, Host=host) == 403, (path, host)
                for origin in (
                    *ORIGINS,
                    base.replace("127.0.0.1", "localhost"),
                    base.replace("http", "https"),
                ):
                    for method in ("POST", "PUT", "PATCH", "DELETE", "GET", "HEAD", "OPTIONS"):
                        said = {"Origin": origin, **form}
                        assert ask(path, b"{}", method=method, **said) == 403, (
                            path,
                            origin,
                            method,
                        )
            assert ask(create, b'{"name": "mine"}', Origin=base, **form) == 200
            query = (
                b'{"query": "{ mlflowGetExperiment(input: {experimentId: \\"1\\"}) { experiment {'
                b' name } } }"}'
            )
            assert (
                ask("/graphql", query, Origin=base, **form) == ask("/graphql", query, **form) == 200
            )
        finally:
            server.terminate()
