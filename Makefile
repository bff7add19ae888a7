# Two commands do everything on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test unit lint bench docs soak fuzz safeguards clean

$(BIN)/.installed: requirements.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

$(BIN)/.installed-dev: $(BIN)/.installed requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

# The main job, seen: both boards into nine tables and edits both ways, each first as a dry run.
demo: $(BIN)/.installed
	@$(BIN)/python -m cli.demo

# All tests, and the core of those that run the commands a second time behind PgBouncer with a stranger at work.
test: lint
	$(BIN)/pytest -n 2 --dist loadgroup
	$(BIN)/pytest -n 2 --dist loadgroup --pooled

# The core alone, in seconds: scripts of what people do on both sides and what is decided.
unit: $(BIN)/.installed-dev
	$(BIN)/pytest -q tests/unit

lint: $(BIN)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(BIN)/.installed
	$(BIN)/python -m cli.mapping_doc

bench: $(BIN)/.installed-dev
	$(BIN)/python -m bench

# The random histories of tests/, many more of them, kills at every point, and every command behind PgBouncer:
# make soak SOAK_EXAMPLES=500
SOAK_EXAMPLES ?= 200
soak: $(BIN)/.installed-dev
	SOAK_EXAMPLES=$(SOAK_EXAMPLES) $(BIN)/pytest tests/machines/test_inbound_machine.py tests/machines/test_both_machine.py tests/machines/test_pull_kills.py tests/machines/test_push_kills.py tests/machines/test_races.py -s
	SOAK_EXAMPLES=12 $(BIN)/pytest -n 2 --dist loadgroup --pooled

$(BIN)/.installed-fuzz: $(BIN)/.installed-dev requirements-fuzz.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-fuzz.txt
	touch $@

# Coverage-guided fuzzing of what reads bytes from outside, so long for each of ten targets: make fuzz FUZZ_SECONDS=300
FUZZ_SECONDS ?= 60
fuzz: $(BIN)/.installed-fuzz
	@$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS)

# Without each safeguard in turn, a named test has to turn red.
safeguards: $(BIN)/.installed-dev
	$(BIN)/python -m tests.safeguards

clean:
	rm -rf $(VENV) .demo .postgres .mypy_cache .ruff_cache .pytest_cache .hypothesis .fuzz
