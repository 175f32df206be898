"""Every documented flag runs, over photos and the model that ship."""

import importlib
import json
import re
import shlex
import shutil
import socket
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from accelerate.state import AcceleratorState
from conftest import ROOT, rows_of, type_until
from huggingface_hub import constants
from test_commands import SCRIPTS

from containers.data.results import read_results

PHOTOS = ("000002_BACK_1", "000004_LEFT_2", "000006_BACK_2")  # of three containers, soon read
COMMIT = "5" * 40
# an id has revisions
SMALL = f"--model us/small --revision {COMMIT} --finder none --device cpu --dtype fp32"
TRAIN = (
    "finetune_florence --train set/train.json --val set/val.json --output lora SMALL --epochs 2 "
    "--batch_size 1 --lr 1e-5 --lora_targets decoder --lora_rank 2 --lora_alpha 4 "
    "--lora_dropout 0.1 --gradient_accumulation 2 --augment --views 2 --looks 1 --patience 1 "
    "--max_steps 1 --seed 3 --report_to tensorboard"
)
RUNS = {  # in order: what the later ones need is made by the earlier ones
    "template": "prepare_dataset --mode create_template --image_folder ./image --annotation_file a",
    "label": "prepare_dataset --mode label --annotation_file a --port PORT --suggest SMALL",
    "prepare": "prepare_dataset --mode prepare --annotation_file a --output_dir set --strict "
    "--seed 3",
    "train": f"{TRAIN} --overwrite --no-cache",
    "train on": f"{TRAIN} --resume --cache",
    "check": "prepare_dataset --mode check --annotation_file a --prune --lora_path lora SMALL",
    "read": "batch_process ./image --output r.csv --lora_path lora SMALL --batch_size 2 --looks 1 "
    "--review_below 0.4 --owner_codes owners --only_owner_codes --group_by --report page.html "
    "--annotation_file a --columns image,container_number,status,confidence",
    "watch": "batch_process ./image --output w.txt SMALL --no-second_look --watch --resume",
    "review": "batch_process --review w.txt --to_labels --annotation_file a --port PORT",
    "compare": "batch_process --compare r.csv w.txt --annotation_file a",
    "one": f"container_ocr image/{PHOTOS[0]}.jpg --json --lora_path lora SMALL --review_below 0.4 "
    "--looks 1 --owner_codes owners --only_owner_codes",
    "old": f"container_ocr image/{PHOTOS[0]}.jpg --no-second_look SMALL",
}

# What this file need not type, since another's tests type it, over the samples.
ELSEWHERE = {"--check_model": 'main(["--check_model", "--model", SMALL'}


def options_in(text: str) -> set[str]:
    """Return the flags that a text names."""
    return {*re.findall(r"--[a-z][a-z_-]*", text)} - {"--help"}


def typed(script: str) -> set[str]:
    """Return the flags of a script that a run of this file types."""
    lines = [line for line in RUNS.values() if line.startswith(f"{script} ")]
    return options_in(" ".join(lines).replace("SMALL", SMALL))


@pytest.mark.parametrize("script", SCRIPTS)
def test_no_flag_of_a_script_is_left_untyped(script):
    parser = importlib.import_module(script).build_parser()
    flags = options_in(" ".join(o for action in parser._actions for o in action.option_strings))
    others = flags & ELSEWHERE.keys()
    assert flags == typed(script) | others
    tests = (ROOT / "tests/florence/test_model_check.py").read_text(encoding="utf-8")
    assert all(ELSEWHERE[flag] in tests for flag in others)


@pytest.fixture
def shipped(here, monkeypatch) -> None:
    """Put some of the samples here, and the model that ships into the hub's cache, as `SMALL`."""
    (here / "image").mkdir()
    for name in PHOTOS:
        shutil.copy(ROOT / f"image/{name}.jpg", here / "image")
    snapshots = here / "hub/models--us--small/snapshots"
    snapshots.mkdir(parents=True)
    shutil.copytree(ROOT / "small_model", snapshots / COMMIT)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(here / "hub"))
    (here / "owners").write_text("CSQU\n")


def run(name: str, port: int = 0, until: Callable[[], bool] | None = None) -> int:
    """Type a run in this process, and Ctrl-C where `until` says so; return its exit code."""
    AcceleratorState._reset_state(reset_partial_state=True)
    script, *argv = shlex.split(RUNS[name].replace("SMALL", SMALL).replace("PORT", str(port)))
    main = importlib.import_module(script).main
    return type_until(until, main, argv) if until else main(argv)


def label_all(name: str) -> None:
    """Write down what is painted on the samples, as somebody would by hand."""
    shipped = json.loads((ROOT / "demo/annotations.json").read_text())["images"]
    painted = {row["image_path"]: row["container_number"] for row in shipped}
    data = json.loads(Path(name).read_text())
    for row in data["images"]:
        row["container_number"] = painted[row["image_path"]]
    Path(name).write_text(json.dumps(data))


def answers(port: int) -> bool:
    """Tell whether a server answers at a port, if only that it wants its token."""
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_every_flag_runs_over_the_samples(shipped, capsys):
    assert run("template") == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert run("label", port, lambda: answers(port)) == 0
    suggested = [row["suggestion"] for row in json.loads(Path("a").read_text())["images"]]
    assert all(f"us/small at {COMMIT[:12]}" in seen["made_by"] for seen in suggested)
    label_all("a")
    assert run("prepare") == 0
    assert run("train") == run("train on") == 0
    assert "resumed from lora/checkpoint-1: 1 epoch done" in capsys.readouterr().err
    Path("image", f"{PHOTOS[2]}.jpg").rename("away.jpg")
    assert run("check") == 0
    assert len(json.loads(Path("a").read_text())["images"]) == 2
    assert run("read") == 0
    assert {r.reading.status for r in read_results(Path("r.csv"))[1]} <= {"review", "none"}
    assert len(read_results(Path("r_grouped.csv"))[1]) == 2
    assert "<!DOCTYPE html>" in Path("page.html").read_text()
    partial = Path("w.txt.partial")
    assert run("watch", 0, lambda: partial.exists() and len(rows_of(str(partial))) == 2) == 0
    assert run("review", port, lambda: answers(port)) == 0
    assert run("compare") == 0
    capsys.readouterr()
    assert run("one") == run("old") == 0
    line, *_ = capsys.readouterr().out.splitlines()
    assert json.loads(line)["image"] == f"image/{PHOTOS[0]}.jpg"
