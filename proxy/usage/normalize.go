package usage

import (
	"strings"
	"unicode/utf8"

	"signalbox.dev/signalbox/proxy/table"
)

// Bounds of what a record holds, in bytes and items. Much of it is chosen by clients and providers.
const (
	// MaxText bounds each text of a record.
	MaxText = 256
	// MaxTags bounds the tags; further ones are left out.
	MaxTags = 16
	// MaxTagKey bounds the key of a tag.
	MaxTagKey = 64
	// MaxAttempts bounds the attempts; of more than that the first ones are left out, for the last ones tell how it ended.
	MaxAttempts = 32
	// MaxBudgets bounds the names of budgets.
	MaxBudgets = 32
)

// Normalize brings a record within its bounds and takes out what a database or a terminal would choke on: control characters and what is no UTF-8. Recent and
// the journal call it; it changes nothing in a record that is normal, so that such a record can be shared.
func (r *Record) Normalize() {
	for _, text := range [...]*string{
		&r.ID, &r.RequestID, &r.Namespace, &r.Pod, &r.Caller, &r.EndUser, &r.Operation, &r.Route, &r.RoutedFrom, &r.Target, &r.Provider, &r.Model,
		&r.Served, &r.UpstreamID, &r.Usage.Service, &r.PriceSource, &r.Code, (*string)(&r.Outcome),
	} {
		normalizeText(text, MaxText)
	}
	r.normalizeLists()
	for _, number := range r.counts() {
		atLeastZero(number)
	}
	for _, number := range [...]*int64{&r.Cost, &r.ListCost, (*int64)(&r.FirstToken), (*int64)(&r.Upstream), (*int64)(&r.Duration)} {
		atLeastZero(number)
	}
}

// counts are the numbers of the usage.
func (r *Record) counts() [16]*int64 {
	u := &r.Usage
	return [...]*int64{
		&u.Prompt, &u.Cached, &u.CacheWrite, &u.CacheWrite1h, &u.PromptAudio, &u.CachedAudio, &u.PromptImage, &u.Completion, &u.Reasoning,
		&u.CompletionAudio, &u.CompletionImage, &u.Images, &u.AudioMillis, &u.SpeechMillis, &u.Characters, &u.Searches,
	}
}

func (r *Record) normalizeLists() {
	if len(r.Tags) > MaxTags {
		r.Tags = r.Tags[:MaxTags]
	}
	for i := range r.Tags {
		normalizeTag(&r.Tags[i])
	}
	if excess := len(r.Attempts) - MaxAttempts; excess > 0 {
		r.Attempts = r.Attempts[excess:]
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		for _, text := range [...]*string{&a.Target, &a.Provider, &a.Model, &a.Key, &a.Code} {
			normalizeText(text, MaxText)
		}
		atLeastZero(&a.Cost)
		atLeastZero((*int64)(&a.Duration))
	}
	if len(r.Budgets) > MaxBudgets {
		r.Budgets = r.Budgets[:MaxBudgets]
	}
	for i := range r.Budgets {
		normalizeText(&r.Budgets[i], MaxText)
	}
	atLeastZero(&r.Usage.SearchUnits)
	if r.Usage.ReportedCost != nil {
		atLeastZero(r.Usage.ReportedCost)
	}
}

func normalizeTag(tag *table.Tag) {
	normalizeText(&tag.Key, MaxTagKey)
	normalizeText(&tag.Value, MaxText)
}

// atLeastZero writes only what changes, since the record may have other readers.
func atLeastZero(number *int64) {
	if *number < 0 {
		*number = 0
	}
}

// normalizeText writes only what changes, since the record may have other readers.
func normalizeText(text *string, most int) {
	if s := *text; !isNormal(s, most) {
		*text = normal(s, most)
	}
}

// isNormal tells whether normal would change nothing.
func isNormal(s string, most int) bool {
	if len(s) > most {
		return false
	}
	ascii := true
	for i := range len(s) {
		if s[i] < ' ' || s[i] == 0x7f {
			return false
		}
		ascii = ascii && s[i] < utf8.RuneSelf
	}
	return ascii || utf8.ValidString(s) && !strings.ContainsFunc(s, isControl)
}

// normal puts U+FFFD for what cannot stay, and cuts at the start of a character.
func normal(s string, most int) string {
	// An invalid byte becomes three, so nothing beyond the bound matters.
	s = s[:min(len(s), most+utf8.UTFMax)]
	s = strings.Map(func(char rune) rune {
		if isControl(char) {
			return utf8.RuneError
		}
		return char
	}, strings.ToValidUTF8(s, string(utf8.RuneError)))
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

func isControl(char rune) bool {
	return char < ' ' || char >= 0x7f && char < 0xa0
}
