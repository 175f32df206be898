"""Tests of values that no flag can take: each is one line, before anything is read."""

from pathlib import Path

import pytest
from conftest import draw_photo, error_line

import batch_process
import container_ocr
import finetune_florence
import prepare_dataset
from containers.basis.files import free_name

SCRIPTS = {
    script.__name__: script
    for script in (prepare_dataset, finetune_florence, batch_process, container_ocr)
}
VALUES = [
    ("batch_process --output /", "/ is a folder: name a file in it"),
    ("batch_process --watch --output .", ". is a folder: name a file in it"),
    ("batch_process --output image/", "image/ is a folder: name a file in it"),
    ("batch_process --output 50%.txt", "50%.txt: %. is none of %Y %y %m %d %j %H %G %V; for a per"),
    ("batch_process --watch --output r_%d.csv", "2024-01-01 and 2024-02-01 would share a file"),
    ("batch_process --report loop", "loop: Too many levels of symbolic links"),
    ("batch_process --group_by a{99999999999}", "is no regular expression: "),
    (f"batch_process --group_by {3000 * '('}x{3000 * ')'}", "((('... is no regular expression: "),
    (f"batch_process {5000 * 'x'}", "File name too long"),
    ("prepare_dataset --annotation_file /", "/ is a folder: name a file in it"),
    ("prepare_dataset --annotation_file ..", ".. is a folder: name a file in it"),
    ("prepare_dataset --image_folder loop", "loop: Too many levels of symbolic links"),
    (f"prepare_dataset --output_dir {5000 * 'x'}", "File name too long"),
    ("prepare_dataset --output_dir a\0b", "a name holds no null character"),
    ("finetune_florence --lr 1e309", "1e309 is too large"),
    ("finetune_florence --lr x", "x is not above zero"),
    ("finetune_florence --lora_dropout x", "x is not at least 0 and below 1"),
    ("container_ocr -x.jpg", "-x.jpg begins like a flag: type ./-x.jpg"),
]


def typed(line: str, capsys) -> str:
    """Type a command that cannot work; return the line that says so."""
    script, *argv = line.split(" ")
    try:
        code = SCRIPTS[script].main(argv)
    except SystemExit as stop:
        code = stop.code
    assert code == 2
    return error_line(capsys.readouterr().err)


@pytest.mark.parametrize(("line", "said"), VALUES, ids=range(len(VALUES)))
def test_a_value_that_cannot_work_is_one_line(line, said, here, capsys):
    draw_photo(here / "image/a.jpg", "")
    draw_photo(here / "-x.jpg", "")
    (here / "loop").symlink_to("loop")
    assert said in typed(line, capsys)


@pytest.mark.parametrize("name", SCRIPTS)
def test_two_dashes_are_no_value_of_any_flag(name, here, capsys):
    for action in SCRIPTS[name].build_parser()._actions:
        if action.option_strings and action.nargs != 0:
            word = f"{action.option_strings[-1]}=--"
            assert word in typed(f"{name} a.jpg {word}", capsys)


def test_a_folder_without_a_name_has_free_names_beside_it(here):
    assert free_name(Path()) == f"../{here.name}-2"
    assert free_name(Path("/")).endswith("/new-2")
