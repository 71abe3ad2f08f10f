# onemap: the commands of daily work. `make help` lists them.
#
# `make run` and `make test` are all a fresh Debian 12 machine with Go needs.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# .tools holds a Node of ours where the machine has none that is new enough.
export PATH := $(CURDIR)/.tools/node_modules/.bin:$(PATH)

# A clone owned by another user cannot be asked for its revision.
VCS   := $(shell git rev-parse HEAD >/dev/null 2>&1 || echo -buildvcs=false)
BUILD := go build -trimpath $(VCS)
# golangci-lint is pinned, with everything it is made of, by tools/go.sum.
LINT  := $(CURDIR)/.tools/golangci-lint

.PHONY: help deps build run test test-go test-web test-e2e vet lint fmt dist check-dist soak bench clean

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

deps: ## install what is missing to run (PostGIS, pgRouting, GDAL)
	@scripts/deps.sh run

build: ## build bin/onemap (Go alone is enough)
	@$(BUILD) -o bin/onemap ./cmd/onemap

run: deps build ## install, build, load the demo county once, serve the map (ARGS="--data DIR ...")
	@exec bin/onemap serve --with-demo $(ARGS)

test: deps-test vet test-go test-web test-e2e ## everything: Go on a real PostGIS, fuzz seeds, front end, browser

.PHONY: deps-test
deps-test:
	@scripts/deps.sh test

vet:
	@echo '== go vet' && go vet ./...

test-go: ## Go tests only (PKG=./internal/feed for one package)
	@echo '== go test' && go test -timeout 30m $(or $(PKG),./...)

test-web: ## front-end unit tests only
	@echo '== front end' && cd static/web && npm run --silent check && npm run --silent test:unit

test-e2e: build ## browser tests only
	@echo '== browser' && cd static/web && npm run --silent test:e2e

lint: $(LINT) ## golangci-lint with the policy in .golangci.yml
	@echo '== lint' && $(LINT) run ./...

$(LINT): tools/go.mod tools/go.sum
	@echo 'building golangci-lint (once, some minutes)' && mkdir -p .tools
	@cd tools && go build -o $@ github.com/golangci/golangci-lint/v2/cmd/golangci-lint && touch $@

fmt: ## gofmt
	@gofmt -l -w $$(git ls-files '*.go')

dist: deps-test ## rebuild static/dist from static/web
	@cd static/web && npm run --silent build

check-dist: ## static/dist is exactly what static/web builds
	@scripts/check-dist.sh

soak: deps-test build ## the long and large tests that issues name, and the wall for an hour (SOAK_MINUTES)
	@echo '== soak' && ONEMAP_SOAK=1 go test -timeout 4h -p 1 -count 1 $(or $(PKG),./...)
	@echo '== wall' && cd static/web && npm run --silent soak:wall

bench: deps ## Go benchmarks (PKG=./tiles BENCH=Tile); compare runs with benchstat
	@go test -run '^$$' -bench '$(or $(BENCH),.)' -benchmem -p 1 $(or $(PKG),./...)

clean: ## remove what was built here
	@rm -rf bin .tools static/web/node_modules static/web/test-results
