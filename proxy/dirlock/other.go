//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package dirlock

import "os"

// Acquire makes the lock file; on systems without flock it keeps no other process out.
func Acquire(root *os.Root) (*os.File, error) {
	return root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
}
