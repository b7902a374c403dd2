package dialect

import (
	"strconv"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

const (
	// MetadataHeader is the header by which a client asks how a call was routed.
	MetadataHeader = "X-Openrouter-Metadata"
	// OldMetadataHeader is the name that it had first.
	OldMetadataHeader = "X-Openrouter-Experimental-Metadata"
	// metadataName is the member of an answer that tells it.
	metadataName = "openrouter_metadata"
)

// AsksForMetadata tells whether the value of one of these headers asks for it. What is not known asks for nothing.
func AsksForMetadata(value string) bool {
	return strings.EqualFold(strings.TrimSpace(value), "enabled")
}

// RoutingStrategy says in a word of OpenRouter's how a model was chosen.
type RoutingStrategy string

// The strategies.
const (
	// RoutedDirectly means that the model is the one that was asked for.
	RoutedDirectly RoutingStrategy = "direct"
	// RoutedByAlias means that the name asked for stands for a model of another name.
	RoutedByAlias RoutingStrategy = "alias"
	// RoutedByFallback means that it is not the first that was tried.
	RoutedByFallback RoutingStrategy = "fallback"
)

// RoutingMetadata tells how a call was routed, in the form that OpenRouter's clients know.
type RoutingMetadata struct {
	// Requested is the model that was asked for.
	Requested string
	// Strategy by which the target was found.
	Strategy RoutingStrategy
	// Region of the target; empty when it is not known.
	Region string
	// Attempts in their order, the one that answered last.
	Attempts []RoutingAttempt
	// Endpoints are all targets that were considered, in the order of preference.
	Endpoints []RoutingEndpoint
	// Elapsed is how long the answer took, from the request to the provider to the end of the answer; 0 when that is not known.
	Elapsed time.Duration
}

// RoutingAttempt is one try at one target.
type RoutingAttempt struct {
	// Target is its name in the route.
	Target string `json:"target,omitempty"`
	// Provider and Model that were asked.
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Status is what the provider answered; 0 when it did not.
	Status int `json:"status"`
}

// RoutingEndpoint is one target that was considered.
type RoutingEndpoint struct {
	// Target is its name in the route.
	Target string `json:"target,omitempty"`
	// Provider and Model of the target.
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Selected tells that it answered.
	Selected bool `json:"selected"`
	// Excluded is a sentence for people that says why it could not be tried; empty when it could.
	Excluded string `json:"excluded,omitempty"`
}

// wireRouting is the member. All but the last three are required by OpenRouter's clients.
type wireRouting struct {
	Requested      string           `json:"requested"`
	Strategy       RoutingStrategy  `json:"strategy"`
	Region         *string          `json:"region"`
	Summary        string           `json:"summary"`
	Attempt        int              `json:"attempt"`
	OwnKey         bool             `json:"is_byok"`
	Endpoints      wireEndpoints    `json:"endpoints"`
	Attempts       []RoutingAttempt `json:"attempts,omitempty"`
	GenerationTime int64            `json:"generation_time,omitempty"`
}

// wireEndpoints are the targets that could be tried, and those that could not, which only this proxy tells.
type wireEndpoints struct {
	Total     int               `json:"total"`
	Available []RoutingEndpoint `json:"available"`
	Excluded  []RoutingEndpoint `json:"excluded,omitempty"`
}

// appendRouting appends the member, with its name.
func appendRouting(dst []byte, m *RoutingMetadata) []byte {
	wire := wireRouting{
		Requested: m.Requested, Strategy: m.Strategy, Attempt: len(m.Attempts), Attempts: m.Attempts, GenerationTime: m.Elapsed.Milliseconds(),
		Endpoints: wireEndpoints{Total: len(m.Endpoints), Available: []RoutingEndpoint{}},
	}
	if m.Region != "" {
		wire.Region = &m.Region
	}
	selected := ""
	for _, endpoint := range m.Endpoints {
		if endpoint.Excluded != "" {
			wire.Endpoints.Excluded = append(wire.Endpoints.Excluded, endpoint)
			continue
		}
		if endpoint.Selected {
			selected = ", selected=" + endpoint.Provider
		}
		wire.Endpoints.Available = append(wire.Endpoints.Available, endpoint)
	}
	wire.Summary = "available=" + strconv.Itoa(len(wire.Endpoints.Available)) + selected
	return AppendJSON(append(jsonscan.AppendQuoted(dst, metadataName), ':'), wire)
}
