// Package sheet writes prices down for people and for programs: as a table, and as JSON in exact decimal numbers of dollars.
package sheet

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

// Line is what one model costs somewhere.
type Line struct {
	// Namespace, Route and Target that call the model; empty for a line of the catalogue itself.
	Namespace string `json:"namespace,omitempty"`
	Route     string `json:"route,omitempty"`
	Target    string `json:"target,omitempty"`
	// Provider and the Model's id there.
	Provider string `json:"provider"`
	Model    string `json:"model"`
	// Source says where the prices come from; empty when there are none.
	Source string `json:"source,omitempty"`
	// Prices of the model; nil when they are not known, so that calls are unpriced.
	Prices *Prices `json:"prices"`
	// Entry is what else the catalogue knows of the model; nil when it does not have it.
	Entry *Facts `json:"catalogue,omitempty"`
}

// Facts are what the catalogue knows of a model beside its prices.
type Facts struct {
	// Key of the entry.
	Key string `json:"key"`
	// ContextTokens and MaxOutputTokens are the model's limits; 0 when not known.
	ContextTokens   int64 `json:"contextTokens,omitempty"`
	MaxOutputTokens int64 `json:"maxOutputTokens,omitempty"`
	// Capabilities that it is known to have.
	Capabilities []string `json:"capabilities,omitempty"`
	// Deprecated is when it is withdrawn, YYYY-MM-DD.
	Deprecated string `json:"deprecated,omitempty"`
	// Package that the entry comes from, URL of the provider's page, and Notes about differences.
	Package string   `json:"package"`
	URL     string   `json:"url,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// FactsOf are the facts of an entry.
func FactsOf(e *catalogue.Entry) *Facts {
	return &Facts{
		Key: e.Key, ContextTokens: e.ContextTokens, MaxOutputTokens: e.MaxOutputTokens, Capabilities: e.Capabilities, Deprecated: e.Deprecated,
		Package: e.Package, URL: e.URL, Notes: e.Notes,
	}
}

// Prices are a price list in dollars.
type Prices struct {
	// Rates that are known, in the order of table.Prices.
	Rates []Rate `json:"rates"`
	// Tiers hold above a length of the prompt.
	Tiers []Tier `json:"tiers,omitempty"`
	// Services hold in a class of service.
	Services []Service `json:"services,omitempty"`
}

// Rate is the price of one unit.
type Rate struct {
	// Name of the unit, as the API has it where that has the unit.
	Name string `json:"name"`
	// USD is an exact decimal number of dollars.
	USD json.Number `json:"usd"`
	// Per is what the price is for.
	Per string `json:"per"`
}

// Tier is the price list of long prompts.
type Tier struct {
	// Above is the number of prompt tokens that a call must exceed.
	Above int64 `json:"above"`
	Prices
}

// Service is the price list of a class of service.
type Service struct {
	// Service is the class.
	Service string `json:"service"`
	Prices
}

// Units that prices are for.
const (
	perMillionTokens = "million tokens"
	perThousand      = "thousand"
)

// Of writes prices down.
func Of(p *table.Prices) *Prices {
	written := Prices{Rates: []Rate{
		rate("input", p.Input, perMillionTokens), rate("cachedInput", p.CachedInput, perMillionTokens), rate("output", p.Output, perMillionTokens),
	}}
	for _, unit := range []struct {
		name, per string
		price     *int64
	}{
		{"cacheWrite", perMillionTokens, p.CacheWrite},
		{"cacheWrite1h", perMillionTokens, p.CacheWrite1h},
		{"inputAudio", perMillionTokens, p.InputAudio},
		{"cachedInputAudio", perMillionTokens, p.CachedInputAudio},
		{"inputImage", perMillionTokens, p.InputImage},
		{"reasoning", perMillionTokens, p.Reasoning},
		{"outputAudio", perMillionTokens, p.OutputAudio},
		{"outputImage", perMillionTokens, p.OutputImage},
		{"image", "image", p.Image},
		{"audioHour", "hour", p.AudioHour},
		{"speechHour", "hour", p.SpeechHour},
		{"characters", "million characters", p.Characters},
		{"searches", perThousand, p.Search},
		{"searchUnits", perThousand, p.SearchUnits},
	} {
		if unit.price != nil {
			written.Rates = append(written.Rates, rate(unit.name, *unit.price, unit.per))
		}
	}
	if p.Request > 0 {
		written.Rates = append(written.Rates, rate("request", p.Request, "request"))
	}
	for i := range p.Tiers {
		written.Tiers = append(written.Tiers, Tier{Above: p.Tiers[i].Above, Prices: *Of(&p.Tiers[i].Prices)})
	}
	for i := range p.Services {
		written.Services = append(written.Services, Service{Service: p.Services[i].Service, Prices: *Of(&p.Services[i].Prices)})
	}
	return &written
}

func rate(name string, nano int64, per string) Rate {
	return Rate{Name: name, USD: json.Number(meter.FormatUSD(nano)), Per: per}
}

// WriteJSON writes lines as a JSON array.
func WriteJSON(w io.Writer, lines []Line) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(lines); err != nil {
		return fmt.Errorf("writing prices: %w", err)
	}
	return nil
}

// WriteTable writes lines as a table. What the first three prices do not say stands behind them; tiers and services have rows of their own.
func WriteTable(w io.Writer, lines []Line) error {
	var rows strings.Builder
	rows.WriteString("PROVIDER\tMODEL\tINPUT\tCACHED\tOUTPUT\tMORE\tSOURCE\n")
	for i := range lines {
		line := &lines[i]
		if line.Prices == nil {
			fmt.Fprintf(&rows, "%s\t%s\tunpriced\t\t\t\t%s\n", line.Provider, line.Model, line.where())
			continue
		}
		writeRow(&rows, line.Provider+"\t"+line.Model, line.Prices, strings.Join(nonEmpty(line.where(), line.Source, line.deprecation()), "; "))
		writeChanges(&rows, line.Prices, "")
	}
	out := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if _, err := io.WriteString(out, rows.String()); err != nil {
		return fmt.Errorf("writing prices: %w", err)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("writing prices: %w", err)
	}
	return nil
}

// where names the target that calls the model.
func (l *Line) where() string {
	if l.Route == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s target %s", l.Namespace, l.Route, l.Target)
}

func (l *Line) deprecation() string {
	if l.Entry == nil || l.Entry.Deprecated == "" {
		return ""
	}
	return "withdrawn on " + l.Entry.Deprecated
}

func nonEmpty(texts ...string) []string {
	var kept []string
	for _, text := range texts {
		if text != "" {
			kept = append(kept, text)
		}
	}
	return kept
}

// writeChanges writes the rows of tiers and services. service is the one that the tiers are of.
func writeChanges(rows *strings.Builder, p *Prices, service string) {
	for i := range p.Tiers {
		writeRow(rows, fmt.Sprintf("\t  %sprompts above %d", service, p.Tiers[i].Above), &p.Tiers[i].Prices, "")
	}
	for i := range p.Services {
		writeRow(rows, "\t  "+p.Services[i].Service, &p.Services[i].Prices, "")
		writeChanges(rows, &p.Services[i].Prices, p.Services[i].Service+", ")
	}
}

// mainRates is how many rates have a column of their own.
const mainRates = 3

func writeRow(rows *strings.Builder, head string, p *Prices, source string) {
	var more []string
	for _, rate := range p.Rates[mainRates:] {
		text := rate.Name + " " + rate.USD.String()
		if rate.Per == perThousand {
			text += " per thousand"
		}
		more = append(more, text)
	}
	fmt.Fprintf(rows, "%s\t%s\t%s\t%s\t%s\t%s\n", head, p.Rates[0].USD, p.Rates[1].USD, p.Rates[2].USD, strings.Join(more, ", "), source)
}
