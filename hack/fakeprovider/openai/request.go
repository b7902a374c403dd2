package openai

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"reflect"
	"slices"
	"sort"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

const badJSON = "We could not parse the JSON body of your request. (HINT: This likely means you aren't using your HTTP library correctly. " +
	"The OpenAI API expects a JSON payload, but what was sent was not valid JSON. If you have trouble figuring out how to fix this, " +
	"please contact us through our help center at help.openai.com.)"

// strs is a JSON string or list of strings.
type strs []string

// UnmarshalJSON accepts a string, a list of strings or null.
func (s *strs) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return nil
	}
	if len(data) > 0 && data[0] == '"' {
		*s = make(strs, 1)
		return json.Unmarshal(data, &(*s)[0])
	}
	var list []string
	if json.Unmarshal(data, &list) != nil {
		return &json.UnmarshalTypeError{Value: "something else", Type: reflect.TypeFor[[]string]()}
	}
	*s = list
	return nil
}

// streamOptions is the request's stream_options.
type streamOptions struct {
	IncludeUsage       bool  `json:"include_usage"`
	IncludeObfuscation *bool `json:"include_obfuscation"`
}

// sampling is what chat and text completions have in common.
type sampling struct {
	Model         string         `json:"model"`
	Stream        bool           `json:"stream"`
	StreamOptions *streamOptions `json:"stream_options"`
	MaxTokens     *int           `json:"max_tokens"`
	N             *int           `json:"n"`
	Stop          strs           `json:"stop"`
	Temperature   *float64       `json:"temperature"`
	TopP          *float64       `json:"top_p"`
}

// choices is n, 1 when the request does not say.
func (s sampling) choices() int {
	if s.N == nil {
		return 1
	}
	return *s.N
}

func (s sampling) includeUsage() bool { return s.StreamOptions != nil && s.StreamOptions.IncludeUsage }

// check applies the rules that both APIs share, in the order in which the first one found is reported.
func (s sampling) check() *core.Refusal {
	switch {
	case s.StreamOptions != nil && !s.Stream:
		return invalid("stream_options", "", "The 'stream_options' parameter is only allowed when 'stream' is enabled.")
	case len(s.Stop) > 4:
		return invalid("stop", "array_above_max_length", "Invalid 'stop': array too long. Expected an array with maximum length 4, but got an array with length %d instead.", len(s.Stop))
	}
	for _, bounded := range []struct {
		param     string
		value     *int
		low, high int
	}{{"max_tokens", s.MaxTokens, 1, 1 << 30}, {"n", s.N, 1, 128}} {
		if bounded.value == nil {
			continue
		}
		if refused := integerWithin(bounded.param, *bounded.value, bounded.low, bounded.high); refused != nil {
			return refused
		}
	}
	if refused := decimalWithin("temperature", s.Temperature, 2); refused != nil {
		return refused
	}
	return decimalWithin("top_p", s.TopP, 1)
}

func integerWithin(param string, value, low, high int) *core.Refusal {
	switch {
	case value < low:
		return invalid(param, "integer_below_min_value", "Invalid '%s': integer below minimum value. Expected a value >= %d, but got %d instead.", param, low, value)
	case value > high:
		return invalid(param, "integer_above_max_value", "Invalid '%s': integer above maximum value. Expected a value <= %d, but got %d instead.", param, high, value)
	}
	return nil
}

func decimalWithin(param string, value *float64, high float64) *core.Refusal {
	switch {
	case value == nil:
		return nil
	case *value < 0:
		return invalid(param, "decimal_below_min_value", "Invalid '%s': decimal below minimum value. Expected a value >= 0, but got %v instead.", param, *value)
	case *value > high:
		return invalid(param, "decimal_above_max_value", "Invalid '%s': decimal above maximum value. Expected a value <= %v, but got %v instead.", param, high, *value)
	}
	return nil
}

// completionRequest is the body of POST completions.
type completionRequest struct {
	sampling
	Prompt json.RawMessage `json:"prompt"`
	Echo   bool            `json:"echo"`
}

// embeddingRequest is the body of POST embeddings.
type embeddingRequest struct {
	Model          string          `json:"model"`
	Input          json.RawMessage `json:"input"`
	Dimensions     *int            `json:"dimensions"`
	EncodingFormat string          `json:"encoding_format"`
}

// parameters are the top-level fields that each API takes.
func (f flavour) parameters(endpoint string) []string {
	shared := []string{
		"model", "stream", "stream_options", "max_tokens", "n", "stop", "temperature", "top_p", "seed", "user", "frequency_penalty", "presence_penalty",
		"logit_bias", "logprobs",
	}
	switch endpoint {
	case "completions":
		shared = append(shared, "prompt", "echo", "best_of", "suffix")
	case "embeddings":
		return []string{"model", "input", "dimensions", "encoding_format", "user"}
	default:
		shared = append(shared, "messages", "max_completion_tokens", "tools", "tool_choice", "parallel_tool_calls", "response_format", "top_logprobs", "store",
			"metadata", "modalities", "audio", "prediction", "reasoning_effort", "reasoning_format", "include_reasoning", "service_tier", "verbosity",
			"web_search_options", "function_call", "functions", "prompt_cache_key", "prompt_cache_retention", "safety_identifier")
	}
	if f == compatible {
		shared = append(shared, "top_k", "min_p", "repetition_penalty", "chat_template_kwargs", "guided_json", "structured_outputs", "thinking")
	}
	return shared
}

// isJSON tells whether a Content-Type announces JSON. Without it OpenAI does not see the body at all.
func isJSON(header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && mediaType == "application/json"
}

// decode reads the body into out. Unknown fields are refused when the settings say so, at the top level those that are not listed as known.
func (x *exchange) decode(known []string, out any) *core.Refusal {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(x.Body, &fields); err != nil || fields == nil {
		return invalid("", "", badJSON)
	}
	if x.Model == "" && !core.NoneOf(string(fields["model"]), "", "null", `""`) {
		return invalid("", "", "you must provide a model parameter")
	}
	strict := x.Settings.UnknownParameters == core.UnknownRejected && x.flavour != openRouter
	if name := firstUnknown(fields, known); strict && name != "" {
		return invalid("", "", "Unrecognized request argument supplied: %s", name)
	}
	if refused := wrongType(json.Unmarshal(x.Body, out)); refused != nil {
		return refused
	}
	if !strict {
		return nil
	}
	for _, name := range sortedNames(fields) {
		if path := unknownInside(name, fields[name], reflect.TypeOf(out).Elem()); path != "" {
			return invalid(path, "unknown_parameter", "Unknown parameter: '%s'.", path)
		}
	}
	return nil
}

// wrongType is the refusal of what could not be decoded.
func wrongType(err error) *core.Refusal {
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		param := strings.TrimPrefix(mismatch.Field, "sampling.")
		return invalid(param, "invalid_type", "Invalid type for '%s': expected %s, but got %s instead.", param, jsonKind(mismatch.Type), mismatch.Value)
	}
	if err != nil {
		return invalid("", "", badJSON)
	}
	return nil
}

// unknownInside is the path of an unknown field in the value of one top-level field; those that the type does not have are not looked into.
func unknownInside(name string, value json.RawMessage, t reflect.Type) string {
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if t.Field(i).Anonymous {
			if path := unknownInside(name, value, t.Field(i).Type); path != "" {
				return path
			}
		}
		if tag != name {
			continue
		}
		if path := core.UnknownField(value, t.Field(i).Type); path != "" {
			return strings.Replace(name+"."+path, ".[", "[", 1)
		}
	}
	return ""
}

func sortedNames(fields map[string]json.RawMessage) []string {
	names := make([]string, 0, len(fields))
	for name := range fields {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// jsonKind names a Go type the way OpenAI's messages name JSON types.
func jsonKind(t reflect.Type) string {
	names := map[reflect.Kind]string{
		reflect.Slice: "an array", reflect.Struct: "an object", reflect.Map: "an object", reflect.String: "a string", reflect.Bool: "a boolean",
		reflect.Int: "an integer", reflect.Float64: "a decimal",
	}
	return names[t.Kind()]
}

// firstUnknown is the alphabetically first field that is not known.
func firstUnknown(fields map[string]json.RawMessage, known []string) string {
	for _, name := range sortedNames(fields) {
		if !slices.Contains(known, name) {
			return name
		}
	}
	return ""
}
