# One virtual environment holds everything; deleting .venv starts afresh.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := clients/typescript/node_modules/.ready
PAGE_PACKAGES := clients/explorer/node_modules/.ready
# Images of containers often set it; then each of the many processes here would compile torch's sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-ts typescript explorer openapi check audit bench serve clean

## demo: similar images, a heat map, clusters and a 2-D map of real pictures, into demo/ (IMAGES=folder for yours)
demo: $(READY)
	$(BIN)/python -m examples.demo $(if $(IMAGES),--images "$(IMAGES)")

## test: the default tests: no network, no GPU, no Docker
test: $(READY)
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

## test-ts: the TypeScript client's tests, against a service started for them (needs Node 20 or newer)
test-ts: $(READY) $(PACKAGES)
	$(BIN)/python -m pytest tests/contract/test_typescript_sources.py tests/e2e/test_typescript.py

## typescript: make the client's types and errors anew from the service
typescript: $(READY) $(PACKAGES)
	$(BIN)/python clients/typescript/generate.py
	npm --prefix clients/typescript run generate

## explorer: build the page that the service shows at / anew, and test its logic (needs Node 20.19 or newer)
explorer: $(PAGE_PACKAGES)
	npm --prefix clients/explorer run build
	npm --prefix clients/explorer test

## openapi: renew the promise of the API's version 1 after calls were added; a test refuses what breaks it
openapi: $(READY)
	$(BIN)/python -m tests.openapi_promise

## check: formatting, lint, types, and the direction of imports
check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

## audit: known vulnerabilities of what we depend on; says loudly what it could not look up
audit: $(READY)
	$(BIN)/python .ci/audit.py

## bench: throughput, latency, memory, as ratios within one run
bench: $(READY)
	$(BIN)/python -m bench

## serve: the service on http://127.0.0.1:3000
serve: $(READY)
	$(BIN)/lookalike serve

clean:
	rm -rf $(VENV) demo clients/typescript/node_modules clients/explorer/node_modules

$(READY): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(BIN)/uv pip install --python $(BIN)/python --constraint constraints.txt --editable '.[dev]'
	touch $@

$(PACKAGES): clients/typescript/package.json
	npm --prefix clients/typescript install --no-audit --no-fund
	touch $@

$(PAGE_PACKAGES): clients/explorer/package-lock.json
	npm --prefix clients/explorer ci --no-audit --no-fund
	touch $@
