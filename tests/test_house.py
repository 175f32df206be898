"""Tests of the house: imports run downwards between the floors and in no circle within one."""

import ast
import itertools
import re
from pathlib import Path

import pytest
from conftest import ROOT

import container_ocr

FLOORS = (  # from the ground up; within a floor that has wings, these too
    *("containers.basis", "containers.number", "containers.photo", "containers.data"),
    *("containers.pages", "florence", "commands", "container_ocr", "scripts"),
    *("demo.drawing", "demo.teaching", "demo", "measure"),
)
SCRIPTS = ("prepare_dataset", "finetune_florence", "batch_process")
PACKAGES = [
    ROOT / floor.replace(".", "/") for floor in FLOORS if (ROOT / floor.split(".")[0]).is_dir()
]
FILES = sorted(
    [
        *(ROOT / f"{name}.py" for name in ("container_ocr", *SCRIPTS)),
        *(file for package in PACKAGES for file in package.glob("*.py") if file.stem != "__init__"),
    ]
)
COUNTABLE = (
    *("photo", "image", "label", "file", "line", "number", "container", "window", "part", "row"),
    *("look", "step", "epoch", "error", "warning", "problem", "thread"),
)
PLURAL = re.compile(rf" (?:\S+ )?(?:{'|'.join(COUNTABLE)})e?s\b")
CONTAINER_OCR = ast.parse((ROOT / "container_ocr.py").read_text(encoding="utf-8"))
NOT_IN_CONTAINERS = {"torch", "transformers", "peft", "accelerate", "timm", "safetensors"}


def module_of(file: Path) -> str:
    """Return the name by which a file is imported: containers.photo.looks."""
    return ".".join(file.relative_to(ROOT).with_suffix("").parts)


def imports_of(file: Path) -> set[str]:
    """Return the modules that a file imports, at its top, late, or for its types alone."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{file}: a relative import hides where a name lives"
            found.add(node.module)
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = {module_of(file): file for file in FILES}
GRAPH = {name: imports_of(file) & MODULES.keys() - {name} for name, file in MODULES.items()}


def floor_of(module: str) -> int:
    """Return on which floor or wing a module stands, counted from the ground."""
    if module in SCRIPTS:
        return FLOORS.index("scripts")
    return FLOORS.index(module if module in FLOORS else module.rpartition(".")[0])


def test_no_import_runs_upwards_and_no_script_imports_a_script():
    wrong = [
        f"{MODULES[name].relative_to(ROOT)} imports {MODULES[other].relative_to(ROOT)}"
        for name in GRAPH
        for other in sorted(GRAPH[name])
        if floor_of(other) > floor_of(name) or {name, other} <= {*SCRIPTS}
    ]
    assert not wrong, "\n".join(wrong)


def test_no_import_runs_in_a_circle():
    below: dict[str, set[str]] = {}

    def visit(name: str, above: tuple[str, ...]) -> set[str]:
        assert name not in above, " imports ".join(
            str(MODULES[n].relative_to(ROOT)) for n in (*above[above.index(name) :], name)
        )
        if name not in below:
            below[name] = set().union(*(visit(other, (*above, name)) for other in GRAPH[name]))
        return below[name] | {name}

    for name in GRAPH:
        visit(name, ())
    assert "containers.number.iso6346" in below["batch_process"], "it has gone down to the ground"


@pytest.mark.parametrize("file", FILES, ids=module_of)
def test_a_file_is_short_and_says_what_it_is(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith('"""')
    assert len(lines) <= 300, f"{file}: {len(lines)} lines"


def test_a_test_file_is_about_one_thing_and_not_long():
    """What long ones have in common stands in a file of its own."""
    lengths = {
        file.relative_to(ROOT).as_posix(): len(file.read_text(encoding="utf-8").splitlines())
        for file in (ROOT / "tests").rglob("*.py")
    }
    assert not [name for name, lines in lengths.items() if lines > 400]


def test_the_ground_floor_knows_no_model():
    for name, file in MODULES.items():
        if name.startswith("containers."):
            heavy = {module.split(".")[0] for module in imports_of(file)} & NOT_IN_CONTAINERS
            assert not heavy, f"{file.relative_to(ROOT)} imports {', '.join(heavy)}"


def test_no_floor_below_the_commands_parses_a_flag():
    for name, file in MODULES.items():
        if name.startswith(("containers.", "florence.")):
            calls = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.Call)]
            called = {ast.unparse(call.func).split(".")[-1] for call in calls}
            assert not called & {"add_argument", "parse_args"}, file.relative_to(ROOT)


def test_no_floor_below_the_commands_names_a_flag_as_it_is_typed():
    """Its messages are read in Python too; a whole command, to be typed, names its script.

    The card of an adapter holds such commands, put together from their words.
    """
    for name, file in MODULES.items():
        if name.startswith(("containers.", "florence.")) and name != "florence.model_card":
            tree = ast.parse(file.read_text())
            prose = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            for node in ast.walk(tree):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    typed = re.search(r"--[a-z]", node.value) and ".py" not in node.value
                    assert not typed or id(node) in prose, f"{file}, line {node.lineno}"


@pytest.mark.parametrize("guide", ["docs/house.md", "docs/house.ko.md"])
def test_the_map_in_the_guide_names_every_room_and_no_other(guide):
    text = (ROOT / guide).read_text(encoding="utf-8")
    plan = text[text.index("measure/  ") : text.index("```", text.index("measure/  "))]
    for package in PACKAGES:
        rooms = {file.stem for file in package.glob("*.py")} - {"__init__"}
        name = package.relative_to(ROOT).as_posix()
        if name == "florence":
            rows = re.search(r"^florence/.*\n((?:  .*\n)+)", plan, re.MULTILINE)[1]
            named = [word for row in rows.splitlines() for word in row.split()[1:]]
        elif "/" in name:
            folder, _, wing = name.partition("/")
            row = re.search(rf"^{folder}/.*\n(?:  .*\n)*?  {wing}/ +(.*)\n", plan, re.MULTILINE)
            named = row[1].split()
        else:
            named = re.search(rf"^{name}/ +((?:\w+ )+) ", plan, re.MULTILINE)[1].split()
        assert sorted(named) == sorted(rooms), name
    wishes = re.findall(r"\| `(\S+\.py)` \|$", text, re.MULTILINE)
    assert len(wishes) >= 5
    assert all((ROOT / wish).is_file() for wish in wishes)


def test_the_public_names_are_the_contracts_and_nothing_else_is_handed_on():
    names = "ContainerOCR FinetunedContainerOCR Reading load_model find_numbers check_digit"
    assert set(container_ocr.__all__) == {*names.split(), "is_valid", "find_size_type"}
    assert all(hasattr(container_ocr, name) for name in container_ocr.__all__)
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        taken = {
            alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "container_ocr"
            for alias in node.names
        }
        own = {n.name for n in CONTAINER_OCR.body if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        assert taken <= own, f"{file} takes {taken - own} from where it does not live"


def miscounts(file: Path) -> list[str]:
    """Return what a file puts together as a number and a plural, and not by `counted`."""
    texts = [n for n in ast.walk(ast.parse(file.read_text())) if isinstance(n, ast.JoinedStr)]
    pairs = (pair for text in texts for pair in itertools.pairwise(text.values))
    return [
        f"{file}, line {value.lineno}: {{{ast.unparse(value.value)}}}{text.value}"
        for value, text in pairs
        if isinstance(value, ast.FormattedValue) and isinstance(text, ast.Constant)
        if PLURAL.match(text.value) and not is_never_one(value)
    ]


def is_never_one(value: ast.FormattedValue) -> bool:
    """Tell whether a value is a rate, shown with digits after a point, or a constant."""
    is_rate = value.format_spec is not None and "." in ast.unparse(value.format_spec)
    return is_rate or (isinstance(value.value, ast.Name) and value.value.id.isupper())


def test_one_photo_is_never_called_1_photos(tmp_path):
    bad = tmp_path / "bad.py"
    bad.write_text(
        'f"{len(a)} photos", f"{n:,} labelled images are here", f"{n:.1f} looks a minute"'
    )
    assert len(miscounts(bad)) == 2
    assert not [line for file in FILES for line in miscounts(file)]
