"""A model that gets a larger input: what it knew of places is stretched over it."""

import argparse

import torch

from demo import train
from demo.teaching import growth, lessons


def tables(rows: int, columns: int) -> dict[str, torch.Tensor]:
    """Return position embeddings of a map of so many rows and columns: each tells its place."""
    y = torch.arange(rows)[:, None].expand(rows, columns)
    x = torch.arange(columns).expand(rows, columns)
    cells = torch.stack([x, y], -1).flatten(0, 1)
    first, last = torch.full((3, 2), -7), torch.full((growth.TEXT["max_position_embeddings"], 2), 9)
    return {
        "encoder.embed_positions.weight": torch.cat([first, cells, last]).float()[: len(last) + 2],
        "row_embeddings.weight": torch.arange(40.0)[:, None],
        "column_embeddings.weight": torch.arange(40.0)[:, None],
    }


def test_the_same_input_changes_no_place():
    known, new = (tables(lessons.ROWS, lessons.COLUMNS) for _ in range(2))
    growth.stretch_places(known, new, lessons.ROWS, lessons.COLUMNS)
    for name, table in known.items():
        assert torch.allclose(table, new[name], atol=1e-5), name


def test_a_cell_of_a_wider_input_lies_where_it_did_in_the_narrower():
    known, new = tables(lessons.ROWS, 24), tables(lessons.ROWS, lessons.COLUMNS)
    growth.stretch_places(known, new, lessons.ROWS, 24)
    table, count = known["encoder.embed_positions.weight"], lessons.ROWS * lessons.COLUMNS
    assert set(table[:3].ravel().tolist()) == {-7.0}, "what comes before the cells"
    assert set(table[3 + count : 10 + count].ravel().tolist()) == {9.0}, "the prompt behind them"
    x, y = table[3 : 3 + count].unflatten(0, (lessons.ROWS, lessons.COLUMNS)).unbind(-1)
    share = (torch.arange(lessons.COLUMNS) + 0.5) / lessons.COLUMNS
    inner = slice(2, -2)
    assert torch.allclose(x[5, inner], (share * 24 - 0.5)[inner], atol=1e-4)
    assert torch.allclose(y[:, 3], torch.arange(lessons.ROWS).float(), atol=1e-4)
    columns = known["column_embeddings.weight"][: lessons.COLUMNS, 0]
    assert torch.allclose(columns[inner], (share * 24 - 0.5)[inner], atol=1e-4)


def test_the_rate_rises_stays_and_falls_at_the_end():
    run = train.Trainer.__new__(train.Trainer)
    run.args = argparse.Namespace(lr=1.0, anneal=1600, batch_size=16)
    run.first, run.steps = 1000, 2000
    rates = []
    for run.step in range(1000, 2000):
        rates.append(run.rate)
    assert rates[0] < rates[100] < rates[train.WARM_UP] == 1.0
    assert rates[500] == rates[899] == 1.0
    assert rates[950] == 0.5
    assert rates[-1] == train.LEAST_RATE
