"""Training learns, freezes, repeats, stops, resumes; its adapter is plain peft's."""

import json
import os
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate.state import AcceleratorState
from conftest import draw_photo, error_line, run
from PIL import Image, ImageChops
from safetensors.torch import load_file
from transformers import Florence2ForConditionalGeneration

import container_ocr
import finetune_florence
from container_ocr import (
    ContainerOCR,
    FinetunedContainerOCR,
    Reading,
    load_model,
    prepare_inputs,
)
from finetune_florence import (
    READABLE_OPERATIONS,
    Progress,
    Trainer,
    augment,
    train_mode,
)

NUMBER, OTHER = "CSQU 305438 3", "HLXU 200841 9"


@pytest.fixture
def data(here, tiny_model):
    """Draw six training photos of one container and two of another; return the flags to train."""
    AcceleratorState._reset_state(reset_partial_state=True)  # as in a process of its own
    for name, number, count in (("train", NUMBER, 6), ("val", OTHER, 2)):
        rows = []
        for view in range(count):
            image = draw_photo(here / f"image/{name}{view}.jpg", f"{number} {view}")
            row = {"image": str(image.relative_to(here)), "prefix": "<OCR>", "suffix": number}
            rows.append(row)
        path = here / f"dataset/{name}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(rows))
    model = ["--model", str(tiny_model), "--device", "cpu", "--dtype", "fp32"]
    return [*model, "--lr", "1e-2", "--lora_rank", "4"]


def train(flags, *more: str) -> int:
    """Run the script with its defaults but for a tiny model and few epochs."""
    return finetune_florence.main([*flags, *more])


def log_of(folder: str) -> list[dict]:
    """Return the epochs' records."""
    return [json.loads(line) for line in Path(folder, "train_log.jsonl").read_text().splitlines()]


def weights_of(folder: str) -> dict[str, torch.Tensor]:
    """Return the adapter's tensors."""
    return load_file(Path(folder, "adapter_model.safetensors"))


def assert_same_weights(one: str, other: str) -> None:
    """Fail unless two folders hold the same adapter, bit for bit."""
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        torch.testing.assert_close(tensor, second[name], rtol=0, atol=0)


def test_a_tuned_model_reads_what_it_was_taught_and_the_base_does_not(data, tiny_model, capsys):
    shutil.copy("dataset/train.json", "dataset/val.json")
    assert train(data, "--epochs", "12", "--output", "adapter") == 0
    out, err = capsys.readouterr()
    lines = [line for line in out.splitlines() if line.startswith("Epoch ")]
    assert len(lines) == 12
    first, last = log_of("adapter")[0], log_of("adapter")[-1]
    assert lines[0].startswith(f"Epoch 1: eval_loss: {first['eval_loss']:.4f} exact_match: ")
    assert last["eval_loss"] < first["eval_loss"]
    assert last["exact_match"] == 1
    assert last["character_error_rate"] == 0
    assert f"Best: epoch {min(log_of('adapter'), key=lambda r: r['eval_loss'])['epoch']}" in out
    assert "trainable parameters: " in err
    tuned = FinetunedContainerOCR("adapter", device="cpu", dtype="fp32").read("image/train0.jpg")
    assert (tuned.number, tuned.is_valid) == (NUMBER, True)
    base = container_ocr.ContainerOCR(str(tiny_model), device="cpu", dtype="fp32").read(
        "image/train0.jpg"
    )
    assert base.number != NUMBER


def test_the_output_folder_loads_with_plain_peft_and_transformers(data, tiny_model):
    from peft import PeftModel
    from transformers import AutoProcessor

    assert train(data, "--epochs", "2", "--output", "adapter") == 0
    base = Florence2ForConditionalGeneration.from_pretrained(tiny_model)
    plain = PeftModel.from_pretrained(base, "adapter").eval()
    processor = AutoProcessor.from_pretrained("adapter")
    inputs = prepare_inputs(processor, [Image.new("RGB", (9, 9))], [NUMBER])
    ours, _ = load_model(tiny_model, "adapter", device="cpu", dtype="fp32")
    with torch.inference_mode():
        torch.testing.assert_close(ours(**inputs).logits, plain(**inputs).logits)
    names = {path.name for path in Path("adapter").iterdir()}
    assert {"train_args.json", "train_log.jsonl", "adapter_config.json"} <= names
    assert json.loads(Path("adapter/train_args.json").read_text())["lora_rank"] == 4


def make_trainer(data, *more: str) -> Trainer:
    """Return a trainer that has not begun."""
    args = finetune_florence.build_parser().parse_args([*data, "--output", "adapter", *more])
    rows = [finetune_florence.read_examples("--x", f"dataset/{n}.json") for n in ("train", "val")]
    return Trainer(args, *rows)


TARGETS = {
    "decoder": {"q_proj": 2, "k_proj": 2, "v_proj": 2, "out_proj": 2, "fc1": 1, "fc2": 1},
    "language": {"q_proj": 3, "k_proj": 3, "v_proj": 3, "out_proj": 3, "fc1": 2, "fc2": 2},
    "all": {"q_proj": 3, "k_proj": 3, "v_proj": 3, "out_proj": 3, "fc1": 10, "fc2": 10}
    | {"qkv": 8, "proj": 8},  # one spatial and one channel block in each of four stages
}


@pytest.mark.parametrize("targets", TARGETS)
def test_lora_hits_the_modules_of_its_target_and_says_how_many(targets, data, capsys):
    trainer = make_trainer(data, "--lora_targets", targets)
    said = capsys.readouterr().err
    for layer, count in TARGETS[targets].items():
        assert sum(map(int, re.findall(rf"\b(\d+) {layer}\b", said))) == count
    trained = [n for n, p in trainer.model.named_parameters() if p.requires_grad]
    assert len(trained) == 2 * sum(TARGETS[targets].values())
    assert all(".lora_" in name for name in trained)
    if targets != "all":
        assert all(
            f".{'decoder' if targets == 'decoder' else 'language_model'}." in n for n in trained
        )


def test_a_target_that_matches_no_module_is_an_error(data, monkeypatch, capsys):
    targets = {"language": {"language_model": ("q_proj", "o_proj")}}
    monkeypatch.setattr(finetune_florence, "LORA_TARGETS", targets)
    assert train(data, "--epochs", "1") == 1
    assert "o_proj matches no module" in error_line(capsys.readouterr().err)


def test_the_frozen_part_stays_as_it_is_and_in_eval_mode(data, tiny_model):
    trainer = make_trainer(data, "--epochs", "1", "--lora_dropout", "0.5")
    train_mode(trainer.model)
    training = {name for name, m in trainer.model.named_modules() if m.training}
    assert training
    assert all("lora_dropout" in name for name in training)
    trainer.compute_features()
    trainer.train_epoch()
    reference = Florence2ForConditionalGeneration.from_pretrained(tiny_model).state_dict()
    for name, weight in trainer.model.get_base_model().state_dict().items():
        if ".lora_" not in name:
            original = reference[name.replace(".base_layer.", ".")]
            torch.testing.assert_close(weight, original, rtol=0, atol=0)
    assert any(w.abs().max() > 0 for n, w in trainer.model.named_parameters() if "lora_B" in n)


def test_the_same_seed_gives_the_same_curve_and_another_seed_another(data):
    for output, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        flags = ("--epochs", "3", "--augment", "--seed", seed, "--output", output)
        assert train(data, *flags) == 0
    assert log_of("a") == log_of("b")
    assert_same_weights("a", "b")
    assert log_of("a") != log_of("c")


def test_the_first_step_starts_from_the_loss_of_the_untouched_model(data, tiny_model):
    """All photos are accumulated into the one step of the epoch, so its loss is theirs."""
    assert train(data, "--epochs", "1", "--gradient_accumulation", "3", "--lora_dropout", "0") == 0
    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [container_ocr.load_image(f"image/train{view}.jpg") for view in range(6)]
    with torch.inference_mode():
        loss = model(**prepare_inputs(processor, images, [NUMBER] * 6)).loss.item()
    assert log_of("florence-container-lora")[0]["train_loss"] == pytest.approx(loss, abs=1e-4)


def test_accumulated_small_batches_train_as_one_large_batch(data):
    flags = ("--epochs", "2", "--lora_dropout", "0")
    assert train(data, *flags, "--batch_size", "6", "--output", "large") == 0
    small = ("--batch_size", "2", "--gradient_accumulation", "3", "--output", "small")
    assert train(data, *flags, *small) == 0
    losses = [[r["eval_loss"] for r in log_of(name)] for name in ("large", "small")]
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_a_stopped_run_resumes_to_the_same_curve(data, monkeypatch):
    flags = ("--epochs", "4", "--lora_dropout", "0.1", "--augment")
    assert train(data, *flags, "--output", "whole") == 0
    train_epoch = Trainer.train_epoch

    def stop_in_the_third(self):
        if self.progress.epoch == 2:
            raise KeyboardInterrupt
        return train_epoch(self)

    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "train_epoch", stop_in_the_third)
        assert train(data, *flags, "--output", "stopped") == 130
    assert len(log_of("stopped")) == 2
    assert train(data, *flags, "--output", "stopped", "--resume") == 0
    assert log_of("stopped") == log_of("whole")
    assert_same_weights("stopped", "whole")
    assert len(list(Path("stopped").glob("checkpoint-*"))) == 1


def test_resume_refuses_other_arguments_and_starts_where_there_is_nothing(data, capsys):
    assert train(data, "--epochs", "1", "--resume", "--output", "fresh") == 0
    assert "nothing to resume" in capsys.readouterr().err
    assert train(data, "--epochs", "1", "--resume", "--output", "fresh", "--lora_alpha", "8") == 2
    assert "--lora_alpha 8 was 32 in the run to resume" in error_line(capsys.readouterr().err)


def test_progress_knows_the_best_epoch_and_how_long_the_loss_has_risen():
    def progress(*losses: float) -> Progress:
        return Progress(history=[{"epoch": i, "eval_loss": x} for i, x in enumerate(losses, 1)])

    assert progress(3, 1, 2).best["epoch"] == 2
    assert [
        progress(*x).rising() for x in [(3,), (3, 2), (1, 2), (3, 1, 2, 3), (1, 2, 2), (1, 2, 3)]
    ] == [*(0, 0, 1, 2, 0, 2)]


def test_training_stops_when_the_loss_keeps_rising_and_keeps_the_best(data, tiny_model, capsys):
    """Taught one number and asked for another, the model gets worse and worse at it."""
    assert train(data, "--epochs", "40", "--patience", "2", "--lr", "5e-2") == 0
    out, err = capsys.readouterr()
    log = log_of("florence-container-lora")
    assert len(log) < 40
    assert "risen for 2 epochs" in err
    assert log[-1]["eval_loss"] > log[-2]["eval_loss"] > log[-3]["eval_loss"]
    best = min(log, key=lambda record: record["eval_loss"])
    assert f"Best: epoch {best['epoch']}" in out
    model, processor = load_model(tiny_model, "florence-container-lora", device="cpu", dtype="fp32")
    images = [container_ocr.load_image(f"image/val{view}.jpg") for view in range(2)]
    with torch.inference_mode():
        loss = model(**prepare_inputs(processor, images, [OTHER] * 2)).loss.item()
    assert loss == pytest.approx(best["eval_loss"], abs=1e-4)


def test_max_steps_ends_the_run(data, capsys):
    assert train(data, "--max_steps", "4") == 0
    assert len(log_of("florence-container-lora")) == 2  # three steps an epoch


def test_augmentation_leaves_a_number_readable():
    assert not {"Invert", "Rotate", "Posterize", "Solarize"} & set(READABLE_OPERATIONS)
    assert not [name for name in READABLE_OPERATIONS if name.startswith(("Shear", "Translate"))]
    image = Image.new("RGB", (64, 64), (200, 200, 200))
    image.paste((40, 60, 120), (16, 16, 48, 48))
    views = [augment(image, str(chance)) for chance in range(40)]
    assert len({view.tobytes() for view in views}) > 20
    assert all(view.tobytes() != image.tobytes() for view in views)
    for view in views:  # the same edges: light outside, dark inside
        edges = [view.convert("L").getpixel((x, 32)) for x in (8, 32)]
        assert edges[0] - edges[1] > 30
        assert not ImageChops.difference(view, view.transpose(Image.Transpose.ROTATE_180)).getbbox()


def test_a_view_is_drawn_by_its_name_alone_and_disturbs_no_other_chance():
    image = Image.effect_noise((64, 64), 40).convert("RGB")
    random.seed(5)
    expected = random.random()
    random.seed(5)
    first = augment(image, "photo 1 0").tobytes()
    assert random.random() == expected
    assert augment(image, "photo 1 0").tobytes() == first
    assert augment(image, "photo 2 0").tobytes() != first


# ---- what is frozen ----------------------------------------------------------------------------


@pytest.mark.parametrize("targets", ["decoder", "language"])
@pytest.mark.parametrize("views", ["1", "3"])
def test_cached_training_follows_the_curve_of_training_without_a_cache(targets, views, data):
    flags = ("--lora_targets", targets, "--views", views, "--epochs", "4", "--patience", "9")
    assert train(data, *flags, "--no-cache", "--output", "plain") == 0
    assert not Path("dataset/features").exists()
    assert train(data, *flags, "--output", "cached") == 0
    assert len(list(Path("dataset/features").iterdir())) == 6 * int(views) + 2
    for name in ("train_loss", "eval_loss", "exact_match"):
        curves = [[record[name] for record in log_of(folder)] for folder in ("plain", "cached")]
        assert curves[0] == pytest.approx(curves[1], abs=1e-4), name
    assert len({record["train_loss"] for record in log_of("plain")}) == 4


def test_with_all_targets_nothing_is_frozen_and_nothing_kept(data):
    assert train(data, "--lora_targets", "all", "--epochs", "1", "--views", "2") == 0
    assert not Path("dataset/features").exists()


def test_a_second_run_computes_nothing_again_and_has_the_same_curve(data, monkeypatch, capsys):
    flags = ("--augment", "--epochs", "2")
    assert train(data, *flags, "--output", "first") == 0
    assert "features: 14 computed in" in capsys.readouterr().err  # two epochs, two views

    def never(*_):
        raise AssertionError("the frozen layers were asked again")

    monkeypatch.setattr(finetune_florence, "frozen_part", never)
    assert train(data, *flags, "--output", "second") == 0
    assert re.search("features: 0 computed in .*, 14 found", capsys.readouterr().err)
    assert log_of("first") == log_of("second")


def test_features_are_computed_again_for_another_photo_model_precision_target_or_seed(
    data, taught_model, capsys
):
    def computed(*more: str) -> str:
        AcceleratorState._reset_state(reset_partial_state=True)
        assert train(data, "--epochs", "1", *more) == 0
        return re.search(r"features: (\d+) computed", capsys.readouterr().err)[1]

    assert computed() == "8"
    assert computed("--seed", "3") == "0", "a photo as it is knows no chance"
    assert computed("--dtype", "bf16") == "8"
    assert computed("--lora_targets", "decoder") == "8"
    assert computed("--model", str(taught_model)) == "8"
    draw_photo(Path("image/train0.jpg"), "another photo under the old name")
    assert computed() == "1"
    assert computed("--epochs", "2", "--views", "2") == "6"
    assert computed("--epochs", "2", "--views", "2", "--seed", "3") == "6"


def test_a_damaged_feature_file_is_one_line_and_a_torn_one_is_not_there(data, capsys):
    assert train(data, "--epochs", "1") == 0
    assert all(path.suffix == ".safetensors" for path in Path("dataset/features").iterdir())
    path = min(Path("dataset/features").iterdir())
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert train(data, "--epochs", "1") == 1
    assert f"{path} is damaged" in error_line(capsys.readouterr().err)


def test_a_full_disk_is_said_before_anything_is_computed(data, monkeypatch, capsys):
    usage = shutil.disk_usage(".")._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert train(data, "--epochs", "1") == 1
    line = error_line(capsys.readouterr().err)
    assert "lower --views, or use --no-cache" in line
    assert not list(Path("dataset/features").iterdir())


def test_training_and_reading_see_the_same_pixels(data, tiny_model, monkeypatch):
    """Of a photo so large that its JPEG is decoded at a quarter."""
    _, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    photo = Image.effect_noise((400, 300), 80).convert("RGB")
    photo.save("image/train0.jpg")
    seen = []
    monkeypatch.setattr(
        ContainerOCR,
        "look_at",
        lambda self, images, places: seen.append(images) or [(Reading(), None)],
    )
    example = finetune_florence.read_examples("--train", "dataset/train.json")[0]
    trained = finetune_florence.Collator(processor, 0, None)([example])["pixel_values"]
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    assert reader.read("image/train0.jpg").status == "none"
    read = prepare_inputs(processor, seen[0])["pixel_values"]
    torch.testing.assert_close(trained, read, rtol=0, atol=0)
    whole = prepare_inputs(processor, [container_ocr.load_image("image/train0.jpg")])
    assert 0 < (trained - whole["pixel_values"]).abs().max() < 1


@pytest.mark.parametrize("dtype", ["bf16", "fp32"])
def test_training_runs_in_each_precision_of_the_cpu(dtype, data):
    assert train(data, "--epochs", "1", "--dtype", dtype) == 0
    assert log_of("florence-container-lora")[0]["eval_loss"] > 0
    assert all(t.dtype == torch.float32 for t in weights_of("florence-container-lora").values())


def test_fp16_on_the_cpu_is_refused_in_words(data, capsys):
    assert train(data, "--dtype", "fp16") == 2
    assert "fp16 cannot train on cpu" in error_line(capsys.readouterr().err)


def test_running_out_of_memory_says_what_to_lower(data, monkeypatch, capsys):
    def full(*_, **__):
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    monkeypatch.setattr(Trainer, "train_epoch", full)
    assert train(data) == 1
    line = error_line(capsys.readouterr().err)
    assert "out of memory" in line
    assert "--batch_size (now 2)" in line


def test_a_loss_that_is_not_finite_says_what_to_lower(data, capsys):
    assert train(data, "--lr", "1e30", "--epochs", "9") == 1
    assert "lower --lr (now 1e+30)" in error_line(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("[]", "at least one photo"),
        ("{}", "at least one photo"),
        ("[{]", "line 1, column 3"),
        ('[{"image": "image/train0.jpg"}]', "entry 1: needs image, prefix and suffix"),
        ('[{"image": "image/train0.jpg", "prefix": "<OCR>", "suffix": " "}]', "1 to 40 characters"),
        ("[" * 100_000, "nested too deeply"),
        (
            json.dumps([{"image": "image/train0.jpg", "prefix": "<OCR>", "suffix": "x" * 99}]),
            "1 to 40",
        ),
        ('[{"image": "no.jpg", "prefix": "<OCR>", "suffix": "x"}]', "no.jpg: no such file"),
        (
            '[{"image": "image/train0.jpg", "prefix": "<OD>", "suffix": "x"}]',
            "must be '<OCR>'",
        ),
    ],
)
def test_a_bad_data_set_is_one_line(content, reason, data, capsys):
    Path("dataset/train.json").write_text(content)
    assert train(data) == 1
    line = error_line(capsys.readouterr().err)
    assert "train.json" in line
    assert reason in line


def test_photos_that_broke_after_preparation_are_all_reported_before_training(data, capsys):
    Path("image/train3.jpg").write_bytes(b"")
    Path("image/train4.jpg").unlink()
    assert train(data) == 1
    err = capsys.readouterr().err
    assert "train.json, entry 4: image/train3.jpg: empty file" in err
    assert "train.json, entry 5: image/train4.jpg: no such file" in err
    assert "device: " not in err


def test_a_mistake_leaves_a_finished_run_as_it_is(data, capsys):
    assert train(data, "--epochs", "1", "--output", "out") == 0
    before = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert train(data, "--dtype", "fp16", "--output", "out") == 2
    assert train([*data, "--model", "nobody/nothing"], "--output", "out") == 1
    assert train(data, "--lr", "1e30", "--output", "out") == 1  # fails in its second step
    after = {path: path.stat().st_mtime_ns for path in Path("out").rglob("*")}
    assert {path.name for path in before} == {path.name for path in after}
    assert all(before[path] == after[path] for path in before if path.is_file())


@pytest.mark.parametrize(
    "file",
    ["checkpoint-1/train_args.json", "checkpoint-1/progress.json", "checkpoint-1/optimizer.bin"],
)
def test_a_damaged_checkpoint_is_one_line(file, data, capsys):
    flags = ("--epochs", "2", "--output", "out")
    assert train(data, *flags, "--max_steps", "3") == 0
    path = Path("out", file)
    path.write_bytes(path.read_bytes()[:20])
    capsys.readouterr()
    assert train(data, *flags, "--max_steps", "3", "--resume") == 1
    assert "out/checkpoint-1" in error_line(capsys.readouterr().err)


def test_two_processes_train_the_curve_of_one_with_the_same_global_batch(data, here):
    flags = [*data, "--epochs", "2", "--lora_dropout", "0", "--views", "2"]
    launch = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"]
    launch += ["--num_processes", "2", "--main_process_port", "0", finetune_florence.__file__]
    two = [*launch, *flags, "--batch_size", "1", "--output", "two"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(two, capture_output=True, text=True, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr
    assert "2 processes share the photos" in done.stderr
    assert done.stdout.count("Epoch ") == 2, "only one process prints"
    assert len(list(Path("dataset/features").iterdir())) == 14
    shutil.rmtree("dataset/features")
    assert train(flags, "--batch_size", "2", "--output", "one") == 0
    for name in ("eval_loss", "train_loss"):
        losses = [[record[name] for record in log_of(folder)] for folder in ("one", "two")]
        assert losses[0] == pytest.approx(losses[1], abs=1e-4)


def test_the_default_paths_are_the_guides(here):
    done = run("finetune_florence.py", "--device", "cpu", cwd=here)
    assert done.returncode == 2
    assert "dataset/train.json" in error_line(done.stderr)
    assert "prepare_dataset.py --mode prepare" in done.stderr
