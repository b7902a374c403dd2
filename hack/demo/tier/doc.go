// Package tier knows the grounds that the demo runs on: a cluster booted on this machine, processes of an ordinary user around a real API server, or a
// cluster that is given; and how to remove what it left on each.
package tier
