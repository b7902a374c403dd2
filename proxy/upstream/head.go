package upstream

import (
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"strings"
)

// maxFields bounds the header fields of one response; a head of short lines would otherwise cost far more memory than
// its bytes.
const maxFields = 512

// responseHead is a parsed status line with its header fields.
type responseHead struct {
	minor  int // of HTTP/1.x: 0 or 1
	code   int // 100 to 999
	status string
	header http.Header
}

// parseHead parses a response head up to and with its empty line.
func parseHead(head string) (responseHead, error) {
	line, fields, found := cutLine(head)
	if !found {
		return responseHead{}, errors.New("response head has no status line")
	}
	parsed, err := parseStatusLine(line)
	if err != nil {
		return responseHead{}, err
	}
	parsed.header, err = parseFields(fields)
	return parsed, err
}

// cutLine takes the first line off s, without its CRLF or LF.
func cutLine(s string) (line, rest string, found bool) {
	i := strings.IndexByte(s, '\n')
	if i < 0 {
		return "", "", false
	}
	line = s[:i]
	if i > 0 && line[i-1] == '\r' {
		line = line[:i-1]
	}
	return line, s[i+1:], true
}

func parseStatusLine(line string) (responseHead, error) {
	malformed := errors.New("malformed HTTP/1 status line")
	// The shortest one is "HTTP/1.1 200".
	if len(line) < len(httpPrefix)+5 || line[:len(httpPrefix)] != httpPrefix || line[8] != ' ' || !validValue(line) {
		return responseHead{}, malformed
	}
	minor := int(line[7]) - '0'
	code := threeDigits(line[9:12])
	if (minor != 0 && minor != 1) || code < 100 || (len(line) > 12 && line[12] != ' ') {
		return responseHead{}, malformed
	}
	return responseHead{minor: minor, code: code, status: line[9:]}, nil
}

// threeDigits returns the number, or -1 when s is none.
func threeDigits(s string) int {
	n := 0
	for _, digit := range []byte(s) {
		if digit < '0' || digit > '9' {
			return -1
		}
		n = 10*n + int(digit-'0')
	}
	return n
}

// parseFields parses header or trailer fields up to and with the empty line that ends them. Folded lines, names that
// are not tokens and control characters in values are refused rather than repaired: what is repaired here could be
// read differently elsewhere.
func parseFields(s string) (http.Header, error) {
	count := strings.Count(s, "\n")
	if count > maxFields {
		return nil, fmt.Errorf("response has more than %d header fields", maxFields)
	}
	header := make(http.Header, count)
	values := make([]string, 0, count) // one backing array for the many headers with a single value
	for {
		line, rest, found := cutLine(s)
		if !found {
			return nil, errors.New("header fields without an end")
		}
		if line == "" {
			return header, nil
		}
		name, value, err := parseField(line)
		if err != nil {
			return nil, err
		}
		if earlier, ok := header[name]; ok {
			header[name] = append(earlier, value)
		} else {
			values = append(values, value)
			header[name] = values[len(values)-1 : len(values) : len(values)]
		}
		s = rest
	}
}

func parseField(line string) (name, value string, err error) {
	name, value, found := strings.Cut(line, ":")
	if !found || !validToken(name) {
		return "", "", errors.New("malformed header field name")
	}
	value = strings.Trim(value, " \t")
	if !validValue(value) {
		return "", "", fmt.Errorf("control character in the value of header %s", textproto.CanonicalMIMEHeaderKey(name))
	}
	return textproto.CanonicalMIMEHeaderKey(name), value, nil
}

// validToken says whether s is a token as RFC 9110 has it.
func validToken(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '-':
		case strings.IndexByte("!#$%&'*+.^_`|~", b) >= 0:
		default:
			return false
		}
	}
	return s != ""
}

// validValue says whether s has no control characters but tabs.
func validValue(s string) bool {
	for i := range len(s) {
		if b := s[i]; (b < ' ' && b != '\t') || b == 0x7f {
			return false
		}
	}
	return true
}
