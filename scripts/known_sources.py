"""Write dlexp/core/known_sources.json: which code gave which numbers.

    python scripts/known_sources.py                        lists what is missing
    python scripts/known_sources.py --same optimizer/adam  this file changed, its numbers did not:
                                                           runs of the old code count as its runs
    python scripts/known_sources.py --other optimizer/adam its numbers changed: runs of the old code
                                                           are runs of other code
    python scripts/known_sources.py --history 1 7c54196 1ef35bb
                                                           these commits have NUMERICS 1, and
                                                           their plugins give today's numbers

Runs of 7c54196 and 1ef35bb recorded the digests of files and no NUMERICS; `--history` is for them.
"""

import argparse
import hashlib
import json
import subprocess
from pathlib import Path

from dlexp.plugins.code_digest import SHORT, code_digest

HOME = Path(__file__).resolve().parents[1]
FILE = HOME / "dlexp" / "core" / "known_sources.json"
# dlexp's own files that a run of those commits may have listed
LISTED = """arrays cells columns dataset delimited directions experiment filedata headers idx kinds
    layers loss network params parquet pieces preparation problem registry stopping surface
    synthetic tabledata tables trainer"""


def sha256(content):
    """The digest of a file's bytes, as a run records it."""
    return hashlib.sha256(content).hexdigest()[:SHORT]


def git(*words):
    """What git answers, in bytes."""
    return subprocess.run(["git", *words], cwd=HOME, capture_output=True, check=True).stdout


def shipped():
    """The files of the shipped plugins that can change a number, by their short names."""
    files = sorted((HOME / "plugins").glob("*/[!_]*.py"))
    return {
        f"{f.parent.name}/{f.name}": f.read_bytes() for f in files if f.parent.name != "observer"
    }


def add(known, name, *digests):
    """Add one line for each file; runs are recognized by the first digest."""
    known[name] = " ".join(dict.fromkeys([*known.get(name, "").split(), *digests]))


def add_history(known, numerics, commits):
    """Add the files of these commits, and their plugins as equal to today's."""
    framework = known["framework"].setdefault(numerics, {})
    for commit in commits:
        listed = {f"dlexp/{name}.py" for name in LISTED.split()}
        for path in (
            git("ls-tree", "-r", "--name-only", commit, "dlexp", "plugins").decode().split()
        ):
            content = git("show", f"{commit}:{path}")
            name = path.removeprefix("plugins/")
            if path in listed:
                add(framework, path, sha256(content))
            elif name in shipped():
                add(known["plugins"], name, code_digest(content), sha256(content))


def unknown(known):
    """The plugins whose code differs from the table; of the others, the bytes' digest is added.

    A file that is known by its bytes need not be parsed. A plugin that the table does not name is
    new: nothing needs a decision.
    """
    for name, content in shipped().items():
        if name not in known["plugins"]:
            continue
        if code_digest(content) in known["plugins"][name]:
            add(known["plugins"], name, sha256(content))
        else:
            yield name


def main():
    """Run the command line, and name what is left to decide."""
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--same", nargs="+", default=[])
    parser.add_argument("--other", nargs="+", default=[])
    parser.add_argument("--history", nargs="+", default=[])
    args = parser.parse_args()
    known = json.loads(FILE.read_text()) if FILE.exists() else {"framework": {}, "plugins": {}}
    if args.history:
        add_history(known, args.history[0], args.history[1:])
    for name in (f"{name.removesuffix('.py')}.py" for name in [*args.same, *args.other]):
        content = shipped()[name]
        if name.removesuffix(".py") in args.other:
            known["plugins"].pop(name, None)
        add(known["plugins"], name, code_digest(content))
    for name in unknown(known):
        print(f"{name} was changed: --same {name[:-3]} or --other {name[:-3]}")
    FILE.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
