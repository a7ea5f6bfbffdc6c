# Signalbox. `make demo` shows it, `make test` proves it.
SHELL := /bin/bash
RELEASE := swift build -c release --static-swift-stdlib
PROTOS := $(wildcard proto/signalbox/v1/*.proto) proto/grpc/health/v1/health.proto
SEEDS ?= 1000
.PHONY: help setup build demo test lint format proto docs bench simulate fuzz chaos paging-chaos endurance diagnose trainings clean

help:
	@echo "make demo [ARGS=--once]    install what is missing, build, and watch this machine train"
	@echo "make test                  all tests: lint, unit, integration, end to end, bounded chaos"
	@echo "make build                 release programs in .build/release"
	@echo "make bench                 one table of figures, also in .build/bench.json"
	@echo "make simulate SEEDS=n      n seeds of the simulated fleet"
	@echo "make chaos KILLS=n         n kills of agent, collector and PostgreSQL under load"
	@echo "make paging-chaos KILLS=n  n kills and stops of collector, PostgreSQL and receiver while pages go out"
	@echo "make endurance              database away, disks full, 10 GB of backlog, 100 000 files; an hour"
	@echo "make trainings              real trainers beside an agent that is killed: one run each, with the numbers that Python reads; 6 minutes, root"
	@echo "make diagnose               programs that fail, run beside agent and collector: how many incidents name why; 15 minutes, root"
	@echo "make fuzz SECONDS_EACH=n      every fuzz target for n seconds"
	@echo "make docs                   runbooks, coverage table and schemas, from the rules and the tables of keys"
	@echo "make lint | format | proto | clean"

setup:
	@deploy/setup/install-dependencies.sh build

build: setup
	$(RELEASE) --product signalbox-agent
	$(RELEASE) --product signalbox-collector
	$(RELEASE) --product signalbox-console
	$(RELEASE) --product signalbox

demo: build
	.build/release/signalbox demo $(ARGS)

test:
	@Tests/run.sh

lint:
	swift format lint --strict --recursive Package.swift Sources Tests Benchmarks

format:
	swift format --in-place --recursive Package.swift Sources Tests Benchmarks

proto: setup
	protoc-c --proto_path=proto --c_out=Sources/CSchema $(PROTOS)

# What is made from deploy/rules and the tables of keys; a test fails where a page or a schema is not current.
docs:
	swift build --product signalbox
	.build/debug/signalbox rules schema > deploy/rules/rules.schema.json
	.build/debug/signalbox config schema > deploy/signalbox.schema.json
	.build/debug/signalbox rules runbooks deploy/rules --into docs/runbooks
	.build/debug/signalbox rules coverage deploy/rules --page > docs/rule-coverage.md

bench: build
	$(RELEASE) --product signalbox-bench
	.build/release/signalbox-bench all $(ARGS)
	Benchmarks/console.py

simulate: setup
	$(RELEASE) --product signalbox-simulate
	.build/release/signalbox-simulate --seeds $(SEEDS) --jobs $(shell nproc) $(ARGS)

chaos:
	Tests/chaos.sh $(or $(KILLS),200)

paging-chaos:
	Tests/paging-chaos.sh $(or $(KILLS),300)

endurance: build
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh database-away 600 stopped
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh database-away 600 killed
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh disk-full 120
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh backlog 10
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh many-files 100000
	SIGNALBOX_BIN=$(CURDIR)/.build/release Tests/endurance.sh housekeeping

# What cannot be installed is missing for its cases only, which are then listed as not run.
.build/diagnose/installed: Tests/Diagnosis/requirements.txt
	python3 -m venv .build/diagnose
	.build/diagnose/bin/pip install --quiet --disable-pip-version-check -r $< && touch $@

diagnose: build
	@$(MAKE) --no-print-directory .build/diagnose/installed || echo "signalbox: not all packages of the corpus could be installed" >&2
	Tests/Diagnosis/diagnose.py $(ARGS)

trainings: build
	@$(MAKE) --no-print-directory .build/diagnose/installed || echo "signalbox: not all trainers could be installed" >&2
	.build/diagnose/bin/python Tests/Diagnosis/trainings.py $(ARGS)

fuzz: setup
	Tests/Fuzz/run.sh $(or $(SECONDS_EACH),60)

clean:
	rm -rf .build
