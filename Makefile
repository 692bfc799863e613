# A shim: each target is one call that can be typed by hand.
# OPTIONS goes to `floe-ci`: make test-integration OPTIONS="--on dagger --registry mirror.example.com --keyword orders"

SHELL := /bin/bash
PYTHON ?= python3
OPTIONS ?= $(FLOE_CI_OPTIONS)
UV_VERSION := 0.13.8
VENV := .venv/bin
BILL = $(VENV)/uv export --quiet --frozen --no-dev --all-extras --format cyclonedx1.5 --preview-features sbom-export
# A test that passes only when it is tried again is told of in the summary, as a run of any tier does.
AGAIN := --reruns=1 -rR
# A command that returns when there is an engine, for who starts one meanwhile.
BEFORE_ENGINE := true
# Code that is in neither package.
SCRIPTS := action benchmarks checks ci/hatch_build.py docs examples k8s

# What a commit has to pass: here, in CI and in the hooks of pre-commit.
CHECKS := lint types audit security secrets workflows manifests licences

# Behind a company's proxy the system's certificates are the ones that work.
export UV_SYSTEM_CERTS := 1
export UV_PROJECT_ENVIRONMENT := .venv
# Hundreds of tests start a Python of their own: without bytecode each compiles all that it imports, three times as slow.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup check check-long faults checks $(CHECKS) vulnerabilities report trace release dist hooks \
	docs test test-unit test-integration test-e2e test-k8s test-k8s-cleanup build-runner kind-up kind-down pin-images clean

help: ## Show this list
	@grep -hE '^[a-z0-9 -]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' \
		| awk -F '\t' '{ n = split($$1, names, " "); for (i = 1; i <= n; i++) printf "%-20s%s\n", names[i], $$2 }'

setup: .venv/ready ## Install everything that the other targets need, pinned, into .venv

.venv/ready: pyproject.toml uv.lock ci/pyproject.toml testing/pyproject.toml
	@test -x $(VENV)/python || $(PYTHON) -m venv .venv
	@$(VENV)/pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(VENV)/uv sync --quiet --frozen --inexact
	@touch $@

check: checks ## All of `checks`, the project's own tests, and vulnerabilities; tests of the engine are skipped where there is none
	$(VENV)/pytest tests/functional tests/contract tests/unit --numprocesses=6 --dist=worksteal $(AGAIN) --junitxml=results/check-unit/junit.xml
	$(VENV)/pytest tests/local -m "not long" --numprocesses=2 --dist=loadfile $(AGAIN) --junitxml=results/check-local/junit.xml
	@$(BEFORE_ENGINE)
	$(VENV)/pytest tests/engine -m "not long" $(AGAIN) --junitxml=results/check-engine/junit.xml
	@$(MAKE) --no-print-directory vulnerabilities

check-long: .venv/ready ## The tests that take minutes for one thing each, and that `check` leaves out
	$(VENV)/pytest tests/local tests/engine -m long $(AGAIN) --junitxml=results/check-long/junit.xml

checks: $(CHECKS) ## Whatever looks at the code without running it

# Most of a fault is waiting until it is noticed, so those of one cluster and those of many go on side by side.
faults: .venv/ready ## Do harm to runs in clusters of their own, and write docs/reliability.md; needs an engine
	$(VENV)/pytest tests/faults/test_faults*.py --numprocesses=2 --dist=loadfile --junitxml=results/faults/junit.xml
	$(VENV)/pytest tests/faults/test_soak.py --junitxml=results/soak/junit.xml
	$(VENV)/python docs/reliability.py

audit: .venv/ready ## Look for tests that can't fail, or fail for no reason; none may, unless a comment says why
	$(VENV)/floe-testing audit --fail-on note

report: .venv/ready ## Write the audit of the tests into docs/audits/report.md
	$(VENV)/floe-testing audit --level note --format markdown --output docs/audits/report.md

trace: .venv/ready ## Which requirements are verified by the results in results/; without any, which tests name them
	$(VENV)/floe-testing trace --all --threshold 100 \
		$(patsubst %/junit.xml,--results %,$(shell find results -name '.*' -prune -o -name junit.xml -print 2>/dev/null))

lint: .venv/ready ## Check the style of Python, and shell scripts
	$(VENV)/ruff check .
	$(VENV)/ruff format --check .
	$(VENV)/shellcheck $$(git grep -lE '^#!.*[/ ](ba)?sh$$')

types: .venv/ready ## Check types
	$(VENV)/mypy
	$(VENV)/mypy action benchmarks checks
	$(VENV)/mypy docs/make_site.py docs/reference.py docs/reliability.py

security: .venv/ready ## Look for flaws in the code
	$(VENV)/bandit --quiet --configfile pyproject.toml --recursive $(SCRIPTS) ci/src testing/src

# Passwords that tests make up are called "secret" or begin with "hunter2"; others say so beside their line. Lists of what
# the audit found quote other people's tests, published ones, and can hold no remark.
secrets: .venv/ready ## Look for secrets in what is, or is to be, in the repository
	@git ls-files -z --cached --others --exclude-standard | xargs -0 $(VENV)/detect-secrets-hook --no-verify \
		--exclude-secrets '^(secret|hunter2.*)$$' --exclude-files '^docs/audits/draw-[0-9]+\.csv$$'

workflows: .venv/ready ## Check the workflows and actions of GitHub
	$(VENV)/actionlint -shellcheck $(VENV)/shellcheck -pyflakes ''
	$(VENV)/zizmor --quiet --offline --persona pedantic .

manifests: .venv/ready ## Render the manifests, and hold them to the schemas of Kubernetes
	$(VENV)/python checks/manifests.py

licences: .venv/ready ## Look whether everything that is installed may be used
	@$(VENV)/pip-licenses > /dev/null

vulnerabilities: .venv/ready ## Look up what is locked in a database of vulnerabilities; OFFLINE=1 leaves it out
	$(VENV)/python checks/vulnerabilities.py $(if $(OFFLINE),--offline)

docs: .venv/ready ## Make the site of the documentation in dist/docs/site; a dead link fails
	@$(VENV)/uv sync --quiet --frozen --inexact --only-group docs
	@$(VENV)/python docs/make_site.py

hooks: .venv/ready ## Let Git run the checks before each commit
	$(VENV)/prek install

release: .venv/ready ## Give everything VERSION, and put the fragments in changes/ into CHANGELOG.md
	@$(VENV)/uv version --quiet --no-sync --project ci $(or $(VERSION),$(error say which: make release VERSION=1.2.3))
	@$(VENV)/uv version --quiet --no-sync --package floe-testing $(VERSION)
	@$(VENV)/towncrier build --yes --version $(VERSION)
	@$(VENV)/python checks/release.py v$(VERSION)

# The bills tell what is locked for all extras. What checks the distributions is installed for that alone.
dist: .venv/ready ## Build all distributions into dist/packages, check them, and list what they need in dist/bills
	@rm -rf dist/packages dist/bills
	@mkdir -p dist/bills
	$(VENV)/uv build --quiet --out-dir dist/packages ci
	$(VENV)/uv build --quiet --out-dir dist/packages testing
	$(VENV)/uv run --quiet --frozen --isolated --only-group distributions twine check --strict dist/packages/*
	$(BILL) --project ci --output-file dist/bills/floe-ci.cdx.json
	$(BILL) --package floe-testing --output-file dist/bills/floe-testing.cdx.json

test: test-unit test-integration ## Run the unit and the integration tier

test-unit test-integration test-e2e: test-%: .venv/ready ## Run one tier; its results are in results/<tier>
	@$(VENV)/floe-ci test --tier $* $(OPTIONS)

test-k8s: test-integration ## The same as test-integration

test-k8s-cleanup: kind-down ## The same as kind-down

build-runner: .venv/ready ## Build the test-runner image into dist/runner.tar
	@$(VENV)/floe-ci build-runner --output dist/runner.tar

kind-up: .venv/ready ## Start a cluster with the services and open its API on localhost:6443
	@$(VENV)/floe-ci up --on dagger $(OPTIONS)

kind-down: .venv/ready ## Delete the cluster that kind-up started
	@$(VENV)/floe-ci down --on dagger $(OPTIONS)

pin-images: .venv/ready ## Resolve the digests of all public images and write them down
	$(VENV)/python -m floe_ci.pin k8s/images/kustomization.yaml

clean: ## Remove what the targets made
	rm -rf .venv results dist
