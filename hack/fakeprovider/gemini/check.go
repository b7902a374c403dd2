package gemini

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// invalid is a 400.
func invalid(format string, args ...any) *core.Refusal {
	return core.Refuse(http.StatusBadRequest, "", format, args...)
}

// decode reads the body strictly, in camelCase or snake_case.
func decode(x *core.Exchange, out any) *core.Refusal {
	if !json.Valid(x.Body) {
		return invalid("Invalid JSON payload received. Unexpected end of string.")
	}
	x.Body = camel(x.Body, reflect.TypeOf(out))
	unknown, err := core.Decode(x, out)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return invalid("Invalid value at '%s' (%s), %s", wrongType.Field, wrongType.Type.Kind(), wrongType.Value)
	case err != nil:
		return invalid("Invalid JSON payload received.")
	case unknown != "":
		at, name := "", unknown
		if dot := strings.LastIndexByte(unknown, '.'); dot >= 0 {
			at, name = " at '"+unknown[:dot]+"'", unknown[dot+1:]
		}
		return invalid("Invalid JSON payload received. Unknown name \"%s\"%s: Cannot find field.", name, at)
	}
	return nil
}

// check applies Google's rules; the first broken one is reported.
func (r request) check(model string) *core.Refusal {
	if len(r.Contents) == 0 {
		return invalid("* GenerateContentRequest.contents: contents is not specified\n")
	}
	if refused := core.InOrder(r.checkRoles, r.GenerationConfig.check, r.checkTools, r.checkTurns); refused != nil {
		return refused
	}
	if r.thinks(model) {
		return r.checkSignatures()
	}
	return nil
}

func (r request) checkRoles() *core.Refusal {
	for i, c := range r.Contents {
		if c.Role != "" && c.Role != "user" && c.Role != "model" {
			return invalid("Please use a valid role: user, model.")
		}
		if len(c.Parts) == 0 {
			return invalid("* GenerateContentRequest.contents[%d].parts: contents.parts must not be empty.\n", i)
		}
	}
	if s := r.SystemInstruction; s != nil && len(s.Parts) == 0 {
		return invalid("* GenerateContentRequest.system_instruction.parts: contents.parts must not be empty.\n")
	}
	return nil
}

func (c *generationConfig) check() *core.Refusal {
	if c == nil {
		return nil
	}
	field := func(name, what string) *core.Refusal {
		return invalid("* GenerateContentRequest.generation_config.%s: %s\n", name, what)
	}
	schema := c.ResponseSchema != nil || c.ResponseJSONSchema != nil
	spoken := slices.ContainsFunc(c.ResponseModalities, func(m string) bool { return m != "TEXT" })
	refused := core.FirstBroken(
		core.Rule{Broken: core.Outside(c.Temperature, 0, 2), Refusal: invalid("Unable to submit request because it has a temperature value of %v but the supported range is from 0 (inclusive) to 2.0 (inclusive).", core.Value(c.Temperature))},
		core.Rule{Broken: core.Outside(c.TopP, 0, 1), Refusal: field("top_p", "top_p must be in the range [0.0, 1.0].")},
		core.Rule{Broken: core.Outside(c.CandidateCount, 1, 8), Refusal: field("candidate_count", "candidate_count must be in the range [1, 8].")},
		core.Rule{Broken: core.Outside(c.MaxOutputTokens, 1, 1<<30), Refusal: field("max_output_tokens", "max_output_tokens must be positive.")},
		core.Rule{Broken: len(c.StopSequences) > 5, Refusal: field("stop_sequences", "at most 5 stop sequences are allowed.")},
		core.Rule{Broken: core.NoneOf(c.ResponseMimeType, "", "text/plain", "application/json", "text/x.enum"), Refusal: field("response_mime_type", "allowed mimetypes are `text/plain`, `application/json`, `application/xml`, `application/yaml` and `text/x.enum`.")},
		core.Rule{Broken: schema && !core.NoneOf(c.ResponseMimeType, "", "text/plain"), Refusal: field("response_schema", "response_schema requires response_mime_type application/json.")},
		core.Rule{Broken: c.ResponseSchema != nil && c.ResponseJSONSchema != nil, Refusal: invalid("Only one of response_schema and response_json_schema may be set.")},
		core.Rule{Broken: spoken, Refusal: invalid("This model only supports text output.")},
	)
	if refused != nil {
		return refused
	}
	return c.ResponseSchema.check("generation_config.response_schema")
}

// check wants a type everywhere, and properties to be what is required.
func (s *schema) check(path string) *core.Refusal {
	if s == nil {
		return nil
	}
	kind := strings.ToUpper(s.Type)
	refused := core.FirstBroken(
		core.Rule{Broken: s.Type == "" && len(s.AnyOf) == 0, Refusal: invalid("* GenerateContentRequest.%s.type: must be specified\n", path)},
		core.Rule{Broken: core.NoneOf(kind, "", "STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"), Refusal: invalid("Invalid value at '%s.type' (type.googleapis.com/google.ai.generativelanguage.v1beta.Type), \"%s\"", path, s.Type)},
		core.Rule{Broken: kind == "ARRAY" && s.Items == nil, Refusal: invalid("* GenerateContentRequest.%s.items: missing field.\n", path)},
		core.Rule{Broken: len(s.Enum) > 0 && kind != "STRING", Refusal: invalid("* GenerateContentRequest.%s.enum: only allowed for STRING type\n", path)},
	)
	if refused != nil {
		return refused
	}
	for i, name := range s.Required {
		if _, ok := s.Properties[name]; !ok {
			return invalid("* GenerateContentRequest.%s.required[%d]: property is not defined\n", path, i)
		}
	}
	for name, property := range s.Properties {
		if refused := property.check(path + ".properties[" + name + "]"); refused != nil {
			return refused
		}
	}
	return s.Items.check(path + ".items")
}

func (r request) checkTools() *core.Refusal {
	declared := map[string]bool{}
	for i, t := range r.Tools {
		for k, f := range t.FunctionDeclarations {
			if declared[f.Name] {
				return invalid("Duplicate function declaration found: %s", f.Name)
			}
			if refused := f.check(fmt.Sprintf("tools[%d].function_declarations[%d]", i, k)); refused != nil {
				return refused
			}
			declared[f.Name] = true
		}
	}
	return r.ToolConfig.check(declared)
}

func (f functionDeclaration) check(path string) *core.Refusal {
	names := regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_.:-]{0,63}$`)
	switch {
	case !names.MatchString(f.Name):
		return invalid("* GenerateContentRequest.%s.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:) or dashes (-), with a maximum length of 64.\n", path)
	case f.Parameters != nil && f.ParametersJSONSchema != nil:
		return invalid("* GenerateContentRequest.%s: only one of parameters and parameters_json_schema may be set.\n", path)
	case f.Parameters != nil && strings.EqualFold(f.Parameters.Type, "object") && len(f.Parameters.Properties) == 0:
		return invalid("* GenerateContentRequest.%s.parameters.properties: should be non-empty for OBJECT type\n", path)
	}
	return f.Parameters.check(path + ".parameters")
}

func (c *toolConfig) check(declared map[string]bool) *core.Refusal {
	if c == nil || c.FunctionCallingConfig == nil {
		return nil
	}
	config := c.FunctionCallingConfig
	switch {
	case core.NoneOf(config.Mode, "", "MODE_UNSPECIFIED", "AUTO", "ANY", "NONE", "VALIDATED"):
		return invalid("Invalid value at 'tool_config.function_calling_config.mode' (type.googleapis.com/google.ai.generativelanguage.v1beta.FunctionCallingConfig.Mode), \"%s\"", config.Mode)
	case len(declared) == 0 && config.Mode == "ANY":
		return invalid("Function calling config is set without function_declarations.")
	case len(config.AllowedFunctionNames) > 0 && core.NoneOf(config.Mode, "ANY", "VALIDATED"):
		return invalid("Allowed function names should only be set when function calling mode is ANY.")
	}
	for _, name := range config.AllowedFunctionNames {
		if !declared[name] {
			return invalid("Allowed function name '%s' is not declared.", name)
		}
	}
	return nil
}

// checkTurns wants every turn of calls after a user's turn, and right after it a turn with as many responses, of the same names.
func (r request) checkTurns() *core.Refusal {
	var open []*functionCall
	for i, c := range r.Contents {
		calls, responses := c.functions()
		switch {
		case len(calls) > 0 && (c.Role != "model" || i == 0 || r.Contents[i-1].Role == "model"):
			return invalid("Please ensure that function call turn comes immediately after a user turn or after a function response turn.")
		case len(responses) > 0 && len(open) == 0:
			return invalid("Please ensure that function response turn comes immediately after a function call turn.")
		case len(responses) != len(open):
			return invalid("Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn.")
		}
		if refused := checkResponses(open, responses); refused != nil {
			return refused
		}
		open = calls
	}
	if len(open) > 0 {
		return invalid("Please ensure that function call turn is followed by a function response turn.")
	}
	return nil
}

// functions are the calls and the responses of a turn.
func (c content) functions() (calls []*functionCall, responses []*functionResponse) {
	for _, p := range c.Parts {
		if p.FunctionCall != nil {
			calls = append(calls, p.FunctionCall)
		}
		if p.FunctionResponse != nil {
			responses = append(responses, p.FunctionResponse)
		}
	}
	return calls, responses
}

// checkResponses matches responses with calls by id where both have one, else by name.
func checkResponses(calls []*functionCall, responses []*functionResponse) *core.Refusal {
	left := slices.Clone(calls)
	for _, response := range responses {
		if response.Name == "" {
			return invalid("* GenerateContentRequest.contents.parts.function_response.name: Name cannot be empty.\n")
		}
		if response.Response == nil {
			return invalid("* GenerateContentRequest.contents.parts.function_response.response: missing field.\n")
		}
		at := slices.IndexFunc(left, func(call *functionCall) bool {
			return call.Name == response.Name && (call.ID == "" || response.ID == "" || call.ID == response.ID)
		})
		if at < 0 {
			return invalid("Function response '%s' does not match any function call of the preceding turn.", response.Name)
		}
		left = slices.Delete(left, at, at+1)
	}
	return nil
}

// checkSignatures wants the signature of the first call of each step of the current turn, and refuses those that are not its own.
func (r request) checkSignatures() *core.Refusal {
	start := 0
	for i, c := range r.Contents {
		responds := slices.ContainsFunc(c.Parts, func(p part) bool { return p.FunctionResponse != nil })
		if c.Role != "model" && !responds {
			start = i
		}
	}
	for i, c := range r.Contents {
		first := true
		for k, p := range c.Parts {
			if p.ThoughtSignature != "" && !signed(p.ThoughtSignature) {
				return invalid("* GenerateContentRequest.contents[%d].parts[%d].thought_signature: Thought signature is not valid.\n", i, k)
			}
			if p.FunctionCall == nil {
				continue
			}
			if first && i > start && p.ThoughtSignature == "" {
				return invalid("Function call `%s` in the `%d`. content block is missing a `thought_signature`. Learn more: https://ai.google.dev/gemini-api/docs/thought-signatures", p.FunctionCall.Name, i+1)
			}
			first = false
		}
	}
	return nil
}

// signed accepts the server's own signatures, and the two words with which Google lets histories of other models pass.
func signed(signature string) bool {
	if signature == "skip_thought_signature_validator" || signature == "context_engineering_is_the_way_to_go" {
		return true
	}
	decoded, err := decodeBytes(signature)
	if err != nil {
		return false
	}
	_, own := core.Open(core.SealGemini, decoded)
	return own || string(decoded) == "skip_thought_signature_validator"
}

// prompt is all that the request says; the parts are checked on the way.
func (r request) prompt() (core.Prompt, *core.Refusal) {
	var p core.Prompt
	if r.SystemInstruction != nil {
		p.Message(false)
		if refused := addParts(&p, r.SystemInstruction.Parts, "system_instruction"); refused != nil {
			return p, refused
		}
	}
	for i, c := range r.Contents {
		responds := slices.ContainsFunc(c.Parts, func(p part) bool { return p.FunctionResponse != nil })
		p.Message(c.Role != "model" && !responds)
		if refused := addParts(&p, c.Parts, fmt.Sprintf("contents[%d]", i)); refused != nil {
			return p, refused
		}
	}
	return p, nil
}

func addParts(p *core.Prompt, parts []part, path string) *core.Refusal {
	for i, one := range parts {
		at := fmt.Sprintf("%s.parts[%d]", path, i)
		if n := one.kinds(); n != 1 {
			return invalid("* GenerateContentRequest.%s.data: required oneof field 'data' must have one initialized field\n", at)
		}
		if refused := one.add(p, at); refused != nil {
			return refused
		}
	}
	return nil
}

// kinds counts the kinds of data in a part.
func (p part) kinds() int {
	n := 0
	for _, given := range []bool{p.Text != nil, p.InlineData != nil, p.FileData != nil, p.FunctionCall != nil, p.FunctionResponse != nil} {
		if given {
			n++
		}
	}
	return n
}

func (p part) add(prompt *core.Prompt, path string) *core.Refusal {
	switch {
	case p.Text != nil:
		if !p.Thought {
			prompt.Add(*p.Text)
		}
	case p.InlineData != nil:
		return p.InlineData.add(prompt, path)
	case p.FileData != nil:
		prompt.AddURL(p.FileData.FileURI)
	case p.FunctionResponse != nil:
		prompt.Add(responseText(p.FunctionResponse.Response))
		for _, inner := range p.FunctionResponse.Parts {
			if inner.InlineData != nil {
				if refused := inner.InlineData.add(prompt, path); refused != nil {
					return refused
				}
			}
		}
	case p.FunctionCall.Name == "":
		return invalid("* GenerateContentRequest.%s.function_call.name: Name cannot be empty.\n", path)
	}
	return nil
}

// responseText is the text of a response: of its one member, if it is a text, else its JSON.
func responseText(response map[string]any) string {
	if len(response) == 1 {
		for _, value := range response {
			if text, ok := value.(string); ok {
				return text
			}
		}
	}
	return string(core.Encode(response))
}

// decodeBytes reads base64 of both alphabets, padded or not, as JSON of protocol buffers has it.
func decodeBytes(text string) ([]byte, error) {
	return base64.RawStdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(text, "=")))
}

func (b blob) add(p *core.Prompt, path string) *core.Refusal {
	data, err := decodeBytes(b.Data)
	switch {
	case err != nil || len(data) == 0:
		return invalid("Invalid value at '%s.inline_data.data' (TYPE_BYTES), Base64 decoding failed", path)
	case b.MimeType == "":
		return invalid("* GenerateContentRequest.%s.inline_data.mime_type: missing field.\n", path)
	}
	if strings.HasPrefix(b.MimeType, "image/") {
		if core.CheckImage(b.MimeType, data) != nil {
			return invalid("Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting")
		}
	}
	p.AddBytes(b.MimeType, data)
	return nil
}
