package dialect

import (
	"bytes"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// GenerationDemand is the most that a request for a generated answer can use, in any API of that family: a request may cross to another one, and what one API
// does not know asks for nothing there. Names count in any case and with or without underscores, as some providers take them. What is not known to be text counts
// as something whose size is not known.
func GenerationDemand(body []byte, h Head) Demand {
	s := demandScan{body: body, best: max(h.N, 1), prompts: 1, demand: Demand{Rounds: 1}}
	s.demand.CompletionImage = true // Models that paint do so unasked, and others have no price for it.
	s.members(jsonscan.Space(body, 0), s.parameter)
	if bytes.Contains(body, []byte("cache")) || bytes.Contains(body, []byte(`\u`)) {
		s.marks(jsonscan.Space(body, 0), 0)
	}
	return s.finish()
}

// demandScan collects a demand.
type demandScan struct {
	body   []byte
	demand Demand
	// best is how many answers are made for each prompt, and prompts how many prompts there are.
	best, prompts int64
	// searches are the tools that search without a limit of their own, and calls is the limit on calls of hosted tools; 0 without.
	searches, calls int64
	// predicted is the most tokens that a prediction can have.
	predicted int64
	// classes are those of service that do not go by the name of service tier: fast answers, or a region.
	classes []string
	// tools tells that there are tools or a schema.
	tools bool
}

// canonical is a name in lower case, without underscores.
func canonical(name []byte) string {
	return strings.ReplaceAll(strings.ToLower(string(name)), "_", "")
}

// members visits the members of the object at an offset, with their names in canonical form.
func (s *demandScan) members(at int, visit func(name string, at, end int)) {
	if s.body[at] != '{' {
		return
	}
	walk := jsonscan.WalkObject(s.body, at)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		visit(canonical(member.Name(s.body)), member.Value, walk.Skip())
	}
}

// elements visits the elements of the array at an offset, or what stands in its place.
func (s *demandScan) elements(at int, visit func(at int)) {
	if s.body[at] != '[' {
		visit(at)
		return
	}
	walk := jsonscan.WalkArray(s.body, at)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		visit(at)
	}
}

// parameter takes in a top-level member, or one of generationConfig.
func (s *demandScan) parameter(name string, at, end int) {
	value := s.body[at:end]
	if value[0] == 'n' {
		return
	}
	switch name {
	case "messages", "input", "contents", "system", "systeminstruction", "instructions":
		s.content(at, 0)
	case "prompt":
		s.prompt(at)
	case "tools":
		s.elements(at, s.tool)
	case "functions", "responseformat", "text", "outputconfig", "outputformat":
		s.tools = true
	case "generationconfig":
		s.members(at, s.parameter)
	case "n", "candidatecount":
		s.answers(name, value)
	case "bestof":
		s.answers(name, value)
		s.best = max(s.best, ReadCount(value))
	case "prediction":
		s.predicted = max(s.predicted, MostTokens(value))
	case "maxtoolcalls":
		s.calls = max(s.calls, ReadCount(value))
	default:
		s.choice(name, value)
	}
}

// answers checks a number of answers. Some servers take "4" and 4.0 for 4, so that nobody knows what will be made of them.
func (s *demandScan) answers(name string, value []byte) {
	if !IsCount(value) {
		s.demand.Unbounded = "the number of answers (" + name + ") is no whole number"
	}
}

// choice takes in a member that chooses what the answer is and how it is made.
func (s *demandScan) choice(name string, value []byte) {
	d := &s.demand
	switch name {
	case "audio", "speechconfig":
		d.CompletionAudio = true
	case "modalities", "responsemodalities":
		d.CompletionAudio = d.CompletionAudio || bytes.Contains(bytes.ToLower(value), []byte("audio")) || bytes.Contains(value, []byte(`\`))
	case "servicetier", "speed", "inferencegeo":
		s.service(name, value)
	case "contextmanagement":
		s.read(1) // The model reads the prompt once more to shorten it.
	case "previousresponseid", "conversation", "cachedcontent":
		d.Stored = true
	case "websearchoptions":
		s.unbounded(name)
	case "plugins", "searchparameters", "searchsettings", "compoundcustom", "enablesearch", "websearch", "mcpservers", "container", "connectors":
		if asks(value) {
			s.unbounded(name)
		}
	}
}

// service takes in a class of service.
func (s *demandScan) service(name string, value []byte) {
	named := serviceNamed(value)
	d := &s.demand
	switch {
	case name != "servicetier":
		if named != "standard" && named != "global" {
			s.classes = append(s.classes, named)
		}
	case d.Service == "" || d.Service == named:
		d.Service = named
	default: // Which of two counts is the provider's choice.
		d.Service = meter.ServiceAuto
	}
}

// asks tells whether a member that switches on what the provider does beside the answer really does.
func asks(value []byte) bool {
	if value[0] == '[' || value[0] == '{' {
		return jsonscan.Space(value, 1) < len(value)-1
	}
	return string(value) != "false" && string(value) != `""`
}

// text is the text of JSON text that is a string; empty for all else.
func text(raw []byte) string {
	if len(raw) == 0 || raw[0] != '"' {
		return ""
	}
	name, _ := jsonscan.Unquote(nil, raw)
	return string(name)
}

// maxServiceBytes is the longest name of a class of service.
const maxServiceBytes = 32

// serviceNamed is the name of a class of service; what cannot be one leaves the choice to the provider.
func serviceNamed(raw []byte) string {
	name := ServiceName(text(raw))
	if name == "" {
		return meter.ServiceAuto
	}
	return name
}

// ServiceName is the name of a class of service in lower case; empty for what can be none.
func ServiceName(name string) string {
	if len(name) > maxServiceBytes || strings.ContainsFunc(name, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}) {
		return ""
	}
	return strings.ToLower(name)
}

// unbounded notes a part without a bound. The first one is told.
func (s *demandScan) unbounded(name string) {
	if s.demand.Unbounded == "" {
		s.demand.Unbounded = "\"" + name + "\" lets the provider do what has no limit"
	}
}

// prompt takes in the prompts of completions: texts, or lists of tokens. An object is the template of a provider.
func (s *demandScan) prompt(at int) {
	switch s.body[at] {
	case '{':
		s.demand.Stored = true
	case '[':
		count := int64(0)
		s.elements(at, func(at int) {
			if s.body[at] == '"' || s.body[at] == '[' {
				count++
			}
		})
		s.prompts = max(count, 1)
	}
}

// finish puts together what was found.
func (s *demandScan) finish() Demand {
	d := &s.demand
	switch len(s.classes) {
	case 0:
	case 1:
		d.Service = s.classes[0]
	default:
		d.Unbounded = "several classes of service are asked for at once"
	}
	d.Prompt = MostTokens(s.body) + templateTokens
	if s.tools {
		d.Prompt += toolTokens
	}
	d.Choices = product(s.best, s.prompts)
	d.Completion = product(d.Choices, s.predicted)
	switch {
	case s.searches > 0 && s.calls > 0:
		s.search(s.calls)
	case s.searches > 0 && d.Unbounded == "":
		d.Unbounded = "the web search has no limit on the number of searches"
	}
	d.Rounds = product(d.Rounds, s.prompts)
	return *d
}

// search notes that the provider may search a number of times, and has the model read what it finds.
func (s *demandScan) search(times int64) {
	d := &s.demand
	d.Searches = min(d.Searches+times, Unlimited)
	s.read(times)
}

// read notes that the model may read what the provider finds a number of times.
func (s *demandScan) read(times int64) {
	s.demand.Rounds = min(s.demand.Rounds+times, Unlimited)
	s.demand.Grows = true
}

// maxMarkDepth is how deep marks for the cache are looked for. A mark that is deeper would be in no place where a provider looks.
const maxMarkDepth = 64

// marks looks for marks for the cache, wherever they stand.
func (s *demandScan) marks(at, depth int) {
	if depth > maxMarkDepth {
		return
	}
	switch s.body[at] {
	case '[':
		s.elements(at, func(at int) { s.marks(at, depth+1) })
	case '{':
		s.members(at, func(name string, at, _ int) {
			if name == "cachecontrol" || name == "cachepoint" {
				s.mark(at)
				return
			}
			s.marks(at, depth+1)
		})
	}
}

// mark takes in a mark for the cache. What is kept longer than the usual five minutes costs as what is kept for an hour.
func (s *demandScan) mark(at int) {
	if s.body[at] == 'n' {
		return
	}
	s.demand.WritesCache = true
	s.members(at, func(name string, at, end int) {
		if name == "ttl" && !slices.Contains([]string{"", "5m"}, text(s.body[at:end])) {
			s.demand.WritesCache1h = true
		}
	})
}
