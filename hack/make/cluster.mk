# A real Kubernetes on this machine: its programs, compiled from their Go modules, and the cluster that runs them.

KUBE_PROGRAMS := etcd kube-apiserver kubectl kube-controller-manager kube-scheduler kubelet kube-proxy
ENVTEST_PROGRAMS := etcd kube-apiserver kubectl
NODES ?= 1

# Without a version the API server says v0.0.0, and kubectl and Helm complain.
KUBE_VERSION := k8s.io/component-base/version
KUBE_LDFLAGS := -s -w -X $(KUBE_VERSION).gitVersion=v1.36.3 -X $(KUBE_VERSION).gitMajor=1 -X $(KUBE_VERSION).gitMinor=36 \
  -X $(KUBE_VERSION).gitTreeState=clean -X $(KUBE_VERSION).gitCommit=unknown -X $(KUBE_VERSION).buildDate=2026-01-01T00:00:00Z
HELM_VERSION := helm.sh/helm/v4/internal/version
HELM_LDFLAGS := -s -w -X $(HELM_VERSION).version=v4.3.1 -X $(HELM_VERSION).gitTreeState=clean

BUILD_IN = $(ROOT)/hack/cluster/progress.sh $(@F) env CGO_ENABLED=0 $(GO) -C $(ROOT)/hack

$(KUBE_PROGRAMS:%=$(BIN)/%): $(BIN)/%: hack/kube/%/main.go hack/kube/go.mod hack/kube/go.sum
	@$(BUILD_IN)/kube build -ldflags '$(KUBE_LDFLAGS)' -o $@ ./$*

$(BIN)/coredns: hack/coredns/main.go hack/coredns/go.mod hack/coredns/go.sum
	@$(BUILD_IN)/coredns build -ldflags '-s -w' -o $@ .

$(BIN)/helm: hack/helm/go.mod hack/helm/go.sum
	@$(BUILD_IN)/helm build -ldflags '$(HELM_LDFLAGS)' -o $@ helm.sh/helm/v4/cmd/helm

CLUSTER_SOURCES := $(shell find hack/cluster -type f -not -name '*_test.go' -not -path '*/e2e/*')

$(BIN)/cluster: $(CLUSTER_SOURCES)
	CGO_ENABLED=0 $(GO) -C $(ROOT)/hack/cluster build -ldflags '-s -w' -o $@ .

$(BIN)/pause: hack/cluster/pause/main.go hack/cluster/go.mod
	CGO_ENABLED=0 $(GO) -C $(ROOT)/hack/cluster build -ldflags '-s -w' -o $@ ./pause

# The same programs by the name that one types.
$(addprefix bin/,$(KUBE_PROGRAMS) coredns helm cluster pause): bin/%: $(BIN)/% ;

##@ Local cluster
.PHONY: kube-binaries
kube-binaries: $(KUBE_PROGRAMS:%=$(BIN)/%) ## Compile all of Kubernetes into bin/ (once; about seven minutes on two cores).

.PHONY: envtest-binaries
envtest-binaries: $(ENVTEST_PROGRAMS:%=$(BIN)/%) ## Compile only etcd, kube-apiserver and kubectl, which the tests of controllers use.

.PHONY: cluster-up
cluster-up: $(BIN)/cluster ## Start a real cluster on this machine (Linux, root), NODES=2 for two nodes; writes bin/kubeconfig.
	@$(BIN)/cluster check
	@$(MAKE) --silent --no-print-directory kube-binaries $(BIN)/coredns $(BIN)/pause
	@$(BIN)/cluster up --nodes=$(NODES)

.PHONY: cluster-down
cluster-down: $(BIN)/cluster ## Remove the cluster and everything it left on the machine.
	@$(BIN)/cluster down

.PHONY: cluster-test
cluster-test: $(BIN)/cluster kube-binaries $(BIN)/coredns $(BIN)/pause ## Start, break and remove clusters, and look for what they left.
	cd hack/cluster && $(GO) test -tags cluster -count=1 -timeout 20m ./e2e
