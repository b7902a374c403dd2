// Package footprint keeps small what the process holds of the machine's memory while it has little to do.
package footprint

import "runtime/debug"

// Shrink gives back to the system what the process does not need now: memory that was freed, and the pages of its program. Most of what is mapped of a program
// after its start ran once, to begin. What runs again is mapped again from the system's cache, a few microseconds for each piece, so this is for the end of
// something large, not for the path of requests.
func Shrink() {
	debug.FreeOSMemory()
	dropProgram()
}

// Ballast returns memory that makes the garbage collector wait for as much more garbage. It is none of the machine's as long as nobody touches it, and nobody
// should. It has to be kept alive.
func Ballast(size int) []byte {
	ballast := make([]byte, size)
	// The runtime has touched it if it lies where something else has been.
	disown(ballast)
	return ballast
}
