module signalbox.dev/signalbox/hack/bench

go 1.26
