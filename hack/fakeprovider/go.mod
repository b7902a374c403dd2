module signalbox.dev/signalbox/hack/fakeprovider

go 1.26
