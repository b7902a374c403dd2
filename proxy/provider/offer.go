package provider

import (
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// FrameFormat is how the events of a stream are framed.
type FrameFormat int

const (
	// SSE is text/event-stream.
	SSE FrameFormat = iota
	// AWSConverse is AWS's binary event stream as ConverseStream has it.
	AWSConverse
	// AWSInvoke is AWS's binary event stream as InvokeModelWithResponseStream has it: the model's own events, wrapped.
	AWSInvoke
)

// Offer is an API that a provider has.
type Offer struct {
	// API that is spoken there.
	API neutral.API
	// Path below the base, and StreamPath for streams where it is another one. They may hold a query, and {model} for the
	// upstream id, {project}, {location} and {apiVersion} of the account.
	Path, StreamPath string
	// Base stands in place of the provider's base path, where the endpoint is the provider's own API rather than some
	// gateway with a path of its own; empty for the provider's.
	Base string
	// Models are patterns of upstream ids that can be called so, with "*" at either end; nil stands for all.
	Models []string
	// Except are patterns of upstream ids that cannot.
	Except []string
	// Frames of a stream.
	Frames FrameFormat
	// ModelInPath and StreamInPath tell that "model" or "stream" stands in the address and not in the body.
	ModelInPath, StreamInPath bool
	// Set are members that belong into the body of every request.
	Set []neutral.Member
	// OnDemand tells that the offer is only used by targets that ask for its API by name.
	OnDemand bool
	// Origin is whose sealed thoughts can be sent there.
	Origin neutral.Origin
	// Quirks of the API with these models; nil in an offer of a Provider stands for the provider's if it is chat completions, and
	// for none otherwise. Choose fills it in.
	Quirks *dialect.Quirks
}

// Takes tells whether a model can be called so.
func (o Offer) Takes(upstreamModel string) bool {
	return (o.Models == nil || matchesAny(o.Models, upstreamModel)) && !matchesAny(o.Except, upstreamModel)
}

// NamesModel tells whether the address depends on the model.
func (o Offer) NamesModel() bool { return strings.Contains(o.Path, "{model}") }

func matchesAny(patterns []string, id string) bool {
	for _, pattern := range patterns {
		if matches(pattern, id) {
			return true
		}
	}
	return false
}

// matches compares an id with a pattern that may have a "*" at either end.
func matches(pattern, id string) bool {
	rest, open := strings.CutPrefix(pattern, "*")
	core, openEnd := strings.CutSuffix(rest, "*")
	switch {
	case open && openEnd:
		return strings.Contains(id, core)
	case open:
		return strings.HasSuffix(id, core)
	case openEnd:
		return strings.HasPrefix(id, core)
	default:
		return id == core
	}
}

// Choose returns the offer that serves a client of a surface with an upstream model: the one of the client's own API if there is one, else the first one of
// the same family. want, where it is not empty, is the API that a target asks for; it counts for surfaces that generate text, and takes models that the
// provider's patterns do not know.
func (p Provider) Choose(surface neutral.API, upstreamModel string, want neutral.API) (Offer, bool) {
	if surface.Family() != neutral.Generation {
		want = ""
	}
	var chosen *Offer
	for i := range p.Offers {
		offer := &p.Offers[i]
		if !offer.open(want) || !offer.serves(surface) || !offer.Takes(upstreamModel) {
			continue
		}
		if offer.API == surface {
			return p.complete(offer), true
		}
		if chosen == nil {
			chosen = offer
		}
	}
	if chosen == nil && want != "" {
		chosen = p.first(want)
	}
	if chosen == nil {
		return Offer{}, false
	}
	return p.complete(chosen), true
}

// open tells whether the offer may be chosen for a target that asks for an API, or for none.
func (o *Offer) open(want neutral.API) bool {
	if want == "" {
		return !o.OnDemand
	}
	return o.API == want
}

// serves tells whether requests of a surface can be sent to the offer. Nothing crosses to the old completions: they have no conversation.
func (o *Offer) serves(surface neutral.API) bool {
	if o.API == surface {
		return true
	}
	return o.API != neutral.Completions && surface.Family() != neutral.Alone && o.API.Family() == surface.Family()
}

// first is the first offer of an API, whatever its models.
func (p Provider) first(api neutral.API) *Offer {
	for i := range p.Offers {
		if p.Offers[i].API == api {
			return &p.Offers[i]
		}
	}
	return nil
}

func (p Provider) complete(offer *Offer) Offer {
	completed := *offer
	if completed.Quirks == nil {
		quirks := p.quirksOf(completed.API)
		completed.Quirks = &quirks
	}
	return completed
}

// quirksOf are the quirks of an API whose offer has none of its own.
func (p Provider) quirksOf(api neutral.API) dialect.Quirks {
	if api == neutral.ChatCompletions {
		return p.Quirks
	}
	return dialect.Quirks{}
}

// Ready returns the provider with its offers filled in, so that choosing one takes no memory.
func (p Provider) Ready() Provider {
	p.Offers = slices.Clone(p.Offers)
	for i := range p.Offers {
		p.Offers[i] = p.complete(&p.Offers[i])
	}
	if p.Dated != nil {
		dated := p.Dated.Ready()
		p.Dated = &dated
	}
	return p
}

// Has tells whether the provider has an API at all.
func (p Provider) Has(api neutral.API) bool { return p.first(api) != nil }
