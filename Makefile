.PHONY: demo test pictures clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := demo/run

# The five steps with the small model and the sample photos; $(RUN) holds what they write.
demo: $(VENV)/installed
	mkdir -p $(RUN)
	$(BIN)/python prepare_dataset.py --mode create_template --image_folder ./image --annotation_file $(RUN)/annotations.json
	cp demo/annotations.json $(RUN)/annotations.json  # in place of an hour of labelling by hand
	$(BIN)/python prepare_dataset.py --mode prepare --annotation_file $(RUN)/annotations.json --output_dir $(RUN)/dataset
	$(BIN)/python finetune_florence.py --train $(RUN)/dataset/train.json --val $(RUN)/dataset/val.json --output $(RUN)/lora --epochs 4 --overwrite --model small
	$(BIN)/python batch_process.py ./image --model small --output $(RUN)/results_base.txt
	$(BIN)/python batch_process.py ./image --lora_path $(RUN)/lora --output $(RUN)/results_finetuned.txt
	$(BIN)/python batch_process.py --compare $(RUN)/results_base.txt $(RUN)/results_finetuned.txt --annotation_file $(RUN)/annotations.json --report $(RUN)/report.html
	@echo "done: open $(RUN)/report.html in a browser. To go on in this environment:"
	@echo "  source $(BIN)/activate"
	@echo "  python batch_process.py ./image --model small --report review.html"

# Made again when a requirements file changes: what the scripts need, then what the tests need.
$(VENV)/installed: requirements_finetune.txt
	@$(PYTHON) -c "import sys; from commands.start import python_problem as p; sys.exit(p(sys.version_info[:3]) or 0)"
	@echo "installing into $(VENV), once: torch and what else the scripts need"
	@echo "(on Linux with CUDA, 5.8 GB; README.md says how to leave CUDA out)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --disable-pip-version-check -r $<
	@echo "installed in $(VENV)"
	touch $@

$(VENV)/ready: tests/requirements.txt demo/requirements.txt $(VENV)/installed
	@echo "installing into $(VENV), once: what the tests need"
	$(BIN)/pip install --quiet --disable-pip-version-check -r $<
	touch $@

test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest

# The pictures that the guides show; to be made again when the small model or a page changes.
pictures: $(VENV)/ready
	$(BIN)/python -m measure.pictures docs/pictures

clean:
	rm -rf $(VENV) $(RUN) .pytest_cache .ruff_cache .mypy_cache .hypothesis
