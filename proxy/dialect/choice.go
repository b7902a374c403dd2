package dialect

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

const (
	// MaxAlternatives is how many models a request may name besides the first.
	MaxAlternatives = 32
	// MaxNameBytes is the longest name of a session or an end user that is kept as it is.
	MaxNameBytes = 512
	// vendorOpenRouter is the vendor whose members steer the proxy, too.
	vendorOpenRouter = "OpenRouter"
	// fallbacks is how Anthropic calls the models to try after the first.
	fallbacks = "fallbacks"
)

// Steers tells whether a member of a request is for the proxy, and none of a vendor's business: what it asks for was done before the request is passed on.
// Sessions mean something to OpenRouter, too. Preferences of providers reach OpenRouter by Target.Preferences, as they were narrowed here.
func Steers(name, vendor string) bool {
	switch name {
	case "models", "route", "provider":
		return true
	case "session_id":
		return vendor != vendorOpenRouter
	}
	return false
}

// ReadModel reads the value of "model" that stands in body from at to end: a name, or several with commas between them, of which the first is the model and
// the others are the first alternatives.
func (h *Head) ReadModel(body []byte, at, end int) error {
	raw := body[at:end]
	h.ModelAt = Patch{At: at, End: end}
	if bytes.IndexByte(raw, ',') < 0 && bytes.IndexByte(raw, '\\') < 0 {
		var err error
		h.Model, err = ReadModel(raw)
		return err
	}
	return h.addNames(raw, "model")
}

// ReadModels reads the value of "models", a list of names; null is none. "model" must have been read before it, for it comes first.
func (h *Head) ReadModels(raw []byte) error {
	return h.readList(raw, "models", func(value []byte) error { return h.addNames(value, "models") })
}

// ReadFallbacks reads the value of "fallbacks", a list of objects with a "model"; null is none. "model" must have been read before it. Anthropic's own objects
// may have parameters for their model alone, which a fallback of the proxy does not have: they are refused.
func (h *Head) ReadFallbacks(raw []byte) error {
	if len(raw) > 0 && raw[0] == '"' {
		return &RequestError{Code: CodeUnsupportedParameter, Param: fallbacks, Message: "\"fallbacks\" must be a list that names the models"}
	}
	return h.readList(raw, fallbacks, func(value []byte) error {
		if value[0] != '{' {
			return &RequestError{Code: CodeInvalidType, Param: fallbacks, Message: "\"fallbacks\" must be a list of objects with a \"model\""}
		}
		var model []byte
		walk := jsonscan.WalkObject(value, 0)
		for member, ok := walk.Next(); ok; member, ok = walk.Next() {
			given := value[member.Value:walk.Skip()]
			switch {
			case string(member.Name(value)) == "model" && model == nil:
				model = given
			case string(given) != "null":
				return &RequestError{Code: CodeUnsupportedParameter, Param: fallbacks, Message: "in \"fallbacks\" there can be no more than one \"model\" each"}
			}
		}
		if model == nil {
			return &RequestError{Code: CodeMissingParameter, Param: fallbacks, Message: "each of \"fallbacks\" must have a \"model\""}
		}
		return h.addNames(model, fallbacks)
	})
}

// readList visits the elements of a list. Nothing at all, and null, are no list.
func (h *Head) readList(raw []byte, name string, visit func(value []byte) error) error {
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return nil
	case raw[0] != '[':
		return &RequestError{Code: CodeInvalidType, Param: name, Message: "\"" + name + "\" must be a list"}
	}
	walk := jsonscan.WalkArray(raw, 0)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		if err := visit(raw[at:walk.Skip()]); err != nil {
			return err
		}
	}
	return nil
}

// addNames adds the names in a string, between its commas, to the models that may be tried. What is named twice is tried once.
func (h *Head) addNames(raw []byte, param string) error {
	if raw[0] != '"' {
		return &RequestError{Code: CodeInvalidType, Param: param, Message: "\"" + param + "\" must name models by strings"}
	}
	text, whole := jsonscan.Unquote(nil, raw)
	if !whole {
		return unprintable(param)
	}
	several := bytes.IndexByte(text, ',') >= 0
	for part := range bytes.SplitSeq(text, []byte{','}) {
		if several {
			part = bytes.TrimSpace(part)
		}
		if err := h.addName(string(part), param); err != nil {
			return err
		}
	}
	return nil
}

// TakePath takes in the models that stand in a path, with commas between them. Those that the body names come after them.
func (h *Head) TakePath(models string) error {
	named := h.Alternatives
	if h.Model != "" {
		named = append([]string{h.Model}, named...)
	}
	h.Model, h.Alternatives = "", nil
	for name := range strings.SplitSeq(models, ",") {
		if err := h.addName(strings.TrimSpace(name), "model"); err != nil {
			return err
		}
	}
	for _, name := range named {
		if err := h.addName(name, "models"); err != nil {
			return err
		}
	}
	return nil
}

func (h *Head) addName(name, param string) error {
	if err := checkModel(name, param); err != nil {
		return err
	}
	switch {
	case h.Model == "":
		h.Model = name
	case h.Model == name || slices.Contains(h.Alternatives, name):
	case len(h.Alternatives) == MaxAlternatives:
		return &RequestError{Code: CodeInvalidValue, Param: param, Message: "there must be at most " + strconv.Itoa(MaxAlternatives) + " models besides the first"}
	default:
		h.Alternatives = append(h.Alternatives, name)
	}
	return nil
}

// ReadPreferences reads the value of "provider"; null is none. What is in it is not looked at.
func (h *Head) ReadPreferences(raw []byte) error {
	switch {
	case string(raw) == "null":
		return nil
	case raw[0] != '{':
		return &RequestError{Code: CodeInvalidType, Param: "provider", Message: "\"provider\" must be an object"}
	}
	h.Preferences = raw
	return nil
}

// ReadSession takes the value of a member for the session, if it names one. Of several the first one read counts.
func (h *Head) ReadSession(raw []byte) {
	if h.Session == "" {
		h.Session = readName(raw)
	}
}

// ReadUser takes the value of a member for the end user, if it names one. It goes before what ReadSafetyIdentifier reads.
func (h *Head) ReadUser(raw []byte) {
	if name := readName(raw); name != "" {
		h.User = name
	}
}

// ReadSafetyIdentifier takes the value of the member by which OpenAI's newer models know the end user, unless one is known.
func (h *Head) ReadSafetyIdentifier(raw []byte) {
	if h.User == "" {
		h.User = readName(raw)
	}
}

// readName reads the name of a session or an end user; "" from what is no string. One that is too long to be kept is told by its SHA-256, so that two that
// begin alike stay two.
func readName(raw []byte) string {
	if raw[0] != '"' {
		return ""
	}
	name, _ := jsonscan.Unquote(nil, raw)
	if len(name) <= MaxNameBytes {
		return string(name)
	}
	sum := sha256.Sum256(name)
	return hex.EncodeToString(sum[:])
}

// withPreferences makes the preferences of a target a member that it wants in place of the client's, which every codec knows how to write.
func (t Target) withPreferences() Target {
	if t.Preferences != nil {
		t.Set = append(slices.Clone(t.Set), neutral.Member{Name: "provider", Value: t.Preferences})
	}
	return t
}
