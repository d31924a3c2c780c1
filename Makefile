# Everything a user, a contributor and CI run. `make help` lists it.
CARGO ?= cargo
PYTHON ?= python3
VENV := .venv
TARGET := $(or $(CARGO_TARGET_DIR),target)
SAMPLE := testdata/cloudtrail/invictus-stratus-2023/files

.PHONY: help build demo demo-aws test check bench bench-large bench-quick bench-analytics test-ballista package check-terraform deploy-plan clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

build: ## build every program (development profile)
	$(CARGO) build --locked --workspace

demo: build ## scan a real log, show what was found, where the Parquet is, and the month's report
	@DETECTOR=$(TARGET)/debug/detector ANALYTICS=$(TARGET)/debug/analytics SAMPLE=$(SAMPLE) sh tools/demo.sh

demo-aws: $(VENV)/ready ## the whole pipeline against a stand-in for AWS: stream to lake, bus and mail, nothing to set up
	$(CARGO) build --locked -p stream --bins
	@$(VENV)/bin/python tools/demo_aws.py $(TARGET)/debug

test: $(VENV)/ready ## all tests: Rust, then the checks from outside (pyarrow, DuckDB, sqlglot, JSON Schema)
	$(CARGO) test --locked --workspace --no-fail-fast
	$(CARGO) build --locked --workspace
	BIN=$(TARGET)/debug $(VENV)/bin/python -m pytest -q tests/outside

test-ballista: $(VENV)/ready ## the report on a Ballista cluster of one scheduler and two executors (a build of its own, half an hour cold)
	$(CARGO) build --locked -p analytics --features cluster --bins --examples --target-dir $(TARGET)/ballista
	BIN=$(TARGET)/ballista/debug $(VENV)/bin/python -m pytest -q tests/ballista

check: ## format, lints, documentation, dependency rules
	$(CARGO) fmt --all --check
	$(CARGO) clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --workspace --no-deps --quiet
	sh tools/check-dependencies.sh

# The programs as they are deployed: `make package` builds them the same way.
BENCHED := --profile lambda -p stream --bin detector --example peers --example batch_costs

bench: $(VENV)/ready ## speed and memory beside peers, on 100 MB and 1 GB (about half an hour cold, with the build)
	$(CARGO) build --locked $(BENCHED)
	$(PYTHON) bench/run.py --bin $(TARGET)/lambda --mb 100 1000

bench-large: $(VENV)/ready ## the same scans on 100 MB, 1 GB and 5 GB (25 GB of disk in bench-data/, an hour)
	$(CARGO) build --locked $(BENCHED)
	$(PYTHON) bench/run.py --bin $(TARGET)/lambda --mb 100 1000 5000 --parts scan

bench-quick: $(VENV)/ready ## the same on 100 MB only
	$(CARGO) build --locked $(BENCHED)
	$(PYTHON) bench/run.py --bin $(TARGET)/lambda --mb 100

bench-analytics: $(VENV)/ready ## analytics beside DuckDB on 20 million violations and on 5,000 small files (release build: half an hour cold)
	$(CARGO) build --locked --release -p analytics
	$(VENV)/bin/python bench/analytics.py --bin $(TARGET)/release

package: ## Lambda packages in dist/, ARCH=x86_64, arm64 or all (default: this machine's); tools/package.py --help
	$(PYTHON) tools/package.py $(if $(ARCH),--arch $(ARCH))

check-terraform: ## what can be checked of terraform/ on this machine; says what did not run
	sh tools/check-terraform.sh

deploy-plan: ## terraform plan with your AWS credentials: DIR=terraform/examples/single-account, or a folder of yours
	terraform -chdir=$(or $(DIR),terraform/examples/single-account) init -input=false
	terraform -chdir=$(or $(DIR),terraform/examples/single-account) plan -input=false -out=deploy.tfplan

$(VENV)/ready: tests/outside/requirements.txt
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -r tests/outside/requirements.txt
	touch $@

clean: ## remove what the targets above made
	$(CARGO) clean
	rm -rf $(VENV) demo-out bench-data
