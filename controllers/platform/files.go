package platform

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// maxFileBytes bounds a file with a secret or with authorities.
const maxFileBytes = 1 << 20

var (
	errFileTooLong = fmt.Errorf("the file is longer than %d bytes", maxFileBytes)
	errFileEmpty   = errors.New("the file is empty")
)

// readFile reads a file of a bounded size; nil without a name. An error holds nothing of what is in the file, and not its name, which stands beside it.
func readFile(name string) ([]byte, error) {
	if name == "" {
		return nil, nil
	}
	// The files of a Secret are links that do not leave their folder.
	file, err := os.OpenInRoot(filepath.Dir(name), filepath.Base(name))
	if err != nil {
		return nil, withoutName(err)
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFileBytes+1))
	if err := errors.Join(err, file.Close()); err != nil {
		return nil, withoutName(err)
	}
	switch {
	case len(content) > maxFileBytes:
		return nil, errFileTooLong
	case len(content) == 0:
		return nil, errFileEmpty
	default:
		return content, nil
	}
}

// withoutName is what the operating system says of a file.
func withoutName(err error) error {
	if at, ok := errors.AsType[*os.PathError](err); ok {
		return at.Err
	}
	return err
}
