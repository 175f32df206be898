.PHONY: test clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# What the tests need; made again when a requirements file changes.
$(VENV)/ready: requirements_finetune.txt tests/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r tests/requirements.txt
	touch $@

test: $(VENV)/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m pytest

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .hypothesis
