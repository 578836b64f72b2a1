# Every target sets up .venv by itself when it is missing or when the requirements changed.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
export BRAINLENS_CACHE ?= $(CURDIR)/.venv/cache

.PHONY: help demo test quick coverage check bench docs sbom clean
help:
	@echo "make demo    the whole road once, on the embedded sample"
	@echo "make test    every test (make quick: the fast ones)"
	@echo "make coverage every test, and which lines of src they reach (90 % or it fails)"
	@echo "make check   lint and types"
	@echo "make docs    the documentation as a site, in site/"
	@echo "make sbom    licences, SOUP list and SBOM again, in docs/release"
	@echo "make bench   speed, as ratios against baselines (QUICK=1: only that they run)"

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	# fid-helper brings OpenCV's build with windows, which wants libGL, over the one without: put that back.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-deps --force-reinstall opencv-python-headless
	touch $@

demo: $(READY)
	$(BIN)/brainlens demo --overwrite

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal

quick: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal -m "not slow"

coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 3 --dist worksteal --cov --cov-report=term --cov-report=html:htmlcov

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "open site/index.html (searching needs a server: python3 -m http.server -d site)"

sbom: $(READY)
	$(BIN)/python -m tools.release_lists

bench: $(READY)
	$(BIN)/python -m benchmarks $(if $(QUICK),--quick)

clean:
	rm -rf .venv brainlens-demo site .mypy_cache .ruff_cache .pytest_cache
