"""Tests of the files that a command may write: none twice, and none that is not ours."""

from pathlib import Path

import pytest
from conftest import NUMBER, OTHER, draw_photo, error_line, labelled, prepare, write_annotations

import batch_process
from containers.results import MADE_BY

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
