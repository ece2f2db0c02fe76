# make demo: from raw images to a served model, in a .venv of its own. make test: the tests.
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
DEMO_SIDE ?= 8
DEMO_OUTPUT ?= demo_output
# Each process imports TensorFlow, and uses what cores there are.
TEST_PROCESSES ?= 2
export TF_CPP_MIN_LOG_LEVEL ?= 3

DATAFLOW_VENV := .venv-dataflow
FLINK := .work/flink
INSTALL_UV := python -m pip install -q --disable-pip-version-check --require-hashes -r uv.txt

.PHONY: setup demo test test-long test-dataflow test-flink test-browser lint format hashes audit clean

setup: $(VENV)/installed

# The pinned uv checks the hash of each package. Where there is no uv, pip installs without hashes: it
# checks none beside a local folder.
$(VENV)/installed: setup.py constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if v in ((3, 11), (3, 12)) else "Python 3.11 or 3.12 is needed, this is %d.%d: make PYTHON=python3.11" % v)'
	$(PYTHON) -m venv $(VENV)
	@if $(BIN)/$(INSTALL_UV) 2>/dev/null; then echo "installing with uv, hashes checked"; $(BIN)/uv pip install -q --compile-bytecode -p $(BIN)/python -c constraints.hashes.txt -e '.[dev]'; \
	else echo "installing with pip (some minutes), no hashes checked"; $(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'; fi
	@touch $@

# After a change of constraints.txt.
hashes: setup
	$(BIN)/uv pip compile -q --no-deps --universal --generate-hashes --no-header --no-annotate -p $(BIN)/python constraints.txt -o constraints.hashes.txt

# Known faults of what is pinned; needs the network. A package that is not found in the database fails.
audit: setup
	$(BIN)/uv tool run pip-audit==2.10.1 --strict --no-deps --disable-pip -r constraints.txt

demo: setup
	$(BIN)/python -m tools.demo --side=$(DEMO_SIDE) --output=$(DEMO_OUTPUT)

test: setup
	$(BIN)/python -m pytest -q -n $(TEST_PROCESSES) --dist loadfile

# LONG_MINUTES=N: what has not begun after N minutes is skipped, and counted. XLA keeps what it has
# compiled, 300 MB for each experiment: its tests have processes of their own, and 4 minutes each time.
LONG_TESTS = $(BIN)/python -m pytest -q -m long -n $(TEST_PROCESSES)
XLA_TESTS = $(LONG_TESTS) --dist load tests/trainer/test_xla.py $(if $(LONG_MINUTES),--minutes=4)

test-long: setup
	$(LONG_TESTS) --dist loadfile --no-loadscope-reorder --ignore=tests/trainer/test_xla.py $(if $(LONG_MINUTES),--minutes=$(LONG_MINUTES))
	$(XLA_TESTS) -k 'mnist or cifar10'
	$(XLA_TESTS) -k 'not mnist and not cifar10'

# The pages in a headless Chromium: the one on PATH or in LONGHAUL_CHROMIUM, else Debian's.
test-browser: setup
	@$(BIN)/python tests/support/browser.py || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update -qq && apt-get install -qq -y --no-install-recommends chromium-headless-shell fonts-dejavu-core; }
	$(BIN)/python -m pytest -q -m long tests/tools/inspect/test_browser.py tests/tools/report/test_report_browser.py tests/tools/serve/test_serve_browser.py

# With Google's libraries, which training has no use for, in an environment of their own.
test-dataflow: $(DATAFLOW_VENV)/installed
	$(DATAFLOW_VENV)/bin/python -m pytest -q -m long tests/pipelines/test_dataflow.py tests/pipelines/job/sources/files/test_manifest_remote.py

$(DATAFLOW_VENV)/installed: setup.py constraints.txt
	$(PYTHON) -m venv $(DATAFLOW_VENV)
	$(DATAFLOW_VENV)/bin/$(INSTALL_UV)
	$(DATAFLOW_VENV)/bin/uv pip install -q --compile-bytecode -p $(DATAFLOW_VENV)/bin/python -c constraints.hashes.txt -e '.[dataflow-tests]'
	@touch $@

# On a cluster of Apache Flink on loopback. Needs Java 11 or 17 and Maven; fetches 400 MB, once.
test-flink: setup $(FLINK)/installed
	$(BIN)/python -m pytest -q -m long tests/pipelines/test_flink.py

$(FLINK)/installed: tests/support/flink/pom.xml tests/support/flink/flink.txt
	@command -v java >/dev/null && command -v mvn >/dev/null || { echo "make test-flink: java or mvn is not on PATH; install JDK 17 and Maven" >&2; exit 2; }
	@mkdir -p $(FLINK)/lib
	mvn -q -B -f tests/support/flink/pom.xml -Dflink.folder=$(CURDIR)/$(FLINK) package
	$(BIN)/python -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r tests/support/flink/flink.txt -d $(FLINK)
	tar xzf $(FLINK)/apache-flink-libraries-*.tar.gz -C $(FLINK)/lib --strip-components=3 --wildcards '*/deps/lib/flink-dist*' '*/deps/lib/flink-shaded*' '*/deps/lib/log4j*'
	rm $(FLINK)/apache-flink-libraries-*.tar.gz
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m mypy

format: setup
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) $(DATAFLOW_VENV) demo_output build dist *.egg-info
