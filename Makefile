# make audit   from a fresh clone to a finished report in reports/german-credit/
# make check   lint, types, layers          make test      the tests, under 6 minutes
# make example the bundle in reports/example/
# make bench   side by side with peers      make test-all  the slow ones too
# make bench-peers   an environment for those peers that pin old versions

PYTHON ?= python3
BIN := .venv/bin
PARALLEL ?= 2

.DEFAULT_GOAL := audit
.PHONY: audit example check test test-all bench bench-peers clean

# torch goes first and alone, so that no other package chooses its build.
.venv/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is required; try: make PYTHON=python3.12"; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

# Whatever the verdict (0, 1 or 3), the audit itself has succeeded once the report is written.
audit: .venv/.installed
	@$(BIN)/assay audit examples/german-credit/audit.toml; code=$$?; case $$code in 0|1|3) ;; *) exit $$code ;; esac

# The one bundle that is kept in version control; a test says when it is stale.
example: .venv/.installed
	@$(BIN)/assay audit examples/german-credit/audit.toml --output reports/example; code=$$?; case $$code in 0|1|3) ;; *) exit $$code ;; esac

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# One thread a worker: two workers with two threads each would fight over two processors.
test: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(PARALLEL) --dist worksteal

test-all: .venv/.installed
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses $(PARALLEL) --dist worksteal -m "slow or not slow"

bench: .venv/.installed .venv-peers/.installed
	$(BIN)/python -m benchmarks.explain
	$(BIN)/python -m benchmarks.train
	$(BIN)/python -m benchmarks.vault
	$(BIN)/python -m benchmarks.robustness

bench-peers: .venv-peers/.installed

.venv-peers/.installed: constraints.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt \
		torchattacks==3.3.0 foolbox==3.3.4 adversarial-robustness-toolbox==1.20.1 packaging scikit-learn
	@touch $@

clean:
	rm -rf .venv .venv-peers build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
