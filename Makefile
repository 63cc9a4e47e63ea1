# `make` lists the targets. Everything the targets need beyond Go, scripts/setup.sh installs or asks for.

VERSION   ?= $(shell git describe --tags --always --dirty 2>/dev/null)
FUZZTIME  ?= 10s
BENCH     ?= .
BENCHTIME ?= 1s
PKG       ?= ./...
TORTURE   ?= 2m
SOAK      ?= 1h

FILES     ?= $(wildcard $(or $(SCAPEFS_CORPUS),testdata)/*.safetensors)

BENCH_CODEC = .cache/bench-codec.json
BENCH_MOUNT = .cache/bench-mount.json
BENCH_LOADERS = .cache/bench-loaders.json

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2 # 2026.2.2

# The Python environment of the real loaders; the integration tests look here for it.
export SCAPEFS_VENV ?= $(CURDIR)/.cache/loaders-venv

UNIT_PACKAGES = $$(go list ./... | grep -v /integration)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/scapefs
	CGO_ENABLED=0 go build -trimpath -ldflags '-s -w -X main.version=$(VERSION)' -o bin/scapefs ./cmd/scapefs

.PHONY: demo
demo: setup-fuse build ## pack a small model, mount it, read it back and compare
	bin/scapefs demo

.PHONY: test
test: setup vet test-unit test-race test-integration ## run everything: unit tests, race detector, mounts, real loaders

.PHONY: test-unit
test-unit: ## run the unit tests
	go test -timeout 20m $(UNIT_PACKAGES)

.PHONY: test-short
test-short: ## run the quick unit tests; needs nothing but Go
	go test -short $(UNIT_PACKAGES)

.PHONY: test-race
test-race: setup-build ## run the unit tests with the race detector; the long ones in part
	go test -race -short -timeout 20m $(UNIT_PACKAGES)

.PHONY: test-integration
test-integration: setup-fuse setup-faults setup-loaders ## run the tests on real mounts with real loaders
	go test -count=1 -timeout 30m ./integration/...

.PHONY: test-purego
test-purego: ## run the unit tests without assembly
	CGO_ENABLED=0 go test -short -tags purego $(UNIT_PACKAGES)

.PHONY: cross
cross: ## compile code and tests for every architecture, with and without assembly
	@for arch in amd64 arm64; do for tags in '' purego; do \
		echo "$$arch $$tags"; \
		CGO_ENABLED=0 GOARCH=$$arch go build -tags "$$tags" ./... && \
		CGO_ENABLED=0 GOARCH=$$arch go vet -tags "$$tags" ./... || exit 1; \
	done; done

.PHONY: bench
bench: ## run the benchmarks (BENCH=pattern BENCHTIME=1s PKG=./codec)
	go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -benchmem $(PKG)

.PHONY: bench-codec
bench-codec: ## measure the codec beside its peers, on SCAPEFS_CORPUS or testdata; the peers need `make setup-loaders`
	@mkdir -p .cache
	go run ./internal/codecbench -peers scripts/peers/peers.sh -table scripts/peers/corpus.tsv -json $(BENCH_CODEC)

.PHONY: docs-codec
docs-codec: ## put the result of the last `make bench-codec` into docs/codec.md
	go run ./internal/codecbench -doc docs/codec.md -plot docs/codec.svg $(BENCH_CODEC)

.PHONY: methods
methods: ## measure every method on SCAPEFS_CORPUS and write docs/methods.md
	go run ./internal/methods

.PHONY: check-methods
check-methods: ## fail if the sizes in docs/methods.md are not those that the code gives
	go run ./internal/methods -check

.PHONY: peers
peers: ## measure the peers alone (FILES=...; by default SCAPEFS_CORPUS or testdata)
	@scripts/peers/peers.sh $(FILES)

.PHONY: bench-mount
bench-mount: build ## measure the mount beside plain files, other file systems and slow disks, for ten minutes; needs root
	@scripts/setup.sh bench
	@mkdir -p .cache
	go build -o bin/bench ./integration/bench
	bin/bench -json $(BENCH_MOUNT) $(BENCH_FLAGS)

.PHONY: bench-loaders
bench-loaders: setup-fuse setup-loaders build ## time the real loaders on a cold mount and on the plain files
	$(SCAPEFS_VENV)/bin/python integration/loaders/bench_loaders.py --json $(BENCH_LOADERS) $(BENCH_FLAGS)

.PHONY: docs-loaders
docs-loaders: ## put the result of the last `make bench-loaders` into docs/performance-loaders.md
	python3 integration/loaders/bench_loaders.py --doc docs/performance-loaders.md $(BENCH_LOADERS)

.PHONY: docs-performance
docs-performance: ## put the result of the last `make bench-mount` into docs/performance.md
	go run ./integration/bench -doc docs/performance.md -plots docs $(BENCH_MOUNT)

.PHONY: torture
torture: setup-fuse ## try every fault on disk, archives, daemon and readers, over and over (TORTURE=2m)
	go run ./integration/torture -for $(TORTURE)

.PHONY: soak
soak: setup-fuse ## read hundreds of archives and see whether anything grows (SOAK=1h); prints JSON
	go run ./integration/torture -soak -for $(SOAK) -files 200 -mib 4 -json

.PHONY: conformance
conformance: setup-fuse ## judge a mount by fio and stress-ng; installs them
	scripts/conformance.sh

.PHONY: scale
scale: setup-fuse ## pack, mount, verify and load a model of the shapes of Qwen2.5-7B; needs 14 GB of disk
	go run ./integration/scale $(SCALE_FLAGS)

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (10s)
	scripts/fuzz.sh $(FUZZTIME)

.PHONY: security
security: ## look for known weaknesses, by gosec and govulncheck
	scripts/security.sh

.PHONY: lint
lint: vet ## check format, vet and staticcheck
	@files=$$(find . -name '.?*' -prune -o -name '*.go' -exec gofmt -l {} +); \
	if [ -n "$$files" ]; then echo "not formatted by gofmt:"; echo "$$files"; exit 1; fi
	go run $(STATICCHECK) ./...

.PHONY: vet
vet:
	go vet ./...
	go -C codec/_asm vet .

.PHONY: generate
generate: ## make generated code anew
	go generate ./...

.PHONY: setup
setup: setup-fuse setup-faults setup-build setup-loaders ## install what the tests need; at once when all is there

.PHONY: setup-fuse setup-faults setup-build setup-loaders
setup-fuse setup-faults setup-build setup-loaders: setup-%:
	@scripts/setup.sh $*

.PHONY: clean distclean
clean: ## remove what was built
	rm -rf bin
distclean: clean ## and the Python environments
	rm -rf .cache
