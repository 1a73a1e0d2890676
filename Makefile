# ECRS: every command an operator or developer needs. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
UV_VERSION := 0.13.8

.PHONY: help
help: ## list the commands
	@grep -hE '^[a-z_-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

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

.PHONY: env env-dev
env: $(VENV)/.runtime ## the environment for running, in .venv
env-dev: $(VENV)/.dev ## the environment for developing and testing, in .venv

# ---- contract ----------------------------------------------------------------------------------
.PHONY: protos
protos: env-dev ## generate the Python stubs in protos/gen from protos/
	@rm -rf protos/gen && mkdir -p protos/gen
	@cd protos && $(CURDIR)/$(PY) -m grpc_tools.protoc -I . --python_out=gen --grpc_python_out=gen \
		--plugin=protoc-gen-mypy=$(CURDIR)/$(VENV)/bin/protoc-gen-mypy --plugin=protoc-gen-mypy_grpc=$(CURDIR)/$(VENV)/bin/protoc-gen-mypy_grpc \
		--mypy_out=quiet:gen --mypy_grpc_out=quiet:gen \
		$$(find ecrs original paddle_serving -name '*.proto' 2>/dev/null | sort)
	@find protos/gen -mindepth 1 -type d -exec touch {}/__init__.py \;
