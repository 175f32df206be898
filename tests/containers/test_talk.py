"""What is said below the commands: options are named as in Python, or as flags on a terminal."""

import logging
import subprocess
import sys

import pytest
from conftest import ROOT

from container_ocr import main
from containers.basis.errors import FlagError, UserError
from containers.basis.talk import log

CLOUD = "from container_ocr import ContainerOCR; ContainerOCR('small', device='cloud')"


def test_an_error_names_options_as_they_were_given():
    error = FlagError("§device tpu is not here (§dtype fp16 neither); 5§3 and §§ stay")
    assert str(error) == "device tpu is not here (dtype fp16 neither); 5§3 and §§ stay"
    assert error.typed == "--device tpu is not here (--dtype fp16 neither); 5§3 and §§ stay"
    assert str(UserError()) == ""


def test_who_calls_from_python_is_answered_in_python(capsys, tiny_model):
    done = subprocess.run(
        [sys.executable, "-c", CLOUD], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = done.stderr.splitlines()[-1]
    assert "FlagError: device cloud is not on this machine" in last
    assert "--" not in last
    absent = "cuda" if sys.platform == "darwin" else "mps"
    photo = ROOT / "image/000002_BACK_1.jpg"
    assert main([str(photo), "--model", str(tiny_model), "--device", absent]) == 2
    assert f"error: --device {absent} is not on this machine" in capsys.readouterr().err


def test_a_program_hears_progress_only_if_it_asks_for_it(tmp_path):
    """No handler: warnings alone, by Python's own rule; a handler of INFO: all."""
    says = "from containers.basis.talk import log; log.info('§looks: 57'); log.warning('§model x')"
    for setup, heard in (
        ("", "model x\n"),
        ("import logging; logging.basicConfig(level=20, format='%(levelname)s %(message)s'); ",
         "INFO looks: 57\nWARNING model x\n"),
    ):  # fmt: skip
        line = [sys.executable, "-c", setup + says]
        done = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True)
        assert (done.stdout, done.stderr) == ("", heard)


@pytest.mark.parametrize(
    ("level", "kind"),
    [(logging.INFO, ""), (logging.WARNING, "warning: "), (logging.ERROR, "error: ")],
)
def test_a_terminal_reads_the_kind_of_a_line_and_the_flag_as_typed(level, kind, capsys):
    log.log(level, "lower §lr\x1b[2J")
    assert capsys.readouterr() == ("", f"{kind}lower --lr\\x1b[2J\n")


def test_of_many_processes_the_first_speaks(monkeypatch, capsys):
    monkeypatch.setenv("RANK", "1")
    log.warning("once")
    assert capsys.readouterr().err == ""
