##@ Demo
DEMO_IMAGES := $(BIN)/demo-images

$(BIN)/demo: $(shell find $(ROOT)/hack/demo $(ROOT)/hack/cluster/pki $(ROOT)/hack/cluster/component -type f -not -name '*_test.go')
	CGO_ENABLED=0 $(GO) -C $(ROOT)/hack/demo build -ldflags '-s -w' -o $@ .

$(BIN)/testapp: $(shell find $(ROOT)/hack/testapp -type f -not -name '*_test.go')
	CGO_ENABLED=0 $(GO) -C $(ROOT)/hack/testapp build -ldflags '-s -w' -o $@ .

.PHONY: demo
demo: $(BIN)/demo $(BIN)/cluster ## Show the main job: boot a cluster, install the chart, apply config/samples, call as an app, see the cost in the budget.
	@$(BIN)/demo up --root $(ROOT)

.PHONY: demo-down
demo-down: $(BIN)/demo $(BIN)/cluster ## Remove everything that `make demo` made, after a crash too.
	@$(BIN)/demo down --root $(ROOT)

.PHONY: run
run: $(BIN)/demo build $(BIN)/fakeprovider ## Serve config/samples on this machine without a cluster, against a fake provider, until Ctrl-C.
	@$(BIN)/demo run --root $(ROOT)

.PHONY: demo-kubernetes
demo-kubernetes: kube-binaries $(BIN)/coredns $(BIN)/pause

.PHONY: demo-programs
demo-programs: $(BIN)/fakeprovider $(BIN)/testapp

.PHONY: demo-images
demo-images:
	$(MAKE) local-images IMAGES=$(DEMO_IMAGES) IMAGES_TAG=demo
