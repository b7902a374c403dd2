# Images for a cluster on this machine: the product from its Dockerfile; fake provider and app as single static programs.

# The folder that takes the archives, and the tag of the images in them.
IMAGES ?= $(BIN)/images
IMAGES_TAG ?= dev
# The processor of the nodes that images are for.
ARCH ?= $(shell $(GO) env GOHOSTARCH)
STATIC_BUILD = CGO_ENABLED=0 GOOS=linux GOARCH=$(ARCH) $(GO)
LOCAL_IMAGE = $(BIN)/cluster image --arch $(ARCH) --name signalbox.local/$(1):$(IMAGES_TAG) --entrypoint /$(1) --output $(IMAGES)/$(1).tar $(IMAGES)/$(1)

# Where there is no buildah, which only Linux has, the product's archive is written without the Dockerfile; it holds the same one file.
.PHONY: local-images
local-images: $(BIN)/cluster
	mkdir -p $(IMAGES)
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then $(BIN)/cluster packages buildah; fi
	if command -v buildah >/dev/null; then ARCH=$(ARCH) $(ROOT)/hack/image.sh signalbox.local/signalbox:$(IMAGES_TAG) $(IMAGES)/signalbox.tar; else \
	  $(STATIC_BUILD) build -ldflags '$(LDFLAGS)' -o $(IMAGES)/signalbox $(ROOT) && $(call LOCAL_IMAGE,signalbox); fi
	$(STATIC_BUILD) -C $(ROOT)/hack/fakeprovider build -ldflags '-s -w' -o $(IMAGES)/fakeprovider ./cmd/fakeprovider
	$(STATIC_BUILD) -C $(ROOT)/hack/testapp build -ldflags '-s -w' -o $(IMAGES)/testapp .
	$(call LOCAL_IMAGE,fakeprovider)
	$(call LOCAL_IMAGE,testapp)
