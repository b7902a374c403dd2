# Signalbox. `make help` lists the targets; CI runs these targets and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
ROOT := $(patsubst %/,%,$(dir $(abspath $(lastword $(MAKEFILE_LIST)))))
BIN := $(ROOT)/bin
VERSION ?= 0.1.0
IMAGE ?= ghcr.io/signalbox-dev/signalbox:$(VERSION)
GO ?= go
# The modules of this repository; those under hack are not linked into the product.
HACK_MODULES := $(patsubst %/go.mod,%,$(wildcard hack/*/go.mod hack/*/*/go.mod))
# Those that are more than a main of a few lines around somebody else's program.
OWN_HACK_MODULES := $(filter-out hack/kube hack/coredns hack/helm hack/tools,$(HACK_MODULES))
export GOFLAGS := -buildvcs=false
export GOTOOLCHAIN := local

include $(wildcard hack/make/*.mk)

##@ General
.PHONY: help
help: ## Show this help.
	@awk 'BEGIN {FS = ":.*##"} /^[a-zA-Z0-9_\/.-]+:.*?##/ {printf "  %-20s %s\n", $$1, $$2} /^##@/ {printf "\n%s\n", substr($$0, 5)}' $(MAKEFILE_LIST)

##@ Build
.PHONY: build
build: $(BIN)/signalbox ## Build the signalbox binary into bin/.

GO_SOURCES := $(shell find $(ROOT)/api $(ROOT)/cmd $(ROOT)/compare $(ROOT)/controllers $(ROOT)/manifest $(ROOT)/proxy $(ROOT)/standalone $(ROOT)/config/crd -type f \( -name '*.go' -o -name '*.yaml' \) -not -name '*_test.go' 2>/dev/null) $(ROOT)/main.go $(ROOT)/go.mod $(ROOT)/go.sum
LDFLAGS := -s -w -X main.version=$(VERSION)

$(BIN)/signalbox: $(GO_SOURCES)
	CGO_ENABLED=0 $(GO) build -ldflags '$(LDFLAGS)' -o $@ $(ROOT)

.PHONY: image
image: ## Build the container image as an archive, bin/signalbox-image.tar (buildah; amd64, or ARCH=arm64).
	$(ROOT)/hack/image.sh $(IMAGE) $(BIN)/signalbox-image.tar

##@ Develop
.PHONY: generate
generate: $(BIN)/controller-gen $(BIN)/helm ## Regenerate CRDs, RBAC, deep copies, the chart's copies of them, and docs that are written by the code.
	$(BIN)/controller-gen object paths=./api/...
	$(BIN)/controller-gen crd paths=./api/... output:crd:dir=config/crd
	$(BIN)/controller-gen rbac:roleName=signalbox-manager,fileName=role.yaml paths=./controllers/... output:rbac:dir=config/rbac
	$(ROOT)/hack/chart.sh
	UPDATE_DOCS=1 $(GO) test -count=1 ./test/compatibility
	$(MAKE) collection

.PHONY: fmt
fmt: $(BIN)/golangci-lint ## Format all Go code.
	$(BIN)/golangci-lint fmt ./...

.PHONY: lint
lint: $(BIN)/golangci-lint ## Lint everything: style, import rules, API conventions, security; the modules under hack too.
	$(BIN)/golangci-lint run ./...
	@set -e; for m in $(OWN_HACK_MODULES); do echo "lint $$m"; (cd $$m && $(BIN)/golangci-lint run --config $(ROOT)/hack/.golangci.yml ./...); done

.PHONY: verify
verify: generate tidy ## Regenerate and format, then fail on any difference, untracked files included.
	$(ROOT)/hack/verify.sh

.PHONY: tidy
tidy: ## Tidy the go.mod of every module.
	@set -e; for m in . $(HACK_MODULES); do (cd $$m && $(GO) mod tidy); done

##@ Test
# The simulation of the ledger is single-threaded: the race detector finds nothing in it and makes it ten times slower, so it is run once more without.
LEDGER_SCHEDULES ?= 300000

# What needs no node and no root. The race detector needs a C compiler.
.PHONY: test
test: envtest-binaries $(BIN)/helm build ## Run unit tests with the race detector, and controllers against a real kube-apiserver and etcd.
	KUBEBUILDER_ASSETS=$(BIN) $(GO) test -race ./...
	SIGNALBOX_LEDGER_SCHEDULES=$(LEDGER_SCHEDULES) $(GO) test -count=1 -timeout 15m -run 'TestSchedules|TestRulesAreNeeded|TestNearTheLimit' ./proxy/ledger
	@set -e; for m in $(OWN_HACK_MODULES); do echo "test $$m"; (cd $$m && $(GO) test -race ./...); done

.PHONY: fuzz
fuzz: ## Fuzz every parser of foreign bytes, FUZZTIME (default 10s) each.
	$(ROOT)/hack/fuzz.sh $(or $(FUZZTIME),10s)

##@ Tools
$(BIN)/controller-gen: hack/tools/go.mod hack/tools/go.sum
	cd hack/tools && CGO_ENABLED=0 $(GO) build -o $@ sigs.k8s.io/controller-tools/cmd/controller-gen

$(BIN)/golangci-lint: hack/tools/go.mod hack/tools/go.sum hack/tools/golangci-lint/main.go
	cd hack/tools && CGO_ENABLED=0 $(GO) build -o $@ ./golangci-lint

.PHONY: clean
clean: ## Remove what was built.
	rm -rf $(BIN)
