// Package ballast has the garbage collector run less often in a process that holds little.
package ballast

// New returns memory that makes the garbage collector wait for as much more garbage, in bytes. It is none of the machine's as long as nobody touches it, and
// nobody should. It has to be kept alive.
func New(size int) []byte {
	ballast := make([]byte, size)
	// The runtime has touched it if it lies where something else has been.
	disown(ballast)
	return ballast
}
