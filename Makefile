# make demo: a trained digits generator in about two minutes. make test: every check that CI runs.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test test-long format clean

demo: .venv/installed
	$(BIN)/mulligan train digits --time 110s --name demo --force
	@echo
	@echo "Open the report: $(CURDIR)/runs/demo/report.html"

# two workers with two threads each would wait for each other
test: .venv/developing
	$(BIN)/ruff format --check src tests benchmarks scripts
	$(BIN)/ruff check src tests benchmarks scripts
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 --dist worksteal -m "not long"

test-long: .venv/developing
	OMP_NUM_THREADS=1 $(BIN)/pytest -n 2 -m long

format: .venv/developing
	$(BIN)/ruff format src tests benchmarks scripts
	$(BIN)/ruff check --fix src tests benchmarks scripts

.venv/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	touch $@

.venv/developing: .venv/installed
	$(BIN)/python -m pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv build dist .pytest_cache .mypy_cache .ruff_cache
