// Command signalbox is the manager, the proxy, and the same two on a laptop. See signalbox --help.
package main

import (
	"os"
	_ "time/tzdata" // budgets name time zones, and the image holds nothing but this binary

	_ "golang.org/x/crypto/x509roots/fallback" // certificates of providers, for the same reason

	"signalbox.dev/signalbox/cmd"
)

// version is set by the build.
var version = "dev"

func main() {
	os.Exit(cmd.Execute(version, os.Args[1:]))
}
