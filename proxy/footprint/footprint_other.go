//go:build !linux

package footprint

// dropProgram leaves the program to the system.
func dropProgram() {}

// disown leaves the memory to the runtime.
func disown([]byte) {}
