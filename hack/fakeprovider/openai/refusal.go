package openai

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// capacityExceeded is Groq's own status for a service tier without room.
const capacityExceeded = 498

// withdrawnModel refuses a model that the provider has retired.
func (f flavour) withdrawnModel(model string) *core.Refusal {
	switch f {
	case groq:
		return &core.Refusal{Status: http.StatusBadRequest, Body: core.APIError{
			Message: fmt.Sprintf("The model `%s` has been decommissioned and is no longer supported. Please refer to "+
				"https://console.groq.com/docs/deprecations for a recommendation on which model to use instead.", model),
			Type: "invalid_request_error", Code: orNull("model_decommissioned"),
		}}
	case openRouter:
		return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{Message: fmt.Sprintf("No endpoints found for %s.", model)}}
	case openAI:
		return &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{
			Message: fmt.Sprintf("The model `%s` has been deprecated, learn more here: https://platform.openai.com/docs/deprecations", model),
			Type:    "invalid_request_error", Code: orNull("model_not_found"),
		}}
	case azure:
		return unknownDeployment()
	case compatible:
	}
	return unknownModel(model)
}

// overrun words a refusal for the quota as the flavour does, and sets the headers that go with it.
func (f flavour) overrun(x *core.Exchange, h http.Header) core.APIError {
	o := x.Overrun
	usual := f.UsualError(http.StatusTooManyRequests)
	if f == compatible {
		return usual
	}
	h.Set("Retry-After", strconv.FormatInt(o.RetryAfter(), 10))
	switch f {
	case openAI:
		h.Set("Retry-After-Ms", strconv.FormatInt((o.Wait+time.Millisecond-1).Milliseconds(), 10))
		usual.Message = fmt.Sprintf("Rate limit reached for %s in organization org-fakeprovider on %s: Limit %d, Used %d, Requested %d. "+
			"Please try again in %s. Visit https://platform.openai.com/account/rate-limits to learn more.", x.Model, per(o, "min"), o.Limit, o.Used, o.Requested, o.Wait)
		usual.Type = o.What
	case groq:
		usual.Message = fmt.Sprintf("Rate limit reached for model `%s` in organization `org_fakeprovider` service tier `on_demand` on %s: Limit %d, Used %d, "+
			"Requested %d. Please try again in %s. Need more tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing",
			x.Model, per(o, "minute"), o.Limit, o.Used, o.Requested, o.Wait)
		usual.Type = o.What
	case azure:
		h.Set("Retry-After-Ms", strconv.FormatInt((o.Wait+time.Millisecond-1).Milliseconds(), 10))
		kind := "call"
		if o.What == "tokens" {
			kind = "token"
		}
		usual.Message = fmt.Sprintf("Requests to the ChatCompletions_Create Operation under Azure OpenAI API have exceeded %s rate limit of your current "+
			"OpenAI S0 pricing tier. Please retry after %d seconds.", kind, o.RetryAfter())
	case openRouter:
		h.Set("X-RateLimit-Limit", strconv.FormatInt(o.Limit, 10))
		h.Set("X-RateLimit-Remaining", "0")
		h.Set("X-RateLimit-Reset", strconv.FormatInt(x.Now().Add(o.Wait).UnixMilli(), 10))
		usual.Message = "Rate limit exceeded: limit_rpm/" + x.Model
	case compatible:
	}
	return usual
}

// per names a limit as its provider does; what is not filled in a minute is filled in a day.
func per(o *core.Overrun, minute string) string {
	unit, short := minute, "PM"
	if o.Per > time.Minute {
		unit, short = "day", "PD"
	}
	letter := "R"
	if o.What == "tokens" {
		letter = "T"
	}
	return fmt.Sprintf("%s per %s (%s%s)", o.What, unit, letter, short)
}
