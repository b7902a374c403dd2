##@ Benchmarks

BENCH_PROXY ?= $(BIN)/signalbox run {file} --addr {addr} --metrics-addr {metrics} --state-dir {state}
BENCH_CHOICE ?= $(GO) test -run NONE -bench BenchmarkOrder20 -benchmem -benchtime 200ms -count 5 ./proxy/route
# More flags, for example BENCH_FLAGS="--rounds 8 --round-time 10s"; `bin/bench data -h` and `bin/bench control -h` list them.
BENCH_FLAGS ?=
BENCH_CONTROL_FLAGS ?=
# A server of gpt-4o-mini that the proxies of the cluster can reach.

$(BIN)/bench: $(shell find $(ROOT)/hack/bench -name '*.go' -not -name '*_test.go') $(ROOT)/hack/bench/go.mod
	cd $(ROOT)/hack/bench && CGO_ENABLED=0 $(GO) build -o $@ .

$(BIN)/fakeprovider: $(shell find $(ROOT)/hack/fakeprovider -name '*.go' -not -name '*_test.go') $(ROOT)/hack/fakeprovider/go.mod
	cd $(ROOT)/hack/fakeprovider && CGO_ENABLED=0 $(GO) build -ldflags '-s -w' -o $@ ./cmd/fakeprovider

.PHONY: bench
bench: bench-data bench-control ## Measure the data plane against nginx, and the control plane on a real cluster (Linux, root).

.PHONY: bench-data
bench-data: $(BIN)/bench $(BIN)/signalbox ## Measure the proxy against nginx as plain reverse proxy (Linux); prints tables, writes bin/bench.json.
	$(BIN)/bench data --proxy '$(BENCH_PROXY)' --choice '$(BENCH_CHOICE)' --out $(BIN)/bench.json $(BENCH_FLAGS)

.PHONY: bench-control
bench-control: $(BIN)/bench kube-binaries $(BIN)/coredns $(BIN)/pause $(BIN)/helm $(BIN)/cluster test-images ## Measure kubectl apply to first answer with 10, 100 and 1,000 routes on a real cluster (Linux, root).
	$(ROOT)/hack/bench-control.sh $(BENCH_CONTROL_FLAGS)
