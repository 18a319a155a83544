# The ways in. `make run` and `make test` need Python 3.11, pip and git; all else they bring along.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PORT ?= 8000
export PORT
VAR_DIR ?=
ifneq ($(VAR_DIR),)
export VAR_DIR
endif

.DEFAULT_GOAL := help
.PHONY: help run web worker beat mailbox migrate demo assets translations test sdks faults check format bench lock lockcheck doctor clean

help: ## say what can be made
	@grep -E '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 24

# One stamp per lock file: its name holds the digest, so a changed lock installs anew and an old one does nothing.
LOCAL_STAMP := $(VENV)/.local-$(shell cat requirements/local.txt 2>/dev/null | cksum | cut -d' ' -f1)
DEV_STAMP := $(VENV)/.dev-$(shell cat requirements/dev.txt 2>/dev/null | cksum | cut -d' ' -f1)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Klantbeeld needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make run PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make a virtual environment. On Debian or Ubuntu: apt install python3-venv"; rm -rf $(VENV); exit 1; }

$(LOCAL_STAMP): | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/local.txt
	@touch $@

$(DEV_STAMP): | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@ $(LOCAL_STAMP)

assets: $(LOCAL_STAMP) ## install the front-end packages that pages and sites load
	@$(BIN)/python -m cdp.build assets

translations: $(LOCAL_STAMP) ## compile the translations
	@$(BIN)/python -m cdp.build translations

run: assets translations ## start everything in one terminal (DEMO=0: without demo data)
	@DEMO=$(or $(DEMO),1) exec $(BIN)/python manage.py run

web: assets translations ## the web process alone
	@exec $(BIN)/python -m cdp.web --host $(or $(HOST),127.0.0.1) --port $(PORT)

worker: $(LOCAL_STAMP) ## the workers alone, one process for each kind of work (KINDS="events sends": some)
	@exec $(BIN)/python manage.py work $(KINDS)

beat: $(LOCAL_STAMP) ## beat alone; a second one waits until the first falls silent
	@exec $(BIN)/python manage.py work beat

mailbox: $(LOCAL_STAMP) ## the capture mailbox alone
	@exec $(BIN)/python -m cdp.mailbox.server --port $(or $(CAPTURE_SMTP_PORT),$(shell expr $(PORT) + 25)) --folder $(or $(VAR_DIR),var)/mailbox

migrate: $(LOCAL_STAMP) ## bring the database up to date (starts the embedded one when there is no DATABASE_URL)
	@test -n "$(DATABASE_URL)" || $(BIN)/python -m cdp.embedded.postgres start >/dev/null
	@$(BIN)/python manage.py migrate

demo: $(LOCAL_STAMP) ## push the demo data into the running site
	@$(BIN)/python manage.py demo

doctor: $(LOCAL_STAMP) ## check the installation and say how to mend it
	@$(BIN)/python manage.py doctor

# Chromium: what the machine has, or Debian's package, or Playwright's own.
$(VENV)/.chromium: | $(DEV_STAMP)
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null || \
	  { command -v apt-get >/dev/null && \
	    { if [ "$$(id -u)" = 0 ]; then apt-get update -qq && apt-get install -y -qq chromium; else sudo -n apt-get update -qq && sudo -n apt-get install -y -qq chromium; fi; }; } || \
	  $(BIN)/python -m playwright install --with-deps chromium || $(BIN)/python -m playwright install chromium
	@touch $@

# Each job has a database of its own; more than the cores are no faster.
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
test: $(DEV_STAMP) $(VENV)/.chromium ## run all tests, also in a real browser (ARGS="-k word": some, one after the other)
	@$(BIN)/python -m cdp.build test-assets
	@$(BIN)/python -m cdp.build translations
	@$(BIN)/python -m tests.sdks.packages
	@$(BIN)/python -m tests.clients.tools
	@VAR_DIR=$(or $(VAR_DIR),$(CURDIR)/var/test) $(BIN)/python -m pytest $(or $(ARGS),-n $(JOBS) --dist loadgroup)

sdks: $(DEV_STAMP) $(VENV)/.chromium ## run every SDK that this machine has a toolchain for, and print the table of results
	@$(BIN)/python -m cdp.build test-assets
	@$(BIN)/python -m tests.sdks.packages
	@VAR_DIR=$(or $(VAR_DIR),$(CURDIR)/var/test) $(BIN)/python -m pytest -q -s tests/sdks

faults: $(DEV_STAMP) ## kill, hang, fill and cut every part for half an hour (ARGS="-k disk": some); `test` has the short ones
	@FAULTS=long VAR_DIR=$(or $(VAR_DIR),$(CURDIR)/var/test) $(BIN)/python -m pytest tests/faults $(ARGS)

check: $(DEV_STAMP) $(LOCK_CHECKED) ## lint, types, contracts between the parts, templates, migrations
	$(BIN)/ruff check .
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/djlint templates --lint --quiet
	@test -n "$(DATABASE_URL)" || $(BIN)/python -m cdp.embedded.postgres start >/dev/null
	$(BIN)/python manage.py makemigrations --check --dry-run
	$(BIN)/python manage.py check
	$(BIN)/python manage.py spectacular --validate --fail-on-warn --file /dev/null

format: $(DEV_STAMP) ## put the code in shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(DEV_STAMP) ## measure the budgets beside the machine's bare limits (ARGS="attacks": some)
	@$(BIN)/python -m bench $(ARGS)

# One lock for every Python from the oldest promised on: what only an older one needs stands in it with a marker.
# One lock for every Python from the oldest promised on: what only an older one needs stands in it with a marker.
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11.0 --generate-hashes --no-header
lock: $(DEV_STAMP) ## pin the dependencies of pyproject.toml with hashes (ARGS=--upgrade: take newer ones)
	$(LOCK) $(ARGS) -o requirements/base.txt pyproject.toml
	$(LOCK) $(ARGS) -c requirements/base.txt --extra local -o requirements/local.txt pyproject.toml
	$(LOCK) $(ARGS) -c requirements/local.txt --extra local --extra dev -o requirements/dev.txt pyproject.toml

# Once per lock: resolve it, with its hashes, on the oldest suitable Python of this machine.
LOCK_CHECKED := $(VENV)/.lock-checked-$(shell cat requirements/*.txt 2>/dev/null | cksum | cut -d' ' -f1)
$(LOCK_CHECKED): | $(BIN)/python
	@oldest=$$(for python in /usr/bin/python3.1[1-9] $$(command -v python3.11 python3.12 python3.13) $(BIN)/python; do \
	    test -x $$python && $$python -c 'import sys; v = sys.version_info; v >= (3, 11) and print(v[1], v[2], sys.argv[1])' $$python; \
	  done | sort -n -k1 -k2 | head -1 | cut -d' ' -f3); \
	  rm -rf $(VENV)/oldest && $$oldest -m venv $(VENV)/oldest && $(VENV)/oldest/bin/python -V && \
	  $(VENV)/oldest/bin/python -m pip install --quiet --dry-run --require-hashes -r requirements/dev.txt
	@rm -rf $(VENV)/oldest && touch $@

lockcheck: $(LOCK_CHECKED) ## resolve the lock on the oldest Python of this machine

clean: ## remove what was made, but not the data in var/
	rm -rf $(VENV) node_modules static/vendor .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
