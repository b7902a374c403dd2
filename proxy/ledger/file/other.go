//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package file

import "os"

// syncDirectory does nothing where directories cannot be synced.
func syncDirectory(*os.Root) error {
	return nil
}
