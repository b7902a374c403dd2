package upstream

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// bodyKind is how the end of a response body is found.
type bodyKind int

const (
	noBody bodyKind = iota
	fixedBody
	chunkedBody
	untilClose
)

// framing is where a response ends and what becomes of its connection then.
type framing struct {
	kind      bodyKind
	length    int64 // of fixedBody, and of the body that an answer to HEAD describes; -1 when unknown
	keepAlive bool
	maxIdle   time.Duration // announced by the server; zero when it is not
}

// frame decides the framing of a final response. A head that can be read in two ways is an error, whatever its status,
// since the next response on the connection would begin at a place that the server does not agree about.
func frame(method string, head responseHead) (framing, error) {
	length, err := contentLength(head.header["Content-Length"])
	if err != nil {
		return framing{}, err
	}
	chunked, err := transferEncoding(head)
	if err != nil {
		return framing{}, err
	}
	if chunked && length >= 0 {
		return framing{}, errors.New("response has both Transfer-Encoding and Content-Length")
	}
	f := framing{length: length, keepAlive: keepsAlive(head), maxIdle: announcedIdle(head.header)}
	switch {
	case method == http.MethodHead, head.code == http.StatusNoContent, head.code == http.StatusNotModified:
		f.kind = noBody
		if method != http.MethodHead {
			f.length = 0
		}
	case chunked:
		f.kind = chunkedBody
	case length == 0:
		f.kind = noBody
	case length > 0:
		f.kind = fixedBody
	default:
		f.kind = untilClose
		f.keepAlive = false
	}
	return f, nil
}

// contentLength returns -1 when there is none. The same length given several times is that length.
func contentLength(values []string) (int64, error) {
	length := int64(-1)
	for i, value := range values {
		n, err := strconv.ParseInt(value, 10, 64)
		if err != nil || value[0] < '0' || value[0] > '9' {
			return 0, errors.New("response has a malformed Content-Length")
		}
		if i > 0 && n != length {
			return 0, errors.New("response has differing Content-Length fields")
		}
		length = n
	}
	return length, nil
}

func transferEncoding(head responseHead) (chunked bool, err error) {
	values := head.header["Transfer-Encoding"]
	if len(values) == 0 {
		return false, nil
	}
	if len(values) > 1 || !strings.EqualFold(values[0], "chunked") || head.minor == 0 {
		return false, errors.New("response has an unsupported Transfer-Encoding")
	}
	return true, nil
}

func keepsAlive(head responseHead) bool {
	connection := head.header["Connection"]
	if hasListToken(connection, "close") {
		return false
	}
	return head.minor == 1 || hasListToken(connection, "keep-alive")
}

// announcedIdle reads "Keep-Alive: timeout=5, max=100".
func announcedIdle(header http.Header) time.Duration {
	for _, value := range header["Keep-Alive"] {
		for parameter := range strings.SplitSeq(value, ",") {
			name, seconds, _ := strings.Cut(strings.TrimSpace(parameter), "=")
			if !strings.EqualFold(name, "timeout") {
				continue
			}
			if n, err := strconv.ParseInt(seconds, 10, 32); err == nil && n >= 0 {
				// Zero seconds means at once; a positive duration stands for it since zero means unannounced.
				return max(time.Duration(n)*time.Second, time.Nanosecond)
			}
		}
	}
	return 0
}

// hasListToken says whether one of the comma-separated values is the token, in any case.
func hasListToken(values []string, token string) bool {
	for _, value := range values {
		for item := range strings.SplitSeq(value, ",") {
			if strings.EqualFold(strings.TrimSpace(item), token) {
				return true
			}
		}
	}
	return false
}
