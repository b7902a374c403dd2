package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/catalogue"
	"signalbox.dev/signalbox/proxy/table"
)

// perToken makes a price of one token one of a million.
const perToken = 1_000_000

// unit is what a price of tokens is for.
type unit int

const (
	input unit = iota
	output
	cachedInput
	cacheWrite
	cacheWrite1h
	inputAudio
	cachedInputAudio
	inputImage
	reasoning
	outputAudio
	outputImage
)

// units are litellm's names of them. What is kept for twelve hours and longer is priced as what is kept for one: no provider has both.
func units() map[string]unit {
	return map[string]unit{
		"input_cost_per_token":                       input,
		"output_cost_per_token":                      output,
		"cache_read_input_token_cost":                cachedInput,
		"cache_creation_input_token_cost":            cacheWrite,
		"cache_creation_input_token_cost_above_1hr":  cacheWrite1h,
		"cache_creation_input_token_cost_above_12hr": cacheWrite1h,
		"input_cost_per_audio_token":                 inputAudio,
		"cache_read_input_audio_token_cost":          cachedInputAudio,
		"input_cost_per_image_token":                 inputImage,
		"output_cost_per_reasoning_token":            reasoning,
		"output_cost_per_audio_token":                outputAudio,
		"output_cost_per_image_token":                outputImage,
	}
}

// services are litellm's suffixes of classes of service, with the names that providers have for them in their answers.
func services() map[string]string {
	return map[string]string{"": "", "flex": "flex", "priority": "priority", "batches": "batch", "ultrafast": "ultrafast"}
}

// variant is a class of service and a length of the prompt.
type variant struct {
	service string
	above   int64
}

// rates are the prices of tokens of one variant; nil is not given.
type rates [outputImage + 1]*int64

// priceList is what facts say of prices.
type priceList struct {
	variants map[variant]*rates
	prices   table.Prices
	uplifts  map[string]int64
	notes    []string
	// problem says why they cannot be used.
	problem string
}

// prices reads all prices of a model.
func (f facts) prices() (*priceList, error) {
	list := &priceList{variants: map[variant]*rates{{}: {}}}
	for _, name := range slices.Sorted(maps.Keys(f)) {
		if err := list.takeRate(name, f[name]); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	list.prices = list.build()
	if err := list.others(f); err != nil {
		return nil, err
	}
	list.spread()
	list.problem = list.defect(f.word("mode"))
	return list, nil
}

// takeRate reads a price of tokens. Names of anything else are passed over.
func (l *priceList) takeRate(name string, value any) error {
	which, at, isRate := rateOf(name)
	number, isNumber := value.(json.Number)
	if !isRate || !isNumber {
		return nil
	}
	nano, err := l.amount(number, perToken)
	if err != nil {
		return err
	}
	if l.variants[at] == nil {
		l.variants[at] = &rates{}
	}
	l.variants[at][which] = &nano
	return nil
}

// rateOf takes the name of a price apart: "input_cost_per_token_above_272k_tokens_flex".
func rateOf(name string) (unit, variant, bool) {
	var longest string
	for prefix := range units() {
		if strings.HasPrefix(name, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if longest == "" {
		return 0, variant{}, false
	}
	var at variant
	rest := name[len(longest):]
	if tail, isTier := strings.CutPrefix(rest, "_above_"); isTier {
		thousands, after, isTokens := strings.Cut(tail, "k_tokens")
		count, err := strconv.ParseInt(thousands, 10, 32)
		if !isTokens || err != nil {
			return 0, variant{}, false
		}
		at.above, rest = count*1000, after
	}
	service, known := services()[strings.TrimPrefix(rest, "_")]
	at.service = service
	return units()[longest], at, known
}

// amount is a number of dollars times a factor in nano-dollars; it notes what was rounded up.
func (l *priceList) amount(number json.Number, factor int64) (int64, error) {
	nano, exact, err := nanos(number.String(), factor)
	if err != nil {
		return 0, err
	}
	if note := "rounded up to whole nano-dollars"; !exact && !slices.Contains(l.notes, note) {
		l.notes = append(l.notes, note)
	}
	return nano, nil
}

// build puts the prices of all variants together. A variant that does not say what a unit costs charges what the variant that it comes from does, and more
// if its tokens cost more.
func (l *priceList) build() table.Prices {
	base := l.derive(variant{}, &table.Prices{})
	tiers := l.tiers("", &base)
	for _, service := range l.services() {
		prices := l.derive(variant{service: service}, &base)
		prices.Tiers = l.tiers(service, &prices)
		base.Services = append(base.Services, table.ServicePrices{Service: service, Prices: prices})
	}
	base.Tiers = tiers
	return base
}

func (l *priceList) services() []string {
	var names []string
	for at := range l.variants {
		if at.service != "" && !slices.Contains(names, at.service) {
			names = append(names, at.service)
		}
	}
	slices.Sort(names)
	return names
}

// tiers of a service. One that the usual service has and this one does not name costs at least what it does there.
func (l *priceList) tiers(service string, parent *table.Prices) []table.PriceTier {
	var tiers []table.PriceTier
	for _, at := range slices.SortedFunc(maps.Keys(l.variants), func(a, b variant) int { return cmp.Compare(a.above, b.above) }) {
		if at.above == 0 || at.service != "" && at.service != service || slices.ContainsFunc(tiers, func(t table.PriceTier) bool { return t.Above == at.above }) {
			continue
		}
		at.service = service
		if l.variants[at] == nil {
			l.variants[at] = &rates{}
		}
		usual := l.variants[variant{above: at.above}]
		for which, price := range l.variants[at] {
			if price == nil && usual != nil && usual[which] != nil {
				dearer := max(*usual[which], least(parent, unit(which)))
				l.variants[at][which] = &dearer
			}
		}
		tiers = append(tiers, table.PriceTier{Above: at.above, Prices: l.derive(at, parent)})
	}
	return tiers
}

// least is what a unit costs in prices that say so.
func least(p *table.Prices, which unit) int64 {
	if price := *fieldOf(p, which); price != nil {
		return *price
	}
	return 0
}

// derive makes the prices of a variant that comes from parent.
func (l *priceList) derive(at variant, parent *table.Prices) table.Prices {
	given := l.variants[at]
	if given == nil {
		given = &rates{}
	}
	prices := *parent
	prices.Tiers, prices.Services = nil, nil
	if given[input] != nil {
		prices.Input = *given[input]
	}
	switch {
	case given[output] != nil:
		prices.Output = *given[output]
	case given[outputImage] != nil && given[reasoning] == nil:
		// A model that only makes images has no other completions.
		prices.Output = *given[outputImage]
	}
	prices.CachedInput = min(scaleUp(parent.CachedInput, prices.Input, parent.Input), prices.Input)
	if given[cachedInput] != nil {
		prices.CachedInput = *given[cachedInput]
	} else if at == (variant{}) {
		prices.CachedInput = prices.Input
	}
	for which := cacheWrite; which <= outputImage; which++ {
		field := fieldOf(&prices, which)
		now, before := prices.Input, parent.Input
		if which >= reasoning {
			now, before = prices.Output, parent.Output
		}
		switch {
		case given[which] != nil:
			*field = given[which]
		case *field != nil:
			scaled := scaleUp(**field, now, before)
			*field = &scaled
		}
	}
	return tidy(prices)
}

// tidy leaves out what says nothing: a price that is the one it would fall back to, and one of writing into a cache that is below that of not writing, which
// some lists have for providers that charge nothing for writing beside the price of the tokens.
func tidy(p table.Prices) table.Prices {
	for _, which := range []unit{cacheWrite, cacheWrite1h} {
		if field := fieldOf(&p, which); *field != nil && **field < p.Input {
			*field = nil
		}
	}
	if p.CacheWrite1h == nil {
		drop(&p.CacheWrite, p.Input)
	}
	if p.CachedInputAudio == nil {
		drop(&p.InputAudio, p.Input)
	}
	drop(&p.InputImage, p.Input)
	drop(&p.Reasoning, p.Output)
	drop(&p.OutputAudio, p.Output)
	drop(&p.OutputImage, p.Output)
	return p
}

// drop leaves out a price that is the one it falls back to.
func drop(price **int64, fallback int64) {
	if *price != nil && **price == fallback {
		*price = nil
	}
}

// fieldOf is where a price is kept. Those of input, output and cachedInput are always there and have no pointer of their own.
func fieldOf(p *table.Prices, which unit) **int64 {
	switch which {
	case cacheWrite:
		return &p.CacheWrite
	case cacheWrite1h:
		return &p.CacheWrite1h
	case inputAudio:
		return &p.InputAudio
	case cachedInputAudio:
		return &p.CachedInputAudio
	case inputImage:
		return &p.InputImage
	case reasoning:
		return &p.Reasoning
	case outputAudio:
		return &p.OutputAudio
	case outputImage:
		return &p.OutputImage
	case input:
		always := &p.Input
		return &always
	case output:
		always := &p.Output
		return &always
	default:
		always := &p.CachedInput
		return &always
	}
}

// spread copies what is not priced by tokens into the tiers and services, which are complete.
func (l *priceList) spread() {
	complete(&l.prices, &l.prices)
}

func complete(p, from *table.Prices) {
	p.Request, p.Image, p.AudioHour, p.MinAudioMillis = from.Request, from.Image, from.AudioHour, from.MinAudioMillis
	p.SpeechHour, p.Characters, p.Search, p.SearchUnits = from.SpeechHour, from.Characters, from.Search, from.SearchUnits
	for i := range p.Tiers {
		complete(&p.Tiers[i].Prices, from)
	}
	for i := range p.Services {
		complete(&p.Services[i].Prices, from)
	}
}

// defect says why prices cannot be used; empty when they can.
func (l *priceList) defect(mode string) string {
	p := &l.prices
	piecewise := slices.ContainsFunc([]*int64{p.Image, p.AudioHour, p.SpeechHour, p.Characters, p.SearchUnits}, func(price *int64) bool { return price != nil })
	given := l.variants[variant{}]
	switch {
	case mode == "moderation", piecewise && given[input] == nil && given[output] == nil:
		return ""
	case given[input] == nil:
		return "it has no price of prompts"
	case p.Input == 0 && p.Output == 0 && !piecewise:
		return "it has no prices but zeros"
	case generates(mode) && p.Output == 0 && p.Input > 0:
		return "it has no price of completions"
	}
	return ""
}

func generates(mode string) bool {
	return mode == "chat" || mode == "completion" || mode == "responses"
}

// multiplier is a factor that lists give as 1.1.
func multiplier(number json.Number) (int64, error) {
	value, err := rational(number.String())
	if err != nil {
		return 0, err
	}
	value.Mul(value, thousand())
	if !value.IsInt() || !value.Num().IsInt64() {
		return 0, fmt.Errorf("%s has more than three digits", number)
	}
	return value.Num().Int64(), nil
}

// multiplied adds a service whose token prices are those of another times a factor.
func multiplied(p *table.Prices, name string, thousandths int64) {
	prices := *p
	prices.Services = nil
	p.Services = append(p.Services, table.ServicePrices{Service: name, Prices: catalogue.Multiply(&prices, thousandths)})
}

// renamed adds a service under a second name that answers have for it.
func renamed(p *table.Prices, name, second string) {
	for _, service := range p.Services {
		if service.Service == name {
			p.Services = append(p.Services, table.ServicePrices{Service: second, Prices: service.Prices})
			return
		}
	}
}
