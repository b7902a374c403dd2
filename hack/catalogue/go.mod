module signalbox.dev/signalbox/hack/catalogue

go 1.26.0

require signalbox.dev/signalbox v0.0.0

replace signalbox.dev/signalbox => ../..
