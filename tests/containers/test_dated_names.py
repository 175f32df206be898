"""Tests of names that hold the date."""

from datetime import datetime
from pathlib import Path

import pytest

from containers.data.dated_names import DatedName, date_problem

NOON = datetime(2026, 11, 26, 12, 30)


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("results.csv", "results.csv"),
        ("results_%Y-%m-%d.csv", "results_2026-11-26.csv"),
        ("%Y/%m/게이트_%d.xlsx", "2026/11/게이트_26.xlsx"),
        ("%G-W%V.txt", "2026-W48.txt"),
        ("%y%j_%H.txt", "26330_12.txt"),
        ("50%% [a]*.txt", "50% [a]*.txt"),
    ],
)
def test_a_name_is_filled_in_and_finds_its_files_of_other_days_alone(text, filled, here):
    name = DatedName(text)
    assert date_problem(text) is None
    assert name.at(NOON) == Path(filled)
    assert name.files() == []
    for other in (filled, f"{filled}.partial", f"x{filled}".replace("/", "")):
        Path(other).parent.mkdir(parents=True, exist_ok=True)
        Path(other).touch()
    assert name.files() == [Path(filled)]
    assert name.files(".partial") == [Path(f"{filled}.partial")]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("100%", "% is none of %Y %y %m %d %j %H %G %V; for a percent sign type %%"),
        ("50%.txt", "%. is none of "),
        ("%Y-%b-%d.txt", "%b is none of "),
        ("%d.txt", "2024-01-01 and 2024-02-01 would share a file: name the whole date, as by %Y-"),
        ("%m-%d.txt", "2024-01-01 and 2025-01-01 would share a file"),
        ("%Y-%m-%d/%Y.txt", None),
        ("%Y-%V.txt", "2024-01-01 and 2024-12-30 would share a file"),
        ("%H.txt", "2024-01-01 and 2024-01-02 would share a file"),
    ],
)
def test_a_name_that_no_date_can_fill_in_or_that_comes_again_is_refused(text, reason):
    problem = date_problem(text)
    assert problem is None if reason is None else problem.startswith(reason)
