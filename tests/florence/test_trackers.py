"""Tests of --report_to: the figures of a training go where accelerate can send them."""

from importlib.util import find_spec

import pytest
from accelerate import Accelerator
from accelerate.utils import LoggerType
from conftest import error_line, log_of, train
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from florence.trackers import TRACKERS


def test_the_names_are_accelerates():
    assert {*TRACKERS, "all"} == set(LoggerType.list())


def test_tensorboard_gets_each_epoch_and_a_resumed_run_goes_on(data):
    flags = ("--report_to", "tensorboard", "--output", "out")
    assert train(data, *flags, "--epochs", "2") == 0
    assert train(data, *flags, "--epochs", "2", "--resume") == 0, "nothing to do is no error"
    events = EventAccumulator("out/container-numbers").Reload()
    log = log_of("out")
    for name in ("eval_loss", "train_loss", "exact_match", "character_error_rate"):
        found = [(event.step, event.value) for event in events.Scalars(name)]
        assert found == [(r["epoch"], pytest.approx(r[name], abs=1e-6)) for r in log]


def test_a_tracker_that_fails_at_once_is_one_line_and_later_it_stops_nothing(
    data, monkeypatch, capsys
):
    def fail(*_, **__):
        raise ValueError("no\naccount")

    flags = ("--report_to", "tensorboard", "--output", "out", "--epochs", "2")
    with monkeypatch.context() as patch:
        patch.setattr(Accelerator, "init_trackers", fail)
        assert train(data, *flags) == 1
    line = error_line(capsys.readouterr().err)
    assert line == "error: --report_to tensorboard: no account"
    monkeypatch.setattr(Accelerator, "log", fail)
    assert train(data, *flags) == 0
    assert capsys.readouterr().err.count("warning: --report_to tensorboard: no account") == 2


def test_a_tracker_that_is_not_there_is_one_line(data, capsys):
    absent = next(name for name in TRACKERS if find_spec(name) is None)
    assert train(data, "--report_to", absent) == 2
    line = error_line(capsys.readouterr().err)
    assert line == f"error: --report_to {absent} is not installed here: pip install {absent}"
