package openai

import (
	"errors"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// document is what one pass over an answer, or over the data of one stream event, finds out. Offsets are 0 for what is not there.
type document struct {
	// filtered tells that it has what Azure's content filter says of the prompt.
	filtered bool
	// usage, groqUsage and timings are where the objects "usage", "x_groq.usage" and llama.cpp's "timings" start.
	usage, groqUsage, timings int
	// tier is where the value of "service_tier" stands.
	tier dialect.Patch
	// memberStart and memberEnd span the whole member "usage", be it an object or null.
	memberStart, memberEnd int
	// start is where the object opens, and choicesAt where its array of choices does.
	start, choicesAt int
	// choices is the number of choices.
	choices int
	// token tells that a choice has text, a tool call or a finish_reason.
	token bool
	// finish tells that a choice has a finish_reason.
	finish bool
	// failure tells that this is an error.
	failure bool
	// text is how many bytes of text the choices have, reasoning and tool calls included.
	text int
	// end is where the object's closing bracket stands.
	end int
	// provider, xGroq and fingerprint tell that there are members "provider", "x_groq" and "system_fingerprint".
	provider, xGroq, fingerprint bool
	// mends are what clients want otherwise: "assistant" for roles that are empty or null, and "reasoning" as the name of thoughts. finishes are the values
	// of the choices' finish_reasons that have no native_finish_reason beside them.
	mends, finishes []dialect.Patch
	// nulls are members that strict clients know only with a value, in the order of the text.
	nulls []dialect.Patch
	// namesThoughts is set, before anything is read, where the name of thoughts is to be "reasoning", and strict where nulls are to go.
	namesThoughts bool
	strict        strictness
}

// The problems of an answer. They name no byte of it.
var (
	errNotUTF8   = errors.New("it is not valid UTF-8")
	errNotObject = errors.New("it is not a JSON object")
	errTrailing  = errors.New("it goes on behind the end of the JSON object")
	errTwoUsages = errors.New("it has two members \"usage\"")
)

// read takes in the JSON object that data is.
func (d *document) read(data []byte) error {
	start := jsonscan.Space(data, 0)
	switch {
	case !utf8.Valid(data):
		return errNotUTF8
	case !opens(data, start, '{'):
		return errNotObject
	}
	d.start = start
	walk := jsonscan.WalkObject(data, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end, err := d.readMember(data, member)
		walk.Resume(end, err)
	}
	end, err := walk.End()
	if err != nil {
		return err
	}
	if jsonscan.Space(data, end) != len(data) {
		return errTrailing
	}
	d.end = end - 1
	return nil
}

// reported returns the usage that the document tells: in the common object, or else in Groq's own, or else by llama.cpp's timings; false when it tells none.
func (d *document) reported(data []byte) (meter.Usage, bool) {
	for _, at := range [...]int{d.usage, d.groqUsage, d.timings} {
		if at == 0 {
			continue
		}
		if usage, ok := readUsage(data, at); ok {
			usage.Service = d.service(data)
			return usage, true
		}
	}
	return meter.Usage{}, false
}

// shown is where the object starts that the client finds the usage in; 0 when there is none.
func (d *document) shown() int {
	if d.usage != 0 {
		return d.usage
	}
	return d.groqUsage
}

// service is the class of service that the document tells.
func (d *document) service(data []byte) string { return dialect.ServedAs(textAt(data, d.tier)) }

// textAt is the text at a place; empty where there is none.
func textAt(data []byte, at dialect.Patch) string {
	if at.End == 0 {
		return ""
	}
	return textOr(data[at.At:at.End])
}

// readMember takes in one member and returns the offset behind its value.
func (d *document) readMember(data []byte, member jsonscan.Member) (int, error) {
	at := member.Value
	name := member.Name(data)
	if string(name) == "choices" {
		return d.readChoices(data, at)
	}
	end, err := jsonscan.Value(data, at)
	if err != nil {
		return end, err
	}
	d.dropBeside(data, member, end)
	if string(name) == "usage" {
		if d.memberEnd > 0 {
			return end, errTwoUsages
		}
		d.memberStart, d.memberEnd = member.Start, end
		if data[at] == '{' {
			d.usage = at
		}
		return end, nil
	}
	d.note(name, data, at, end)
	return end, nil
}

// note takes in a member that needs no more than a look.
func (d *document) note(name, data []byte, at, end int) {
	switch string(name) {
	case "timings":
		if data[at] == '{' {
			d.timings = at
		}
	case "service_tier":
		d.tier = dialect.Patch{At: at, End: end}
	case "provider":
		d.provider = true
	case "system_fingerprint":
		d.fingerprint = true
	case "prompt_filter_results":
		d.filtered = true
	case "x_groq":
		d.xGroq = true
		d.groqUsage = objectMember(data, at, "usage")
	default:
		d.failure = d.failure || isFailure(name, data, at, end)
	}
}

// isFailure tells whether a member says that this is an error.
func isFailure(name, data []byte, at, end int) bool {
	switch string(name) {
	case "error":
		return filled(data, at, end)
	case "object":
		return string(data[at:end]) == `"error"`
	}
	return false
}

// objectMember returns where the object starts that is the named member of the object at data[at]; 0 when there is none.
func objectMember(data []byte, at int, name string) int {
	if data[at] != '{' {
		return 0
	}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		if string(member.Name(data)) == name && data[member.Value] == '{' {
			return member.Value
		}
	}
	return 0
}

func (d *document) readChoices(data []byte, at int) (int, error) {
	if !opens(data, at, '[') {
		return jsonscan.Value(data, at)
	}
	d.choicesAt = at
	walk := jsonscan.WalkArray(data, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		d.choices++
		walk.Resume(d.readChoice(data, at))
	}
	return walk.End()
}

func (d *document) readChoice(data []byte, at int) (int, error) {
	if !opens(data, at, '{') {
		return jsonscan.Value(data, at)
	}
	var c choiceEnd
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		switch string(member.Name(data)) {
		case "delta", "message":
			c.content = true
			walk.Resume(d.readContent(data, member.Value))
		case "text":
			walk.Resume(d.readText(data, member.Value))
		case "finish_reason":
			c.told = true
			end := walk.Skip()
			if _, err := walk.End(); err == nil && filled(data, member.Value, end) {
				d.finish, d.token = true, true
				c.finish = dialect.Patch{At: member.Value, End: end}
			}
		case "native_finish_reason":
			c.native = true
		}
	}
	d.endChoice(c, at)
	return walk.End()
}

// choiceEnd is what the choice that was read tells of its end.
type choiceEnd struct {
	// finish is the finish_reason that is filled.
	finish dialect.Patch
	// native and told tell that there are members "native_finish_reason" and "finish_reason", and content that there is a message or a delta.
	native, told, content bool
}

// endChoice takes in the end of the choice that starts at an offset. Strict clients want to be told that there is none yet.
func (d *document) endChoice(c choiceEnd, at int) {
	if d.strict != lenient && c.content && !c.told {
		d.mends = append(d.mends, dialect.Patch{At: at + 1, End: at + 1, Text: `"finish_reason":null,`})
	}
	if c.finish.End > 0 && !c.native {
		d.finishes = append(d.finishes, c.finish)
	}
}

// readContent takes in a message or a delta: everything in it but the role is content.
func (d *document) readContent(data []byte, at int) (int, error) {
	if !opens(data, at, '{') {
		return jsonscan.Value(data, at)
	}
	var thoughts dialect.Patch
	rename := d.namesThoughts
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		switch string(member.Name(data)) {
		case "role":
			end := walk.Skip()
			if _, err := walk.End(); err == nil && (data[member.Value] == 'n' || end-member.Value == len(`""`)) {
				d.mends = append(d.mends, dialect.Patch{At: member.Value, End: end, Text: `"assistant"`})
			}
			continue
		case "reasoning":
			rename = false
		case "reasoning_content":
			thoughts = dialect.Patch{At: member.Start, End: member.NameEnd, Text: `"reasoning"`}
		}
		end, err := d.readText(data, member.Value)
		if err == nil {
			d.dropInside(data, member, end)
		}
		walk.Resume(end, err)
	}
	if rename && thoughts.End > 0 {
		d.mends = append(d.mends, thoughts)
	}
	return walk.End()
}

func (d *document) readText(data []byte, at int) (int, error) {
	end, text, err := jsonscan.Text(data, at)
	if err != nil {
		return end, err
	}
	d.text += text
	d.token = d.token || filled(data, at, end)
	return end, nil
}

// opens tells whether data has this bracket at the offset.
func opens(data []byte, at int, bracket byte) bool { return at < len(data) && data[at] == bracket }

// filled tells whether the checked value is a string, array or object that is not empty.
func filled(data []byte, at, end int) bool {
	switch data[at] {
	case '"':
		return end-at > 2
	case '{', '[':
		return jsonscan.Space(data, at+1) < end-1
	}
	return false
}
