package compile

import (
	"encoding/json"
	"fmt"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/table"
)

// Kinds of objects in a report.
const (
	// KindModelRoute is a ModelRoute.
	KindModelRoute = "ModelRoute"
	// KindProviderCredential is a ProviderCredential.
	KindProviderCredential = "ProviderCredential"
	// KindSpendBudget is a SpendBudget.
	KindSpendBudget = "SpendBudget"
	// KindSecret is an access-key Secret; it is in the report only if something is wrong with it.
	KindSecret = "Secret"
)

// Values of TargetReport.Priced.
const (
	// Priced means that the cost of a call is known.
	Priced = "Priced"
	// Unpriced means that it is not, or not for every model name of the route.
	Unpriced = "Unpriced"
)

// Report says for every object of a namespace what a table holds of it and what is wrong with it. It holds no keys.
type Report struct {
	// Sequence of the table.
	Sequence int64 `json:"sequence"`
	// Revision of the table.
	Revision string `json:"revision"`
	// Objects ordered by kind and name.
	Objects []ObjectReport `json:"objects,omitempty"`
}

// Object finds the report of one object.
func (r *Report) Object(kind, name string) (*ObjectReport, bool) {
	for i := range r.Objects {
		if r.Objects[i].Kind == kind && r.Objects[i].Name == name {
			return &r.Objects[i], true
		}
	}
	return nil, false
}

// ObjectReport is what became of one object.
type ObjectReport struct {
	// Kind of the object.
	Kind string `json:"kind"`
	// Name of the object.
	Name string `json:"name"`
	// UID of the object.
	UID string `json:"uid,omitempty"`
	// Generation of the spec that was compiled.
	Generation int64 `json:"generation,omitempty"`
	// Served is the generation that the table holds; 0 means that it holds none.
	Served int64 `json:"served,omitempty"`
	// Since is the sequence of the first table that held Served.
	Since int64 `json:"since,omitempty"`
	// Findings are what is wrong; empty is good.
	Findings []Finding `json:"findings,omitempty"`
	// Targets of a ModelRoute, in the order of its spec.
	Targets []TargetReport `json:"targets,omitempty"`
	// Mirror of a ModelRoute; nil without one.
	Mirror *TargetReport `json:"mirror,omitempty"`
	// Keys of a ProviderCredential, in the order of its spec. They change with every word of a provider's, so they are not stored.
	Keys []KeyReport `json:"-"`
	// Values are what Keys are told from, together with what the table holds.
	Values []KeyValue `json:"-"`
}

// Finding is one thing that is wrong with an object. It never holds a key.
type Finding struct {
	// Condition is the type of the condition that it makes false.
	Condition string `json:"condition"`
	// Reason is a constant of the API package.
	Reason string `json:"reason"`
	// Message says what is wrong, where, and what to do.
	Message string `json:"message"`
	// Field is the path of the field in the object, such as spec.targets[0].prices.input; empty when it is no field's fault.
	Field string `json:"field,omitempty"`
}

// TargetReport is the state of one target of a route.
type TargetReport struct {
	// Name of the target.
	Name string `json:"name"`
	// State of the target.
	State v1alpha1.TargetState `json:"state"`
	// Reason of a state that is not Available, or ReasonModelNotListed of one that is; empty when nothing is to be said.
	Reason string `json:"reason,omitempty"`
	// Message says what is wrong and what follows.
	Message string `json:"message,omitempty"`
	// Priced is Priced or Unpriced.
	Priced string `json:"priced,omitempty"`
	// Listing is Listed or Unlisted where the provider's list of models tells, else empty.
	Listing string `json:"listing,omitempty"`
	// Model is the successor that is called because the list does not have the target's model; empty when that itself is called.
	Model string `json:"model,omitempty"`
}

// EncodeReport returns the canonical, compressed form of a report.
func EncodeReport(r Report) ([]byte, error) {
	plain, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encoding report: %w", err)
	}
	return table.Compress(plain)
}

// DecodeReport reads what EncodeReport wrote.
func DecodeReport(packed []byte) (*Report, error) {
	plain, err := table.Decompress(packed)
	if err != nil {
		return nil, fmt.Errorf("decoding report: %w", err)
	}
	var r Report
	if err := json.Unmarshal(plain, &r); err != nil {
		return nil, fmt.Errorf("decoding report: %w", err)
	}
	return &r, nil
}
