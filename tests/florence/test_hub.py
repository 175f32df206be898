"""Tests of how a model comes to this machine, with a small hub on 127.0.0.1 that has faults."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import huggingface_hub
import pytest
from conftest import ROOT, draw_photo, error_line, run, train, wait_until
from huggingface_hub import constants, snapshot_download
from safetensors.torch import load_file, save_file
from small_hub import COMMIT, serving

import container_ocr
from containers.basis import pace
from containers.basis.errors import ModelError, UserError
from florence import download
from florence.adapter import BASE_FILE, describe_model
from florence.hub import PINS, fetch_model, fetch_snapshot
from florence.names import DEFAULT_MODEL

MODEL = "somebody/tiny-florence"
FOLDER = f"models--{MODEL.replace('/', '--')}"
FETCH_IT = f"""
from containers.basis.talk import talk_on_terminal
from florence.hub import fetch_model

talk_on_terminal()
print(fetch_model({MODEL!r}))
"""
FETCH = ["-c", FETCH_IT]


@pytest.fixture
def hub(tiny_model):
    """Serve the tiny model under an id."""
    with serving(tiny_model, MODEL) as hub:
        yield hub


@pytest.fixture
def cache(here, hub, monkeypatch) -> Path:
    """Have this process ask the small hub; return its cache, which is empty."""
    template = hub.url + "/{repo_id}/resolve/{revision}/{filename}"
    values = {"ENDPOINT": hub.url, "HUGGINGFACE_CO_URL_TEMPLATE": template}
    values |= {"HF_HUB_OFFLINE": False, "HF_HUB_CACHE": str(here / "home/hub")}
    for name, value in values.items():
        monkeypatch.setattr(constants, name, value)
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    return here / "home/hub" / FOLDER


def environment(hub, here, **more: str) -> dict[str, str]:
    """Return the environment in which another process asks the small hub."""
    given = {"HF_HOME": str(here / "home"), "HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
    given |= {"NO_PROXY": "127.0.0.1,localhost", "PYTHONPATH": str(ROOT)}
    return os.environ | given | more


def start(hub, here, *argv, **more: str) -> subprocess.Popen:
    """Start python in a process of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    command = [sys.executable, *map(str, argv)]
    return subprocess.Popen(command, env=environment(hub, here, **more), cwd=here, **pipes)


def blobs_of(cache: Path) -> set[str]:
    """Return the names of what lies in the cache."""
    return {path.name for path in (cache / "blobs").iterdir()}


def weights_in(folder: Path) -> bytes:
    """Return the weights that have come."""
    return (folder / "model.safetensors").read_bytes()


def test_a_fresh_cache_gets_every_file_where_the_hubs_own_library_finds_it(cache, hub, capsys):
    hub.files |= {"modeling_florence2.py": b"code", "pytorch_model.bin": b"pickle"}
    folder = fetch_model(MODEL)
    kept = {name: data for name, data in hub.files.items() if name.endswith((".json", "tensors"))}
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept
    assert folder == cache / "snapshots" / COMMIT
    assert Path(snapshot_download(MODEL, local_files_only=True)) == folder
    assert len(hub.asked("/api/")) == 1
    assert hub.log[-1]["path"] == "/cdn/model.safetensors"  # the largest last
    assert f"model: {MODEL} at {COMMIT[:12]}, from the hub" in capsys.readouterr().err


def test_what_is_pinned_and_here_needs_no_request(cache, hub, capsys):
    fetch_model(MODEL, COMMIT)
    hub.log.clear()
    fetch_snapshot.cache_clear()
    assert weights_in(fetch_model(MODEL, COMMIT)) == hub.files["model.safetensors"]
    assert not hub.log
    assert "in the cache of this machine" in capsys.readouterr().err


def test_the_default_model_is_pinned(cache, hub):
    hub.model, hub.commit = DEFAULT_MODEL, "4271c66b88cdbc05735372ec13b2360108de5317"
    assert fetch_model(DEFAULT_MODEL).name == PINS[DEFAULT_MODEL] == hub.commit
    assert [request["path"].rpartition("/")[2] for request in hub.asked("/api/")] == [hub.commit]


def test_a_second_start_with_a_dead_hub_reads_photos_without_a_request(cache, hub, here):
    fetch_model(MODEL)
    hub.log.clear()
    hub.status = 503
    draw_photo(here / "image/a.jpg", "")
    flags = ("--model", MODEL, "--revision", COMMIT, "--device", "cpu", "--looks", "1")
    done = run("batch_process.py", *flags, env=environment(hub, here), cwd=here)
    assert (done.returncode, hub.log) == (0, []), done.stderr
    first = (here / "results_base.txt").read_text().splitlines()[0]
    assert f": model {MODEL} at {COMMIT[:12]} ({hub.digest[:12]}), no adapter, " in first


def test_a_branch_is_looked_up_once_in_a_run_and_kept_for_a_day_without_the_hub(
    cache, hub, capsys, monkeypatch
):
    folder = fetch_model(MODEL)
    assert fetch_model(MODEL) == folder
    assert len(hub.asked("/api/")) == 1
    assert (cache / "refs/main").read_text() == COMMIT
    for change in (("status", 503), ("hanging", "api")):
        fetch_snapshot.cache_clear()
        monkeypatch.setattr("florence.hub.ANSWER_SECONDS", 0.2)
        setattr(hub, *change)
        capsys.readouterr()
        assert fetch_model(MODEL) == folder
        line = capsys.readouterr().err.strip()
        assert line.startswith(f"warning: {hub.url} does not answer as a hub (")
        assert line.endswith(f"taking {MODEL} at main as it was last seen, {COMMIT[:12]}")
    hub.hanging = ""


def test_a_cut_download_goes_on_where_it_stopped(cache, hub, capsys):
    data = hub.files["model.safetensors"]
    half = len(data) // 2
    hub.cuts = [half, 5000]
    assert weights_in(fetch_model(MODEL)) == data
    places = [request.get("range") for request in hub.asked("/cdn/")]
    assert places == [None, f"bytes={half}-", f"bytes={half + 5000}-"]
    lines = [line for line in capsys.readouterr().err.splitlines() if "going on in" in line]
    assert len(lines) == 2
    assert lines[0].startswith("model.safetensors is cut off at ")


def test_a_server_that_knows_no_ranges_sends_all_of_it_again(cache, hub):
    hub.cuts, hub.ranges_ignored = [70_000], True
    assert weights_in(fetch_model(MODEL)) == hub.files["model.safetensors"]
    assert len(hub.asked("/cdn/")) == 2


def test_a_download_that_was_killed_goes_on_in_the_next_run_and_its_litter_goes(cache, hub, here):
    half = len(hub.files["model.safetensors"]) // 2 // 4096 * 4096
    hub.stop_at = half
    part = cache / "blobs" / f"{hub.digest}.incomplete"
    process = start(hub, here, *FETCH)
    wait_until(lambda: part.is_file() and part.stat().st_size == half)
    process.kill()
    process.communicate()
    litter = cache / "blobs" / f"{hub.digest}.0123abcd.incomplete"
    litter.write_bytes(b"what a kill leaves of huggingface_hub's own download")
    hub.stop_at = None
    hub.log.clear()
    assert weights_in(fetch_model(MODEL)) == hub.files["model.safetensors"]
    assert [request.get("range") for request in hub.asked("/cdn/")] == [f"bytes={half}-"]
    assert len(hub.log) == 3, "the list, and the weights by way of the hub: no small file again"
    assert not [name for name in blobs_of(cache) if name.endswith(".incomplete")]


def test_a_download_that_is_given_up_says_that_it_will_go_on(cache, hub):
    hub.cuts = [50_000, 0, 0]
    with pytest.raises(ModelError) as error:
        fetch_model(MODEL)
    assert re.search(
        rf"^cannot fetch {MODEL} at main: .*; run it again: it goes on where it stopped "
        r"\(0\.1 MB of 0\.\d MB are here\), or copy the model's folder from a machine with a "
        r"network and pass model FOLDER, or type the same with model "
        r"small, the small model that is here$",
        str(error.value),
    )
    assert weights_in(fetch_model(MODEL)) == hub.files["model.safetensors"]
    assert hub.log[-1]["range"] == "bytes=50000-"


def test_bytes_that_are_not_the_published_ones_are_refused_and_not_kept(cache, hub):
    hub.spoilt = True
    with pytest.raises(ModelError, match=f"place of {hub.digest[:12]}.* and was thrown away"):
        fetch_model(MODEL)
    assert not [name for name in blobs_of(cache) if name.startswith(hub.digest)]
    assert not (cache / "snapshots").exists()
    hub.spoilt = False
    assert weights_in(fetch_model(MODEL)) == hub.files["model.safetensors"]


def test_of_two_processes_one_fetches_and_both_have_it(hub, here):
    hub.rate = 300_000
    both = [start(hub, here, *FETCH) for _ in range(2)]
    outs = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], outs
    assert outs[0][0] == outs[1][0]
    assert len(hub.asked("/cdn/")) == 1
    assert "another process fetches this file" in outs[0][1] + outs[1][1]


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals there")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("where", ["api", "cdn", "middle"])
def test_a_signal_ends_a_download_that_stands_still_at_once(number, where, hub, here):
    draw_photo(here / "a.jpg", "")
    hub.hanging, hub.stop_at = where, 8192 if where == "middle" else None
    process = start(hub, here, ROOT / "container_ocr.py", "a.jpg", "--model", MODEL)
    wait_until(lambda: hub.asked("/api/" if where == "api" else "/cdn/"))
    time.sleep(0.2)
    process.send_signal(number)
    begin = time.monotonic()
    stderr = process.communicate(timeout=60)[1]
    assert time.monotonic() - begin < 1
    assert process.returncode == 128 + number
    assert error_line(stderr).startswith(f"error: interrupted ({number.name})")
    assert stderr.splitlines()[-1] == error_line(stderr)
    hub.hanging, hub.stop_at = "", None


def test_a_disk_without_room_is_said_before_the_weights_are_asked_for(cache, hub):
    hub.lie = 10**17
    with pytest.raises(UserError) as error:
        fetch_model(MODEL)
    assert re.search(
        rf"^no room for {MODEL} at main: \d+\.\d\d GB are to come, and \d+\.\d\d GB are free in "
        r"\S+; make room, or set HF_HOME to a folder on a larger disk$",
        str(error.value),
    )
    assert len(hub.log) == 1


def test_errors_hold_the_whole_reason_and_the_remedy_that_helps(cache, hub, monkeypatch):
    with pytest.raises(ModelError, match=r"404.*; check model and revision$"):
        fetch_model(MODEL, "v9")
    hub.status = 403
    with pytest.raises(ModelError, match=r"the hub says 403.*; check model and revision$"):
        fetch_model(MODEL)
    hub.shutdown()
    hub.socket.close()
    huggingface_hub.close_session()  # that has kept a connection
    with pytest.raises(ModelError) as error:
        fetch_model(MODEL)
    assert re.search(
        rf"{hub.url} does not answer as a hub \(.*Connection refused\); run it again when it does, "
        r"or copy .* pass model FOLDER, or type the same with model "
        r"small, the small model that is here$",
        str(error.value),
    )
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"at main: HF_HUB_OFFLINE is set; unset it, or copy the"):
        fetch_model(MODEL)


def test_a_hub_that_lists_a_file_without_its_size_is_told_of_in_words(cache, hub, monkeypatch):
    listed = hub.listing()
    del listed["siblings"][0]["size"]
    monkeypatch.setattr(hub, "listing", lambda: listed)
    with pytest.raises(
        ModelError, match=r"as a hub \(.*it lists a file without its size\); run it"
    ):
        fetch_model(MODEL)


def test_the_token_is_shown_to_the_hub_and_to_nobody_else(cache, hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fetch_model(MODEL)
    hosts = {request["host"].split(":")[0]: request.get("authorization") for request in hub.log}
    assert hosts == {"127.0.0.1": "Bearer hf_secret", "localhost": None}


def test_all_of_it_goes_through_the_proxy_of_the_environment(hub, here):
    at = hub.url
    hub.url = "http://cdn.invalid"
    proxy = {"HTTP_PROXY": at, "http_proxy": at, "NO_PROXY": "", "no_proxy": ""}
    process = start(hub, here, *FETCH, **proxy, HF_ENDPOINT="http://hub.invalid")
    out, stderr = process.communicate(timeout=60)
    assert process.returncode == 0, stderr
    assert weights_in(Path(out.strip())) == hub.files["model.safetensors"]
    assert {request["url"][:10] for request in hub.log} == {"http://hub", "http://cdn"}


def test_a_log_gets_lines_of_progress(cache, hub, monkeypatch, capsys):
    monkeypatch.setattr(pace, "LOG_SECONDS", 0.1)
    hub.rate = 400_000
    fetch_model(MODEL)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("fetching: ")]
    assert len(lines) >= 2
    line = r"fetching: 0\.\d MB of 0\.\d MB, \d\.\d MB a second, 00:\d\d left"
    assert all(re.fullmatch(line, found) for found in lines), lines


@pytest.fixture
def adapter(cache, hub, data) -> Path:
    """Train an adapter on the model as the hub has it; return its folder."""
    flags = ["--model", MODEL, *data[2:], "--epochs", "1", "--output", "lora"]
    assert train(flags) == 0
    return Path("lora")


def test_result_file_adapter_and_card_say_which_commit_and_which_weights(adapter, hub):
    named = f"{MODEL} at {COMMIT[:12]} ({hub.digest[:12]})"
    assert describe_model(MODEL, None) == f"model {named}, no adapter"
    assert describe_model(None, "lora").startswith(f"model {named}, adapter lora (")
    config = json.loads((adapter / "adapter_config.json").read_text())
    assert (config["base_model_name_or_path"], config["revision"]) == (MODEL, COMMIT)
    base = {"model": MODEL, "revision": COMMIT, "weights": hub.digest}
    assert json.loads((adapter / BASE_FILE).read_text()) == base
    card = (adapter / "README.md").read_text()
    assert f"`{MODEL}` at revision `{COMMIT}`" in card
    assert f"from_pretrained('{MODEL}', revision='{COMMIT}')" in card
    assert hub.digest in card


def test_plain_peft_loads_the_commit_of_the_adapter_as_the_card_has_it(adapter, hub, here, cache):
    draw_photo(here / "photo.jpg", "")
    (cache / "refs/main").unlink()  # a name that leads nowhere: only the commit will do
    code = re.search(r"```python\n(.*?)```", (adapter / "README.md").read_text(), re.DOTALL)[1]
    process = start(hub, here, "-c", code, HF_HUB_OFFLINE="1")
    stderr = process.communicate(timeout=100)[1]
    assert process.returncode == 0, stderr


def test_a_folder_with_the_same_weights_is_the_same_model(adapter, hub, tiny_model, capsys):
    digest = hub.digest[:12]
    assert f"({digest}), no adapter" in describe_model(str(tiny_model), None)
    capsys.readouterr()
    container_ocr.load_model(str(tiny_model), "lora", "cpu", "fp32")
    assert "warning" not in capsys.readouterr().err


def test_an_adapter_reads_with_its_own_commit_and_says_where_it_cannot(
    adapter, hub, tiny_model, here, capsys
):
    hub.commit = COMMIT[::-1]  # main has moved
    fetch_snapshot.cache_clear()
    hub.log.clear()
    container_ocr.FinetunedContainerOCR("lora", device="cpu", dtype="fp32")
    container_ocr.FinetunedContainerOCR("lora", MODEL, device="cpu", dtype="fp32")
    assert not hub.log
    assert "warning" not in capsys.readouterr().err
    trained = f"warning: adapter lora was trained on {MODEL} at {COMMIT[:12]} ({hub.digest[:12]})"
    container_ocr.load_model(MODEL, "lora", "cpu", "fp32", revision="main")
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("warning")]
    assert lines == [f"{trained}, and reads with {MODEL} at {hub.commit[:12]} ({hub.digest[:12]})"]
    shutil.copytree(tiny_model, here / "other")
    tensors = load_file(here / "other/model.safetensors")
    tensors["model.vision_tower.convs.0.norm.bias"] += 1
    save_file(tensors, here / "other/model.safetensors", metadata={"format": "pt"})
    container_ocr.load_model("other", "lora", "cpu", "fp32")
    lines = [x for x in capsys.readouterr().err.splitlines() if x.startswith("warning")]
    assert len(lines) == 1
    assert lines[0].startswith(f"{trained}, and reads with other (")


def test_a_training_goes_on_with_the_commit_that_it_began_with(adapter, hub, data):
    hub.commit = COMMIT[::-1]
    fetch_snapshot.cache_clear()
    hub.log.clear()
    flags = ["--model", MODEL, *data[2:], "--epochs", "1", "--output", "lora", "--resume"]
    assert train(flags) == 0
    assert not hub.log
    assert json.loads((adapter / BASE_FILE).read_text())["revision"] == COMMIT


def test_a_revision_is_for_an_id(tiny_model, here):
    draw_photo(here / "a.jpg", "")
    done = run("container_ocr.py", "a.jpg", "--model", tiny_model, "--revision", "main", cwd=here)
    assert done.returncode == 2
    assert "--revision main is for a hub id; --model" in error_line(done.stderr)
    done = run("container_ocr.py", "a.jpg", "--revision", "../main", cwd=here)
    assert done.returncode == 2
    assert "'../main' is no commit, tag or branch" in error_line(done.stderr)
