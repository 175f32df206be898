"""What a confidence is worth: every number counts, and a limit is chosen on other sources."""

import json

from conftest import run, write_annotations


def test_calibration_counts_every_number_and_nothing_else(here):
    rows = [
        f"{i}.jpg\t{number}\t{status}\t{confidence}\t"
        for i, (number, status, confidence) in enumerate(
            [
                ("CSQU 305438 3", "ok", "0.000"),
                ("", "none", "0.000"),
                ("", "error: empty file", "0.000"),
                ("CSQU 305438 3", "ok", "0.050"),
            ]
        )
    ]
    made_by = "# batch_process.py: model x, review below 0, any owner"
    (here / "r.txt").write_text("\n".join([made_by, *rows, ""]))
    write_annotations(here / "annotations.json", {f"{i}.jpg": "CSQU 305438 3" for i in range(4)})
    done = run("measure.calibrate", "r.txt", cwd=here)
    assert "| 0.0-0.1 | 2 | 0.025 | 100.0 % |" in done.stdout, done.stderr


def test_the_limit_for_a_source_is_chosen_on_all_others(here):
    right, wrong = "CSQU 305438 3", "CSQU 305483 0"
    read = {"gate": [(right, 0.2), (right, 0.9)], "yard": [(wrong, 0.35), (right, 0.45)]}
    for source, readings in read.items():
        rows = [f"{source}{i}.jpg\t{number}\tok\t{p}\t" for i, (number, p) in enumerate(readings)]
        made_by = "# batch_process.py: model x, review below 0, any owner"
        (here / f"{source}.txt").write_text("\n".join([made_by, *rows, ""]))
        entries = [
            {"image_path": f"{source}{i}.jpg", "container_number": right, "source": source}
            for i in range(len(readings))
        ]
        (here / f"{source}.json").write_text(json.dumps({"images": entries}))
    words = "gate.txt", "yard.txt", "--annotation_file", "gate.json", "yard.json", "--by", "source"
    done = run("measure.calibrate", *words, cwd=here)
    assert done.stdout.splitlines()[-3:] == [
        "| gate | 2 | 100.0 % | 0.4 | 50.0 % (1) | 100.0 % |",  # the yard's wrong one has 0.35
        "| yard | 2 | 50.0 % | 0.1 | 100.0 % (2) | 50.0 % |",
        "| all | 4 | 75.0 % |  | 75.0 % (3) | 66.7 % |",
    ], done.stderr
