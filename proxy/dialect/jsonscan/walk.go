package jsonscan

// Member is a member of an object, as offsets into the text.
type Member struct {
	// Start is the offset of the opening quote of its name.
	Start int
	// NameEnd is the offset behind the closing quote.
	NameEnd int
	// Value is the offset of its value.
	Value int
}

// Name is the member's name with its escapes resolved. It is a part of data when it has no escapes.
func (m Member) Name(data []byte) []byte {
	raw := data[m.Start+1 : m.NameEnd-1]
	if len(raw) == plain(raw, 0) {
		return raw
	}
	name, _ := Unquote(nil, data[m.Start:m.NameEnd])
	return name
}

// Members walks over the members of an object. After each Next, either Skip or Resume may be called once; without them Next skips the value itself.
type Members struct{ walk }

// Elements walks over the elements of an array, in the same manner.
type Elements struct{ walk }

// walk is what walking over arrays and objects has in common.
type walk struct {
	data    []byte
	close   byte
	at      int
	pending bool
	first   bool
	done    bool
	err     error
}

// WalkObject begins a walk over the object that starts at data[i], which must be "{".
func WalkObject(data []byte, i int) Members {
	return Members{walk{data: data, close: '}', at: Space(data, i+1), first: true}}
}

// WalkArray begins a walk over the array that starts at data[i], which must be "[".
func WalkArray(data []byte, i int) Elements {
	return Elements{walk{data: data, close: ']', at: Space(data, i+1), first: true}}
}

// Next returns the next member; false at the end of the object and on a syntax error.
func (m *Members) Next() (Member, bool) {
	if !m.advance() {
		return Member{}, false
	}
	start := m.at
	value, err := name(m.data, start)
	if err != nil {
		return Member{}, m.fail(err)
	}
	nameEnd := value
	for nameEnd--; m.data[nameEnd] != '"'; nameEnd-- { // Back over the colon and blanks.
	}
	m.at, m.pending = value, true
	return Member{Start: start, NameEnd: nameEnd + 1, Value: value}, true
}

// Next returns the offset of the next element; false at the end of the array and on a syntax error.
func (e *Elements) Next() (int, bool) {
	if !e.advance() {
		return 0, false
	}
	e.pending = true
	return e.at, true
}

// Skip checks the value that Next found and returns the offset behind it; on a syntax error the walk ends and the offset means nothing.
func (w *walk) Skip() int {
	end, err := Value(w.data, w.at)
	w.Resume(end, err)
	return end
}

// Resume goes on at end, for callers that walked over the value themselves. err ends the walk.
func (w *walk) Resume(end int, err error) {
	w.at, w.pending = end, false
	if err != nil {
		w.fail(err)
	}
}

// End returns the offset behind the closing bracket once Next returned false, or the error that ended the walk.
func (w *walk) End() (int, error) { return w.at, w.err }

// advance goes to the beginning of the next member or element.
func (w *walk) advance() bool {
	if w.pending {
		w.Skip()
	}
	if w.done {
		return false
	}
	if !w.first {
		w.at = Space(w.data, w.at)
	}
	switch {
	case w.at >= len(w.data):
		return w.fail(truncated(w.data))
	case w.data[w.at] == w.close:
		w.at++
		w.done = true
		return false
	case w.first:
		w.first = false
		return true
	case w.data[w.at] != ',':
		return w.fail(&SyntaxError{Offset: w.at, Problem: "needs a comma or a closing bracket"})
	}
	w.at = Space(w.data, w.at+1)
	return true
}

// fail ends the walk and returns false.
func (w *walk) fail(err error) bool {
	w.done, w.err = true, err
	return false
}
