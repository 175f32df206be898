"""Tests of owner codes."""

import pytest

from container_ocr import ContainerOCR
from containers.errors import FlagError
from containers.iso6346 import OWNER_CODE
from containers.owners import read_owner_codes

KNOWN = "CSQU HLXU TGHU ECMU MEDU YMLU MRKU EMCU OOLU HJCU APZU TEMU DFSU CMAU SEGU FCIU"


def test_the_codes_that_ship_are_some_hundred_and_hold_those_of_known_boxes():
    codes = read_owner_codes()
    assert len(codes) >= 300
    assert all(OWNER_CODE.fullmatch(code) for code in codes)
    assert set(KNOWN.split()) <= codes
    assert not codes & {"CHAU", "PSCU", "OOOU"}, "a misread code is no owner's"


def test_a_file_takes_the_place_of_the_codes_that_ship_and_none_means_any(here, tiny_model):
    (here / "owners.txt").write_text("\ufeffcsqu # ours\n\nMSKU\n", encoding="utf-8")
    assert read_owner_codes("owners.txt") == {"CSQU", "MSKU"}
    assert read_owner_codes("none") == frozenset()
    (here / "bad.txt").write_text("CSQU\nCSQX\n")
    with pytest.raises(FlagError, match="line 2: CSQX is no owner code"):
        read_owner_codes("bad.txt")
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    assert reader.owner_codes == read_owner_codes()
    assert ContainerOCR(str(tiny_model), device="cpu", owner_codes=()).owner_codes == frozenset()
