package dialect

import (
	"cmp"
	"slices"
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// Visit takes in a watched member of a request's body, whose value was checked and ends at end.
type Visit func(name string, member jsonscan.Member, end int) error

// WalkBody checks that body is one JSON object in UTF-8, and visits those of its members that are watched. A watched name that comes twice, or that differs
// from a watched one only by upper and lower case, is refused: some upstreams would take it for the same and do something else than was routed and
// accounted. At most 32 names can be watched. The error is a *RequestError, or what visit returns.
func WalkBody(body []byte, watched []string, visit Visit) error {
	return WalkMembers(body, watched, visit, func([]byte) {})
}

// WalkMembers is WalkBody, and tells the names of the members that are not watched, too.
func WalkMembers(body []byte, watched []string, visit Visit, other func(name []byte)) error {
	if !utf8.Valid(body) {
		return invalidJSON("the request body is not valid UTF-8")
	}
	start := jsonscan.Space(body, 0)
	if start == len(body) || body[start] != '{' {
		return invalidJSON("the request body must be one JSON object, without a byte order mark")
	}
	var seen uint32
	walk := jsonscan.WalkObject(body, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			break
		}
		name := member.Name(body)
		at, err := match(name, watched, seen)
		if err != nil {
			return err
		}
		if at < 0 {
			other(name)
			continue
		}
		seen |= 1 << at
		if err := visit(watched[at], member, end); err != nil {
			return err
		}
	}
	end, err := walk.End()
	if err != nil {
		return syntax(err)
	}
	if jsonscan.Space(body, end) != len(body) {
		return invalidJSON("the request body goes on behind the end of the JSON object")
	}
	return nil
}

// match returns which watched name this is, -1 for none.
func match(name []byte, watched []string, seen uint32) (int, error) {
	for i, watch := range watched {
		if string(name) == watch {
			if seen&(1<<i) != 0 {
				return i, &RequestError{Code: CodeDuplicateParameter, Param: watch, Message: "\"" + watch + "\" is given more than once"}
			}
			return i, nil
		}
		if mayLook(name, watch) && LooksLike(name, watch) {
			return i, &RequestError{Code: CodeInvalidValue, Param: watch, Message: "the name of \"" + watch + "\" must be written in exactly these letters"}
		}
	}
	return -1, nil
}

// mayLook rules out most names at little cost: what begins with another letter of ASCII cannot differ by case alone. watch begins with such a letter.
func mayLook(name []byte, watch string) bool {
	return len(name) > 0 && (name[0] >= utf8.RuneSelf || name[0]|0x20 == watch[0]|0x20)
}

// LooksLike tells whether name is watch, or differs from it only by case. A letter of ASCII has at most two bytes more in a form of another case.
func LooksLike(name []byte, watch string) bool {
	return len(name) >= len(watch) && len(name) <= len(watch)+8 && strings.EqualFold(string(name), watch)
}

// Patch replaces the bytes from At to End.
type Patch struct {
	// At and End are offsets into the body.
	At, End int
	// Text stands there afterwards.
	Text string
}

// Apply appends body with the patches to dst. They must not overlap; it sorts them. What is put in where another patch begins comes before it.
func Apply(dst, body []byte, patches []Patch) []byte {
	slices.SortFunc(patches, func(a, b Patch) int { return cmp.Or(a.At-b.At, a.End-b.End) })
	from := 0
	for _, p := range patches {
		dst = append(append(dst, body[from:p.At]...), p.Text...)
		from = p.End
	}
	return append(dst, body[from:]...)
}
