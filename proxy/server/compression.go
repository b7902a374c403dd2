package server

import (
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
)

// encodingError is an answer in an encoding that nobody asked for and that cannot be undone.
type encodingError struct {
	cause error
}

// Error says what is wrong with the encoding.
func (e *encodingError) Error() string {
	return "undoing the answer's content encoding: " + e.cause.Error()
}

// Unwrap is the cause.
func (e *encodingError) Unwrap() error { return e.cause }

// decompress returns the body in plain. No compression was asked for, but some servers do it nevertheless. What comes out is bounded where it is read,
// like every body, so that a small answer cannot become a large one.
func decompress(response *http.Response) (io.Reader, error) {
	switch encoding := response.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
		return response.Body, nil
	case "gzip", "x-gzip":
		plain, err := gzip.NewReader(response.Body)
		if err != nil {
			return nil, &encodingError{cause: err}
		}
		return &gzipBody{plain: plain}, nil
	default:
		return nil, &encodingError{cause: fmt.Errorf("%d bytes name no known encoding", len(encoding))}
	}
}

// gzipBody tells errors of the encoding from those of the connection, which pass as they are.
type gzipBody struct {
	plain *gzip.Reader
}

// Read returns what is there, as the body of a stream must.
func (b *gzipBody) Read(p []byte) (int, error) {
	n, err := b.plain.Read(p)
	if isEncodingError(err) {
		err = &encodingError{cause: err}
	}
	return n, err
}
