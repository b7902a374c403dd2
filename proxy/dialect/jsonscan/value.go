package jsonscan

// MaxDepth is how deep arrays and objects may nest inside one value.
const MaxDepth = 512

// SyntaxError tells where a text stops being JSON. It never holds any of the text.
type SyntaxError struct {
	// Offset in bytes from the beginning of the text.
	Offset int
	// Problem says what is wrong there.
	Problem string
}

// Error implements error.
func (e *SyntaxError) Error() string { return e.Problem }

// nesting is the stack of open arrays and objects.
type nesting struct {
	depth   int
	objects [MaxDepth / 64]uint64
	// text is the number of bytes in string values so far.
	text int
}

// push goes into the array or object that the bracket opens; false when it is one too many.
func (n *nesting) push(bracket byte) bool {
	if n.depth == MaxDepth {
		return false
	}
	word, bit := n.depth/64, uint64(1)<<(n.depth%64)
	if bracket == '{' {
		n.objects[word] |= bit
	} else {
		n.objects[word] &^= bit
	}
	n.depth++
	return true
}

func (n *nesting) inObject() bool {
	top := n.depth - 1
	return n.objects[top/64]&(uint64(1)<<(top%64)) != 0
}

// Space returns the offset of the first byte at or after i that is not blank.
func Space(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\r' || data[i] == '\t') {
		i++
	}
	return i
}

// Value checks the value that starts at data[i] and returns the offset behind it. The error is a *SyntaxError.
func Value(data []byte, i int) (int, error) {
	end, _, err := Text(data, i)
	return end, err
}

// Text is Value and also returns how many bytes the strings inside the value have, without their quotes and without the names of members. Escapes count
// as they are written.
func Text(data []byte, i int) (end, text int, err error) {
	var open nesting
	i, err = item(data, i, &open)
	for err == nil && open.depth > 0 {
		i, err = next(data, i, &open)
	}
	return i, open.text, err
}

// item checks a scalar, an empty array or object, or the beginning of a filled one down to its first scalar.
func item(data []byte, i int, open *nesting) (int, error) {
	for i < len(data) {
		c := data[i]
		if c != '{' && c != '[' {
			return scalar(data, i, open)
		}
		if !open.push(c) {
			return i, &SyntaxError{Offset: i, Problem: "nests too deep"}
		}
		i = Space(data, i+1)
		if i < len(data) && data[i] == c+2 { // In ASCII the closing bracket is two behind the opening one.
			open.depth--
			return i + 1, nil
		}
		if c == '{' {
			var err error
			if i, err = name(data, i); err != nil {
				return i, err
			}
		}
	}
	return i, truncated(data)
}

// next goes on after an item inside an array or object: to the item after a comma, or over the closing bracket.
func next(data []byte, i int, open *nesting) (int, error) {
	i = Space(data, i)
	if i == len(data) {
		return i, truncated(data)
	}
	object := open.inObject()
	switch c := data[i]; {
	case c == ',' && object:
		i, err := name(data, Space(data, i+1))
		if err != nil {
			return i, err
		}
		return item(data, i, open)
	case c == ',':
		return item(data, Space(data, i+1), open)
	case c == '}' && object, c == ']' && !object:
		open.depth--
		return i + 1, nil
	}
	return i, &SyntaxError{Offset: i, Problem: "needs a comma or a closing bracket"}
}

// name checks the name of a member and its colon and returns the offset of the member's value.
func name(data []byte, i int) (int, error) {
	if i < len(data) && data[i] != '"' {
		return i, &SyntaxError{Offset: i, Problem: "needs a member name in double quotes"}
	}
	i, err := str(data, i)
	if err != nil {
		return i, err
	}
	i = Space(data, i)
	if i == len(data) {
		return i, truncated(data)
	}
	if data[i] != ':' {
		return i, &SyntaxError{Offset: i, Problem: "needs a colon after a member name"}
	}
	return Space(data, i+1), nil
}

func truncated(data []byte) error {
	return &SyntaxError{Offset: len(data), Problem: "ends too early"}
}
