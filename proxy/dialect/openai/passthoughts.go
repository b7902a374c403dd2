package openai

import (
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// keepsDetails takes the thoughts out of reasoning_details that the target must not see; false when none of them may stay. Servers of the user's own get
// what is not sealed; OpenRouter, whose member this is, gets what the model behind it may read.
func (p *passing) keepsDetails(m span) bool {
	if !opens(p.body, m.value, '[') {
		return p.to.Provider == vendorOpenRouter
	}
	mayHave := p.to.Provider == vendorOpenRouter || p.to.Provider == vendorAny
	before := len(p.patches)
	var cuts cutter
	walk := jsonscan.WalkArray(p.body, m.value)
	for at, ok := walk.Next(); ok; at, ok = walk.Next() {
		end, err := jsonscan.Value(p.body, at)
		walk.Resume(end, err)
		sealed := p.foreignSeal(at)
		if sealed {
			p.report.Drop("reasoning")
		}
		if sealed || !mayHave {
			cuts.cut(at, end)
			continue
		}
		p.patches = cuts.keep(p.patches, at, end)
	}
	if !cuts.kept {
		p.patches = p.patches[:before]
		return false
	}
	p.patches = cuts.close(p.patches, m.end-1, "")
	return true
}

// holdsForeignSeal tells whether a message has a sealed thought that the target cannot read. What it says in plain text beside it is kept from it, too.
func (p *passing) holdsForeignSeal(members []span) bool {
	for _, m := range members {
		if p.marks&markDetails == 0 || m.name != "reasoning_details" || !opens(p.body, m.value, '[') {
			continue
		}
		walk := jsonscan.WalkArray(p.body, m.value)
		for at, ok := walk.Next(); ok; at, ok = walk.Next() {
			walk.Resume(jsonscan.Value(p.body, at))
			if p.foreignSeal(at) {
				return true
			}
		}
	}
	return false
}

// foreignSeal tells whether the object at an offset is a sealed thought that the target cannot read.
func (p *passing) foreignSeal(at int) bool {
	detail := p.spans(at)
	if noText(p.valueOf(detail, "signature")) && noText(p.valueOf(detail, "data")) {
		return false
	}
	origin := neutral.Origin(p.valueOf(detail, "format"))
	if p.to.Provider == vendorOpenRouter && (noText(string(origin)) || origin == neutral.OriginUnknown) {
		return false // OpenRouter's own: other sources always tell the format.
	}
	return !readableBy(origin, p.to)
}

func noText(value string) bool { return value == "" || value == "null" }
