package bedrock

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// invalid is a ValidationException.
func invalid(format string, args ...any) *core.Refusal {
	return core.Refuse(http.StatusBadRequest, "ValidationException", format, args...)
}

// decode reads the body strictly. Bedrock itself ignores members that it does not know; a wrong name is a mistake all the same.
func decode(x *core.Exchange, out any) *core.Refusal {
	unknown, err := core.Decode(x, out)
	switch {
	case err != nil:
		return core.Refuse(http.StatusBadRequest, "SerializationException", "Unexpected token or type in the request body")
	case unknown != "":
		return invalid("The provided request is not valid: extraneous key [%s] is not permitted", unknown)
	}
	return nil
}

// check applies Bedrock's rules; the first broken one is reported.
func (r request) check() *core.Refusal {
	return core.InOrder(r.checkRoles, r.checkInference, r.checkTools, r.checkPairs, r.checkThinking)
}

// checkRoles wants the user first, and roles in turn.
func (r request) checkRoles() *core.Refusal {
	if len(r.Messages) == 0 || r.Messages[0].Role != "user" {
		return invalid("A conversation must start with a user message. Try again with a conversation that starts with a user message.")
	}
	for i, m := range r.Messages {
		switch {
		case m.Role != "user" && m.Role != "assistant":
			return invalid("1 validation error detected: Value '%s' at 'messages.%d.member.role' failed to satisfy constraint: Member must satisfy enum value set: [user, assistant]", m.Role, i+1)
		case i > 0 && r.Messages[i-1].Role == m.Role:
			return invalid("A conversation must alternate between user and assistant roles. Make sure the conversation alternates between user and assistant roles and try again.")
		case len(m.Content) == 0:
			return invalid("The content field in the Message object at messages.%d is empty. Add a ContentBlock object to the content field and try again.", i)
		}
	}
	return nil
}

func (r request) checkInference() *core.Refusal {
	c := core.Value(r.InferenceConfig)
	constraint := func(path string, value any) *core.Refusal {
		return invalid("1 validation error detected: Value '%v' at '%s' failed to satisfy constraint", value, path)
	}
	tier, latency, format := "default", "standard", "json_schema"
	if r.ServiceTier != nil {
		tier = r.ServiceTier.Type
	}
	if r.PerformanceConfig != nil {
		latency = r.PerformanceConfig.Latency
	}
	if r.OutputConfig != nil && r.OutputConfig.TextFormat != nil {
		format = r.OutputConfig.TextFormat.Type
	}
	return core.FirstBroken(
		core.Rule{Broken: core.Outside(c.MaxTokens, 1, 1<<31), Refusal: constraint("inferenceConfig.maxTokens", core.Value(c.MaxTokens))},
		core.Rule{Broken: core.Outside(c.Temperature, 0, 1), Refusal: constraint("inferenceConfig.temperature", core.Value(c.Temperature))},
		core.Rule{Broken: core.Outside(c.TopP, 0, 1), Refusal: constraint("inferenceConfig.topP", core.Value(c.TopP))},
		core.Rule{Broken: core.NoneOf(tier, "default", "priority", "flex", "reserved"), Refusal: constraint("serviceTier.type", tier)},
		core.Rule{Broken: core.NoneOf(latency, "standard", "optimized"), Refusal: constraint("performanceConfig.latency", latency)},
		core.Rule{Broken: format != "json_schema", Refusal: constraint("outputConfig.textFormat.type", format)},
	)
}

func (r request) checkTools() *core.Refusal {
	c := r.ToolConfig
	if c == nil {
		return nil
	}
	if len(c.Tools) == 0 {
		return invalid("1 validation error detected: Value at 'toolConfig.tools' failed to satisfy constraint: Member must have length greater than or equal to 1")
	}
	known := map[string]bool{}
	for i, t := range c.Tools {
		if (t.ToolSpec == nil) == (t.CachePoint == nil) {
			return invalid("The tool at toolConfig.tools.%d must have exactly one member.", i)
		}
		if t.ToolSpec == nil {
			continue
		}
		if known[t.ToolSpec.Name] {
			return invalid("The tool %s is already defined at toolConfig.tools.%d. Remove the duplicate tool definition and try again.", t.ToolSpec.Name, i)
		}
		if refused := t.ToolSpec.check(i); refused != nil {
			return refused
		}
		known[t.ToolSpec.Name] = true
	}
	if choice := c.ToolChoice; choice != nil && choice.Tool != nil && !known[choice.Tool.Name] {
		return invalid("The tool %s in toolConfig.toolChoice is not defined in toolConfig.tools.", choice.Tool.Name)
	}
	return nil
}

func (t toolSpec) check(i int) *core.Refusal {
	names := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	switch {
	case !names.MatchString(t.Name):
		return invalid("1 validation error detected: Value '%s' at 'toolConfig.tools.%d.member.toolSpec.name' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+", t.Name, i+1)
	case t.Description != nil && *t.Description == "":
		return invalid("1 validation error detected: Value at 'toolConfig.tools.%d.member.toolSpec.description' failed to satisfy constraint: Member must have length greater than or equal to 1", i+1)
	case t.InputSchema.JSON["type"] != "object":
		return invalid("The value at toolConfig.tools.%d.toolSpec.inputSchema.json.type must be one of the following: object.", i)
	}
	return nil
}

// checkPairs wants a result for each use of a tool in the next message, and none without one; either needs toolConfig.
func (r request) checkPairs() *core.Refusal {
	var open []string
	for i, m := range r.Messages {
		results, uses, refused := m.pairs(i)
		switch {
		case refused != nil:
			return refused
		case len(results)+len(uses) > 0 && r.ToolConfig == nil:
			return invalid("The toolConfig field must be defined when using toolUse and toolResult content blocks.")
		case len(results) > len(open):
			return invalid("The number of toolResult blocks at messages.%d.content exceeds the number of toolUse blocks of previous turn.", i)
		case slices.ContainsFunc(open, func(id string) bool { return !slices.Contains(results, id) }):
			return missingResults(i, open)
		}
		open = uses
	}
	if len(open) > 0 {
		return missingResults(len(r.Messages), open)
	}
	return nil
}

func missingResults(at int, open []string) *core.Refusal {
	return invalid("Expected toolResult blocks at messages.%d.content for the following Ids: %s", at, strings.Join(open, ", "))
}

// pairs are the ids of the results and of the uses in a message.
func (m message) pairs(i int) (results, uses []string, refused *core.Refusal) {
	ids := regexp.MustCompile(`^[a-zA-Z0-9_-]{1,64}$`)
	for _, b := range m.Content {
		if b.ToolResult != nil {
			results = append(results, b.ToolResult.ToolUseID)
		}
		switch use := b.ToolUse; {
		case use == nil:
			continue
		case !ids.MatchString(use.ToolUseID):
			return nil, nil, invalid("1 validation error detected: Value '%s' at 'messages.%d.member.content.toolUse.toolUseId' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9_-]+", use.ToolUseID, i+1)
		case len(use.Input) == 0 || use.Input[0] != '{':
			return nil, nil, invalid("The format of the value at messages.%d.content.0.toolUse.input is invalid. Provide a json object for the field and try again.", i)
		}
		uses = append(uses, b.ToolUse.ToolUseID)
	}
	return results, uses, nil
}

func (r request) checkThinking() *core.Refusal {
	enabled, budget := r.thinking()
	if !enabled || budget == 0 {
		return nil
	}
	c := r.InferenceConfig
	switch {
	case budget < 1024:
		return invalid("The model returned the following errors: thinking.enabled.budget_tokens: Input should be greater than or equal to 1024")
	case c != nil && c.MaxTokens != nil && float64(*c.MaxTokens) <= budget:
		return invalid("The model returned the following errors: `max_tokens` must be greater than `thinking.budget_tokens`.")
	case c != nil && c.Temperature != nil && *c.Temperature != 1:
		return invalid("The model returned the following errors: `temperature` may only be set to 1 when thinking is enabled.")
	}
	return nil
}

// prompt is all that the request says; the blocks are checked on the way.
func (r request) prompt() (core.Prompt, *core.Refusal) {
	var p core.Prompt
	if len(r.System) > 0 {
		p.Message(false)
		if refused := addBlocks(&p, r.System, "system"); refused != nil {
			return p, refused
		}
	}
	for i, m := range r.Messages {
		results := slices.ContainsFunc(m.Content, func(b block) bool { return b.ToolResult != nil })
		p.Message(m.Role == "user" && !results)
		if refused := addBlocks(&p, m.Content, fmt.Sprintf("messages.%d.content", i)); refused != nil {
			return p, refused
		}
		documents := slices.ContainsFunc(m.Content, func(b block) bool { return b.Document != nil })
		texts := slices.ContainsFunc(m.Content, func(b block) bool { return b.Text != nil })
		if documents && !texts {
			return p, invalid("The message at messages.%d has document blocks but no text block. Include a text block with the documents and try again.", i)
		}
	}
	return p, nil
}

func addBlocks(p *core.Prompt, blocks []block, path string) *core.Refusal {
	for i, b := range blocks {
		at := fmt.Sprintf("%s.%d", path, i)
		if b.members() != 1 {
			return invalid("The ContentBlock object at %s must set one and only one of its members.", at)
		}
		if refused := b.add(p, at); refused != nil {
			return refused
		}
	}
	return nil
}

// members counts what is set of the union.
func (b block) members() int {
	n := 0
	for _, set := range []bool{
		b.Text != nil, b.JSON != nil, b.Image != nil, b.Document != nil, b.ToolUse != nil, b.ToolResult != nil, b.ReasoningContent != nil,
		b.CachePoint != nil, b.GuardContent != nil,
	} {
		if set {
			n++
		}
	}
	return n
}

func (b block) add(p *core.Prompt, path string) *core.Refusal {
	switch {
	case b.Text != nil:
		return addText(p, *b.Text, path)
	case b.JSON != nil:
		if b.JSON[0] != '{' {
			return invalid("The format of the value at %s.json is invalid. Provide a json object for the field and try again.", path)
		}
		p.Add(string(b.JSON))
	case b.Image != nil:
		return b.Image.add(p, path)
	case b.Document != nil:
		return b.Document.add(p, path)
	case b.ToolResult != nil:
		if len(b.ToolResult.Content) == 0 {
			return invalid("The content field in the ToolResultBlock object at %s is empty.", path)
		}
		return addBlocks(p, b.ToolResult.Content, path+".toolResult.content")
	case b.ReasoningContent != nil:
		return b.ReasoningContent.check(path)
	case b.CachePoint != nil:
		return b.CachePoint.mark(p, path)
	case b.GuardContent != nil && b.GuardContent.Text != nil:
		p.Add(b.GuardContent.Text.Text)
	}
	return nil
}

func addText(p *core.Prompt, text, path string) *core.Refusal {
	if strings.TrimSpace(text) == "" {
		return invalid("The text field in the ContentBlock object at %s is blank. Add text to the text field, and try again.", path)
	}
	p.Add(text)
	return nil
}

func (c cachePoint) mark(p *core.Prompt, path string) *core.Refusal {
	if c.Type != "default" {
		return invalid("1 validation error detected: Value '%s' at '%s.cachePoint.type' failed to satisfy constraint", c.Type, path)
	}
	p.MarkCached()
	return nil
}

// check wants a thought with its own signature.
func (c reasoningContent) check(path string) *core.Refusal {
	if c.ReasoningText != nil && !core.Verify(core.SealClaude, c.ReasoningText.Text, c.ReasoningText.Signature) {
		return invalid("The model returned the following errors: %s: Invalid `signature` in `thinking` block", path)
	}
	if c.RedactedContent != nil {
		inner, err := base64.StdEncoding.DecodeString(*c.RedactedContent)
		if _, ok := core.Unseal(core.SealClaude, string(inner)); !ok || err != nil {
			return invalid("The model returned the following errors: %s: Invalid `data` in `redacted_thinking` block", path)
		}
	}
	return nil
}

func (m image) add(p *core.Prompt, path string) *core.Refusal {
	if !slices.Contains([]string{"png", "jpeg", "gif", "webp"}, m.Format) {
		return invalid("1 validation error detected: Value '%s' at '%s.image.format' failed to satisfy constraint: Member must satisfy enum value set: [png, jpeg, gif, webp]", m.Format, path)
	}
	switch {
	case m.Source.Bytes != nil:
		data, err := core.Image("image/"+m.Format, *m.Source.Bytes)
		if err != nil {
			return invalid("The model returned the following errors: %s.image.source.base64: Could not process image", path)
		}
		p.AddBytes("image/"+m.Format, data)
	case m.Source.S3Location != nil:
		p.AddURL(m.Source.S3Location.URI)
	default:
		return invalid("The ImageSource object at %s.image.source must set one and only one of its members.", path)
	}
	return nil
}

func (d document) add(p *core.Prompt, path string) *core.Refusal {
	formats := []string{"", "pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"}
	names := regexp.MustCompile(`^[a-zA-Z0-9\s\-()\[\]]{1,200}$`)
	switch {
	case core.NoneOf(d.Format, formats...):
		return invalid("1 validation error detected: Value '%s' at '%s.document.format' failed to satisfy constraint: Member must satisfy enum value set: %v", d.Format, path, formats[1:])
	case !names.MatchString(d.Name) || strings.Contains(d.Name, "  "):
		return invalid("The document file name at %s contains invalid characters or consecutive whitespace. It can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets.", path)
	case d.Source.Text != nil:
		p.Add(*d.Source.Text)
	case d.Source.Content != nil:
		return addBlocks(p, d.Source.Content, path+".document.source.content")
	case d.Source.S3Location != nil:
		p.AddURL(d.Source.S3Location.URI)
	case d.Source.Bytes != nil:
		return d.addBytes(p, path)
	default:
		return invalid("The DocumentSource object at %s.document.source must set one and only one of its members.", path)
	}
	return nil
}

func (d document) addBytes(p *core.Prompt, path string) *core.Refusal {
	data, err := base64.StdEncoding.DecodeString(*d.Source.Bytes)
	if err != nil || len(data) == 0 || (d.Format == "pdf" && !strings.HasPrefix(string(data), "%PDF-")) {
		return invalid("The document at %s could not be processed.", path)
	}
	p.AddBytes(mediaType(d.Format), data)
	return nil
}

// mediaType names a format as other dialects do.
func mediaType(format string) string {
	switch format {
	case "txt":
		return "text/plain"
	case "md":
		return "text/markdown"
	case "csv", "html":
		return "text/" + format
	}
	return "application/" + format
}
