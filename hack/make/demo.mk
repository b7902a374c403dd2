##@ Demo
DEMO_IMAGES := $(BIN)/demo-images
# The processor of the nodes that images are for.
ARCH ?= $(shell $(GO) env GOHOSTARCH)

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

# Where there is no buildah, which only Linux has, the archive is written without the Dockerfile; it holds the same one file.
.PHONY: demo-images
demo-images: $(BIN)/cluster
	mkdir -p $(DEMO_IMAGES)
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(BIN)/cluster packages buildah; fi
	if command -v buildah >/dev/null; then ARCH=$(ARCH) $(ROOT)/hack/image.sh signalbox.local/signalbox:demo $(DEMO_IMAGES)/signalbox.tar; else \
	  CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) build -ldflags '$(LDFLAGS)' -o $(DEMO_IMAGES)/signalbox $(ROOT); \
	  $(BIN)/cluster image --arch $(ARCH) --name signalbox.local/signalbox:demo --entrypoint /signalbox --output $(DEMO_IMAGES)/signalbox.tar $(DEMO_IMAGES)/signalbox; fi
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) -C $(ROOT)/hack/fakeprovider build -ldflags '-s -w' -o $(DEMO_IMAGES)/fakeprovider ./cmd/fakeprovider
	CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO) -C $(ROOT)/hack/testapp build -ldflags '-s -w' -o $(DEMO_IMAGES)/testapp .
	$(BIN)/cluster image --arch $(ARCH) --name signalbox.local/fakeprovider:demo --entrypoint /fakeprovider --output $(DEMO_IMAGES)/fakeprovider.tar $(DEMO_IMAGES)/fakeprovider
	$(BIN)/cluster image --arch $(ARCH) --name signalbox.local/testapp:demo --entrypoint /testapp --output $(DEMO_IMAGES)/testapp.tar $(DEMO_IMAGES)/testapp
