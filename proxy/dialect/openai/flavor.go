package openai

import (
	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// flavored adds what the clients of a flavor expect to what passes, unless the provider has the same manners itself.
type flavored struct {
	o dialect.Exchange
	// asOpenRouter and asGroq tell whose manners are added.
	asOpenRouter, asGroq bool
	// greeting is what stands first in every object, or in the first one; empty for nothing.
	greeting string
}

func newFlavored(o dialect.Exchange) flavored {
	f := flavored{o: o}
	switch {
	case o.Flavor == dialect.OpenRouterFlavor && o.Provider != vendorOpenRouter:
		f.asOpenRouter = true
		f.greeting = string(append(jsonscan.AppendQuoted([]byte(`"provider":`), o.Provider), ','))
	case o.Flavor == dialect.GroqFlavor && o.Provider != vendorGroq:
		f.asGroq = true
		f.greeting = `"x_groq":{"id":"` + groqID(&o) + `"},`
	}
	return f
}

// namesThoughts tells whether what vLLM, DeepSeek and others call "reasoning_content" gets the name that the flavor has for it.
func (f *flavored) namesThoughts() bool { return f.asOpenRouter || f.asGroq }

// strictness is the one for OpenRouter's clients, or none.
func (f *flavored) strictness(of strictness) strictness {
	if f.asOpenRouter {
		return of
	}
	return lenient
}

// choicePatches adds what an OpenRouter client expects beside the usage: who answered, and the provider's own finish_reasons. What it does not expect goes.
func (f *flavored) choicePatches(patches []dialect.Patch, d *document, data []byte) []dialect.Patch {
	if !f.asOpenRouter || d.choicesAt == 0 {
		return patches
	}
	greeting := ""
	if !d.provider {
		greeting = f.greeting
	}
	if d.strict == strictAnswer && !d.fingerprint {
		greeting += noFingerprint + ","
	}
	if greeting != "" {
		patches = append(patches, dialect.Patch{At: d.start + 1, End: d.start + 1, Text: greeting})
	}
	patches = withoutNulls(patches, data, d.nulls)
	for _, finish := range d.finishes {
		patches = append(patches, dialect.Patch{At: finish.End, End: finish.End, Text: `,"native_finish_reason":` + string(data[finish.At:finish.End])})
	}
	return patches
}

// usagePatches adds the cost to the usage object that starts at data[at], and what the flavor has besides. What OpenRouter says that it cost is believed.
func (f *flavored) usagePatches(patches []dialect.Patch, data []byte, at int, u meter.Usage) []dialect.Patch {
	if !f.asOpenRouter && !f.asGroq && f.o.Prices == nil {
		return patches
	}
	e := usageEdit{flavored: f, u: u, patches: patches}
	walk := jsonscan.WalkObject(data, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		e.member(string(member.Name(data)), data, member.Value, walk.Skip())
	}
	end, _ := walk.End()
	if more := e.missing(); more != "" {
		if jsonscan.Space(data, at+1) < end-1 {
			more = "," + more
		}
		e.patches = append(e.patches, dialect.Patch{At: end - 1, End: end - 1, Text: more})
	}
	return e.patches
}

// usageEdit edits one usage object.
type usageEdit struct {
	*flavored
	u       meter.Usage
	patches []dialect.Patch
	// What was seen.
	cost, byok, costDetails, timing, prompt, completion bool
}

// member takes in a member of the object.
func (e *usageEdit) member(name string, data []byte, at, end int) {
	switch name {
	case "cost":
		e.cost = true
		told, _ := meter.ReadReported(data[at:end])
		if nano, ok := e.o.CostOf(e.u); ok && nano != told {
			e.patches = append(e.patches, dialect.Patch{At: at, End: end, Text: meter.FormatUSD(nano)})
		}
	case "is_byok":
		e.byok = true
	case "cost_details":
		e.costDetails = true
	case "queue_time":
		e.timing = true
	case "prompt_tokens_details":
		e.prompt = true
		e.details(data, at, end, "cached_tokens")
	case "completion_tokens_details":
		e.completion = true
		e.details(data, at, end, "reasoning_tokens")
	}
}

// details gives a details object the number that strict clients need, and numbers in place of null.
func (e *usageEdit) details(data []byte, at, end int, needs string) {
	if !e.asOpenRouter {
		return
	}
	count := e.u.Cached
	if needs == "reasoning_tokens" {
		count = e.u.Reasoning
	}
	member := string(appendInteger([]byte{'{'}, needs, count))
	if data[at] != '{' {
		e.patches = append(e.patches, dialect.Patch{At: at, End: end, Text: member + "}"})
		return
	}
	walk := jsonscan.WalkObject(data, at)
	for m, ok := walk.Next(); ok; m, ok = walk.Next() {
		valueEnd := walk.Skip()
		value, is := int64(0), string(m.Name(data)) == needs
		if is {
			value, member = count, ""
		}
		if is && !isNumber(data[m.Value:]) || data[m.Value] == 'n' {
			e.patches = append(e.patches, dialect.Patch{At: m.Value, End: valueEnd, Text: string(appendNumber(nil, value))})
		}
	}
	if member == "" {
		return
	}
	if jsonscan.Space(data, at+1) < end-1 {
		member += ","
	}
	e.patches = append(e.patches, dialect.Patch{At: at, End: at + 1, Text: member})
}

// missing are the members that are to be added.
func (e *usageEdit) missing() string {
	dst := []byte{'{'}
	if nano, ok := e.o.CostOf(e.u); ok && !e.cost {
		dst = appendRaw(dst, "cost", meter.FormatUSD(nano))
	}
	if e.asGroq && !e.timing {
		dst = appendTiming(dst, &e.o)
	}
	if e.asOpenRouter {
		dst = e.missingOpenRouter(dst)
	}
	return string(dst[1:])
}

func (e *usageEdit) missingOpenRouter(dst []byte) []byte {
	if !e.prompt {
		dst = appendPromptDetails(appendKey(dst, "prompt_tokens_details"), e.u)
	}
	if !e.completion {
		dst = appendCompletionDetails(appendKey(dst, "completion_tokens_details"), e.u)
	}
	if !e.byok {
		dst = appendRaw(dst, "is_byok", "false")
	}
	if !e.costDetails {
		dst = appendCostDetails(dst, e.u, &e.o)
	}
	return dst
}
