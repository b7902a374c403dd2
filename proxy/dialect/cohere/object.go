package cohere

import (
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// object appends a JSON object, or an array in one.
type object struct{ dst []byte }

// raw appends text as it is.
func (o *object) raw(text string) { o.dst = append(o.dst, text...) }

// quoted appends text as a JSON string.
func (o *object) quoted(text string) { o.dst = jsonscan.AppendQuoted(o.dst, text) }

// separate puts a comma between two members or elements.
func (o *object) separate() {
	if last := o.dst[len(o.dst)-1]; last != '{' && last != '[' {
		o.raw(",")
	}
}

// member begins a member.
func (o *object) member(name string) {
	o.separate()
	o.quoted(name)
	o.raw(":")
}

// given writes a member whose JSON text is not empty.
func (o *object) given(name, value string) {
	if value != "" {
		o.member(name)
		o.raw(value)
	}
}

// count writes an integer that was given.
func (o *object) count(name string, value *int64) {
	if value != nil {
		o.member(name)
		o.raw(strconv.FormatInt(*value, 10))
	}
}

// texts writes a list of strings.
func (o *object) texts(name string, values []string) {
	o.member(name)
	o.raw("[")
	for _, value := range values {
		o.separate()
		o.quoted(value)
	}
	o.raw("]")
}

// address writes the model, where it is not a part of the address, and what the host of the API wants.
func (o *object) address(to dialect.Target) {
	if !to.ModelInPath {
		o.member("model")
		o.quoted(to.Model)
	}
	for _, member := range to.Set {
		o.given(member.Name, string(member.Value))
	}
}
