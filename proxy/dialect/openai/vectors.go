package openai

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"slices"
	"strconv"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/meter"
)

// maxInputs bounds the texts of one request, as OpenAI does.
const maxInputs = 2048

// ReadEmbeddings reads a whole request.
func (Vectors) ReadEmbeddings(body []byte) (*neutral.EmbeddingRequest, error) {
	r := &neutral.EmbeddingRequest{}
	err := members(body[jsonscan.Space(body, 0):], func(name, value []byte) error {
		return readEmbeddingMember(r, string(name), value)
	})
	switch {
	case err != nil:
		return nil, refusal(err)
	case len(r.Inputs) == 0:
		return nil, &dialect.RequestError{Code: dialect.CodeMissingParameter, Param: "input", Message: "the request has no \"input\""}
	}
	return r, nil
}

func readEmbeddingMember(r *neutral.EmbeddingRequest, name string, value []byte) error {
	var err error
	switch name {
	case "model":
		r.Model, err = readText(value, name)
	case "input":
		r.Inputs, err = readInputs(value)
		err = inside(err, "%s", name)
	case "dimensions":
		r.Dimensions, err = readInteger(value, name)
	case "encoding_format":
		switch textOr(value) {
		case "base64":
			r.Base64 = true
		case "float":
		default:
			err = wrongValue(name, `must be "float" or "base64"`)
		}
	case "input_type":
		r.InputType, err = readText(value, name)
	case "user":
		r.User, err = readText(value, name)
	case "stream", "models", "preset", "provider", "route", "session_id":
	default:
		r.Extra = append(r.Extra, neutral.Member{Name: name, Value: slices.Clone(value)})
	}
	return err
}

// readInputs reads a text, a list of texts, the tokens of a text, or a list of those.
func readInputs(raw []byte) ([]neutral.EmbeddingInput, error) {
	if raw[0] == '"' {
		return []neutral.EmbeddingInput{{Text: unquote(raw)}}, nil
	}
	if raw[0] != '[' {
		return nil, wrongType("", "a string or a list")
	}
	if at := jsonscan.Space(raw, 1); isNumber(raw[at:]) {
		tokens, err := readTokens(raw)
		return []neutral.EmbeddingInput{{Tokens: tokens}}, err
	}
	var inputs []neutral.EmbeddingInput
	err := elements(raw, func(i int, value []byte) error {
		var input neutral.EmbeddingInput
		var err error
		switch {
		case i == maxInputs:
			return wrongValue("", "is one input too many: there can be "+strconv.Itoa(maxInputs))
		case value[0] == '"':
			input.Text = unquote(value)
		case value[0] == '[':
			input.Tokens, err = readTokens(value)
		default:
			err = wrongType("", "a string or a list of tokens")
		}
		inputs = append(inputs, input)
		return err
	})
	return inputs, err
}

func readTokens(raw []byte) ([]int64, error) {
	tokens := []int64{}
	err := elements(raw, func(_ int, value []byte) error {
		token, err := readInteger(value, "")
		if err != nil {
			return err
		}
		tokens = append(tokens, *token)
		return nil
	})
	return tokens, err
}

// AppendEmbeddings appends the answer.
func (Vectors) AppendEmbeddings(dst []byte, a *neutral.EmbeddingResponse, r *neutral.EmbeddingRequest, o dialect.Exchange) []byte {
	dst = append(dst, `{"object":"list","data":[`...)
	for i, vector := range a.Vectors {
		dst = append(appendComma(dst), `{"object":"embedding"`...)
		dst = appendKey(appendInteger(dst, "index", int64(i)), "embedding")
		if r.Base64 {
			dst = appendBase64(dst, vector)
		} else {
			dst = appendFloats(dst, vector)
		}
		dst = append(dst, '}')
	}
	dst = appendText(append(dst, ']'), "model", answerModel(a.Model, &o))
	if o.Flavor == dialect.OpenRouterFlavor {
		dst = appendText(appendText(dst, "id", answerID(&o)), "provider", o.Provider)
	}
	var prompt int64
	if a.Usage != nil {
		prompt = a.Usage.Prompt
	}
	dst = appendInteger(append(appendKey(dst, "usage"), '{'), "prompt_tokens", prompt)
	dst = appendInteger(dst, "total_tokens", prompt)
	if a.Usage != nil {
		if nano, ok := o.CostOf(*a.Usage); ok {
			dst = appendRaw(dst, "cost", meter.FormatUSD(nano))
		}
	}
	return append(dst, "}}"...)
}

// appendBase64 appends a vector as little-endian 32-bit floats.
func appendBase64(dst []byte, vector []float32) []byte {
	raw := make([]byte, 0, 4*len(vector))
	for _, value := range vector {
		raw = binary.LittleEndian.AppendUint32(raw, math.Float32bits(value))
	}
	return append(base64.StdEncoding.AppendEncode(append(dst, '"'), raw), '"')
}

// appendFloats appends a vector as numbers. What is no number has none in JSON and becomes 0.
func appendFloats(dst []byte, vector []float32) []byte {
	dst = append(dst, '[')
	for _, value := range vector {
		wide := float64(value)
		if math.IsNaN(wide) || math.IsInf(wide, 0) {
			wide = 0
		}
		dst = strconv.AppendFloat(appendComma(dst), wide, 'g', -1, 32)
	}
	return append(dst, ']')
}
