"""Import directions, what `import dlexp` loads, and what the code must not contain."""

import ast
import graphlib
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
FRAMEWORK = sorted((ROOT / "dlexp").rglob("*.py"))
PLUGINS = sorted((ROOT / "plugins").rglob("*.py"))

PAGE = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
# From the ground up, as the page lists them: a package imports those above it, and its own modules.
ORDER = re.findall(r"^\| `(\w+)`", PAGE, re.M)
FREE = ("__init__", "conformance")
HOMES = {  # who may import these, and nobody else
    "hydra": {"config"},
    "omegaconf": {"config", "sweeps", "conformance"},
    "mlflow": {"tracking", "report"},
    "matplotlib": {"figures", "report"},
    "pytest": {"conformance"},
    "click": {"cli"},
}


def relative(path):
    return str(path.relative_to(ROOT))


def package_of(path):
    return path.relative_to(ROOT / "dlexp").parts[0].removesuffix(".py")


@cache
def text_of(path):
    return path.read_text(encoding="utf-8")


@cache
def tree_of(text):
    return ast.parse(text)


@cache
def nodes_of(text):
    return list(ast.walk(tree_of(text)))


def offences(rule, paths):
    """What a rule finds in files, each with the file's name; a rule is given a path and a text."""
    return [
        f"{relative(path)}: {message}" for path in paths for message in rule(path, text_of(path))
    ]


def holds(rule, paths):
    found = offences(rule, paths)
    assert not found, "\n".join(["", *found])


def imports(path, text, *, typing=False):
    """Module names imported anywhere in a file; those under `if TYPE_CHECKING` if requested."""
    hidden = {
        id(n)
        for node in nodes_of(text)
        if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING"
        for n in ast.walk(node)
    }
    for node in nodes_of(text):
        if id(node) in hidden and not typing:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def lazy(text):
    """Imports inside functions."""
    functions = (
        n for n in nodes_of(text) if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))
    )
    return {
        id(n): n
        for f in functions
        for n in ast.walk(f)
        if isinstance(n, (ast.Import, ast.ImportFrom))
    }.values()


def imports_upwards(path, text):
    here = package_of(path)
    if here in FREE:
        return
    if here not in ORDER:
        yield (f"{here} has no place in the table of docs/architecture.md: give it one")
        return
    inside_functions = {f"{n.module}" for n in lazy(text) if isinstance(n, ast.ImportFrom)}
    for name in imports(path, text):
        parts = name.split(".")
        if parts[0] != "dlexp" or len(parts) < 2 or ".".join(parts[:-1]) in inside_functions:
            continue
        other = parts[1]
        if other != here and other in ORDER and ORDER.index(other) >= ORDER.index(here):
            yield f"{here} imports {other}, which is listed below it"


def test_a_package_imports_only_those_listed_above_it():
    holds(imports_upwards, FRAMEWORK)


def module_of(path):
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports_in_a_circle(path, text):
    """A circle of modules if this file has this text; counts all imports."""
    files = {module_of(other): (other, text_of(other)) for other in FRAMEWORK}
    files[module_of(path)] = (path, text)
    graph = {module: set() for module in files}
    for module, file in files.items():
        for name in imports(*file, typing=True):
            targets = [n for n in (name, name.rpartition(".")[0]) if n in files]
            graph[module] |= {*targets[:1]} - {module}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as e:
        yield " ← ".join(e.args[1])


def test_modules_import_each_other_in_no_circle():
    holds(imports_in_a_circle, FRAMEWORK[:1])


def knows_how_runs_are_made(path, text):
    allowed = {
        "errors",
        "core.arrays",
        "core.directions",
        "core.seeds",
        "figures",
        "paths",
        "report",
        "shell",
        "storage",
    }
    names = {
        name.removeprefix("dlexp.")
        for name in imports(path, text, typing=True)
        if name.startswith("dlexp.")
    }
    for name in sorted(names):
        if not any(name == module or name.startswith(f"{module}.") for module in allowed):
            yield f"the report imports {name}"


def test_the_report_reads_runs_and_knows_nothing_of_how_they_are_made():
    report = [p for p in FRAMEWORK if package_of(p) == "report"]
    assert len(report) > 10
    holds(knows_how_runs_are_made, report)


def heavy_elsewhere(path, text):
    for name in imports(path, text):
        owners = HOMES.get(name.split(".")[0])
        if owners is not None and package_of(path) not in owners:
            yield f"{name} is imported outside {', '.join(sorted(owners))}"


def test_heavy_packages_are_imported_in_few_packages_only():
    holds(heavy_elsewhere, FRAMEWORK)


def imports_a_plugin(path, text):
    kinds = {p.parent.name for p in PLUGINS}
    for name in imports(path, text, typing=True):
        parts = name.split(".")
        if parts[0] == "plugins" or (
            parts[:2] == ["dlexp", "plugins"] and len(parts) > 2 and parts[2] in kinds
        ):
            yield f"imports the plugin {name}"


def test_the_framework_imports_no_plugin():
    holds(imports_a_plugin, FRAMEWORK)


# Names of shipped options that are words of the framework, too.
WORDS = {
    "none": "the absence of something",
    "constant": "dlexp.constant, an array of one value",
    "curves": "a figure of a report, and a section of MLflow's page",
    "histograms": "the arrays of that name in a run folder, from which a study draws",
    "normal": "a weight of a font",
    "path": "where a file is",
    "sigmoid": "an output that an objective declares",
    "step": "of training; a key of records",
    "table": "how a data set was prepared; a key of a saved network",
}


def names_an_option(path, text):
    presets = [p for p in (ROOT / "conf").glob("*/*.yaml") if p.parent.name != "experiment"]
    options = {p.stem for p in [*PLUGINS, *presets]} - {*WORDS}
    docstrings = {id(n.value) for n in nodes_of(text) if isinstance(n, ast.Expr)}
    for node in nodes_of(text):
        if isinstance(node, ast.Constant) and node.value in options and id(node) not in docstrings:
            yield f"line {node.lineno} names {node.value!r}: a kind declares what is needed"


def test_the_framework_names_no_plugin():
    # the kit tries plugins together with others of the catalogue
    holds(names_an_option, [p for p in FRAMEWORK if package_of(p) != "conformance"])


def test_every_word_that_is_a_plugins_name_too_is_used_as_another():
    used = {
        n.value
        for path in FRAMEWORK
        for n in nodes_of(text_of(path))
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    assert {*WORDS} <= used & {p.stem for p in PLUGINS}


def imports_what_no_plugin_may(path, text):
    import dlexp

    for name in imports(path, text, typing=True):
        parts = name.split(".")
        if parts[0] in ("hydra", "omegaconf", "mlflow", "plugins"):
            yield f"imports {name}"
        if parts[0] == "dlexp" and not (len(parts) == 2 and parts[1] in dlexp.__all__):
            yield f"{name} is not public"
    heavy = {"sklearn", "matplotlib", "scipy", "pandas", "tqdm", "urllib", "threadpoolctl"}
    for node in tree_of(text).body:
        names = (
            [a.name for a in node.names]
            if isinstance(node, ast.Import)
            else [getattr(node, "module", "")]
        )
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            late = [n for n in names if n.split(".")[0] in heavy]
            yield from (f"import {n} inside the method that needs it" for n in late)


def test_a_plugin_imports_the_top_level_names_of_dlexp_only():
    holds(imports_what_no_plugin_may, PLUGINS)


def test_importing_dlexp_is_light():
    code = "import sys, dlexp; print(*sorted(sys.modules))"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
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
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/"
    )
    assert re.fullmatch(r"#0072B2 \d+\.\d+\S* False\n", out.stdout)


def test_a_module_and_a_name_exported_beside_it_never_clash():
    import dlexp

    modules = {package_of(path) for path in FRAMEWORK} - {"__init__", "__main__"}
    assert not modules & (set(dlexp.__all__) - {"figures"})


def unsafe(path, text):
    for node in nodes_of(text):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("eval", "exec", "yaml.load", "pickle.load", "pickle.loads", "np.einsum"):
                yield called
            if re.match(
                r"np\.random\.(seed|rand|randn|normal|choice|permutation|shuffle)$", called
            ):
                yield called
            if {k.arg: ast.unparse(k.value) for k in node.keywords}.get("allow_pickle") == "True":
                yield f"{called} with allow_pickle"


def test_nothing_unsafe_stands_in_the_code():
    holds(unsafe, [*FRAMEWORK, *PLUGINS])


STATUS = "dlexp/storage/status.py"
NO_RECORDS = {  # files that may read JSON outside storage/: what they read is no record of ours
    "dlexp/core/identity.py": "the shipped table of known sources",
    "dlexp/conformance/every.py": "whether a plugin's fields survive JSON",
    "dlexp/conformance/reference.py": "what a file of references says of itself",
    "dlexp/data/tables/preparation.py": "a part of a network's file",
    "dlexp/report/__init__.py": "the text that it has just made",
    "dlexp/report/claims/tuning.py": "a level of an axis, which is a value as JSON says it",
    "dlexp/report/study_page.py": "the texts that it has just made",
    "dlexp/report/table.py": "levels of axes",
    "dlexp/report/words.py": "levels of axes",
    "dlexp/runs/records.py": "parameters, to have them as they are recorded",
    "dlexp/tracking/ui.py": "the answer of MLflow's server",
}


def spells_out_a_status(path, text):
    from dlexp.storage.status import Status

    if relative(path) == STATUS:
        return
    for node in nodes_of(text):
        if isinstance(node, ast.Constant) and node.value in {*Status}:
            yield f"line {node.lineno} says {node.value!r}: say Status.{node.value}"


def test_only_one_file_spells_out_how_a_run_can_stand():
    holds(spells_out_a_status, FRAMEWORK)


def reads_json_itself(path, text):
    if package_of(path) == "storage" or relative(path) in NO_RECORDS:
        return
    for node in nodes_of(text):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("json.loads", "json.load"):
            yield f"line {node.lineno} reads JSON: records of ours are read in storage/"


def test_records_on_the_disk_are_read_in_storage_only():
    holds(reads_json_itself, FRAMEWORK)
    unused = [name for name in NO_RECORDS if "json.loads" not in text_of(ROOT / name)]
    assert unused == [], "strike these from NO_RECORDS"


PLANTED = [
    (spells_out_a_status, "dlexp/runs/run.py", 'status = "FINISHED"'),
    (reads_json_itself, "dlexp/report/runs.py", "json.loads(path.read_text())"),
    (imports_upwards, "dlexp/errors.py", "from dlexp import cli"),
    (imports_upwards, "dlexp/config/build.py", "from dlexp.sweeps.space import Space"),
    (imports_upwards, "dlexp/new_package/new.py", ""),
    (
        imports_in_a_circle,
        "dlexp/sweeps/study_file.py",
        "def f():\n    from dlexp.sweeps import study",
    ),
    (
        imports_in_a_circle,
        "dlexp/core/fields.py",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import dlexp.core.kinds",
    ),
    (knows_how_runs_are_made, "dlexp/report/page.py", "from dlexp.core.trainer import Trainer"),
    (heavy_elsewhere, "dlexp/core/trainer.py", "def f():\n    import mlflow.tracking"),
    (imports_a_plugin, "dlexp/core/trainer.py", "from plugins.optimizer import adam"),
    (imports_a_plugin, "dlexp/core/trainer.py", "from dlexp.plugins.optimizer import adam"),
    (
        imports_what_no_plugin_may,
        "plugins/optimizer/adam.py",
        "from dlexp.core.trainer import Trainer",
    ),
    (imports_what_no_plugin_may, "plugins/optimizer/adam.py", "from omegaconf import OmegaConf"),
    (imports_what_no_plugin_may, "plugins/optimizer/adam.py", "import scipy.linalg"),
    (imports_what_no_plugin_may, "plugins/optimizer/adam.py", "from scipy import linalg"),
    (names_an_option, "dlexp/runs/replay.py", "shown = [o for o in all if o.name == 'progress']"),
    (names_an_option, "dlexp/runs/replay.py", "optimizer = {'heavy_momentum': 1}"),
    (unsafe, "dlexp/core/trainer.py", "eval('1')"),
    (unsafe, "dlexp/core/trainer.py", "np.random.seed(1)"),
    (unsafe, "dlexp/core/trainer.py", "np.load(f, allow_pickle=True)"),
]


def test_every_rule_finds_what_breaks_it():
    missed = [
        (rule.__name__, text) for rule, path, text in PLANTED if not list(rule(ROOT / path, text))
    ]
    assert missed == []
    assert not list(imports_upwards(ROOT / "dlexp/cli/main.py", "from dlexp import errors"))


def test_everything_public_is_documented_and_listed_once():
    import dlexp

    assert len(set(dlexp.__all__)) == len(dlexp.__all__)
    for name in dlexp.__all__:
        assert getattr(dlexp, name).__doc__ or name in ("Array", "Backward"), name
