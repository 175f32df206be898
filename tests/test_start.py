"""Tests of what a script says where Python or a package that it needs is not there."""

import ast
import os
import subprocess
import sys

import pytest
from conftest import ROOT, error_line

from commands.start import python_problem

DEMO = ["demo/render.py", "demo/train.py"]
MEASURE = [
    f"measure/{name}.py"
    for name in ("benchmark", "calibrate", "evaluate", "flag_tables", "folds", "peers", "pictures")
]
TOOLS = ["tests/endurance.py"]
SCRIPTS = [*sorted(file.name for file in ROOT.glob("*.py")), *DEMO, *MEASURE, *TOOLS]
OF_PYTHON_3_9 = """
import runpy, sys
sys.version_info = (3, 9, 18, "final", 0)
sys.path.insert(0, sys.argv[2])
runpy.run_path(sys.argv[1], run_name="__main__")
"""


def typed(script: str) -> list[str]:
    """Return what to type for a script: its path, or `-m` where it is a module of a package."""
    if script in (*DEMO, *MEASURE):
        return ["-m", script.removesuffix(".py").replace("/", ".")]
    return [str(ROOT / script)]


def run_bare(*words: str, **environment: str) -> subprocess.CompletedProcess:
    """Run this Python, which finds this project, without the packages that are installed."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    return subprocess.run(
        [sys.executable, "-S", *words],
        capture_output=True,
        text=True,
        timeout=60,
        env=bare | {"PYTHONPATH": str(ROOT)} | environment,
    )


def test_every_script_that_asks_is_tried():
    asking = {
        file.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "demo/*.py", "measure/*.py", "tests/*.py")
        for file in ROOT.glob(pattern)
        if "import start\n" in file.read_text(encoding="utf-8")
    }
    assert asking == {*SCRIPTS}
    assert len(SCRIPTS) == 14


@pytest.mark.parametrize("script", SCRIPTS)
def test_without_the_packages_a_script_says_what_is_missing_and_what_to_type(script, here):
    done = run_bare(*typed(script), "--help")
    line = error_line(done.stderr)
    assert line.startswith("error: not installed: torch, transformers, ")
    folder = "demo" if script in DEMO else ""
    folder = "tests" if script in ("measure/pictures.py", *TOOLS) else folder
    name = f"{folder}/requirements.txt" if folder else "requirements_finetune.txt"
    shown = line.partition("pip install -r ")[2].strip('"')
    assert (here / shown).resolve() == ROOT / name
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_a_package_that_is_too_old_is_named_with_what_is_needed(here):
    package = here / "old/transformers-4.51.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Name: transformers\nVersion: 4.51.0\n")
    done = run_bare(str(ROOT / "batch_process.py"), PYTHONPATH=str(here / "old"))
    assert "not installed: torch, peft, " in error_line(done.stderr)
    assert "too old: transformers 4.51.0 (5.23 or newer): type " in error_line(done.stderr)


def test_of_many_processes_one_says_it():
    done = run_bare(str(ROOT / "finetune_florence.py"), RANK="1")
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("script", SCRIPTS)
def test_an_older_python_reads_a_script_as_far_as_the_line_that_refuses_it(script):
    packages = [f"{name}/__init__.py" for name in ("commands", "containers", "demo", "measure")]
    for file in (script, *packages, "commands/start.py"):
        ast.parse((ROOT / file).read_text(encoding="utf-8"), feature_version=(3, 7))
    done = run_bare("-c", OF_PYTHON_3_9, str(ROOT / script), str(ROOT))
    assert error_line(done.stderr).startswith("error: Python 3.11 or newer, this is 3.9.18: type ")
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


def test_this_python_and_newer_ones_will_do():
    assert not python_problem(sys.version_info[:3])
    assert not python_problem((3, 11, 0))
    assert not python_problem((4, 0, 0))
