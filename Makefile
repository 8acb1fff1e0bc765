# One command per wish. `make` alone lists them.

# The Python that makes .venv: the first of these that is 3.11 or newer, or the one you name (make PYTHON=…).
# (The eval keeps what was found, so that it is looked for once, and only by a command that needs it.)
PYTHON ?= $(eval PYTHON := $(shell for python in python3.11 python3.12 python3.13 python3 python; do \
	if $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo $$python; break; fi; done))$(PYTHON)

# What `make demo` asks; put another question with make demo Q="…".
Q ?= A group of 24 adults travels from Port Elwin to Brenna with single tickets. What do they pay in all after the group discount?

BIN := .venv/bin

# The tests start the command some hundred times: compiled once, whatever the caller's environment says.
export PYTHONDONTWRITEBYTECODE :=

STARTED := $(shell date +%s)

# The question goes to the recipe as it was typed: through the environment, past make's and the shell's quoting.
export MOTET_DEMO_QUESTION := $(value Q)
unexport Q

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help python setup demo test check fix wheel lock test-stores bench-memory bench-log conformance bench-tasks bench-http bench-peers bench-start bench-streams bench-prefix bench-first-token bench-retrieval bench-sandbox chaos vllm vllm-test server-test clean weights install-run pytest
.PHONY: lint format types imports sizes docs

help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{ printf "  make %-8s %s\n", $$1, $$2 }'

demo: install-run weights ## Take in the example documents and ask one question: make demo Q="…"
	@asked=$$(date +%s); \
	export MOTET_HOME="$(CURDIR)/.demo"; \
	$(BIN)/motet kb add examples/documents </dev/null && \
	printf '\n%s\n\n' "$$MOTET_DEMO_QUESTION" && \
	$(BIN)/motet ask -- "$$MOTET_DEMO_QUESTION" </dev/null; \
	status=$$?; now=$$(date +%s); \
	echo; echo "Took $$((now - $(STARTED))) s, $$((now - asked)) s of it for the documents and the answer."; \
	exit $$status

test: setup weights check pytest wheel ## Install what the tests need, then check, test and build

setup: python ## Install everything for development into .venv
	@$(PYTHON) scripts/install.py dev

install-run: python
	@$(PYTHON) scripts/install.py run

python:
	@{ test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))'; } >/dev/null 2>&1 || { \
	echo "Motet needs Python 3.11 or newer$(if $(PYTHON), and '$(PYTHON)' is not). Name one: make PYTHON=/path/to/python"; \
	exit 1; }

weights: # fetches the embedded model's weights; what is there is not fetched again
	@$(BIN)/motet models pull

check: lint format types imports sizes docs ## Lint, formatting, types, import directions, sizes, docs (-k: all of them)

lint:
	$(BIN)/ruff check .

format:
	$(BIN)/ruff format --check .

types:
	$(BIN)/basedpyright

imports:
	$(BIN)/lint-imports --no-cache --no-logo

sizes:
	$(BIN)/python -m scripts.sizes

docs:
	$(BIN)/python -m scripts.write_docs --check

# Tests wait more than they work: for processes that are killed and started again, leases, other processes' locks.
TEST_PROCESSES ?= 2

pytest:
	$(BIN)/python -m pytest --numprocesses $(TEST_PROCESSES) --dist loadfile </dev/null

fix: ## Mend what tools can mend: lint, formatting, generated docs; let recorded sizes fall
	-$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python -m scripts.write_docs
	$(BIN)/python -m scripts.sizes --tighten

wheel: ## Build the wheel into dist/ and try it in an empty folder
	$(BIN)/python -m scripts.check_wheel

lock: ## Write requirements/*.txt anew from pyproject.toml (make lock UPGRADE=1 for newer versions)
	@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	$(UV_COMPILE) --group build -o requirements/run.txt
	$(UV_COMPILE) --group dev -c requirements/run.txt -o requirements/dev.txt
	$(UV_COMPILE) --group bench -c requirements/dev.txt -o requirements/bench.txt
	$(UV_COMPILE) --group stores -o requirements/stores.txt
	$(UV_COMPILE_GROUP) --group bench-openai-agents -o requirements/bench-openai-agents.txt
	$(UV_COMPILE_GROUP) --group conformance -o requirements/conformance.txt

UV_OPTIONS = --quiet --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11 \
	$(if $(UPGRADE),--upgrade)
UV_COMPILE = $(BIN)/python -m uv pip compile pyproject.toml $(UV_OPTIONS)
UV_COMPILE_GROUP = $(BIN)/python -m uv pip compile $(UV_OPTIONS)

OPENAI_AGENTS := benchmarks/out/openai-agents

bench-memory: python ## Measure what a turn of a long thread costs, against LangGraph's savers and openai-agents' session (DEPTHS="10 100"; ROUNDS=n)
	@$(PYTHON) scripts/install.py bench
	@test -e $(OPENAI_AGENTS)/ready || { $(BIN)/python -m venv --clear $(OPENAI_AGENTS) && \
	$(OPENAI_AGENTS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	-r requirements/bench-openai-agents.txt && touch $(OPENAI_AGENTS)/ready; }
	@$(BIN)/python -m benchmarks.memory $(DEPTHS) --postgres $(if $(ROUNDS),--rounds $(ROUNDS))

SCHEMATHESIS := benchmarks/out/schemathesis

conformance: setup ## Have every real client do what it can against a server; writes the table in docs/protocols.md
	@test -e $(SCHEMATHESIS)/ready || { $(BIN)/python -m venv --clear $(SCHEMATHESIS) && \
	$(SCHEMATHESIS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	-r requirements/conformance.txt && touch $(SCHEMATHESIS)/ready; }
	@PYTHONPATH=.:tests:tests/server $(BIN)/python -m tests.server.conformance

bench-log: setup ## Measure how soon a reader in another process sees an event, on SQLite and PostgreSQL
	@$(BIN)/python -m benchmarks.log_latency

vllm: setup ## Serve a small real model with vLLM on CPU, in an environment of its own (Linux on x86-64, 8 GB of memory)
	@$(BIN)/python -m scripts.vllm_server

vllm-test: setup ## Run the models' conformance suite against that vLLM (URL=http://127.0.0.1:8000/v1: one that make vllm serves)
	MOTET_TEST_VLLM=$(or $(URL),1) $(BIN)/python -m pytest -m vllm --timeout 1800 tests/models/test_models_conformance.py </dev/null

# The tests' fence around other machines (addopts) is not for this one.
server-test: setup ## Run that suite against any server (SPEC=ollama:qwen3@http://127.0.0.1:11434/v1, or openai:NAME with its key)
	@$(if $(SPEC),,echo 'Which model? make server-test SPEC=PROVIDER:NAME@URL' >&2; exit 2)
	MOTET_TEST_SERVER='$(SPEC)' $(BIN)/python -m pytest -m server -o addopts=-ra --timeout 1800 \
	tests/models/test_models_conformance.py </dev/null

bench-prefix: setup ## Measure what a prefix cache saves (MODEL=vllm:NAME@URL, else the embedded model; ROUNDS, TURNS, TOKENS=n)
	@$(BIN)/python -m benchmarks.prefix $(if $(MODEL),--model $(MODEL)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
	$(if $(TURNS),--turns $(TURNS)) $(if $(TOKENS),--tokens $(TOKENS))

bench-first-token: setup ## Measure how long after the model's own first token a viewer sees it (TURNS=n)
	@$(BIN)/python -m benchmarks.first_token $(if $(TURNS),--turns $(TURNS))

bench-http: setup ## Measure runs/s, first bytes and CPU of Motet's server, LangServe's and langgraph dev (SECONDS=n; ROUNDS=n; WIRE=1: the model is behind a socket)
	@$(BIN)/python -m benchmarks.http_runs $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(WIRE),--wire)

bench-peers: setup ## Measure what a turn costs in eight other frameworks, each in an environment of its own (TURNS=n)
	@$(BIN)/python -m benchmarks.peers_table $(if $(TURNS),--turns $(TURNS))

bench-start: setup ## Measure how long the command takes to start (ROUNDS=n)
	@$(BIN)/python -m benchmarks.start $(if $(ROUNDS),--rounds $(ROUNDS))

bench-streams: setup ## Measure a thousand streams of Motet's server at once, and what clients that do not read cost (CLIENTS=n)
	@$(BIN)/python -m benchmarks.streams $(if $(CLIENTS),--clients $(CLIENTS))

bench-tasks: setup ## Measure what a step of a task file costs on top of the model, and the rows of a map
	@$(BIN)/python -m benchmarks.tasks

chaos: setup ## Break a running Motet on purpose and see whether its promises hold (PROFILE=full: for long; SEED=n; ONLY=…)
	@$(BIN)/python -m tests.chaos $(if $(filter full,$(PROFILE)),--full) $(if $(SEED),--seed $(SEED)) $(if $(ONLY),--only $(ONLY))

STORES := benchmarks/out/stores

test-stores: python ## Test the vector stores that are extras, in an environment of their own (about 1 GB)
	@test -e $(STORES)/ready || { $(PYTHON) -m venv --clear $(STORES) && \
	$(STORES)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps \
	-r requirements/stores.txt && \
	$(STORES)/bin/python -m pip install --quiet --no-deps --no-build-isolation --no-index -e . && touch $(STORES)/ready; }
	@$(STORES)/bin/python -m pytest -q tests/retrieval/test_retrieval_vectors.py \
	tests/retrieval/test_retrieval_llama_index.py \
	-p no:cacheprovider -W "ignore" </dev/null

bench-retrieval: setup ## Measure how well and how fast documents are searched, against LlamaIndex where make test-stores was run (ARGS=…)
	@$(BIN)/python -m benchmarks.retrieval $(ARGS)

bench-sandbox: setup ## Measure how soon a program in the sandbox has ended, against a plain one
	@$(BIN)/python -m benchmarks.sandbox

clean: ## Remove .venv, the demo's data and everything that was built
	rm -rf .venv .demo dist build .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
