module signalbox.dev/signalbox/hack/demo

go 1.26.0

require (
	github.com/google/go-cmp v0.7.0
	signalbox.dev/signalbox/hack/cluster v0.0.0
)

replace signalbox.dev/signalbox/hack/cluster => ../cluster
