package dialect

import "strings"

// content takes in a message, an item, a part, or a list of those. A text needs no look: its bytes are counted with the body.
func (s *demandScan) content(at, depth int) {
	switch {
	case depth > maxPartDepth:
		s.medium("")
	case s.body[at] == '[':
		s.elements(at, func(at int) { s.content(at, depth+1) })
	case s.body[at] == '{':
		s.object(at, depth)
	}
}

// object takes in an object of the prompt: each of its members must be one that is known to hold text or other objects of the prompt, and its type one that is
// known to be text.
func (s *demandScan) object(at, depth int) {
	named := false
	s.members(at, func(name string, at, end int) {
		if s.body[at] == 'n' {
			return
		}
		named = named || name != "id"
		switch name {
		case "type":
			s.kind(text(s.body[at:end]))
		case "content", "output", "parts", "functionresponse", "system":
			s.content(at, depth+1)
		case "source":
			s.source(at, depth)
		case "inlinedata", "filedata":
			s.blob(at)
		case "audio", "inputaudio":
			s.medium("audio")
		case "imageurl", "image":
			s.medium("image")
		default:
			if !isProse(name) {
				s.medium("")
			}
		}
	})
	if !named { // It is no more than a reference.
		s.demand.Stored = true
	}
}

// source is where the bytes of an image or a document come from; a document may be made of text.
func (s *demandScan) source(at, depth int) {
	if s.body[at] == '"' { // A search result's address.
		return
	}
	named := false
	s.members(at, func(name string, at, end int) {
		switch name {
		case "type":
			named = true
			if kind := text(s.body[at:end]); kind != "text" && kind != "content" {
				s.medium("image") // Pages of documents are read as images.
			}
		case "content":
			s.content(at, depth+1)
		}
	})
	if !named {
		s.medium("")
	}
}

// blob takes in data or a file with a media type.
func (s *demandScan) blob(at int) {
	kind := ""
	s.members(at, func(name string, at, end int) {
		if name == "mimetype" {
			kind, _, _ = strings.Cut(strings.ToLower(text(s.body[at:end])), "/")
		}
	})
	s.medium(kind)
}

// medium notes a part that is no text. A kind that is not known can be anything.
func (s *demandScan) medium(kind string) {
	d := &s.demand
	d.Media = true
	d.PromptImage = d.PromptImage || kind != "audio"
	d.PromptAudio = d.PromptAudio || kind != "image"
}

// kind takes in the type of a part or an item.
func (s *demandScan) kind(name string) {
	switch name {
	case "text", "input_text", "output_text", "refusal", "thinking", "redacted_thinking", "summary_text", "reasoning_text", "reasoning", "message", "function",
		"function_call", "function_call_output", "custom_tool_call", "custom_tool_call_output", "tool_use", "tool_result", "server_tool_use", "search_result",
		"web_search_call", "web_search_tool_result", "web_search_result", "web_fetch_tool_result", "web_fetch_result", "local_shell_call",
		"local_shell_call_output", "shell_call", "shell_call_output", "apply_patch_call", "apply_patch_call_output", "document", "char_location",
		"custom", "tool_reference":
	case "item_reference":
		s.demand.Stored = true
	case "image", "image_url", "input_image", "computer_screenshot", "computer_call_output":
		s.medium("image")
	case "input_audio", "audio":
		s.medium("audio")
	default:
		s.medium("")
	}
}

// isProse tells whether a member of an object of the prompt, in canonical form, holds nothing but text, and values that steer it.
func isProse(name string) bool {
	switch name {
	case "role", "text", "name", "id", "status", "phase", "toolcallid", "toolcalls", "functioncall", "callid", "arguments", "input", "args", "response",
		"refusal", "thinking", "signature", "data", "reasoning", "reasoningcontent", "reasoningdetails", "summary", "encryptedcontent", "citations", "annotations",
		"logprobs", "cachecontrol", "cachepoint", "index", "iserror", "tooluseid", "thought", "thoughtsignature", "executablecode", "codeexecutionresult",
		"namespace", "prefix", "title", "context", "action", "url", "pageage", "detail", "caller", "willcontinue", "scheduling", "errorcode", "toolname",
		"encryptedindex", "citedtext", "format", "prefixed", "retrievedat":
		return true
	}
	return false
}

// tool takes in a tool. Functions, and tools that the client runs itself, cost no more than the tokens that describe them.
func (s *demandScan) tool(at int) {
	s.tools = true
	kind, uses, hosted := "", int64(0), ""
	s.members(at, func(name string, at, end int) {
		switch value := s.body[at:end]; {
		case name == "type":
			kind = canonical([]byte(text(value)))
		case name == "maxuses":
			uses = max(uses, ReadCount(value))
		case value[0] != 'n' && !describes(name):
			hosted = name
		}
	})
	switch kind = strings.TrimPrefix(kind, "openrouter:"); {
	case kind == "" && hosted != "":
		s.unbounded(hosted)
	case !isClients(kind):
		s.hosted(kind, uses)
	}
}

// hosted takes in a tool of a type, in canonical form, that the provider runs, and how often it may; 0 for as often as it likes.
func (s *demandScan) hosted(kind string, uses int64) {
	switch {
	case strings.HasPrefix(kind, "websearch") && uses > 0:
		s.search(uses)
	case strings.HasPrefix(kind, "websearch"):
		s.searches++
	case strings.HasPrefix(kind, "webfetch") && uses > 0:
		s.read(uses)
	default:
		s.unbounded(toolWords(kind))
	}
}

// describes tells whether a member of a tool without a type describes a function, or a tool that the client runs.
func describes(name string) bool {
	switch name {
	case "name", "description", "inputschema", "parameters", "strict", "function", "functiondeclarations", "computeruse", "cachecontrol", "inputexamples",
		"deferloading", "allowedcallers", "eagerinputstreaming", "toolspec", "cachepoint":
		return true
	}
	return false
}

// isClients tells whether a tool of this type, in canonical form, is run by the client.
func isClients(kind string) bool {
	switch kind {
	case "", "function", "custom", "localshell", "applypatch", "datetime":
		return true
	}
	return strings.HasPrefix(kind, "bash2") || strings.HasPrefix(kind, "texteditor2") || strings.HasPrefix(kind, "memory2") || strings.HasPrefix(kind, "computer")
}

// toolWords is the type of a tool for people; a type that no provider would have is not repeated.
func toolWords(kind string) string {
	if ServiceName(kind) == "" {
		return "a tool"
	}
	return kind
}
