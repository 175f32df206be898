"""A small seeded part of what tests/endurance.py does."""

import inspect
import random
from pathlib import Path

import pytest
from broken import MAKERS

COUNTS = dict.fromkeys(MAKERS, 40) | {"adapters": 12, "models": 12}


@pytest.mark.parametrize("kind", MAKERS)
def test_a_broken_input_is_an_error_in_words_and_loses_nothing(kind, here, tiny_model):
    Path("image").mkdir()
    maker = MAKERS[kind]
    model = [tiny_model] if "model" in inspect.signature(maker).parameters else []
    checks = list(maker(random.Random(0), COUNTS[kind], *model))
    assert len(checks) == COUNTS[kind]
    wrong = [found for check in checks if (found := check())]
    assert not wrong
