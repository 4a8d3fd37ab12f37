"""Who may import whom, how long a file may be, what `import dlexp` may load, and what must not stand in the code."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FRAMEWORK = sorted((ROOT / "dlexp").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))

# The rooms, from the ground up: a room may import those above it in this list, and its own parts.
ORDER = [
    "errors", "files", "arrays", "archives", "memory", "fields", "registry", "cells", "preparation", "dataset",
    "places", "kinds", "params", "layers", "loss", "network", "problem", "surface", "stopping", "checkpoint", "trainer",
    "watching", "experiment", "datafiles", "idx", "synthetic", "filedata", "headers", "columns", "delimited", "tables",
    "tabledata", "figures", "quarantine", "plugins", "journal", "serving",
    "provenance", "interruption", "keeping", "tracking", "config", "recorded", "lifecycle", "replay", "report",
    "sweep", "studies", "closing", "help", "terminal", "mending", "doctor", "cli", "__main__",
]  # fmt: skip
FREE = ("__init__", "conformance", "_hydra")  # the public face, the kit that checks everything, what Hydra finds
HOMES = {  # who may import these, and nobody else
    "hydra": {"config", "cli", "sweep", "_hydra"},
    "omegaconf": {"config", "cli", "sweep", "_hydra", "conformance"},
    "mlflow": {"tracking", "report"},
    "matplotlib": {"figures", "report"},
    "pytest": {"conformance"},
}


def relative(path):
    return str(path.relative_to(ROOT))


def room(path):
    return path.relative_to(ROOT / "dlexp").parts[0].removesuffix(".py")


def imports(path, *, typing=False):
    """Module names imported anywhere in a file; those under `if TYPE_CHECKING` only where asked for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    hidden = {
        id(n)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for n in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in hidden and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lazy(path):
    """Imports inside functions."""
    functions = (
        n
        for n in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    return {id(n): n for f in functions for n in ast.walk(f) if isinstance(n, (ast.Import, ast.ImportFrom))}.values()


@pytest.mark.parametrize("path", FRAMEWORK, ids=relative)
def test_a_room_imports_only_rooms_below_it(path):
    here = room(path)
    if here in FREE:
        return
    assert here in ORDER, f"{here} has no place in the order of rooms: give it one here and in docs/architecture.md"
    inside_functions = {f"{n.module}" for n in lazy(path) if isinstance(n, ast.ImportFrom)}
    for name in imports(path):
        parts = name.split(".")
        if parts[0] != "dlexp" or len(parts) < 2 or ".".join(parts[:-1]) in inside_functions:
            continue
        other = parts[1]
        if other != here and other in ORDER:
            assert ORDER.index(other) < ORDER.index(here), f"{here} imports {other}, which stands above it"


@pytest.mark.parametrize("path", [p for p in FRAMEWORK if room(p) == "report"], ids=relative)
def test_the_report_reads_runs_and_knows_nothing_of_how_they_are_made(path):
    allowed = {"errors", "arrays", "archives", "places", "journal", "figures", "report"}
    assert {n.split(".")[1] for n in imports(path, typing=True) if n.startswith("dlexp.")} <= allowed


@pytest.mark.parametrize("path", FRAMEWORK, ids=relative)
def test_heavy_packages_are_imported_in_their_own_rooms_only(path):
    for name in imports(path):
        owners = HOMES.get(name.split(".")[0])
        assert owners is None or room(path) in owners, f"{name} is imported outside {', '.join(sorted(owners))}"


@pytest.mark.parametrize("path", FRAMEWORK, ids=relative)
def test_the_framework_imports_no_plugin(path):
    assert not [n for n in imports(path, typing=True) if n.split(".")[0] == "plugins" or (n.startswith("dlexp.plugins.")
                and n.split(".")[2] in {p.parent.name for p in PLUGINS})]  # fmt: skip


@pytest.mark.parametrize("path", PLUGINS, ids=relative)
def test_a_plugin_imports_the_top_level_names_of_dlexp_only(path):
    import dlexp

    for name in imports(path, typing=True):
        parts = name.split(".")
        assert parts[0] not in ("hydra", "omegaconf", "mlflow", "plugins"), name
        assert parts[0] != "dlexp" or (len(parts) == 2 and parts[1] in dlexp.__all__), f"{name} is not public"
    top = [n for n in ast.parse(path.read_text("utf-8")).body if isinstance(n, (ast.Import, ast.ImportFrom))]
    heavy = {"sklearn", "matplotlib", "scipy", "pandas", "tqdm", "urllib", "threadpoolctl"}
    for node in top:
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
        assert not [n for n in names if n.split(".")[0] in heavy], (
            "import heavy things inside the method that needs them"
        )


@pytest.mark.parametrize("path", [*FRAMEWORK, *PLUGINS, *sorted((ROOT / "tests").glob("*.py"))], ids=relative)
def test_files_stay_short(path):
    limit = 250 if "tests" not in path.parts else 400
    assert len(path.read_text(encoding="utf-8").splitlines()) <= limit


def test_importing_dlexp_is_light():
    code = "import sys, dlexp; print(*sorted(sys.modules))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    modules = set(out.stdout.split())
    loaded = {name.split(".")[0] for name in modules}
    assert "dlexp" in loaded
    assert not modules & {"importlib.metadata", "dlexp.figures", "dlexp.plugins"}
    heavy = {
        "hydra",
        "omegaconf",
        "mlflow",
        "matplotlib",
        "pandas",
        "sklearn",
        "scipy",
        "yaml",
        "tqdm",
        "pytest",
        "urllib3",
        # light ones, of which each takes several milliseconds and most processes need none
        "email",
        "zipfile",
        "json",
        "difflib",
    }
    assert not loaded & heavy


def test_what_is_imported_when_it_is_asked_for_is_there_all_the_same():
    code = "import dlexp; print(dlexp.figures.BLUE, dlexp.__version__, hasattr(dlexp, 'nonsense'))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert re.fullmatch(r"#0072B2 \d+\.\d+\S* False\n", out.stdout)


def test_a_module_and_a_name_exported_beside_it_never_clash():
    import dlexp

    modules = {room(path) for path in FRAMEWORK} - {"__init__", "__main__"}
    assert not modules & (set(dlexp.__all__) - {"figures"})


@pytest.mark.parametrize("path", [*FRAMEWORK, *PLUGINS], ids=relative)
def test_nothing_unsafe_stands_in_the_code(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in ("eval", "exec", "yaml.load", "pickle.load", "pickle.loads", "np.einsum"), called
            assert not re.match(r"np\.random\.(seed|rand|randn|normal|choice|permutation|shuffle)$", called), called
            allowed = {k.arg: ast.unparse(k.value) for k in node.keywords}
            assert allowed.get("allow_pickle") != "True"


def test_everything_public_is_documented_and_listed_once():
    import dlexp

    assert len(set(dlexp.__all__)) == len(dlexp.__all__)
    for name in dlexp.__all__:
        assert getattr(dlexp, name).__doc__ or name in ("Array", "Backward"), name
