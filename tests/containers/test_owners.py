"""Tests of owner codes."""

import pytest
from conftest import NUMBER, train
from peft import PeftModel
from transformers import Florence2ForConditionalGeneration

from container_ocr import ContainerOCR, build_parser, reader_of
from containers.basis.errors import FlagError
from containers.number.iso6346 import OWNER_CODE
from containers.number.owners import known_owner_codes, write_owner_codes

KNOWN = "CSQU HLXU TGHU ECMU MEDU YMLU MRKU EMCU OOLU HJCU APZU TEMU DFSU CMAU SEGU FCIU"
MET = "KMBU CZTU TIHU SGRU"  # on real containers


def test_the_codes_that_ship_are_some_hundred_and_hold_those_of_known_boxes():
    codes = known_owner_codes()
    assert len(codes) >= 300
    assert all(OWNER_CODE.fullmatch(code) for code in codes)
    assert {*KNOWN.split(), *MET.split()} <= codes
    assert not codes & {"CHAU", "PSCU", "OOOU"}, "a misread code is no owner's"


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffqqqu # ours\n\nXYZU\n",
        "QQQU;Evergreen\nXYZU;Q, R & Co. # a note\n",
        'code,name\nQQQU,Evergreen\n"XYZU","Ours; Ltd."\n',
        "Code\nQQQU\nXYZU\n",
        "Name;BIC code\r\nEvergreen;QQQU\r\nOurs;XYZU\r\n",
        "Owner\tCode\nEvergreen\tQQQU\nOurs\tXYZU\n",
    ],
)
def test_lists_with_names_and_headings_are_taken_beside_the_common_ones(text, here):
    (here / "owners.txt").write_bytes(text.encode())
    assert known_owner_codes("owners.txt", only=True) == {"QQQU", "XYZU"}
    assert known_owner_codes("owners.txt") == known_owner_codes() | {"QQQU", "XYZU"}
    assert known_owner_codes("none") == frozenset()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("CSQU\nCSQX\n", "line 2: CSQX is no owner code"),
        ("CSQX\nCSQU\n", "line 1: CSQX is no owner code"),
        ("CSQX;Evergreen\nCSQU;Ours\n", "line 1: CSQX is no owner code"),
        ("Code;Name\nCSQU;Ours\nEvergreen\n", "line 3: EVERGREEN is no owner code"),
        ("Code;Name\n", "line 1: CODE is no owner code"),
        ("# none\n", "owners.txt holds no owner code"),
    ],
)
def test_a_list_with_a_mistake_names_its_line(text, reason, here):
    (here / "owners.txt").write_text(text)
    with pytest.raises(FlagError, match=reason):
        known_owner_codes("owners.txt")


@pytest.mark.parametrize("path", [None, "none"])
def test_only_the_codes_of_no_file_is_a_mistake(path):
    with pytest.raises(FlagError, match="add owner_codes FILE"):
        known_owner_codes(path, only=True)


def test_a_reader_knows_the_common_ones_and_without_any_all_will_do(tiny_model):
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    assert reader.options.owner_codes == known_owner_codes()
    assert (
        ContainerOCR(str(tiny_model), device="cpu", owner_codes=()).options.owner_codes
        == frozenset()
    )


def test_the_owners_of_labels_that_check_travel_with_an_adapter(here):
    write_owner_codes(here, ["QQQU 305438 3", "QQQU 305439 9", "XYZU 305438 0", "QRSU 305438"])
    assert known_owner_codes(adapter=here) == known_owner_codes() | {"QQQU"}
    assert known_owner_codes("none", adapter=here) == frozenset()
    (here / "owners.txt").write_text("MSKU")
    assert known_owner_codes("owners.txt", only=True, adapter=here) == {"MSKU"}


def test_a_trained_adapter_knows_its_labels_owners_and_loads_with_plain_peft(data, tiny_model):
    for name in ("train", "val"):
        with open(f"dataset/{name}.json", "r+") as file:
            text = file.read().replace(NUMBER, "QQQU 305438 3")
            file.seek(0)
            file.write(text)
    assert train(data, "--epochs", "1", "--output", "adapter") == 0
    assert "QQQU" in known_owner_codes(adapter="adapter")
    PeftModel.from_pretrained(
        Florence2ForConditionalGeneration.from_pretrained(tiny_model), "adapter"
    )
    flags = ["x.jpg", "--lora_path", "adapter", "--device", "cpu", "--dtype", "fp32"]
    assert "QQQU" in reader_of(build_parser().parse_args(flags))().options.owner_codes
    assert "QQQU" in ContainerOCR(None, "adapter", "cpu", "fp32").options.owner_codes
