// Command pause holds a pod's namespaces open: it waits for a signal to end, and collects its children.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGINT, syscall.SIGTERM)
	// With a shared process namespace pause is process 1. Ignored, this signal makes the kernel collect the dead.
	signal.Ignore(syscall.SIGCHLD)
	<-ended
}
