package anthropic

import (
	"encoding/base64"
	"fmt"
	"slices"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// prompt is all that the request says; the blocks are checked on the way.
func (r request) prompt() (core.Prompt, *core.Refusal) {
	var p core.Prompt
	if r.System.Given {
		p.Message(false)
		if refused := addContent(&p, r.System, "system", []string{"text"}); refused != nil {
			return p, refused
		}
	}
	for i, m := range r.Messages {
		results := slices.ContainsFunc(m.Content.Items, func(b block) bool { return b.Type == "tool_result" })
		p.Message(m.Role == "user" && !results)
		if refused := addContent(&p, m.Content, fmt.Sprintf("messages.%d.content", i), typesOf(m.Role)); refused != nil {
			return p, refused
		}
	}
	return p, nil
}

// typesOf are the blocks that a role may send.
func typesOf(role string) []string {
	switch role {
	case "assistant":
		return []string{"text", "tool_use", "thinking", "redacted_thinking"}
	case "system":
		return []string{"text"}
	}
	return []string{"text", "image", "document", "search_result", "tool_result"}
}

// addContent adds text or blocks of the types allowed.
func addContent(p *core.Prompt, content core.OneOrMany[block], path string, allowed []string) *core.Refusal {
	p.Add(content.Text)
	for i, b := range content.Items {
		at := fmt.Sprintf("%s.%d", path, i)
		if !slices.Contains(allowed, b.Type) {
			return invalid("%s: Input tag '%s' found using 'type' does not match any of the expected tags: %s", at, b.Type, quoted(allowed))
		}
		if refused := b.add(p, at); refused != nil {
			return refused
		}
		if b.CacheControl != nil {
			p.MarkCached()
		}
	}
	return nil
}

// add adds one block.
func (b block) add(p *core.Prompt, path string) *core.Refusal {
	switch b.Type {
	case "text":
		if core.Value(b.Text) == "" {
			return invalid("messages: text content blocks must be non-empty")
		}
		p.Add(*b.Text)
	case "image":
		return b.Source.addImage(p, path)
	case "document":
		return b.Source.addDocument(p, path)
	case "search_result":
		p.AddURL(b.Source.name)
		return addContent(p, b.Content, path+".content", []string{"text"})
	case "tool_result":
		return addContent(p, b.Content, path+".tool_result.content", []string{"text", "image", "document", "search_result"})
	case "thinking", "redacted_thinking":
		return b.checkThought(path)
	}
	return nil
}

// checkThought wants thoughts as they were, with their signature.
func (b block) checkThought(path string) *core.Refusal {
	_, unsealed := core.Unseal(core.SealClaude, b.Data)
	switch {
	case b.Type == "redacted_thinking" && !unsealed:
		return invalid("%s: Invalid `data` in `redacted_thinking` block", path)
	case b.Type == "redacted_thinking":
		return nil
	case b.Thinking == nil || b.Signature == nil:
		return invalid("%s.thinking.signature: Field required", path)
	case !core.Verify(core.SealClaude, *b.Thinking, *b.Signature):
		return invalid("%s: Invalid `signature` in `thinking` block", path)
	}
	return nil
}

func (s source) addImage(p *core.Prompt, path string) *core.Refusal {
	switch s.Type {
	case "base64":
		if types := []string{"image/jpeg", "image/png", "image/gif", "image/webp"}; !slices.Contains(types, s.MediaType) {
			return invalid("%s.image.source.base64.media_type: Input should be %s", path, quoted(types))
		}
		data, err := core.Image(s.MediaType, s.Data)
		if err != nil {
			return invalid("%s.image.source.base64: Could not process image", path)
		}
		p.AddBytes(s.MediaType, data)
	case "url":
		p.AddURL(s.URL)
	case "file":
		p.AddURL("file " + s.FileID)
	default:
		return invalid("%s.image.source: Input tag '%s' found using 'type' does not match any of the expected tags: 'base64', 'url', 'file'", path, s.Type)
	}
	return nil
}

func (s source) addDocument(p *core.Prompt, path string) *core.Refusal {
	switch s.Type {
	case "base64":
		data, err := base64.StdEncoding.DecodeString(s.Data)
		if err != nil || s.MediaType != "application/pdf" || len(data) < 5 || string(data[:5]) != "%PDF-" {
			return invalid("%s.document.source.base64: The PDF specified was not valid.", path)
		}
		p.AddBytes(s.MediaType, data)
	case "text":
		if s.MediaType != "text/plain" {
			return invalid("%s.document.source.text.media_type: Input should be 'text/plain'", path)
		}
		p.Add(s.Data)
	case "content":
		return addContent(p, s.Content, path+".document.source.content", []string{"text", "image"})
	case "url":
		p.AddURL(s.URL)
	case "file":
		p.AddURL("file " + s.FileID)
	default:
		return invalid("%s.document.source: Input tag '%s' found using 'type' does not match any of the expected tags: 'base64', 'content', 'file', 'text', 'url'", path, s.Type)
	}
	return nil
}

// quoted lists words as pydantic does.
func quoted(words []string) string {
	out := ""
	for i, word := range words {
		if i > 0 {
			out += ", "
		}
		out += "'" + word + "'"
	}
	return out
}
