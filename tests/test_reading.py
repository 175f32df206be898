"""Reading: the grammar against brute force, probabilities against the plain model, doubts."""

import math
import random

import pytest
import torch
from conftest import TAUGHT, draw_photo, paint
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stdnum import iso6346
from transformers import (
    BartTokenizer,
    Florence2Config,
    Florence2ForConditionalGeneration,
    Florence2Processor,
)

import batch_process
from container_ocr import (
    BEAMS,
    PAINTED,
    UNLIKELY,
    Box,
    ContainerOCR,
    NumberGrammar,
    Transcript,
    compact,
    format_number,
    interpret,
    is_valid,
    load_image,
    load_model,
    look,
    prepare_inputs,
    transcribe,
    weigh_numbers,
)

NUMBER, OTHER = "CSQU 305438 3", "HLXU 200841 9"
SPACE = "\u0120"  # how the byte-level alphabet writes it
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def some_numbers(count: int) -> list[str]:
    """Return valid numbers as painted; their check digits are python-stdnum's."""
    rng = random.Random(0)
    codes = (
        "".join(rng.choices(LETTERS, k=3)) + rng.choice("UJZ") + f"{rng.randrange(10**6):06d}"
        for _ in range(count)
    )
    return [format_number(code + iso6346.calc_check_digit(code)) for code in codes]


# ---- the grammar -----------------------------------------------------------------------------


def bpe_tokenizer(processor: Florence2Processor) -> BartTokenizer:
    """Return a tokenizer that knows some pieces of numbers as one token."""
    pieces = "C S,Q U,CS QU,3 0,30 5,_ 3,_ 30,4 3,43 8,8 _,1 2,A B,_ A".replace("_", SPACE)
    merges = pieces.split(",")
    vocab = dict(processor.tokenizer.get_vocab())
    for merge in merges:
        vocab.setdefault(merge.replace(" ", ""), len(vocab))
    return BartTokenizer(
        vocab=vocab, merges=[tuple(merge.split()) for merge in merges], image_token="<image>"
    )


@pytest.fixture(scope="module")
def processor(tiny_model) -> Florence2Processor:
    """Return the tiny model's processor."""
    return Florence2Processor.from_pretrained(tiny_model)


def test_in_every_state_exactly_the_characters_of_a_valid_number_may_follow(processor):
    vocab = {token.replace(SPACE, " "): i for token, i in processor.tokenizer.get_vocab().items()}
    grammar, seen = NumberGrammar(processor.tokenizer, len(vocab)), set()
    for number in some_numbers(3000):
        state = grammar.steps[grammar.START, vocab["<s>"]].item()
        for place, character in enumerate((*number, "</s>")):
            if state not in seen:
                allowed = {
                    t for t, i in vocab.items() if grammar.steps[state, i] != grammar.REFUSED
                }
                assert allowed == followers(number[:place]), number[:place]
            seen.add(state)
            state = grammar.steps[state, vocab[character]].item()
        assert state == grammar.END
    assert len(seen) == 1 + 10 + 11 * 11 + 1  # no letter is worth a multiple of 11


def followers(prefix: str) -> set[str]:
    """Return what may stand after the first characters of a number, by python-stdnum."""
    if len(prefix) == len(PAINTED):
        return {"</s>"}
    if len(prefix) == len(PAINTED) - 1:
        return {digit for digit in "0123456789" if iso6346.is_valid(compact(prefix + digit))}
    if len(prefix) in (4, 11):
        return {" "}
    return set("UJZ" if len(prefix) == 3 else LETTERS if len(prefix) < 3 else "0123456789")


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_string_is_reachable_by_any_of_its_token_paths_exactly_when_it_is_valid(data, processor):
    tokenizer = bpe_tokenizer(processor)
    grammar, vocab = NumberGrammar(tokenizer, len(tokenizer)), tokenizer.get_vocab()
    number = data.draw(st.sampled_from([NUMBER, "ABCU 123051 0", *some_numbers(20)]))
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(number) - 1))
        number = number[:place] + data.draw(st.sampled_from("A3U 9")) + number[place + 1 :]
    state, at = int(grammar.steps[grammar.START, tokenizer.bos_token_id]), 0
    coded = number.replace(" ", SPACE)
    while at < len(coded):
        pieces = [e for e in range(at + 1, len(coded) + 1) if coded[at:e] in vocab]
        end = data.draw(st.sampled_from(pieces))
        state, at = int(grammar.steps[state, vocab[coded[at:end]]]), end
    state = int(grammar.steps[state, tokenizer.eos_token_id])
    reachable = len(number) == 13 and number == format_number(number) and is_valid(number)
    assert (state == grammar.END) == reachable
    if reachable:
        assert iso6346.is_valid(compact(number))


def test_a_random_model_can_write_nothing_but_valid_numbers(tiny_model):
    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (64, 64), colour) for colour in ("red", "tan")]
    for transcript in read(model, processor, images):
        assert len(transcript.alternatives) == BEAMS
        for number, probability in transcript.alternatives:
            assert iso6346.is_valid(number)
            assert 0 < probability < 1


# ---- probabilities ----------------------------------------------------------------------------


def read(model, processor, images) -> list[Transcript]:
    """Return the transcripts of images."""
    with torch.inference_mode():
        photos = look(model, len(images), **prepare_inputs(processor, images))
        return transcribe(model, processor, photos)


def probability_of(model, processor, image, text: str) -> float:
    """Return the probability that the plain model begins its text so; nothing cached or shared."""
    ids = processor.tokenizer(text, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        logits = model(**prepare_inputs(processor, [image]), labels=ids).logits
    log_probs = logits.log_softmax(-1).gather(-1, ids[..., None])[0, :-1]  # </s> is not counted
    return math.exp(log_probs.sum())


@pytest.fixture(scope="module")
def plain(taught_model) -> Florence2ForConditionalGeneration:
    """Return the taught model as transformers loads it, with its own attention."""
    return Florence2ForConditionalGeneration.from_pretrained(taught_model).eval()


def test_the_free_text_is_that_of_the_plain_model(taught_model, plain):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in (*TAUGHT, "gray", "orange")]
    for image, transcript in zip(images, read(model, processor, images), strict=True):
        ids = plain.generate(
            **prepare_inputs(processor, [image]),
            num_beams=BEAMS,
            max_new_tokens=63,
            do_sample=False,
            forced_bos_token_id=processor.tokenizer.bos_token_id,
            suppress_tokens=[processor.tokenizer.image_token_id],
        )
        assert transcript.text == processor.tokenizer.decode(ids[0], skip_special_tokens=True)


def test_an_alternatives_probability_is_that_of_the_plain_model(taught_model, plain):
    model, processor = load_model(taught_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (80, 60), colour) for colour in TAUGHT]
    for image, transcript in zip(images, read(model, processor, images), strict=True):
        for number, probability in transcript.alternatives:
            expected = probability_of(plain, processor, image, format_number(number))
            assert probability == pytest.approx(expected, rel=1e-3)


def test_token_paths_that_spell_one_number_add_up(tiny_model, processor):
    tokenizer = bpe_tokenizer(processor)
    config = Florence2Config.from_pretrained(tiny_model)
    config.text_config.vocab_size = len(tokenizer)
    torch.manual_seed(3)
    model = Florence2ForConditionalGeneration(config).eval()
    vocab, image = tokenizer.get_vocab(), Image.new("RGB", (64, 64), "teal")
    paths = [list(NUMBER.replace(" ", SPACE)), ["CSQU", "\u0120", "305", *"438", "\u0120", "3"]]
    first, last = [2, 0], [2]
    rows = [first + [vocab[token] for token in path] + last for path in paths]
    longest = max(map(len, rows))
    rows = torch.tensor([row + [1] * (longest - len(row)) for row in rows])
    inputs = prepare_inputs(processor, [image])
    expected = 0.0
    with torch.inference_mode():
        for row, path in zip(rows, paths, strict=True):
            ids = row[None, 1 : 2 + len(path)]
            logits = model(**inputs, decoder_input_ids=row[None, : 1 + len(path)]).logits
            expected += math.exp(logits.log_softmax(-1).gather(-1, ids[..., None]).sum())
        model.set_attn_implementation("sdpa")
        load_model(tiny_model, device="cpu")  # registers the attention that shares photos
        model.model.language_model.set_attn_implementation("share_photos")
        photos = look(model, 1, **inputs)
        [found] = weigh_numbers(model, tokenizer, photos, rows[None])
    assert [number for number, _ in found] == [compact(NUMBER)]
    assert found[0][1] == pytest.approx(expected, rel=1e-4)


# ---- doubts ------------------------------------------------------------------------------------


def transcript(text: str, probability: float = 0.99, **alternatives: float) -> Transcript:
    """Return a transcript of one token a character, all equally sure."""
    log_probs = (math.log(probability),) * len(text)
    return Transcript(text, tuple(range(1, len(text) + 1)), log_probs, tuple(alternatives.items()))


@pytest.mark.parametrize(
    ("text", "number", "status", "reason"),
    [
        ("MAERSK CSQU 305438 3 22G1", "CSQU 305438 3", "ok", ""),
        ("CSQU 305438 4", "CSQU 305438 4", "review", "check digit does not fit"),
        ("CSQU 305438 22G1", "CSQU 305438", "review", "check digit not read"),
        ("CSQU\n305438\n22G1\n3", "CSQU 305438 3", "review", "parts stand apart"),
        ("CSQU\n22G1\n305438 3", "CSQU 305438 3", "ok", ""),
        ("305438 3\nCSQU", "CSQU 305438 3", "review", "out of order"),
        ("HLXU2008419 CSQU3054383", "HLXU 200841 9", "review", "several containers"),
        ("CSQU3054383 HLXU2008419 CSQU3054384", "CSQU 305438 3", "review", "3, HLXU 200841 9"),
        ("CSQU3054383 CSQU3054383", "CSQU 305438 3", "ok", ""),
        ("MAX GROSS 30480 KGS", None, "none", ""),
        ("", None, "none", ""),
    ],
)
def test_a_reading_says_what_is_doubtful(text, number, status, reason):
    reading = interpret(transcript(text))
    assert (reading.number, reading.status) == (number, status)
    assert reason in reading.reason
    assert reading.is_valid == (number is not None and "check digit" not in reason)
    assert reading.raw_text == text


def test_confidence_is_the_probability_of_the_number_alone():
    reading = interpret(transcript("MAERSK CSQU3054383 22G1", 0.9))
    assert reading.confidence == pytest.approx(0.9**11)
    assert (reading.status, reading.reason) == ("review", "confidence below 0.5")
    assert interpret(transcript("MAERSK CSQU3054383 22G1", 0.9), review_below=0.3).is_ok


def test_a_number_that_does_not_check_gives_way_to_the_likeliest_valid_one_and_says_so():
    reading = interpret(transcript("CSQU 305438 4", CSQU3054383=0.2, HLXU2008419=0.01))
    assert (reading.number, reading.status, reading.confidence) == (NUMBER, "review", 0.2)
    assert reading.reason == "the text has CSQU 305438 4"
    assert reading.alternatives == ((NUMBER, 0.2), (OTHER, 0.01))
    unlikely = interpret(transcript("CSQU 305438 4", 1.0, CSQU3054383=UNLIKELY / 2))
    assert unlikely.number == "CSQU 305438 4"


def test_a_number_that_the_model_could_hardly_have_written_is_not_invented():
    assert interpret(transcript("MAX GROSS", CSQU3054383=1e-6)).status == "none"
    reading = interpret(transcript("MAX GROSS", CSQU3054383=0.3))
    assert (reading.number, reading.reason) == (NUMBER, "the text has no number")


def test_a_rival_that_is_nearly_as_likely_is_named():
    reading = interpret(transcript(NUMBER, 0.96, CSQU3054383=0.6, HLXU2008419=0.35))
    assert (reading.number, reading.status) == (NUMBER, "review")
    assert reading.reason == f"nearly as likely: {OTHER}"


def test_a_known_owner_is_preferred_and_an_unknown_one_is_for_review():
    text = transcript(NUMBER, 0.97, CSQU3054383=0.7, HLXU2008419=0.2, MEDU6246078=0.001)
    assert interpret(text, owner_codes={"CSQU"}).is_ok
    preferred = interpret(text, owner_codes={"HLXU"})
    assert (preferred.number, preferred.status) == (OTHER, "review")
    assert preferred.reason == "owner code CSQU is not in the list, HLXU is"
    unknown = interpret(text, owner_codes={"MEDU"})
    assert (unknown.number, unknown.reason) == (NUMBER, "owner code CSQU is not in the list")


def test_an_unknown_owner_does_not_hide_another_doubt():
    several = interpret(transcript(f"{NUMBER} {OTHER}"), owner_codes={"MEDU"})
    assert several.reason.startswith("several containers: ")
    assert several.reason.endswith("is not in the list")
    changed = interpret(transcript("CSQU 305438 4", CSQU3054383=0.2), owner_codes={"MEDU"})
    assert changed.reason.startswith("the text has CSQU 305438 4; owner code CSQU ")


TEXTS = st.one_of(
    st.text(),
    st.text("CSQU305438HLX2019 \n-"),
    st.lists(st.sampled_from([NUMBER, OTHER, "22G1"])).map(" ".join),
)


@given(
    text=TEXTS,
    weights=st.lists(st.floats(0, 1), max_size=BEAMS),
    owners=st.sets(st.sampled_from(["CSQU", "HLXU"])),
)
def test_whatever_is_written_an_invalid_number_is_never_ok(text, weights, owners):
    numbers = dict(zip(map(compact, some_numbers(BEAMS)), weights))
    reading = interpret(transcript(text, 1.0, **numbers), owner_codes=owners)
    assert reading.status in ("ok", "review", "none")
    assert reading.is_ok <= (reading.is_valid and iso6346.is_valid(compact(reading.number)))
    assert (reading.number is None) == (reading.status == "none")
    assert bool(reading.reason) == (reading.status == "review")
    assert not reading.is_ok or not owners or reading.owner_code in owners


def test_the_parts_of_a_reading_are_those_of_the_number():
    reading = interpret(transcript(NUMBER))
    parts = reading.owner_code, reading.serial_number, reading.check_digit
    assert parts == ("CSQU", "305438", "3")


# ---- inputs and batches ------------------------------------------------------------------------


def test_padding_in_labels_is_ignored_by_the_loss(processor):
    images = [Image.new("RGB", (64, 64))] * 2
    labels = prepare_inputs(processor, images, [NUMBER, "A"])["labels"]
    assert labels[0].tolist() == processor.tokenizer(NUMBER)["input_ids"]
    assert labels[1].tolist() == [*processor.tokenizer("A")["input_ids"], *[-100] * 12]


def test_the_prompt_is_the_question_that_florence_was_trained_on(processor):
    ids = prepare_inputs(processor, [Image.new("RGB", (64, 64))])["input_ids"][0]
    text = processor.tokenizer.decode(ids)
    assert text == "<image>" * 5 + "<s>What is the text in the image?</s>"


def test_a_batch_reads_as_one_by_one(taught_model):
    reader = ContainerOCR(str(taught_model), device="cpu", dtype="fp32")
    images = [Image.new("RGB", (90, 70), colour) for colour in (*TAUGHT, "gray")]
    together = reader.read_batch(images)
    for image, reading in zip(images, together, strict=True):
        alone = reader.read(image)
        assert (alone.number, alone.raw_text) == (reading.number, reading.raw_text)
        assert alone.confidence == pytest.approx(reading.confidence, abs=1e-5)
        expected = [probability for _, probability in alone.alternatives]
        assert [p for _, p in reading.alternatives] == pytest.approx(expected, rel=1e-3)


def test_a_file_and_its_image_read_the_same(tiny_model, here):
    path = draw_photo(here / "photo.png", NUMBER)
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    assert reader.read(path) == reader.read(str(path)) == reader.read(load_image(path))


# ---- a second look -----------------------------------------------------------------------------


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


def test_a_photo_of_a_few_pixels_is_read_without_a_closer_look(tiny_model):
    reader = ContainerOCR(str(tiny_model), device="cpu", dtype="fp32")
    for size in ((1, 1), (3, 40), (20, 20)):
        assert reader.read(Image.new("RGB", size)).status in ("ok", "review", "none")


# ---- several views -----------------------------------------------------------------------------


def view(name: str, status: str = "ok", **numbers: float) -> dict:
    """Return the row of one photo; its alternatives are written CSQU3054383=0.6."""
    painted = [[format_number(number), p] for number, p in numbers.items()]
    return {
        "image": f"image/{name}.jpg",
        "number": painted[0][0] if painted else None,
        "status": status,
        "reason": "",
        "confidence": painted[0][1] if painted else 0.0,
        "raw_text": "",
        "alternatives": painted,
    }


def test_fused_views_are_the_sum_of_their_log_probabilities():
    views = [
        view("1_LEFT_1", "review", CSQU3054383=0.4, HLXU2008419=0.5),
        view("1_LEFT_2", "review", CSQU3054383=0.3),
    ]
    row = batch_process.fuse("1", views, 0.5)
    both, first, unseen = 0.4 * 0.3, 0.5 * 0.01 * 0.7, 100 * (0.01 * 0.1) * (0.01 * 0.7)
    assert row["number"] == NUMBER
    assert row["confidence"] == pytest.approx(both / (both + first + unseen), abs=1e-3)
    assert (row["status"], row["reason"]) == ("ok", "")
    assert "1_LEFT_1.jpg" in row["raw_text"]


def test_one_view_alone_keeps_its_number_and_confidence():
    row = batch_process.fuse("1", [view("1_LEFT_1", CSQU3054383=0.7, HLXU2008419=0.1)], 0.5)
    assert (row["number"], row["confidence"], row["status"]) == (NUMBER, 0.7, "ok")


def test_a_view_without_a_number_changes_nothing():
    views = [view("1_LEFT_1", CSQU3054383=0.9), view("1_LEFT_2", "none")]
    assert batch_process.fuse("1", views, 0.5)["confidence"] == pytest.approx(0.9)
    assert batch_process.fuse("1", views[1:], 0.5)["status"] == "none"


def test_two_different_containers_are_not_forced_into_one():
    views = [
        view("1_LEFT_1", CSQU3054383=0.9),
        view("1_LEFT_2", HLXU2008419=0.9),
        view("1_LEFT_3", "review", CSQU3054383=0.4),
        view("1_LEFT_4", "error"),
    ]
    rows = batch_process.fuse_group("1", views, 0.5)
    assert [row["number"] for row in rows] == [NUMBER, OTHER]
    assert [row["status"] for row in rows] == ["review", "review"]
    assert rows[0]["reason"] == f"other views of 1 show {OTHER}"


@pytest.mark.parametrize(
    ("image", "pattern", "group"),
    [
        ("image/000207_LEFT_1.jpg", batch_process.GROUP_BY, "image/000207"),
        ("000207_right_12.jpeg", batch_process.GROUP_BY, "000207"),
        ("image/gate 3/IMG_20240101.jpg", batch_process.GROUP_BY, "image/gate 3/IMG_20240101.jpg"),
        ("image/7-a.jpg", "^[0-9]+", "image/7"),
    ],
)
def test_photos_are_grouped_by_the_part_of_the_name_that_matches(image, pattern, group):
    assert batch_process.group_of(image, batch_process.re.compile(pattern)) == group


@pytest.mark.parametrize("suffix", ["txt", "csv", "jsonl"])
def test_group_by_writes_a_line_for_each_container(taught_model, here, suffix):
    for name, colour in (("1_LEFT_1", "red"), ("1_LEFT_2", "green"), ("2_BACK_1", "white")):
        paint(here / f"image/{name}.png", colour)
    flags = ["--model", str(taught_model), "--device", "cpu", "--group_by"]
    assert batch_process.main(["image", "--output", f"r.{suffix}", *flags]) == 0
    made_by, rows = batch_process.read_results(here / f"r_grouped.{suffix}")
    assert "grouped by" in made_by
    found = {row["image"]: (row["number"], row["status"]) for row in rows}
    assert found == {"image/1": (NUMBER, "ok"), "image/2": (None, "none")}
