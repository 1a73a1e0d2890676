# ECRS: every command an operator or developer needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV_VERSION := 0.13.8

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z_ -]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

# ---- environment -------------------------------------------------------------------------------
$(VENV)/bin/uv:
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v <= (3, 12) else f"ECRS needs Python 3.10, 3.11 or 3.12, this is {v[0]}.{v[1]}: say make PYTHON=/path/to/python3.11 …")'
	@$(PYTHON) -m venv $(VENV) || { echo "python3 cannot make a virtual environment: install python3-venv (Debian: apt-get install python3-venv)"; exit 1; }
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)

$(VENV)/.runtime: requirements.lock requirements-serving.txt pyproject.toml | $(VENV)/bin/uv
	@echo "installing the locked packages into $(VENV)"
	@$(VENV)/bin/uv pip install --quiet --system-certs --python $(PY) --require-hashes -r requirements.lock
	@$(VENV)/bin/uv pip install --quiet --system-certs --python $(PY) --require-hashes --no-deps --target $(VENV)/paddle_serving -r requirements-serving.txt
	@printf '%s\n%s\n' "$(CURDIR)" "$(CURDIR)/protos/gen" > "$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/ecrs.pth"
	@touch $@

$(VENV)/.dev: requirements-dev.lock | $(VENV)/.runtime
	@echo "installing the locked development packages into $(VENV)"
	@$(VENV)/bin/uv pip install --quiet --system-certs --python $(PY) --require-hashes -r requirements-dev.lock
	@touch $@

$(VENV)/.bench: requirements-bench.lock | $(VENV)/.runtime
	@echo "installing the locked packages of the baselines into $(VENV)"
	@$(VENV)/bin/uv pip install --quiet --system-certs --python $(PY) --require-hashes -r requirements-bench.lock
	@touch $@

.PHONY: env env-dev env-bench
env: $(VENV)/.runtime ## the environment for running, in .venv
env-dev: $(VENV)/.dev ## the environment for developing and testing, in .venv
env-bench: $(VENV)/.bench ## and what the baselines and plots of docs/quality.md need, in .venv

# ---- the running system -----------------------------------------------------------------------
# DATASET=… and CONFIG=… are short for the settings ECRS_DATASET and ECRS_TRAIN_CONFIG.
ifdef DATASET
export ECRS_DATASET := $(DATASET)
endif
ifdef CONFIG
export ECRS_TRAIN_CONFIG := $(CONFIG)
endif

.PHONY: up down status load train release
up: env ## start everything (prepares, trains and loads what is missing), print the addresses
	@$(PY) -m scripts.up $(if $(RELEASE),--release $(RELEASE))

down: env ## stop everything
	@$(PY) -m scripts.down

status: env ## what runs, where, how it is; fails unless all is healthy
	@$(PY) -m scripts.status

load: env ## load the prepared data into the shop (OVERWRITE=1: it wins over writes through the API)
	@$(PY) -m scripts.load $(if $(OVERWRITE),--overwrite)

train: env ## train a new release (DATASET=… CONFIG=quick|full); make release puts it to work
	@$(PY) -m scripts.train

release: env ## serve the newest release, or NAME=…, or ROLLBACK=1; LIST=1 lists them
	@$(PY) -m scripts.release $(if $(LIST),--list,$(if $(ROLLBACK),--rollback,$(NAME)))

# ---- quality ----------------------------------------------------------------------------------
.PHONY: lint test bench
lint: env-dev ## style, types, layers, the contract
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports
	@cd protos && ../$(VENV)/bin/buf lint && ../$(VENV)/bin/buf breaking --against baseline.binpb
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && $(MAKE) --silent protos STUBS="$$fresh" \
		&& diff -r --brief --exclude=__pycache__ protos/gen "$$fresh" \
		|| { echo "protos/gen is not what protos/ generate: say make protos, and commit it"; exit 1; }

test: lint ## lint and every test
	@$(PY) -m pytest

BENCH ?= latency loaders vector_loading index web
bench: env-dev ## measure against the running system (make up); BENCH="training" for one of bench/
	@for name in $(BENCH); do $(PY) -m "bench.$$name" || exit 1; done

# ---- texts ------------------------------------------------------------------------------------
.PHONY: translations
translations: env-dev ## collect the shop's texts, update and compile the catalogues; lists what is untranslated
	@$(PY) -m webapp.translate

# ---- contract ---------------------------------------------------------------------------------
STUBS ?= protos/gen
.PHONY: protos protos-baseline
protos: env-dev ## generate the Python stubs in protos/gen from protos/
	@rm -rf $(STUBS) && mkdir -p $(STUBS)
	@cd protos && $(CURDIR)/$(PY) -m grpc_tools.protoc -I . --python_out=$(abspath $(STUBS)) --grpc_python_out=$(abspath $(STUBS)) \
		--plugin=protoc-gen-mypy=$(CURDIR)/$(VENV)/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(CURDIR)/$(VENV)/bin/protoc-gen-mypy_grpc \
		--mypy_out=quiet:$(abspath $(STUBS)) --mypy_grpc_out=quiet:$(abspath $(STUBS)) \
		$$(find ecrs original paddle_serving -name '*.proto' 2>/dev/null | sort)
	@find $(STUBS) -mindepth 1 -type d -exec touch {}/__init__.py \;

protos-baseline: env-dev ## take the contract as it is for the one that make lint compares with
	@cd protos && ../$(VENV)/bin/buf build -o baseline.binpb
