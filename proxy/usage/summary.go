package usage

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// SummarySchema is the version of a summary's JSON form.
const SummarySchema = "signalbox.dev/usage-summary/v1"

// MaxDimensions bounds how many dimensions a summary can have.
const MaxDimensions = 6

// tagDimension is the beginning of a dimension that is a tag.
const tagDimension = "tag:"

// Dimension is what records are added up by: one of Dimensions, or "tag:" and the key of a tag.
type Dimension string

// Dimensions are those that every record has.
func Dimensions() []Dimension {
	return []Dimension{
		"namespace", "caller", "end_user", "model", "served_model", "provider", "target", "route", "operation", "outcome", "code", "pod", "day", "hour",
	}
}

// ParseDimensions reads a list that commas separate.
func ParseDimensions(list string) ([]Dimension, error) {
	var dimensions []Dimension
	for name := range strings.SplitSeq(list, ",") {
		d := Dimension(strings.TrimSpace(name))
		if _, isTag := d.Tag(); !isTag && !slices.Contains(Dimensions(), d) {
			return nil, fmt.Errorf("usage cannot be added up by %q: choose from %s, or %sKEY", string(d), joined(Dimensions()), tagDimension)
		}
		if slices.Contains(dimensions, d) {
			return nil, fmt.Errorf("usage cannot be added up by %q twice", string(d))
		}
		dimensions = append(dimensions, d)
	}
	if len(dimensions) > MaxDimensions {
		return nil, fmt.Errorf("usage cannot be added up by more than %d things", MaxDimensions)
	}
	return dimensions, nil
}

func joined(dimensions []Dimension) string {
	names := make([]string, len(dimensions))
	for i, d := range dimensions {
		names[i] = string(d)
	}
	return strings.Join(names, ", ")
}

// Tag is the key of the tag, when the dimension is one.
func (d Dimension) Tag() (string, bool) {
	key, isTag := strings.CutPrefix(string(d), tagDimension)
	return key, isTag && key != "" && isNormal(key, MaxTagKey)
}

// Of is the record's value in the dimension. Days and hours are those of UTC.
func (d Dimension) Of(r *Record) string {
	switch d {
	case "namespace":
		return r.Namespace
	case "caller":
		return r.Caller
	case "end_user":
		return r.EndUser
	case "model":
		return r.Model
	case "day":
		return r.Time.UTC().Format(time.DateOnly)
	case "hour":
		return r.Time.UTC().Truncate(time.Hour).Format(time.RFC3339)
	default:
		return d.ofService(r)
	}
}

func (d Dimension) ofService(r *Record) string {
	switch d {
	case "served_model":
		return r.Served
	case "provider":
		return r.Provider
	case "target":
		return r.Target
	case "route":
		return r.Route
	case "operation":
		return r.Operation
	case "outcome":
		return string(r.Outcome)
	case "code":
		return r.Code
	case "pod":
		return r.Pod
	default:
		return d.ofTag(r)
	}
}

func (d Dimension) ofTag(r *Record) string {
	key, _ := d.Tag()
	for i := range r.Tags {
		if r.Tags[i].Key == key {
			return r.Tags[i].Value
		}
	}
	return ""
}

// Row is the sum of the records that are the same in all dimensions. Sums stop at the largest number.
type Row struct {
	// Values in the order of the dimensions.
	Values []string
	Sums
}

// Sums are the numbers of a row.
type Sums struct {
	// Requests, and those of them that did not complete, whose usage was estimated, or that have a part without a known price.
	Requests, Failed, Estimated, Unpriced int64
	// Prompt tokens, the cached ones of them, completion tokens and the reasoning of them.
	Prompt, Cached, Completion, Reasoning int64
	// Cost in nano-dollars.
	Cost int64
}

// numbers lists the sums with the names that they have in JSON and CSV.
func (s *Sums) numbers() [9]number {
	return [...]number{
		{"requests", &s.Requests}, {"failed", &s.Failed}, {"estimated", &s.Estimated}, {"unpriced", &s.Unpriced}, {"prompt_tokens", &s.Prompt},
		{"cached_tokens", &s.Cached}, {"completion_tokens", &s.Completion}, {"reasoning_tokens", &s.Reasoning}, {"cost_nanodollars", &s.Cost},
	}
}

type number struct {
	name  string
	value *int64
}

func (s *Sums) add(other Sums) {
	mine, others := s.numbers(), other.numbers()
	for i := range mine {
		*mine[i].value = meter.AddSaturating(*mine[i].value, *others[i].value)
	}
}

// Summary is what records add up to.
type Summary struct {
	// By are the dimensions.
	By []Dimension
	// Since and Until bound the records; zero for no bound.
	Since, Until time.Time
	// From is the time since which all records are taken in; later than Since where older ones are not in memory any more.
	From time.Time
	// Rows, the most expensive one first.
	Rows []Row
}

// Summarize adds records up.
func Summarize(records []*Record, by []Dimension) []Row {
	rows := map[[MaxDimensions]string]*Row{}
	for _, r := range records {
		var key [MaxDimensions]string
		for i, d := range by[:min(len(by), MaxDimensions)] {
			key[i] = d.Of(r)
		}
		row := rows[key]
		if row == nil {
			row = &Row{Values: slices.Clone(key[:len(by)])}
			rows[key] = row
		}
		row.add(sumsOf(r))
	}
	sorted := make([]Row, 0, len(rows))
	for _, row := range rows {
		sorted = append(sorted, *row)
	}
	SortRows(sorted)
	return sorted
}

// SortRows puts the most expensive row first.
func SortRows(rows []Row) {
	slices.SortFunc(rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(b.Cost, a.Cost), cmp.Compare(b.Requests, a.Requests), slices.Compare(a.Values, b.Values))
	})
}

func sumsOf(r *Record) Sums {
	s := Sums{Requests: 1, Prompt: r.Usage.Prompt, Cached: r.Usage.Cached, Completion: r.Usage.Completion, Reasoning: r.Usage.Reasoning, Cost: r.Cost}
	if r.Outcome != Completed {
		s.Failed = 1
	}
	if r.Estimated {
		s.Estimated = 1
	}
	if r.Unpriced {
		s.Unpriced = 1
	}
	return s
}

// AppendSummary appends the JSON form, which `GET /v1/usage` answers with.
func AppendSummary(dst []byte, s *Summary) []byte {
	w := writer{text: append(dst, `{"schema":"`+SummarySchema+`"`...)}
	by := make([]string, len(s.By))
	for i, d := range s.By {
		by[i] = string(d)
	}
	w.strings("by", by)
	w.instant("since", s.Since)
	w.instant("until", s.Until)
	w.instant("from", s.From)
	w.name("rows")
	w.text = append(w.text, '[')
	for i := range s.Rows {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		w.row(s.By, &s.Rows[i])
	}
	return append(w.text, ']', '}')
}

func (w *writer) instant(name string, t time.Time) {
	if !t.IsZero() {
		w.string(name, t.UTC().Format(time.RFC3339Nano))
	}
}

func (w *writer) row(by []Dimension, r *Row) {
	w.text = append(w.text, `{"values":{`...)
	for i, value := range r.Values[:min(len(r.Values), len(by))] {
		if i > 0 {
			w.text = append(w.text, ',')
		}
		w.text = jsonscan.AppendQuoted(w.text, string(by[i]))
		w.text = append(w.text, ':')
		w.text = jsonscan.AppendQuoted(w.text, value)
	}
	w.text = append(w.text, '}')
	for _, n := range r.numbers() {
		w.number(n.name, *n.value)
	}
	w.string("cost_usd", meter.FormatUSD(r.Cost))
	w.text = append(w.text, '}')
}

// maxSummary bounds a summary that is read.
const maxSummary = 16 << 20

// ReadSummary reads what AppendSummary wrote.
func ReadSummary(from io.Reader) (*Summary, error) {
	text, err := io.ReadAll(io.LimitReader(from, maxSummary+1))
	if err != nil {
		return nil, fmt.Errorf("reading a usage summary: %w", err)
	}
	if len(text) > maxSummary {
		return nil, fmt.Errorf("reading a usage summary: it is longer than %d bytes", maxSummary)
	}
	var read struct {
		Schema string      `json:"schema"`
		By     []Dimension `json:"by"`
		Since  time.Time   `json:"since"`
		Until  time.Time   `json:"until"`
		From   time.Time   `json:"from"`
		Rows   []struct {
			Values     map[Dimension]string `json:"values"`
			Requests   int64                `json:"requests"`
			Failed     int64                `json:"failed"`
			Estimated  int64                `json:"estimated"`
			Unpriced   int64                `json:"unpriced"`
			Prompt     int64                `json:"prompt_tokens"`
			Cached     int64                `json:"cached_tokens"`
			Completion int64                `json:"completion_tokens"`
			Reasoning  int64                `json:"reasoning_tokens"`
			Cost       int64                `json:"cost_nanodollars"`
		} `json:"rows"`
	}
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("reading a usage summary: %w", err)
	}
	if read.Schema != SummarySchema {
		return nil, fmt.Errorf("reading a usage summary: it is not of schema %s", SummarySchema)
	}
	s := &Summary{By: read.By, Since: read.Since, Until: read.Until, From: read.From}
	for _, row := range read.Rows {
		values := make([]string, len(s.By))
		for i, d := range s.By {
			values[i] = row.Values[d]
		}
		s.Rows = append(s.Rows, Row{Values: values, Sums: Sums{
			Requests: row.Requests, Failed: row.Failed, Estimated: row.Estimated, Unpriced: row.Unpriced, Prompt: row.Prompt, Cached: row.Cached,
			Completion: row.Completion, Reasoning: row.Reasoning, Cost: row.Cost,
		}})
	}
	return s, nil
}
