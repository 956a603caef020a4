# Two commands matter on a fresh machine: `make demo` and `make test`. `make help` lists the rest.

# The interpreter of the functions' runtime if it is there, otherwise any Python from 3.11 on. Each one is
# tried, because pyenv puts names on PATH that don't run.
PYTHON ?= $(shell for python in python3.13 $(HOME)/.pyenv/versions/3.13.*/bin/python3.13 python3 \
	python3.14 python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
# Marks the environment as complete, and as made from these lock files.
READY := $(VENV)/.ready
CHECKOV := .venv-checkov
CHECKOV_READY := $(CHECKOV)/.ready
TEMPLATES := template.yaml $(wildcard environment/*.yaml)
# One of each partition, because not every type and property is in each.
REGIONS := us-east-1 cn-north-1 us-gov-west-1
# checkov reads copies of TEMPLATES, without the conditions of resources.
UNCONDITIONAL := .cache/checkov

# Without compiled modules, each of the suite's hundreds of interpreters would compile them again.
unexport PYTHONDONTWRITEBYTECODE
export SAM_CLI_TELEMETRY := 0
# All functions are built from one folder, so one build and one zip serve all of them.
export SAM_CLI_BETA_BUILD_PERFORMANCE := 1
export SAM_CLI_BETA_PACKAGE_PERFORMANCE := 1
# Keeps checkov from asking PyPI whether there is a newer version.
export CKV_SKIP_PACKAGE_UPDATE_CHECK := true
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Slipway needs Python 3.11 or newer; name it with PYTHON=..." >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --require-hashes -r requirements-dev.txt
	touch $@

# checkov pins an old boto3, so it has its own environment.
$(CHECKOV_READY): requirements-checkov.txt | $(READY)
	$(PYTHON) -m venv --clear $(CHECKOV)
	VIRTUAL_ENV=$(CURDIR)/$(CHECKOV) uv pip install --quiet --compile-bytecode --require-hashes -r requirements-checkov.txt
	touch $@

.PHONY: demo
demo: $(READY) ## Deploy Slipway to a local AWS and watch three releases
	@$(BIN)/python -m tools.demo

# ARGS goes to pytest: make test ARGS='-k stale'. The unit tests have workers of their own: beside a local AWS in the
# same process they would take four times as long.
# Deployments wait most of their time, so that the tests on the local AWS have more workers than a small machine has
# processors.
PYTEST = $(BIN)/pytest --dist loadscope --no-loadscope-reorder

.PHONY: unit
unit: $(READY) ## Run every test that needs no local AWS
	$(PYTEST) --numprocesses 2 -m 'not exhaustive' tests/unit $(ARGS)

.PHONY: test
test: $(READY) ## Run every test but the exhaustive ones (ARGS='-k stale')
ifdef ARGS
	$(PYTEST) --numprocesses 4 -m 'not exhaustive' $(ARGS)
else
	$(PYTEST) --numprocesses 2 -m 'not exhaustive' tests/unit
	$(PYTEST) --numprocesses 8 -m 'not exhaustive' --ignore tests/unit
endif

# Coverage is that of tests/unit alone: these have to reach all of functions/, which the local AWS runs in other
# processes. It takes half as long again as `make unit`, so that it is no part of `make test`.
.PHONY: coverage
coverage: $(READY) ## Run the unit tests, which have to reach every branch of functions/
	$(PYTEST) --numprocesses 2 -m 'not exhaustive' tests/unit --hypothesis-profile all --cov

.PHONY: test-exhaustive
test-exhaustive: $(READY) ## Run the exhaustive tests: every fault, stop and variant, and containers
	$(PYTEST) --numprocesses 3 -m exhaustive $(ARGS)

.PHONY: lint
lint: $(READY) $(CHECKOV_READY) ## Check code, templates and state machines
	ruff check .
	ruff format --check .
	mypy functions localaws tools
	cfn-lint --regions $(REGIONS) -- $(TEMPLATES)
	AWS_DEFAULT_REGION=us-east-1 sam validate --lint
	python -m tools.lint_state_machines
	PYTHONPATH=functions lint-imports --no-logo --no-cache
	@# checkov skips a resource if its condition is false with the parameters' defaults.
	@rm -rf $(UNCONDITIONAL) && mkdir -p $(UNCONDITIONAL)/environment
	@for template in $(TEMPLATES); do sed 's/^    Condition: /    # &/' $$template >$(UNCONDITIONAL)/$$template; done
	cd $(UNCONDITIONAL) && $(CURDIR)/$(CHECKOV)/bin/checkov --framework cloudformation --skip-download \
		--quiet --compact --file $(TEMPLATES)

LOCAL_ := tools.local
LOCAL_invoke := tools.samlocal.local_invoke
LOCAL_sam := tools.samlocal.local
.PHONY: local
local: $(READY) ## Keep a local AWS with Slipway running (LOCALAWS_PORT, default 4566; LAMBDA=sam, LAMBDA=invoke)
	@$(BIN)/python -m $(or $(LOCAL_$(LAMBDA)),$(error LAMBDA is sam or invoke, or is not set))

.PHONY: sam-local
sam-local: $(READY) ## Run every function in a container by sam local invoke, and compare the answers
	@$(BIN)/python -m tools.samlocal

.PHONY: build
build: $(READY) ## Pack the functions
	sam build
	python -m tools.pack

.PHONY: bench
bench: $(READY) ## Measure deployments on the local AWS: time and price
	@$(BIN)/python -m tools.bench

.PHONY: events
events: $(READY) ## Record events/ again, from a run on the local AWS
	@$(BIN)/python -m tools.record_events
	@$(BIN)/python -m tools.samlocal.record

.PHONY: schema
schema: $(READY) ## Write the schemas and docs/outcomes.md from the models
	@$(BIN)/python -m tools.schemas

.PHONY: golden
golden: $(READY) ## Write tests/golden/ again; then read the difference
	@$(BIN)/python -m tools.golden

.PHONY: pictures
pictures: $(READY) ## Draw docs/pictures/ from tests/golden/
	@$(BIN)/python -m tools.pictures

.PHONY: lock
lock: $(READY) ## Pin the packages of the *.in files, with hashes
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		functions/requirements.in -o functions/requirements.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		requirements-dev.in -o requirements-dev.txt
	uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		requirements-checkov.in -o requirements-checkov.txt
