//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package journal

import (
	"os"
)

// acquire makes the lock file; on systems without flock it keeps no other process out.
func acquire(root *os.Root) (*os.File, error) {
	return root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600)
}
