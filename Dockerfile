# The one image of manager and proxy: a static binary and nothing else, no shell. TARGETARCH chooses the binary that `make image` built.
FROM scratch
ARG TARGETARCH=amd64
COPY bin/release/signalbox-linux-${TARGETARCH} /signalbox
USER 65532:65532
ENTRYPOINT ["/signalbox"]
