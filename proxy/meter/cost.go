package meter

import "signalbox.dev/signalbox/proxy/table"

// Amount is what a call costs.
type Amount struct {
	// Nano is the cost in nano-dollars of what has a price.
	Nano int64
	// Unpriced tells that a part of the usage has no known price.
	Unpriced bool
}

// Cost is the price of a call, rounded up once to the nano-dollar, however many parts it has. It is never negative: negative numbers count as zero, and parts
// that are larger than what contains them count as all of it. It saturates at the largest int64.
//
// Every token has one price: what was written into a cache costs as such whatever it is, then sound, then images; of the completion sound comes first, then
// images, then reasoning. Images, sound, characters and units of reranking that have no price of their own are paid by their tokens if those have a price;
// otherwise they are unpriced, as are searches. So is a class of service without prices of its own that may cost more than the
// usual one; it is counted at the usual one's.
func Cost(u *Usage, p *table.Prices) Amount {
	class, known := serviceOf(u.Service, p)
	var r rates
	r.set(class, tierOf(u.Prompt, class))
	sum := total{unpriced: !known}
	sum.prompt(u, &r)
	sum.completion(u, &r)
	sum.pieces(u, &r)
	return Amount{Nano: sum.nano(), Unpriced: sum.unpriced}
}

// total adds up the parts of a call.
type total struct {
	wide
	unpriced bool
}

// prompt adds the tokens of the prompt.
func (t *total) prompt(u *Usage, r *rates) {
	all := max(u.Prompt, 0)
	cached := within(u.Cached, all)
	fresh := all - cached
	sound := within(u.PromptAudio, all)
	cachedSound := min(within(u.CachedAudio, sound), cached)
	t.add(cached-cachedSound, r.cached, perMillion)
	t.add(cachedSound, r.cachedAudio, perMillion)
	written := within(u.CacheWrite, fresh)
	hour := within(u.CacheWrite1h, written)
	t.add(written-hour, r.cacheWrite, perMillion)
	t.add(hour, r.cacheWrite1h, perMillion)
	fresh -= written
	sound = within(sound-cachedSound, fresh)
	t.add(sound, r.inputAudio, perMillion)
	fresh -= sound
	images := within(u.PromptImage, fresh)
	t.add(images, r.inputImage, perMillion)
	t.add(fresh-images, r.input, perMillion)
}

// completion adds the tokens of the completion.
func (t *total) completion(u *Usage, r *rates) {
	rest := max(u.Completion, 0)
	sound := within(u.CompletionAudio, rest)
	t.add(sound, r.outputAudio, perMillion)
	rest -= sound
	images := within(u.CompletionImage, rest)
	t.add(images, r.outputImage, perMillion)
	rest -= images
	reasoning := within(u.Reasoning, rest)
	t.add(reasoning, r.reasoning, perMillion)
	t.add(rest-reasoning, r.output, perMillion)
}

// pieces adds what is no tokens.
func (t *total) pieces(u *Usage, r *rates) {
	t.add(1, r.request, perPiece)
	t.piece(u.Images, r.image, perPiece, r.outputImage > 0)
	heard := u.AudioMillis
	if heard > 0 {
		heard = max(heard, r.minAudio)
	}
	t.piece(heard, r.audioHour, perHour, r.inputAudio > 0)
	spokenElsewhere := r.outputAudio > 0 || r.characters >= 0
	t.piece(u.SpeechMillis, r.speechHour, perHour, spokenElsewhere)
	t.piece(u.Characters, r.characters, perMillion, r.input > 0 || r.outputAudio > 0 || r.speechHour >= 0)
	t.piece(u.Searches, r.search, perThousand, false)
	t.piece(u.SearchUnits, r.searchUnits, perThousand, r.input > 0)
}

// piece adds what may have no price. elsewhere tells that it is paid by another unit then.
func (t *total) piece(count, price int64, unit uint64, elsewhere bool) {
	if price >= 0 {
		t.add(count, price, unit)
		return
	}
	t.unpriced = t.unpriced || count > 0 && !elsewhere
}

// within is a part of a whole: not negative and not more than it.
func within(part, whole int64) int64 { return min(max(part, 0), whole) }
