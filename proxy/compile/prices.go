package compile

import (
	"fmt"
	"math"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	// minutesPerHour makes a price by the minute one by the hour.
	minutesPerHour = 60
	// millisPerSecond makes seconds milliseconds.
	millisPerSecond = 1000
	// longestMinAudio bounds minAudioSeconds.
	longestMinAudio = 3600
	// highestTier bounds the prompt of a tier.
	highestTier = 100_000_000
)

// priceReader reads one TokenPrices. A dollar amount for a million tokens and its nano-dollars are the same number with the point moved, so the amount is
// read like any other; findings name the field below path.
type priceReader struct {
	condition string
	findings  []Finding
}

// prices reads what a model costs. source says in words whose prices these are.
func prices(spec *v1alpha1.TokenPrices, path, condition, source string) (table.Prices, []Finding) {
	r := priceReader{condition: condition}
	base := table.Prices{Source: source}
	r.always(&base.Input, spec.Input, path+".input")
	base.CachedInput = base.Input
	r.given(&base.CachedInput, string(spec.CachedInput), path+".cachedInput")
	r.given(&base.Output, string(spec.Output), path+".output")
	r.units(&base, &spec.UnitPrices, path)

	read := base
	read.Tiers = r.tiers(&base, spec.Tiers, path+".tiers")
	for i := range spec.Services {
		read.Services = append(read.Services, r.service(&base, read.Services, &spec.Services[i], fmt.Sprintf("%s.services[%d]", path, i)))
	}
	return read, r.findings
}

// always reads a price that has to be there.
func (r *priceReader) always(into *int64, amount v1alpha1.USDPerMillionTokens, field string) {
	nano, err := meter.ParseUSD(string(amount))
	if err != nil {
		r.add(field, notAPrice(amount))
	}
	*into = nano
}

// given reads a price that need not be there.
func (r *priceReader) given(into *int64, amount, field string) {
	if amount != "" {
		r.always(into, v1alpha1.USDPerMillionTokens(amount), field)
	}
}

// unit reads a price that need not be there, times what makes it one of the table's unit.
func (r *priceReader) unit(into **int64, amount string, by int64, field string) {
	if amount == "" {
		return
	}
	var nano int64
	r.always(&nano, v1alpha1.USDPerMillionTokens(amount), field)
	if nano > math.MaxInt64/by {
		r.add(field, fmt.Sprintf("%q is too much", amount))
		return
	}
	nano *= by
	*into = &nano
}

// units reads the prices of what not every model has.
func (r *priceReader) units(into *table.Prices, spec *v1alpha1.UnitPrices, path string) {
	for _, unit := range []struct {
		into   **int64
		amount string
		by     int64
		name   string
	}{
		{&into.CacheWrite, string(spec.CacheWrite), 1, "cacheWrite"},
		{&into.CacheWrite1h, string(spec.CacheWrite1h), 1, "cacheWrite1h"},
		{&into.InputAudio, string(spec.InputAudio), 1, "inputAudio"},
		{&into.CachedInputAudio, string(spec.CachedInputAudio), 1, "cachedInputAudio"},
		{&into.InputImage, string(spec.InputImage), 1, "inputImage"},
		{&into.Reasoning, string(spec.Reasoning), 1, "reasoning"},
		{&into.OutputAudio, string(spec.OutputAudio), 1, "outputAudio"},
		{&into.OutputImage, string(spec.OutputImage), 1, "outputImage"},
		{&into.Image, string(spec.Image), 1, "image"},
		{&into.AudioHour, string(spec.AudioMinute), minutesPerHour, "audioMinute"},
		{&into.SpeechHour, string(spec.SpeechMinute), minutesPerHour, "speechMinute"},
		{&into.Characters, string(spec.Characters), 1, "characters"},
		{&into.Search, string(spec.Searches), 1, "searches"},
		{&into.SearchUnits, string(spec.SearchUnits), 1, "searchUnits"},
	} {
		r.unit(unit.into, unit.amount, unit.by, path+"."+unit.name)
	}
	r.given(&into.Request, string(spec.Request), path+".request")
	if seconds := spec.MinAudioSeconds; seconds != nil {
		if *seconds < 0 || *seconds > longestMinAudio {
			r.add(path+".minAudioSeconds", fmt.Sprintf("%d is not between 0 and %d", *seconds, longestMinAudio))
		}
		into.MinAudioMillis = int64(*seconds) * millisPerSecond
	}
}

// changed reads prices that stand in place of those of parent. Where cached tokens cost as much as others there, they do here.
func (r *priceReader) changed(parent *table.Prices, spec *v1alpha1.ChangedPrices, path string) table.Prices {
	read := *parent
	read.Tiers, read.Services, read.Source = nil, nil, ""
	r.given(&read.Input, string(spec.Input), path+".input")
	if parent.CachedInput == parent.Input {
		read.CachedInput = read.Input
	}
	r.given(&read.CachedInput, string(spec.CachedInput), path+".cachedInput")
	r.given(&read.Output, string(spec.Output), path+".output")
	r.units(&read, &spec.UnitPrices, path)
	return read
}

// tiers reads the prices of long prompts and puts them into order.
func (r *priceReader) tiers(parent *table.Prices, spec []v1alpha1.PriceTier, path string) []table.PriceTier {
	var read []table.PriceTier
	for i := range spec {
		field := fmt.Sprintf("%s[%d]", path, i)
		above := spec[i].Above
		if above < 1 || above > highestTier {
			r.add(field+".above", fmt.Sprintf("%d is not between 1 and %d", above, highestTier))
		}
		at := 0
		for at < len(read) && read[at].Above < above {
			at++
		}
		if at < len(read) && read[at].Above == above {
			r.add(field+".above", fmt.Sprintf("%d is there twice", above))
			continue
		}
		tier := table.PriceTier{Above: above, Prices: r.changed(parent, &spec[i].ChangedPrices, field)}
		read = append(read[:at], append([]table.PriceTier{tier}, read[at:]...)...)
	}
	return read
}

// service reads the prices of a class of service.
func (r *priceReader) service(usual *table.Prices, before []table.ServicePrices, spec *v1alpha1.ServicePrices, path string) table.ServicePrices {
	if spec.Service == "" {
		r.add(path+".service", "it is required")
	}
	for i := range before {
		if before[i].Service == spec.Service {
			r.add(path+".service", fmt.Sprintf("%q is there twice", bounded(spec.Service)))
		}
	}
	read := r.changed(usual, &spec.ChangedPrices, path)
	read.Tiers = r.tiers(&read, spec.Tiers, path+".tiers")
	return table.ServicePrices{Service: spec.Service, Prices: read}
}

func (r *priceReader) add(field, problem string) {
	r.findings = append(r.findings, invalid(r.condition, field, problem))
}

func notAPrice(amount v1alpha1.USDPerMillionTokens) string {
	return fmt.Sprintf("%q is not a price: a price is a decimal such as 0.59, with at most nine digits before the point and nine after it", bounded(string(amount)))
}
