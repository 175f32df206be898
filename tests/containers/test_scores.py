"""Tests of the measures, by hand."""

from containers.number.scores import edit_distance, score


def test_edit_distance_counts_by_hand():
    assert edit_distance("CSQU3054383", "CSQU3054383") == 0
    assert edit_distance("", "CSQU") == 4
    assert edit_distance("KITTEN", "SITTING") == 3


def test_a_perfect_answer_scores_perfectly_and_nothing_scores_nothing():
    perfect = score([("CSQU 305438 3", "csqu3054383")])
    assert perfect.pop("character_error_rate") == 0
    assert set(perfect.values()) == {1.0}
    nothing = score([(None, "CSQU3054383")])
    assert nothing.pop("character_error_rate") == 1
    assert set(nothing.values()) == {0.0}


def test_scores_by_hand():
    rates = score([("CSQU3054383", "CSQU3054383"), ("CSQU3054334", "CSQU3054383")])
    assert rates == {
        "exact_match": 0.5,
        "character_error_rate": 2 / 22,
        "owner_code": 1.0,
        "serial_number": 0.5,
        "check_digit": 0.5,
        "check_digit_rate": 0.5,
    }
