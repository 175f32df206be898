"""annotations.json survives hands and editors; labels are checked, split and never lost."""

import json
from collections import Counter

import pytest
from conftest import draw_photo, error_line, write_annotations
from hypothesis import given
from hypothesis import strategies as st

import prepare_dataset
from container_ocr import check_digit
from prepare_dataset import Example, label_of, split_examples

NUMBER = "CSQU 305438 3"
OTHER = "HLXU 200841 9"


def create_template() -> int:
    """Run the first mode with its defaults."""
    return prepare_dataset.main(["--mode", "create_template"])


def prepare(*flags: str) -> int:
    """Run the second mode with its defaults."""
    return prepare_dataset.main(["--mode", "prepare", *flags])


def labelled(*numbers: str) -> dict[str, str]:
    """Draw a photo for each number; return {image: number}."""
    labels = {f"image/{place:03}.jpg": number for place, number in enumerate(numbers)}
    for image, number in labels.items():
        draw_photo(prepare_dataset.Path(image), number)
    return labels


def read_split() -> tuple[list[dict], list[dict]]:
    """Return train.json and val.json."""
    return tuple(json.loads(open(f"dataset/{name}.json").read()) for name in ("train", "val"))


# ---- create_template -------------------------------------------------------------------------


def test_a_new_template_lists_every_image_as_todo(here):
    for name in ("b.jpg", "a.jpg", "gate 2/한글.jpg"):
        draw_photo(here / "image" / name, "")
    assert create_template() == 0
    images = json.loads((here / "annotations.json").read_text(encoding="utf-8"))["images"]
    assert [e["image_path"] for e in images] == [
        "image/a.jpg",
        "image/b.jpg",
        "image/gate 2/한글.jpg",
    ]
    fields = ["container_number", "owner_code", "serial_number", "check_digit"]
    assert all(list(entry) == ["image_path", *fields] for entry in images)
    assert {entry[name] for entry in images for name in fields} == {"TODO"}


def test_a_second_template_adds_images_and_keeps_everything_else(here, capsys):
    entry = {
        "note": "북쪽 게이트",
        "image_path": ".\\image\\z.jpg",
        "container_number": NUMBER,
        "n": 1.5,
    }
    gone = {"image_path": "image/gone.jpg", "container_number": OTHER}
    before = {"made by": "hand", "images": [entry, gone], "last": None}
    (here / "annotations.json").write_text(json.dumps(before), encoding="utf-8")
    for name in ("z.jpg", "a.jpg"):
        draw_photo(here / "image" / name, "")
    assert create_template() == 0
    after = json.loads((here / "annotations.json").read_text(encoding="utf-8"))
    assert list(after) == ["made by", "images", "last"]
    assert after["images"][:2] == [entry, gone]
    assert list(after["images"][0]) == list(entry)
    assert [e["image_path"] for e in after["images"][2:]] == ["image/a.jpg"]
    out, err = capsys.readouterr()
    assert "1 added, 2 kept, 1 no longer found" in out
    assert "image/gone.jpg" in err


def test_a_template_with_nothing_to_add_leaves_the_file_as_it_is(here):
    draw_photo(here / "image" / "a.jpg", "")
    text = '{"images": [ {"image_path": "image/a.jpg", "container_number": "csqu3054383"}, ]}\r\n'
    (here / "annotations.json").write_bytes(text.encode())
    assert create_template() == 0
    assert (here / "annotations.json").read_bytes() == text.encode()


# ---- annotations.json by hand ----------------------------------------------------------------

GOOD = json.dumps(
    {"images": [{"image_path": "image/000.jpg", "container_number": NUMBER}]}, indent=1
)


@pytest.mark.parametrize(
    "data",
    [
        GOOD.encode("utf-8-sig"),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.encode("utf-16"),
        GOOD.replace('3"\n', '3",\n').replace("}\n ]", "},\n ],").encode(),
    ],
    ids=["byte-order mark", "Windows line ends", "UTF-16", "trailing commas"],
)
def test_what_editors_do_is_read(data, here):
    path = here / "annotations.json"
    path.write_bytes(data)
    assert prepare_dataset.read_annotations(path) == json.loads(GOOD)


def test_a_comma_inside_a_label_is_not_a_trailing_comma(here):
    text = '{"images": [{"image_path": "a,]b,}.jpg", "note": "x\\",}"}]}'
    (here / "annotations.json").write_text(text)
    (entry,) = prepare_dataset.read_annotations(here / "annotations.json")["images"]
    assert entry == {"image_path": "a,]b,}.jpg", "note": 'x",}'}


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "line 1, column 1: the file is empty"),
        ("{", "line 1, column 2: the file ends too early"),
        (
            '{"images": [\n  {"image_path": "a.jpg"\n  "container_number": "x"}\n]}',
            "line 3, column 3",
        ),
        ('{"images": [\n  {"image_path": "a.jpg}\n]}', "line 2, column 25"),
        ("{'images': []}", "line 1, column 2"),
        ('{"images": [\n {image_path: "a.jpg"}]}', "line 2, column 3"),
        ('{"images": [] \n x', "line 2, column 2"),
        ('{"images": [{"image_path": “a.jpg”}]}', "line 1, column 28"),
        ('{"images": [{"image_path": "a\\q.jpg"}]}', "line 1, column 30"),
        ('{"images": [{"a": 1,, "b": 2}]}', "line 1, column 21"),
        ('{"images": [\n\n{"a" 1}]}', "line 3, column 6"),
        ("[" * 100_000, "annotations.json"),
        ("[]", '{"images": [...]}'),
        ('{"images": {}}', '{"images": [...]}'),
        ('{"images": ["a.jpg"]}', "entry 1"),
        ('{"images": [{"image_path": 7}]}', "entry 1"),
        (
            '{"images": [{"image_path": "a.jpg", "note": 1, "note": 2}]}',
            "a.jpg: 'note' stands twice",
        ),
    ],
)
@pytest.mark.parametrize("mode", ["prepare", "create_template"])
def test_broken_json_says_where(text, where, mode, here, capsys):
    draw_photo(here / "image" / "a.jpg", "")
    (here / "annotations.json").write_text(text, encoding="utf-8")
    assert prepare_dataset.main(["--mode", mode]) == 1
    line = error_line(capsys.readouterr().err)
    assert "annotations.json" in line
    assert where in line
    assert (here / "annotations.json").read_text(encoding="utf-8") == text, "the file was changed"
    assert not (here / "dataset").exists()


def test_the_offending_line_is_shown(here, capsys):
    text = '{"images": [\n  {"image_path": "a.jpg" "container_number": "x"}\n]}'
    (here / "annotations.json").write_text(text)
    assert prepare() == 1
    line = error_line(capsys.readouterr().err)
    assert "a comma is missing before this place" in line
    assert 'in: {"image_path": "a.jpg" "container_number": "x"}' in line


def test_korean_in_another_encoding_says_so(here, capsys):
    (here / "annotations.json").write_bytes('{"images": [\n"한글"]}'.encode("cp949"))
    assert prepare() == 1
    assert "line 2: not UTF-8" in error_line(capsys.readouterr().err)


@given(
    st.recursive(
        st.text() | st.integers() | st.none(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_all_json_is_read_as_the_standard_library_reads_it(value):
    text = json.dumps(value, ensure_ascii=False, indent=1)
    assert prepare_dataset.parse_json(text, prepare_dataset.Path("x")) == value


# ---- labels ----------------------------------------------------------------------------------


@pytest.mark.parametrize("typed", [NUMBER, "csqu3054383", "CSQU-305438-3", " CSQU  3054383 "])
def test_a_number_is_accepted_as_people_type_it(typed):
    assert label_of({"container_number": typed}) == NUMBER


def test_parts_left_at_todo_are_derived_and_filled_parts_must_agree():
    todo = dict.fromkeys(("owner_code", "serial_number", "check_digit"), "TODO")
    assert label_of({"container_number": NUMBER, **todo}) == NUMBER
    assert label_of({"container_number": NUMBER, **todo, "owner_code": "csqu"}) == NUMBER
    parts = {"owner_code": "CSQU", "serial_number": "305438", "check_digit": "3"}
    assert label_of({"container_number": NUMBER, **parts}) == NUMBER
    assert label_of({"container_number": "TODO", **parts}) == NUMBER
    for name, wrong in (("owner_code", "HLXU"), ("serial_number", "305439"), ("check_digit", "4")):
        with pytest.raises(prepare_dataset.UserError, match=f"contradicts {name} {wrong}"):
            label_of({"container_number": NUMBER, **parts, name: wrong})


@pytest.mark.parametrize("empty", ["TODO", "todo", "", " "])
def test_todo_is_no_label(empty):
    assert label_of({"container_number": empty}) is None


def test_what_is_painted_is_kept():
    assert label_of({"container_number": "CSQU 305438 4"}) == "CSQU 305438 4"
    assert label_of({"container_number": "csqu 30543--3"}) == "CSQU 30543 3"
    assert label_of({"container_number": "csqu305438", "check_digit": "3"}) == NUMBER
    parts = {"owner_code": "CSQU", "serial_number": "30543", "check_digit": "3"}
    assert label_of({"container_number": "CSQU 30543 3", **parts}) == "CSQU 30543 3"


def test_every_problem_is_reported_in_one_run_and_nothing_is_written(here, capsys):
    labels = labelled(NUMBER, OTHER, NUMBER)
    path = write_annotations(here / "annotations.json", labels)
    images = json.loads(path.read_text())["images"]
    images[0]["owner_code"] = "HLXU"
    images.append({"image_path": "image/missing.jpg", "container_number": NUMBER})
    images.append({"image_path": "image/001.jpg", "container_number": NUMBER})
    images.append({"image_path": "image/number.jpg", "container_number": 3054383})
    images.append({"image_path": "image/null.jpg", "container_number": None})
    (here / "image/empty.jpg").touch()
    images.append({"image_path": "image/empty.jpg", "container_number": NUMBER})
    path.write_text(json.dumps({"images": images}))
    assert prepare() == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    expected = [
        "image/000.jpg: container_number CSQU 305438 3 contradicts owner_code HLXU",
        "image/missing.jpg: no such file",
        "image/001.jpg: listed twice, as HLXU 200841 9 and as CSQU 305438 3",
        "image/number.jpg: container_number is 3054383: write it as text, in double quotes",
        "image/null.jpg: container_number is null: write it as text, in double quotes",
        "image/empty.jpg: empty file",
        "6 problems in annotations.json; nothing written",
    ]
    assert errors == [f"error: {line}" for line in expected]
    assert not (here / "dataset").exists()


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("CSQU 305438 4", "check digit 4 does not fit (3 would)"),
        ("CSQU 30543 3", "not ISO 6346"),
        ("CSQA 305438 3", "not ISO 6346"),
        ("CSQU 305438", "not ISO 6346"),
    ],
)
def test_a_label_that_is_not_iso_6346_is_a_warning_and_with_strict_an_error(
    number, reason, here, capsys
):
    write_annotations(here / "annotations.json", labelled(number, OTHER))
    assert prepare("--strict") == 1
    assert not (here / "dataset").exists()
    assert f"error: image/000.jpg: {number}" in capsys.readouterr().err
    assert prepare() == 0
    out, err = capsys.readouterr()
    (warning,) = [line for line in err.splitlines() if "image/000.jpg" in line]
    assert warning.startswith("warning: ")
    assert reason in warning
    assert "1 warnings" in out
    assert number in {row["suffix"] for split in read_split() for row in split}


def test_one_photo_under_two_names_is_one_photo(here, capsys):
    labels = labelled(NUMBER, OTHER)
    labels[str(here / "image/000.jpg")] = OTHER
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    assert "listed twice, as CSQU 305438 3 and as HLXU 200841 9" in capsys.readouterr().err
    (here / "sub").mkdir()
    flags = ["--image_folder", str(here / "image"), "--annotation_file", "annotations.json"]
    assert prepare_dataset.main(flags) == 0
    assert "0 added, 3 kept" in capsys.readouterr().out


def test_a_name_that_no_system_allows_is_one_problem_among_others(here, capsys):
    labels = labelled(NUMBER, OTHER) | {"x" * 300 + ".jpg": NUMBER, "image\new.jpg": NUMBER}
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 1
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 3
    assert "image\\new.jpg: no such file (write / between folders" in errors[1]


def test_a_linked_annotation_file_stays_a_link(here):
    (here / "shared").mkdir()
    write_annotations(here / "shared/annotations.json", {})
    (here / "annotations.json").symlink_to(here / "shared/annotations.json")
    draw_photo(here / "image/a.jpg", "")
    assert create_template() == 0
    assert (here / "annotations.json").is_symlink()
    assert "image/a.jpg" in (here / "shared/annotations.json").read_text()


def test_todo_entries_are_skipped_with_a_count_and_few_images_are_said(here, capsys):
    labels = labelled(NUMBER, OTHER, "TODO", "TODO")
    write_annotations(here / "annotations.json", labels)
    assert prepare() == 0
    out, err = capsys.readouterr()
    assert "2 labelled, 2 still TODO" in out
    assert "100-200 are recommended" in err
    assert sum(map(len, read_split())) == 2


@pytest.mark.parametrize("numbers", [["TODO"], [NUMBER], [NUMBER] * 5])
def test_too_few_containers_for_a_split_is_one_line(numbers, here, capsys):
    write_annotations(here / "annotations.json", labelled(*numbers))
    assert prepare() == 1
    reason = "nothing labelled" if numbers == ["TODO"] else "one container"
    assert reason in error_line(capsys.readouterr().err)
    assert not (here / "dataset").exists()


# ---- the split -------------------------------------------------------------------------------


def examples_of(boxes: int, views: int) -> list[Example]:
    """Return `views` photos of each of `boxes` containers."""
    codes = [f"CSQU{box:06}" for box in range(boxes)]
    return [
        Example(prepare_dataset.Path(f"{code}_{view}.jpg"), code + check_digit(code))
        for code in codes
        for view in range(views)
    ]


@pytest.mark.parametrize(("boxes", "views"), [(2, 1), (3, 1), (10, 1), (50, 3), (100, 2), (7, 5)])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_split_is_as_near_to_80_20_as_whole_containers_allow(boxes, views, seed):
    examples = examples_of(boxes, views)
    train, val = split_examples(examples, seed)
    assert Counter(train + val) == Counter(examples)
    assert not {e.box for e in train} & {e.box for e in val}
    assert train
    nearest = min(range(views, len(examples), views), key=lambda n: abs(n - len(examples) / 5))
    assert len(val) == nearest


@pytest.mark.parametrize("seed", range(5))
def test_one_container_with_most_of_the_photos_stays_in_training(seed):
    examples = [*examples_of(1, 9), Example(prepare_dataset.Path("other.jpg"), OTHER)]
    train, val = split_examples(examples, seed)
    assert (len(train), [e.number for e in val]) == (9, [OTHER])


def test_a_container_with_and_without_its_check_digit_is_one_container():
    numbers = [NUMBER, "CSQU 305438", "CSQU 305438 4", OTHER, OTHER]
    examples = [Example(prepare_dataset.Path(f"{i}.jpg"), n) for i, n in enumerate(numbers)]
    sides = split_examples(examples, 0)
    assert sorted(len({e.box for e in side}) for side in sides) == [1, 1]


def test_the_split_depends_on_the_seed_and_not_on_the_order():
    examples = examples_of(50, 2)
    assert split_examples(examples, 1) == split_examples(examples[::-1], 1)
    assert split_examples(examples, 1) != split_examples(examples, 2)


def test_more_labels_move_few_photos_across_the_split():
    _, before = split_examples(examples_of(100, 1), 0)
    _, after = split_examples(examples_of(110, 1), 0)
    assert len(set(before) & set(after)) >= 15


def test_the_data_set_has_the_common_florence_format(here):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER, "TGHU 759933 0"))
    assert prepare("--output_dir", "a b/데이터") == 0
    rows = [
        row
        for name in ("train", "val")
        for row in json.loads((here / f"a b/데이터/{name}.json").read_text())
    ]
    assert all(list(row) == ["image", "prefix", "suffix"] for row in rows)
    assert {row["prefix"] for row in rows} == {"<OCR>"}
    assert {row["suffix"] for row in rows} == {NUMBER, OTHER, "TGHU 759933 0"}
    assert all(prepare_dataset.Path(row["image"]).is_file() for row in rows)


def test_images_beside_the_annotation_file_are_found_and_written_as_seen_from_here(here):
    for name in ("a.jpg", "b.jpg"):
        draw_photo(here / "job" / name, "")
    labels = {"a.jpg": NUMBER, "b.jpg": OTHER}
    write_annotations(here / "job" / "annotations.json", labels)
    assert prepare("--annotation_file", "job/annotations.json") == 0
    assert sorted(row["image"] for split in read_split() for row in split) == [
        "job/a.jpg",
        "job/b.jpg",
    ]


def test_a_crash_while_writing_leaves_the_old_file(here, monkeypatch):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    assert prepare() == 0
    before = (here / "dataset/train.json").read_bytes()

    def crash(*_, **__):
        raise RuntimeError("power cut")

    monkeypatch.setattr(prepare_dataset.json, "dump", crash)
    with pytest.raises(RuntimeError):
        prepare()
    assert (here / "dataset/train.json").read_bytes() == before


@pytest.mark.parametrize("output", ["file/dataset", "file"])
def test_an_output_that_cannot_be_written_is_one_line(output, here, capsys):
    write_annotations(here / "annotations.json", labelled(NUMBER, OTHER))
    (here / "file").write_text("in the way")
    assert prepare("--output_dir", output) == 2
    assert f"cannot write {output}/train.json" in error_line(capsys.readouterr().err)
