"""Names of files: of any letters in any locale, and found again from any folder."""

import os
import shutil
import subprocess
import sys

import pytest

from dlexp.cli.main import main

PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
RUN = (
    "data=csv",
    "data.path=表/花.csv",
    "epochs=1",
    "batch_size=10",
    "model.hidden=[5]",
    "observer=none",
    "tracking=none",
)


@pytest.fixture
def flowers(in_tmp):
    """A table with Chinese letters in its name and in the names of its columns."""
    rows = "".join(f"{i},{-i},{'紅' if i % 2 else '白'},{i}\n" for i in range(40))
    (in_tmp / "表").mkdir()
    (in_tmp / "表/花.csv").write_text("a,b,標籤,c\n" + rows, encoding="utf-8")
    return in_tmp


def test_chinese_names_of_files_and_columns_are_found_in_a_locale_without_such_letters(flowers):
    def done(*words):
        command = [sys.executable, "-m", "dlexp", *words]
        return subprocess.run(command, env=os.environ | PLAIN, capture_output=True, check=False)

    trained = done(*RUN, "data.label=標籤")
    assert trained.returncode == 0, trained.stderr
    again = done("replay", "last")
    assert again.returncode == 0, again.stderr
    assert main(["replay", "last"]) == 0, "nor does it matter to whom the run was recorded"


def test_a_run_finds_its_data_from_any_folder(flowers, capsys, monkeypatch):
    assert main([*RUN, "data.label=標籤"]) == 0
    (folder,) = (flowers / "outputs/runs").iterdir()
    elsewhere = flowers / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert main(["replay", str(folder)]) == 0
    shutil.rmtree(flowers / "表")
    capsys.readouterr()
    assert main(["replay", str(folder)]) == 2
    place = f"({folder.name}/config.yaml)"
    assert (
        f"data.path={flowers}/表/花.csv {place}: there is no folder {flowers}/表\n"
        in capsys.readouterr().err
    )


def test_a_run_is_fetched_from_mlflow_without_a_word(in_tmp, capfd):
    assert main(["epochs=1", "model.hidden=[5]", "observer=none"]) == 0
    (folder,) = (in_tmp / "outputs/runs").iterdir()
    (run,) = [
        line for line in capfd.readouterr().out.splitlines() if line.startswith("MLflow    run ")
    ]
    shutil.rmtree(folder)
    assert (
        subprocess.run(
            [sys.executable, "-m", "dlexp", "replay", run.split()[-1]], check=False
        ).returncode
        == 0
    )
    message = capfd.readouterr()
    assert message.out.startswith("same      3 records")
    assert message.err == ""
