"""Tests of an adapter's model card: what it says is so."""

import json
import re
import shlex
from pathlib import Path

import yaml
from conftest import TAUGHT, draw_photo, log_of, paint, train

import finetune_florence


def card_of(folder: str) -> str:
    """Return the card in an adapter's folder."""
    return Path(folder, "README.md").read_text(encoding="utf-8")


def block(card: str, language: str, place: int = 0) -> str:
    """Return one of a card's blocks of code."""
    return re.findall(rf"```{language}\n(.*?)```", card, flags=re.DOTALL)[place]


def test_the_card_tells_data_scores_and_the_command(data, tiny_model):
    assert train(data, "--epochs", "3", "--output", "out", "--no-cache", "--seed", "7") == 0
    card = card_of("out")
    head = yaml.safe_load(card.split("---\n")[1])
    assert head == {"library_name": "peft", "tags": ["lora", "florence-2", "ocr"]}
    assert f"A LoRA adapter for `{tiny_model}`" in card
    assert "| training | 6 | 1 | `dataset/train.json` |" in card
    assert "| validation | 2 | 1 | `dataset/val.json` |" in card
    assert "It was taught whole photos." in card
    best = min(log_of("out"), key=lambda record: record["eval_loss"])
    assert f"The adapter in this folder is that of epoch {best['epoch']}," in card
    rows = re.findall(r"^\| (\**\d+\**) \| (\S+) \| (\S+) \|", card, flags=re.MULTILINE)
    assert [row[0].strip("*") for row in rows] == ["1", "2", "3"]
    assert [row[0] for row in rows if "*" in row[0]] == [f"**{best['epoch']}**"]
    losses = [float(row[2].strip("*")) for row in rows]
    assert losses == [round(record["eval_loss"], 4) for record in log_of("out")]
    python, script, *flags = shlex.split(block(card, "bash"))
    assert (python, script) == ("python", "finetune_florence.py")
    args = vars(finetune_florence.build_parser().parse_args(flags))
    assert args == json.loads(Path("out/train_args.json").read_text())
    assert "--seed 7" in card
    assert "--no-cache" in card


def test_the_python_of_the_card_reads_a_photo_with_plain_peft(data, taught_model, capsys):
    """The adapter changes next to nothing in a model that knows what each colour says."""
    flags = ("--model", str(taught_model), "--lr", "1e-9", "--epochs", "1", "--output", "my lora")
    assert train(data, *flags) == 0
    paint(Path("photo.jpg"), "green")
    capsys.readouterr()
    exec(block(card_of("my lora"), "python"), {})
    assert capsys.readouterr().out.strip() == TAUGHT["green"]


def test_a_base_in_microsofts_layout_is_loaded_as_it_must_be(data, microsoft, capsys):
    flags = [*data, "--model", str(microsoft), "--epochs", "1", "--output", "out"]
    assert train(flags) == 0
    draw_photo(Path("photo.jpg"), "")
    code = block(card_of("out"), "python")
    assert "from container_ocr import load_model" in code
    exec(code, {})


def test_windows_and_a_hub_id_are_named(data, tiny_model, monkeypatch):
    hub = "florence-community/Florence-2-large"
    for module in ("finetune_florence", "florence.training", "florence.loading"):
        monkeypatch.setattr(f"{module}.fetch_model", lambda *_: tiny_model)
    flags = [*data[2:-1], "2", "--epochs", "1", "--output", "out"]  # so many looks
    assert train(flags) == 0
    assert yaml.safe_load(card_of("out").split("---\n")[1])["base_model"] == hub
    assert f"from_pretrained('{hub}')" in card_of("out")
    photos, parts = re.search(
        r"training \| (\d) (?s:.*) taught what shows the number: (\d+) parts", card_of("out")
    ).groups()
    assert 1 <= int(photos) <= 6
    assert int(parts) >= int(photos)
