package dialect

import "signalbox.dev/signalbox/proxy/meter"

// WithUnits is the answer to a request for an order, in which so many documents have a place: where usage is estimated, so are the units that are charged, for
// there is at least one.
func WithUnits(a Answer, results int) Answer { return &unitAnswer{Answer: a, results: int64(results)} }

type unitAnswer struct {
	Answer
	results int64
}

// Settle returns the usage to charge. Documents of a common length have about a thousand bytes and more.
func (a *unitAnswer) Settle(promptBytes int64) meter.Usage {
	const bytesPerDocument = 1000
	u := a.Answer.Settle(promptBytes)
	if u.Estimated && u.SearchUnits == 0 {
		documents := max(a.results, promptBytes/bytesPerDocument, 1)
		u.SearchUnits = min((documents-1)/documentsPerUnit+1, meter.MaxTokens)
	}
	return u
}
