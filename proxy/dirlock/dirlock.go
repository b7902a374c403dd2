// Package dirlock gives a directory to one process at a time.
package dirlock

import "errors"

// ErrInUse is the error of Acquire when another process has the directory.
var ErrInUse = errors.New("another process uses the directory")
