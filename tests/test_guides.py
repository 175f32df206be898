"""The guides: every command works, every flag is named, every link and picture is there.

A guide is README.md or README.ko.md with its pages in docs/.
"""

import importlib
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from accelerate.commands.launch import launch_command_parser
from conftest import ROOT, paint
from peft import LoraConfig, get_peft_model
from PIL import Image
from test_commands import SCRIPTS
from transformers import Florence2ForConditionalGeneration

from containers.photo.looks import LOOKS

TOOLS = ["tests/endurance.py"]
MODULES = [
    "demo.render",
    "demo.train",
    "measure.benchmark",
    "measure.calibrate",
    "measure.evaluate",
    "measure.flag_tables",
    "measure.folds",
    "measure.peers",
    "measure.pictures",
]
GUIDES = ["README.md", "README.ko.md"]
KOREAN = ".ko.md"
PAGES = sorted(
    file.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "[!.]*/*.md")
    for file in ROOT.glob(pattern)
)
LARGEST, IN_ALL = 150_000, 500_000  # bytes of a picture, and of all of them


def pages_of(guide: str) -> list[str]:
    """Return the files of a guide: itself, then its pages."""
    korean = guide.endswith(KOREAN)
    below = [page for page in PAGES if page.startswith("docs/")]
    return [guide, *(page for page in below if page.endswith(KOREAN) == korean)]


def read_page(name: str) -> str:
    """Return the text of one file."""
    return (ROOT / name).read_text(encoding="utf-8")


def read_guide(name: str) -> str:
    """Return the text of a guide, its pages after it; of another file, that file's."""
    return "\n".join(map(read_page, pages_of(name) if name in GUIDES else [name]))


def commands_of(name: str) -> list[str]:
    """Return every command of a guide."""
    return commands_in(read_guide(name))


def commands_in(text: str) -> list[str]:
    """Return every command of a text: the lines of its bash blocks, and inline ones."""
    blocks = re.findall(r"```bash\n(.*?)```", text, flags=re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    inline = re.findall(
        r"`((?:python|pip|make|accelerate) [^`\n]+)`",
        re.sub(r"```.*?```", "", text, flags=re.DOTALL),
    )
    return [line for line in [*lines, *inline] if line.strip() and not line.startswith("#")]


def check_command(line: str) -> None:
    """Fail unless the command would be understood."""
    words = shlex.split(line, comments=True)
    if words[:2] == ["accelerate", "launch"]:
        launch = launch_command_parser().parse_args(words[2:])
        words = ["python", launch.training_script, *launch.training_script_args]
    if words[0] == "python":
        if words[1] == "-m":
            assert words[2] in MODULES, line
            importlib.import_module(words[2]).build_parser().parse_args(words[3:])
            return
        script = words[1].removesuffix(".py").removeprefix("tests/")
        assert words[1] in (*TOOLS, *(f"{name}.py" for name in SCRIPTS)), line
        importlib.import_module(script).build_parser().parse_args(words[2:])
    elif words[0] in ("python3", "source"):  # the environment, made and entered
        assert words[1:] in (["-m", "venv", ".venv"], [".venv/bin/activate"]), line
    elif words[0] == "pip":
        required = (ROOT / "requirements_finetune.txt").read_text()
        named = words[2:] if words[2] != "-r" else []
        assert words[1] == "install"
        assert (ROOT / words[3]).is_file() if not named else f"{named[0]}>=" in required
    else:
        assert words[0] == "make", f"unknown command: {line}"
        assert f"\n{words[1]}:" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("name", [*GUIDES, "demo/README.md"])
def test_every_command_of_the_guide_is_understood(name):
    commands = commands_of(name)
    assert len(commands) > (15 if name in GUIDES else 5)
    for line in commands:
        check_command(line)


def test_both_guides_have_the_same_commands_and_show_the_same_output():
    for pages in zip(*map(pages_of, GUIDES)):
        assert commands_in(read_page(pages[0])) == commands_in(read_page(pages[1])), pages
    plain = r"^```\n(.*?)^```$"
    shown = [re.findall(plain, strip_bash(name), flags=re.DOTALL | re.MULTILINE) for name in GUIDES]
    assert len(shown[0]) == 5
    assert shown[0] == shown[1]


def block_of(page: str, language: str) -> str:
    """Return the first block of a page that is in a language."""
    return re.search(rf"^```{language}\n(.*?)^```$", read_page(page), re.DOTALL | re.MULTILINE)[1]


@pytest.mark.parametrize("page", ["docs/report.md", "docs/report.ko.md"])
def test_the_lines_for_systemd_and_for_windows_start_a_command_that_is_understood(page):
    assert block_of(page, "ini") == block_of("docs/report.md", "ini")
    assert block_of(page, "bat") == block_of("docs/report.md", "bat")
    _, begun = re.search(r"^ExecStart=(\S+python) (.*)$", block_of(page, "ini"), re.M).groups()
    assert begun.count("%") == 2 * begun.count("%%") == 6, "% alone is systemd's own"
    check_command(f"python {begun.replace('%%', '%')}")
    typed = block_of(page, "bat").splitlines()[1].partition("python.exe ")[2].partition(" 2>>")[0]
    assert typed.replace("\\", "/") == begun, "% is written twice in a .cmd, too"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path):
    unit = block_of("docs/report.md", "ini")
    there = unit.replace("/srv/gate/.venv/bin/python", sys.executable)
    assert there != unit
    (tmp_path / "container-gate.service").write_text(there)
    command = ["systemd-analyze", "verify", str(tmp_path / "container-gate.service")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def strip_bash(name: str) -> str:
    """Return a guide without the blocks that name a language."""
    blocks = r"^```\w+\n.*?^```$"
    return re.sub(blocks, "", read_guide(name), flags=re.DOTALL | re.MULTILINE)


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_names_every_flag_and_no_other(name):
    launcher = {option for x in launch_command_parser()._actions for option in x.option_strings}
    flags = {"--help"}
    for script in SCRIPTS:
        for action in importlib.import_module(script).build_parser()._actions:
            flags |= {option for option in action.option_strings if option.startswith("--")}
    named = set(re.findall(r"--[a-z][a-z_-]+", read_guide(name)))
    launched = re.findall(r"^accelerate launch .*\.py", read_guide(name), flags=re.MULTILINE)
    used = set(re.findall(r"--[a-z][a-z_-]+", " ".join(launched)))
    assert used <= launcher
    assert named - used == flags


@pytest.mark.parametrize("name", GUIDES)
def test_the_guide_begins_with_the_demo(name):
    assert "```bash" in read_guide(name).splitlines()[:19]
    assert commands_of(name)[0] == "make demo"


def anchors_of(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"```.*?```", "", read_page(page), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_the_links_of_a_page_lead_to_files_and_headings(page):
    for target in re.findall(r"\]\(([^)]+)\)", read_page(page)):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        file = (ROOT / page).parent / path if path else ROOT / page
        assert file.exists(), target
        if anchor:
            assert anchor in anchors_of(file.resolve().relative_to(ROOT).as_posix()), target


@pytest.mark.parametrize("guide", GUIDES)
def test_the_guide_leads_to_each_of_its_pages(guide):
    linked = re.findall(r"\]\((docs/[^)#]+\.md)", read_page(guide))
    assert set(linked) == set(pages_of(guide)[1:])


def test_each_page_has_its_twin_in_the_other_language():
    english, korean = map(pages_of, GUIDES)
    assert len(english) > 5
    assert [page.removesuffix(".md") for page in english] == [
        page.removesuffix(KOREAN) for page in korean
    ]
    for one, other in zip(english, korean):
        levels = [re.findall(r"^(#+) ", read_page(page), re.MULTILINE) for page in (one, other)]
        assert levels[0] == levels[1], f"{one} and {other} have other headings"


@pytest.mark.parametrize("guide", GUIDES)
def test_the_pictures_of_the_guide_are_small_and_described(guide):
    shown = re.findall(r"!\[(.*?)\]\((.+?)\)", read_page(guide))
    assert len(shown) == 4
    for words, path in shown:
        assert len(words) > 40, path
        assert (ROOT / path).stat().st_size <= LARGEST
        with Image.open(ROOT / path) as picture:
            picture.verify()


def test_every_picture_is_shown_and_all_are_small():
    shown = re.findall(r"!\[.*?\]\((.+?)\)", "".join(map(read_page, GUIDES)))
    there = list(Path(ROOT, "docs/pictures").iterdir())
    assert {file.relative_to(ROOT).as_posix() for file in there} == set(shown)
    assert sum(file.stat().st_size for file in there) <= IN_ALL


@pytest.mark.parametrize("name", GUIDES)
def test_the_python_of_the_guide_runs(name, here, taught_model):
    base = Florence2ForConditionalGeneration.from_pretrained(taught_model)
    lora = LoraConfig(r=2, target_modules=["q_proj"])
    get_peft_model(base, lora).save_pretrained("florence-container-lora")
    paint(here / "photo.jpg", "red")
    (example,) = re.findall(r"```python\n(.*?)```", read_guide(name), flags=re.DOTALL)
    names = {}
    exec(example, names)
    assert names["reading"].number == "CSQU 305438 3"
    assert names["find_numbers"]("MAERSK MSKU 123456 5 45G1") == ["MSKU1234565"]
    words = names["find_size_type"]("MAERSK MSKU 123456 5 45G1").words
    assert words == "40 ft, high cube, general purpose"


def test_the_test_command_is_the_one_that_ci_runs():
    ci = (ROOT / ".ci/run").read_text().splitlines()
    assert ci[-1] == "make test"
    assert ci[-1] in commands_of("README.md")


@pytest.mark.parametrize("guide", GUIDES)
def test_the_first_page_tells_the_figure_of_the_table(guide):
    row = rf"^\| {LOOKS} \| (\d+\.\d %) \|"
    (exact,) = re.findall(row, read_guide(guide), flags=re.MULTILINE)
    assert re.search(r"186\D+([\d.]+ %)", read_page(guide))[1] == exact
