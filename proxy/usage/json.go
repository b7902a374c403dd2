package usage

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// AppendJSON appends the record's JSON form, one object in one line. Everything is in docs/usage.md, field by field.
func AppendJSON(dst []byte, r *Record) []byte {
	return appendMembers(append(dst, '{'), r)
}

// AppendLine appends the record as a line of a log, in the shape of slog's JSON handler, with its newline.
func AppendLine(dst []byte, r *Record) []byte {
	dst = append(dst, `{"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	dst = append(dst, `","level":"INFO","msg":"usage",`...)
	return append(appendMembersBut(dst, r), '\n')
}

// appendMembers appends all members and the closing brace.
func appendMembers(dst []byte, r *Record) []byte {
	dst = append(dst, `"time":"`...)
	dst = r.Time.UTC().AppendFormat(dst, time.RFC3339Nano)
	return appendMembersBut(append(dst, '"', ','), r)
}

// appendMembersBut leaves out the time, which stands before it.
func appendMembersBut(dst []byte, r *Record) []byte {
	w := writer{text: append(dst, `"schema":"`+Schema+`"`...)}
	w.string("id", r.ID)
	w.known("request_id", r.RequestID)
	w.known("namespace", r.Namespace)
	w.known("pod", r.Pod)
	w.known("caller", r.Caller)
	w.known("end_user", r.EndUser)
	w.tags(r.Tags)
	if r.Trusted {
		w.yes("trusted")
	}
	w.known("operation", r.Operation)
	w.known("route", r.Route)
	w.known("routed_from", r.RoutedFrom)
	w.known("target", r.Target)
	w.known("provider", r.Provider)
	w.known("model", r.Model)
	w.known("served_model", r.Served)
	w.known("upstream_id", r.UpstreamID)
	if r.Stream {
		w.yes("stream")
	}
	if r.Mirror {
		w.yes("mirror")
	}
	w.usage(&r.Usage)
	w.money(r)
	w.micros("first_token_us", r.FirstToken)
	w.micros("upstream_us", r.Upstream)
	w.number("duration_us", r.Duration.Microseconds())
	w.attempts(r.Attempts)
	w.count("status", int64(r.Status))
	w.known("code", r.Code)
	w.string("outcome", string(r.Outcome))
	w.strings("budgets", r.Budgets)
	return append(w.text, '}')
}

// writer appends members, each with a comma before it. Reflection would take a multiple of the time.
type writer struct{ text []byte }

func (w *writer) usage(u *meter.Usage) {
	w.number("prompt_tokens", u.Prompt)
	w.count("cached_tokens", u.Cached)
	w.count("cache_write_tokens", u.CacheWrite)
	w.count("cache_write_1h_tokens", u.CacheWrite1h)
	w.count("prompt_audio_tokens", u.PromptAudio)
	w.count("cached_audio_tokens", u.CachedAudio)
	w.count("prompt_image_tokens", u.PromptImage)
	w.number("completion_tokens", u.Completion)
	w.count("reasoning_tokens", u.Reasoning)
	w.count("completion_audio_tokens", u.CompletionAudio)
	w.count("completion_image_tokens", u.CompletionImage)
	w.count("images", u.Images)
	w.count("audio_ms", u.AudioMillis)
	w.count("speech_ms", u.SpeechMillis)
	w.count("characters", u.Characters)
	w.count("searches", u.Searches)
	w.count("search_units", u.SearchUnits)
	w.known("service_tier", u.Service)
	if u.ReportedCost != nil {
		w.number("reported_cost_nanodollars", *u.ReportedCost)
	}
}

func (w *writer) money(r *Record) {
	w.number("cost_nanodollars", r.Cost)
	w.name("cost_usd")
	w.text = append(w.text, '"')
	w.text = meter.AppendUSD(w.text, r.Cost)
	w.text = append(w.text, '"')
	if r.Unpriced {
		w.yes("unpriced")
	}
	w.known("price_source", r.PriceSource)
	w.count("list_cost_nanodollars", r.ListCost)
	if r.Estimated {
		w.yes("estimated")
	}
}

func (w *writer) attempts(attempts []Attempt) {
	if len(attempts) > 0 {
		w.name("attempts")
		w.text = AppendAttempts(w.text, attempts)
	}
}

// AppendAttempts appends the JSON form of a list of attempts.
func AppendAttempts(dst []byte, attempts []Attempt) []byte {
	w := writer{text: append(dst, '[')}
	for i := range attempts {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		a := &attempts[i]
		w.text = append(w.text, `{"duration_us":`...)
		w.text = strconv.AppendInt(w.text, a.Duration.Microseconds(), 10)
		w.known("target", a.Target)
		w.known("provider", a.Provider)
		w.known("served_model", a.Model)
		w.known("key", a.Key)
		w.count("status", int64(a.Status))
		w.known("code", a.Code)
		w.number("cost_nanodollars", a.Cost)
		w.text = append(w.text, '}')
	}
	return append(w.text, ']')
}

func (w *writer) tags(tags []table.Tag) {
	if len(tags) == 0 {
		return
	}
	w.name("tags")
	for i := range tags {
		w.text = append(w.text, "{,"[min(i, 1)])
		w.text = jsonscan.AppendQuoted(w.text, tags[i].Key)
		w.text = append(w.text, ':')
		w.text = jsonscan.AppendQuoted(w.text, tags[i].Value)
	}
	w.text = append(w.text, '}')
}

func (w *writer) strings(name string, values []string) {
	if len(values) == 0 {
		return
	}
	w.name(name)
	for i, value := range values {
		w.text = append(w.text, "[,"[min(i, 1)])
		w.text = jsonscan.AppendQuoted(w.text, value)
	}
	w.text = append(w.text, ']')
}

func (w *writer) name(name string) {
	w.text = append(w.text, ',', '"')
	w.text = append(w.text, name...)
	w.text = append(w.text, '"', ':')
}

func (w *writer) string(name, value string) {
	w.name(name)
	w.text = jsonscan.AppendQuoted(w.text, value)
}

func (w *writer) number(name string, value int64) {
	w.name(name)
	w.text = strconv.AppendInt(w.text, value, 10)
}

// known leaves out what is empty.
func (w *writer) known(name, value string) {
	if value != "" {
		w.string(name, value)
	}
}

// count leaves out 0.
func (w *writer) count(name string, value int64) {
	if value != 0 {
		w.number(name, value)
	}
}

// micros leaves out what is shorter than a microsecond.
func (w *writer) micros(name string, value time.Duration) { w.count(name, value.Microseconds()) }

// yes says that something is so; what is not so is left out.
func (w *writer) yes(name string) {
	w.name(name)
	w.text = append(w.text, "true"...)
}

// MaxJSON bounds the JSON form that Parse reads; that of a normal record is well below.
const MaxJSON = 128 << 10

// document is the JSON form for Parse.
type document struct {
	Schema     string            `json:"schema"`
	Time       time.Time         `json:"time"`
	ID         string            `json:"id"`
	RequestID  string            `json:"request_id"`
	Namespace  string            `json:"namespace"`
	Pod        string            `json:"pod"`
	Caller     string            `json:"caller"`
	EndUser    string            `json:"end_user"`
	Tags       map[string]string `json:"tags"`
	Trusted    bool              `json:"trusted"`
	Operation  string            `json:"operation"`
	Route      string            `json:"route"`
	RoutedFrom string            `json:"routed_from"`
	Target     string            `json:"target"`
	Provider   string            `json:"provider"`
	Model      string            `json:"model"`
	Served     string            `json:"served_model"`
	UpstreamID string            `json:"upstream_id"`
	Stream     bool              `json:"stream"`
	Mirror     bool              `json:"mirror"`
	usageDocument
	Cost        int64             `json:"cost_nanodollars"`
	Unpriced    bool              `json:"unpriced"`
	PriceSource string            `json:"price_source"`
	ListCost    int64             `json:"list_cost_nanodollars"`
	Estimated   bool              `json:"estimated"`
	FirstToken  int64             `json:"first_token_us"`
	Upstream    int64             `json:"upstream_us"`
	Duration    int64             `json:"duration_us"`
	Attempts    []attemptDocument `json:"attempts"`
	Status      int               `json:"status"`
	Code        string            `json:"code"`
	Outcome     Outcome           `json:"outcome"`
	Budgets     []string          `json:"budgets"`
}

type usageDocument struct {
	Prompt          int64  `json:"prompt_tokens"`
	Cached          int64  `json:"cached_tokens"`
	CacheWrite      int64  `json:"cache_write_tokens"`
	CacheWrite1h    int64  `json:"cache_write_1h_tokens"`
	PromptAudio     int64  `json:"prompt_audio_tokens"`
	CachedAudio     int64  `json:"cached_audio_tokens"`
	PromptImage     int64  `json:"prompt_image_tokens"`
	Completion      int64  `json:"completion_tokens"`
	Reasoning       int64  `json:"reasoning_tokens"`
	CompletionAudio int64  `json:"completion_audio_tokens"`
	CompletionImage int64  `json:"completion_image_tokens"`
	Images          int64  `json:"images"`
	AudioMillis     int64  `json:"audio_ms"`
	SpeechMillis    int64  `json:"speech_ms"`
	Characters      int64  `json:"characters"`
	Searches        int64  `json:"searches"`
	SearchUnits     int64  `json:"search_units"`
	Service         string `json:"service_tier"`
	ReportedCost    *int64 `json:"reported_cost_nanodollars"`
}

type attemptDocument struct {
	Target   string `json:"target"`
	Provider string `json:"provider"`
	Model    string `json:"served_model"`
	Key      string `json:"key"`
	Status   int    `json:"status"`
	Code     string `json:"code"`
	Cost     int64  `json:"cost_nanodollars"`
	Duration int64  `json:"duration_us"`
}

// Parse reads what AppendJSON wrote. Members that it does not know are left out. The record is normal.
func Parse(text []byte) (*Record, error) {
	if len(text) > MaxJSON {
		return nil, fmt.Errorf("reading a usage record: %d bytes are more than %d", len(text), MaxJSON)
	}
	var d document
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, fmt.Errorf("reading a usage record: %w", err)
	}
	if d.Schema != Schema || d.ID == "" {
		return nil, fmt.Errorf("reading a usage record: it is not of schema %s", Schema)
	}
	r := d.record()
	r.Normalize()
	return r, nil
}

func (d *document) record() *Record {
	r := &Record{
		ID: d.ID, RequestID: d.RequestID, Time: d.Time, Namespace: d.Namespace, Pod: d.Pod, Caller: d.Caller, EndUser: d.EndUser, Trusted: d.Trusted,
		Operation: d.Operation, Route: d.Route, RoutedFrom: d.RoutedFrom, Target: d.Target, Provider: d.Provider, Model: d.Model, Served: d.Served,
		UpstreamID: d.UpstreamID, Stream: d.Stream, Mirror: d.Mirror, Cost: d.Cost, Unpriced: d.Unpriced, PriceSource: d.PriceSource,
		ListCost: d.ListCost, Estimated: d.Estimated, FirstToken: micros(d.FirstToken), Upstream: micros(d.Upstream), Duration: micros(d.Duration),
		Status: d.Status, Code: d.Code, Outcome: d.Outcome, Budgets: d.Budgets,
		Usage: meter.Usage{
			Prompt: d.Prompt, Cached: d.Cached, CacheWrite: d.CacheWrite, CacheWrite1h: d.CacheWrite1h, PromptAudio: d.PromptAudio,
			CachedAudio: d.CachedAudio, PromptImage: d.PromptImage, Completion: d.Completion, Reasoning: d.Reasoning,
			CompletionAudio: d.CompletionAudio, CompletionImage: d.CompletionImage, Images: d.Images, AudioMillis: d.AudioMillis,
			SpeechMillis: d.SpeechMillis, Characters: d.Characters, Searches: d.Searches, SearchUnits: d.SearchUnits, Service: d.Service,
			ReportedCost: d.ReportedCost, Estimated: d.Estimated,
		},
	}
	r.Tags = tagsOf(d.Tags)
	for _, a := range d.Attempts {
		r.Attempts = append(r.Attempts, Attempt{
			Target: a.Target, Provider: a.Provider, Model: a.Model, Key: a.Key, Status: a.Status, Code: a.Code, Cost: a.Cost, Duration: micros(a.Duration),
		})
	}
	return r
}

// tagsOf orders tags by their keys.
func tagsOf(tags map[string]string) []table.Tag {
	var list []table.Tag
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		list = append(list, table.Tag{Key: key, Value: tags[key]})
	}
	return list
}

// micros is a duration; one that is too long for that is the longest.
func micros(n int64) time.Duration {
	return time.Duration(min(max(n, 0), math.MaxInt64/int64(time.Microsecond))) * time.Microsecond
}
