"""Tests of the benchmark: what is compared does the same work."""

from conftest import draw_photo

from container_ocr import ContainerOCR
from measure.plain_loops import NUMBER, TOKENS
from measure.timed_scripts import short_reader


def test_the_reader_that_is_timed_writes_no_longer_text_than_a_number(here, tiny_model):
    photo = draw_photo(here / "photo.jpg", NUMBER)
    flags = str(tiny_model), "cpu", "fp32"
    free = ContainerOCR(flags[0], None, *flags[1:], looks=1).read(photo)
    assert len(free.raw_text) > TOKENS, "random weights write without end, a token a character"
    assert 0 < len(short_reader(*flags).read(photo).raw_text) <= TOKENS
