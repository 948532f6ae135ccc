# What there is to make; `make help` lists it. DEVELOPERS.md tells more.

export PATH := $(or $(PLAIT_TOOLS),$(HOME)/.cache/plait-tools)/usr/bin:$(PATH)
export CGO_ENABLED ?= 0

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)
BIN     := build/bin/plait$(shell go env GOEXE)
TOOL    := go tool -modfile=build/tools/go.mod
SEEDS   ?= 10000

.DEFAULT_GOAL := build
.PHONY: help build run demo test bench simulate fuzz lint man clean setup

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## the program, as build/bin/plait
	@mkdir -p build/bin
	go build -trimpath -ldflags '-X main.version=$(VERSION)' -o $(BIN) ./backend/cmd/plait

run: setup demo ## the first screen of the README, played and explained (the demo)

demo: build ## two laptops, one folder, one conflict: played in a temporary folder
	@PLAIT=$(abspath $(BIN)) build/demo

test: setup ## all tests: formatting, linters, unit tests, races, other systems, the demo
	@build/test

bench: build ## measures against restic, unison and git where they are installed
	@build/setup bench
	go run ./build/bench -plait $(BIN) $(BENCH)

simulate: ## simulated devices under faults, SEEDS=n seeds (10000)
	PLAIT_SEEDS=$(SEEDS) go test -v -count=1 -timeout 0 -run '^TestSimulate$$' ./backend/engine/...

fuzz: ## every fuzz target and the random merges, in turns, without end
	@build/fuzz forever

lint: ## formatting, vet, staticcheck; govulncheck where its database can be reached
	@build/test lint

man: build ## man pages, in build/bin/man
	$(BIN) man build/bin/man

setup:
	@build/setup

clean: ## removes what was built
	rm -rf build/bin
