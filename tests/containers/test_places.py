"""Tests of places on a photo."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from containers.places import Box


@given(
    edges=st.tuples(*[st.floats(0, 1)] * 4),
    size=st.tuples(st.integers(20, 4000), st.integers(20, 4000)),
)
def test_a_closer_look_lies_in_the_photo_round_the_place_and_has_the_photos_shape(edges, size):
    (left, right), (top, bottom) = sorted(edges[:2]), sorted(edges[2:])
    window = Box(left, top, right, bottom).window(size, size)
    if window is None:
        share = 1.4 * max(right - left, bottom - top)
        assert share > 0.84 or share * min(size) < 17
        return
    assert 0 <= window[0] <= window[2] <= size[0]
    assert 0 <= window[1] <= window[3] <= size[1]
    assert window[0] <= left * size[0] + 1
    assert window[2] >= right * size[0] - 1
    assert window[1] <= top * size[1] + 1
    assert window[3] >= bottom * size[1] - 1
    scales = (window[2] - window[0]) / size[0], (window[3] - window[1]) / size[1]
    assert scales[0] == pytest.approx(scales[1], abs=2 / min(size))
