"""The model card of an adapter: its base, what it has learnt, how well it reads, how to load it."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from string import Template

from containers.basis.escapes import visible
from containers.basis.talk import counted
from containers.data.labels import Example
from florence.adapter import Base
from florence.inputs import PROMPT
from florence.options import TrainingOptions
from florence.progress import Progress

LIBRARIES = ("torch", "transformers", "peft", "accelerate")
NOT_IN_THE_COMMAND = {"resume"}  # the whole run is one command

CARD = Template("""\
---
library_name: peft
${base_line}tags:
- lora
- florence-2
- ocr
---
# Container numbers, read by Florence-2

A LoRA adapter for `$base`$revision. It reads the number painted on a shipping
container (ISO 6346, `CSQU 305438 3`) from a photo. The SHA-256 of the model that it belongs to
(`model.safetensors`) is `$digest`. `finetune_florence.py` has trained $trainable of $total weights.
The adapter in this folder is that of epoch $best, whose validation loss is the lowest.

## Data

| | photos | containers | listed in |
|---|---|---|---|
| training | $train | $train_containers | `$train_file` |
| validation | $val | $val_containers | `$val_file` |

$shown

## Validation

The scores after each epoch, on the validation photos:

| epoch | training loss | validation loss | exact match | character error rate | check-digit rate |
|---|---|---|---|---|---|
$epochs

![Losses and scores of each epoch](training_curve.png)

They say how well it reads photos like these, not those of another camera or place. A number may
be wrong though its check digit fits: one in eleven wrong ones does.

## Training

```bash
$command
```

$libraries

## Use

With the toolkit that made it, which looks again, nearer, where it is not sure:

```bash
$reading
```

With peft alone, one look at the whole photo:

```python
from peft import PeftModel
from PIL import Image
$load
model = PeftModel.from_pretrained(base, $folder).eval()
processor = AutoProcessor.from_pretrained($folder)
photo = Image.open("photo.jpg").convert("RGB")
inputs = processor(text="$prompt", images=photo, return_tensors="pt")
tokens = model.generate(**inputs, max_new_tokens=24, num_beams=1, no_repeat_ngram_size=0)
print(processor.batch_decode(tokens, skip_special_tokens=True)[0])
```
""")
NATIVE = """\
from transformers import AutoProcessor, Florence2ForConditionalGeneration

base = Florence2ForConditionalGeneration.from_pretrained({base})"""
MICROSOFT = """\
from transformers import AutoProcessor

from container_ocr import load_model  # transformers alone does not load Microsoft's layout

base, _ = load_model({base}, device="cpu", dtype="fp32")"""


def model_card(
    options: TrainingOptions,
    progress: Progress,
    examples: tuple[list[Example], list[Example]],
    base: Base,
    is_native: bool,
    weights: tuple[int, int],
) -> str:
    """Return the card as Markdown.

    `examples` are the photos learnt from and validated on, `weights` the trainable ones and all;
    `is_native` tells whether the base has transformers' own layout, not Microsoft's.
    """
    train, val = examples
    named = repr(base.model) + (f", revision={base.revision!r}" if base.revision else "")
    load = (NATIVE if is_native else MICROSOFT).format(base=named)
    whole = "It was taught whole photos."
    windows = f"It was taught what shows the number: {counted(len(train), 'part')} of these photos."
    reading = ["python", "batch_process.py", "./image", "--lora_path", options.output]
    return CARD.substitute(
        base_line="" if Path(base.model).is_dir() else f"base_model: {base.model}\n",
        base=visible(base.model),
        revision=f" at revision `{base.revision}`" if base.revision else "",
        digest=base.weights,
        trainable=f"{weights[0]:,}",
        total=f"{weights[1]:,}",
        best=progress.best["epoch"],
        train=f"{len({example.image_path for example in train}):,}",
        train_containers=f"{len({example.container for example in train}):,}",
        train_file=visible(options.train),
        val=f"{len(val):,}",
        val_containers=f"{len({example.container for example in val}):,}",
        val_file=visible(options.val),
        shown=windows if options.looks != 1 else whole,
        epochs="\n".join(map(table_row, progress.history, [progress.best] * len(progress.history))),
        command=visible(shlex.join(["python", "finetune_florence.py", *flags_of(options)])),
        libraries=", ".join(f"{name} {version(name)}" for name in LIBRARIES),
        reading=visible(shlex.join(reading)),
        load=load,
        folder=repr(options.output),
        prompt=PROMPT,
    )


def table_row(record: dict[str, float], best: dict[str, float]) -> str:
    """Return an epoch's line of the table; the one that is kept is bold."""
    cells = [
        str(record["epoch"]),
        f"{record['train_loss']:.4f}",
        f"{record['eval_loss']:.4f}",
        f"{100 * record['exact_match']:.1f} %",
        f"{100 * record['character_error_rate']:.1f} %",
        f"{100 * record['check_digit_rate']:.1f} %",
    ]
    if record is best:
        cells = [f"**{cell}**" for cell in cells]
    return f"| {' | '.join(cells)} |"


def flags_of(options: TrainingOptions) -> list[str]:
    """Return the flags that give these arguments."""
    words = []
    for name, value in asdict(options).items():
        if name in NOT_IN_THE_COMMAND or value is None:
            continue
        if isinstance(value, bool):
            words += [f"--{name}"] if value else ["--no-cache"] if name == "cache" else []
        else:
            words += [f"--{name}", str(value)]
    return words
