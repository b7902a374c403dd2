package ballast

import "syscall"

// disown gives memory back that holds nothing but zeros.
func disown(memory []byte) {
	// Failing means that it is held.
	_ = syscall.Madvise(memory, syscall.MADV_DONTNEED)
}
