"""Names that commands and the model share: models, devices, precisions."""

from __future__ import annotations

DEFAULT_MODEL = "florence-community/Florence-2-large"
SMALL, NO_FINDER = "small", "none"  # the model that ships, and no model
DEVICES = ("auto", "cuda", "mps", "cpu")
DTYPES = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}  # by flag, as torch names them
