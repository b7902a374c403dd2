package gemini

import (
	"bytes"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/table"
)

// Inspect tells what a target needs for the request.
func (Generate) Inspect(body []byte, _ dialect.Head) dialect.Traits {
	i := inspection{Survey: dialect.NewSurvey(body)}
	i.Members(jsonscan.Space(body, 0), func(name []byte, at int) int {
		switch camel(string(name)) {
		case "contents":
			return i.Elements(at, i.content)
		case "systemInstruction":
			return i.instructions(at)
		case "tools":
			return i.Tools(at)
		case "generationConfig":
			return i.Members(at, i.config)
		}
		return i.Skip(at)
	})
	return i.Traits()
}

// inspection is the survey of a request whose parts have no type.
type inspection struct{ dialect.Survey }

// instructions takes in the content that stands before the conversation. Some clients send its text alone.
func (i *inspection) instructions(at int) int {
	i.System()
	defer i.EndTurn(false)
	if value := i.Value(at); value[0] == '"' {
		return i.Words(at)
	}
	return i.Members(at, i.parts)
}

// content takes in a turn of the conversation; without a role it is the user's.
func (i *inspection) content(at int) int {
	i.Turn()
	user := true
	end := i.Members(at, func(name []byte, at int) int {
		if string(name) != "role" {
			return i.parts(name, at)
		}
		role := i.Value(at)
		user = string(role) != `"model"` && string(role) != `"system"`
		i.Mark(role)
		return at + len(role)
	})
	i.EndTurn(user)
	return end
}

// parts takes in the parts of a content.
func (i *inspection) parts(name []byte, at int) int {
	if string(name) != "parts" {
		return i.Skip(at)
	}
	return i.Elements(at, func(at int) int { return i.Members(at, i.part) })
}

// part takes in a member of a part.
func (i *inspection) part(name []byte, at int) int {
	switch camel(string(name)) {
	case "text":
		return i.Words(at)
	case "inlineData", "fileData":
		value := i.Value(at)
		i.Medium(value, mediumNeeds(mediaType(value)))
		return at + len(value)
	case "functionCall", "functionResponse", "executableCode", "codeExecutionResult":
		end := i.Text(at)
		i.Mark(i.Value(at))
		return end
	}
	return i.Skip(at)
}

// mediaType is the type of a blob or a file, in either spelling of its name.
func mediaType(raw []byte) string {
	if kind := jsonscan.Lookup(raw, "mimeType"); kind != nil {
		return text(kind)
	}
	return text(jsonscan.Lookup(raw, "mime_type"))
}

// mediumNeeds is what it takes to read data of a type. Video has no capability of its own.
func mediumNeeds(kind string) table.Capabilities {
	switch family, _, _ := strings.Cut(strings.ToLower(kind), "/"); family {
	case "image":
		return table.Vision
	case "audio":
		return table.Audio
	case "video":
		return 0
	}
	return table.Files
}

// config takes in a parameter.
func (i *inspection) config(name []byte, at int) int {
	value := i.Value(at)
	switch camel(string(name)) {
	case "responseSchema", "responseJsonSchema":
		if isObject(value) {
			i.Need(table.StructuredOutput)
		}
	case "responseLogprobs":
		if string(value) == "true" {
			i.Need(table.LogProbs)
		}
	case "responseModalities":
		if bytes.Contains(bytes.ToUpper(value), []byte(`"AUDIO"`)) {
			i.Need(table.Audio)
		}
	}
	return at + len(value)
}
