"""Tests of the grammar, against python-stdnum."""

import re

from conftest import (
    LETTERS,
    NUMBER,
    SPACE,
    bpe_tokenizer,
    read,
    some_numbers,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from stdnum import iso6346

from containers.number.iso6346 import PAINTED, compact, is_valid
from florence.grammar import BEAMS, NumberGrammar
from florence.loading import load_model

LINE_END = "\u010a"  # how the byte-level alphabet writes it


def test_in_every_state_exactly_the_characters_of_a_valid_number_may_follow(processor):
    vocab = dict(processor.tokenizer.get_vocab())
    vocab |= {" ": vocab.pop(SPACE), "\n": vocab.pop(LINE_END)}
    grammar, seen = NumberGrammar(processor.tokenizer, len(vocab)), set()
    for number in some_numbers(3000):
        state = grammar.state(0, 0)
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
    checks = {digit for digit in "0123456789" if iso6346.is_valid(compact(prefix + digit))}
    if len(prefix) in (4, 11):  # the space may be a line end, or missing
        return {" ", "\n"} | (checks if len(prefix) == 11 else set("0123456789"))
    if len(prefix) == len(PAINTED) - 1:
        return checks
    if not prefix:
        return set(LETTERS)
    return set("UJZ" if len(prefix) == 3 else LETTERS if len(prefix) < 3 else "0123456789")


@settings(deadline=None, max_examples=200)
@given(data=st.data())
def test_a_string_is_reachable_by_any_of_its_token_paths_exactly_when_it_is_valid(data, processor):
    tokenizer = bpe_tokenizer(processor)
    grammar, vocab = NumberGrammar(tokenizer, len(tokenizer)), tokenizer.get_vocab()
    number = data.draw(st.sampled_from([NUMBER, "ABCU 123051 0", *some_numbers(20)]))
    gaps = [data.draw(st.sampled_from(["", " ", "\n"])) for _ in range(2)]
    number = gaps[0].join((number[:4], number[5:11])) + gaps[1] + number[12:]
    if data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(number) - 1))
        number = number[:place] + data.draw(st.sampled_from("A3U 9")) + number[place + 1 :]
    state, at = grammar.state(0, 0), 0
    coded = number.replace(" ", SPACE).replace("\n", LINE_END)
    while at < len(coded):
        pieces = [e for e in range(at + 1, len(coded) + 1) if coded[at:e] in vocab]
        end = data.draw(st.sampled_from(pieces))
        state, at = int(grammar.steps[state, vocab[coded[at:end]]]), end
    state = int(grammar.steps[state, tokenizer.eos_token_id])
    parts = re.fullmatch(r"([A-Z]{4})[ \n]?([0-9]{6})[ \n]?([0-9])", number)
    reachable = bool(parts) and is_valid(number)
    assert (state == grammar.END) == reachable
    if reachable:
        assert iso6346.is_valid(compact(number))


def test_a_random_model_can_write_nothing_but_valid_numbers(tiny_model):
    model, processor = load_model(tiny_model, device="cpu", dtype="fp32")
    images = [Image.new("RGB", (64, 64), colour) for colour in ("red", "tan")]
    for transcript in read(model, processor, images):
        assert 1 < len(transcript.alternatives) <= BEAMS  # two may spell one number
        for number, probability in transcript.alternatives:
            assert iso6346.is_valid(number)
            assert 0 < probability < 1
