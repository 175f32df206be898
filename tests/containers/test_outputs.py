"""Tests of the files that a command may write: none twice, and none that is not ours."""

from pathlib import Path

import pytest
from conftest import (
    NUMBER,
    OTHER,
    ROOT,
    draw_photo,
    error_line,
    labelled,
    prepare,
    write_annotations,
)

import batch_process
import finetune_florence
from containers.basis.errors import UserError
from containers.basis.locks import only_writer
from containers.data.result_file import MADE_BY

CONFIG = "config.json"
RESULTS = f"{MADE_BY}: old results\n"


@pytest.mark.parametrize(
    ("flags", "links", "said"),
    [
        (["--output", "r.txt", "--report", "r.html"], {"r.html": "r.txt"}, "the file of --output"),
        (["--report", "r.html"], {"r.html": "results_base.txt.partial"}, "the file of --output"),
        (
            ["--group_by", "--report", "r.html"],
            {"r.html": "results_base_grouped.txt"},
            "the file of --group_by",
        ),
        (["--group_by"], {"results_base_grouped.txt": "results_base.txt"}, "the file of --output"),
        (["--report", "r.html", "--annotation_file", "r.html"], {}, "--annotation_file, too"),
        (["--output", "o.txt", "--owner_codes", "o.txt"], {}, "the file of --owner_codes"),
        (["--compare", "r.txt", "--report", "r.html"], {"r.html": "r.txt"}, "file of --compare"),
    ],
)
def test_two_outputs_that_are_one_file_are_refused_before_anything_is_read(
    flags, links, said, here, capsys
):
    draw_photo(here / "image/a.jpg", "")
    Path("r.txt").write_text(RESULTS)
    for name, place in links.items():
        Path(name).symlink_to(place)
    assert batch_process.main(flags) == 2
    assert said in error_line(capsys.readouterr().err)
    assert Path("r.txt").read_text() == RESULTS


def test_labels_are_not_replaced_by_the_split_made_of_them(here, capsys):
    Path("dataset").mkdir()
    path = write_annotations(here / "dataset/train.json", labelled(NUMBER, OTHER))
    before = path.read_bytes()
    assert prepare("--annotation_file", "dataset/train.json") == 2
    assert "--output_dir dataset/train.json is the file of" in error_line(capsys.readouterr().err)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("flags", "name"),
    [
        (["--output", "r.txt"], "r.txt"),
        (["--output", "r.txt"], "r.txt.partial"),
        (["--output", "r.txt", "--resume"], "r.txt.partial"),
        (["--output", "r.txt", "--group_by"], "r_grouped.txt"),
        (["--report", "r.html"], "r.html"),
    ],
)
def test_a_file_that_is_not_ours_is_not_replaced_by_results(flags, name, here, capsys):
    draw_photo(here / "image/a.jpg", "")
    Path(name).write_text("my own notes\n, a line of which is not whole")
    model = ["--model", str(ROOT / "small_model"), "--device", "cpu"]
    assert batch_process.main([*flags, *model]) == 2
    assert f"{name} is no" in error_line(capsys.readouterr().err)
    assert Path(name).read_text() == "my own notes\n, a line of which is not whole"


@pytest.mark.parametrize("name", ["train.json", "val.json"])
def test_a_file_that_is_not_ours_is_not_replaced_by_a_split(name, here, capsys):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    Path("dataset").mkdir()
    Path("dataset", name).write_text('{"epochs": 10}')
    assert prepare() == 2
    assert f"dataset/{name} is no list of photos" in error_line(capsys.readouterr().err)
    assert Path("dataset", name).read_text() == '{"epochs": 10}'
    Path("dataset", name).write_text("")
    assert prepare() == prepare() == 0


@pytest.mark.parametrize("name", ["README.md", "tokenizer.json", "train_log.jsonl", CONFIG])
@pytest.mark.parametrize("flag", ["--overwrite", "--resume"])
def test_an_adapter_is_not_written_over_others_files(name, flag, here, capsys):
    Path("base").mkdir()
    Path("base", name).write_text("{}")
    model = ["--model", str(ROOT / "small_model"), "--device", "cpu"]
    assert finetune_florence.main(["--output", "base", flag, *model]) == 2
    assert f"--output base holds a {'model' if name == CONFIG else name}" in error_line(
        capsys.readouterr().err
    )


def test_the_lists_of_photos_are_not_replaced_by_a_log(here, capsys):
    (here / "out").mkdir()
    (here / "out/train_args.json").write_text('{"lora_targets": "language"}')
    model = ["--model", str(ROOT / "small_model"), "--device", "cpu"]
    flags = ["--output", "out", "--train", "out/train_log.jsonl"]
    assert finetune_florence.main([*flags, *model]) == 2
    assert "--output out/train_log.jsonl is the file of --train" in error_line(
        capsys.readouterr().err
    )


def test_a_file_in_the_place_of_a_lock_is_not_emptied(here):
    mark = Path(".r.txt.lock")
    mark.write_text("my own notes")
    with pytest.raises(UserError, match="move it away"), only_writer("r.txt"):
        pass
    assert mark.read_text() == "my own notes"
