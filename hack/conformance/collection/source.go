package collection

// Pixel is a PNG of one point in base64.
const Pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const (
	chatText = `json.choices[0].message.content.length > 0`
	doneLast = `text.trimEnd().endsWith("data: [DONE]")`
)

// weatherTool is the schema of the arguments that the examples' tool takes.
const weatherTool = `{"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false}`

func openAI() Folder {
	return Folder{Name: "OpenAI", About: "Under `/v1`.", Calls: []Call{
		{
			Name: "Chat", Method: "POST", Path: "/v1/chat/completions",
			Body:   `{"model": "{{model}}", "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is a signal box?"}]}`,
			Checks: []string{chatText, `json.usage.total_tokens > 0`},
		},
		{
			Name: "Chat, streamed", Method: "POST", Path: "/v1/chat/completions", Stream: true,
			Body: `{"model": "{{model}}", "stream": true, "stream_options": {"include_usage": true},
 "messages": [{"role": "user", "content": "What is a signal box?"}]}`,
			Checks: []string{doneLast},
		},
		{
			Name: "Chat with a tool", Method: "POST", Path: "/v1/chat/completions",
			Body: `{"model": "{{model}}", "messages": [{"role": "user", "content": "What is the weather in Löbau?"}],
 "tools": [{"type": "function", "function": {"name": "weather", "description": "Tells the weather of a city.", "parameters": ` + weatherTool + `}}]}`,
			Checks: []string{`json.choices[0].message.tool_calls[0].function.name === "weather"`},
		},
		{
			Name: "Chat, structured", Method: "POST", Path: "/v1/chat/completions",
			Body: `{"model": "{{model}}", "messages": [{"role": "user", "content": "Name a station."}],
 "response_format": {"type": "json_schema", "json_schema": {"name": "station", "strict": true, "schema": ` + weatherTool + `}}}`,
			Checks: []string{`typeof JSON.parse(json.choices[0].message.content).city === "string"`},
		},
		{
			Name: "Chat with a picture", Method: "POST", Path: "/v1/chat/completions",
			Body: `{"model": "{{model}}", "messages": [{"role": "user", "content": [{"type": "text", "text": "What is this?"},
 {"type": "image_url", "image_url": {"url": "data:image/png;base64,` + Pixel + `"}}]}]}`,
			Checks: []string{chatText},
		},
		{
			Name: "Completion", Method: "POST", Path: "/v1/completions",
			Body: `{"model": "{{completionModel}}", "prompt": "The signal shows", "max_tokens": 16}`, Checks: []string{`json.choices[0].text.length > 0`},
		},
		{
			Name: "Response", Method: "POST", Path: "/v1/responses",
			Body:   `{"model": "{{model}}", "instructions": "Be brief.", "input": "What is a signal box?", "store": false}`,
			Checks: []string{`json.status === "completed"`, `json.output.some((item) => item.type === "message")`},
		},
		{
			Name: "Response, streamed", Method: "POST", Path: "/v1/responses", Stream: true,
			Body:   `{"model": "{{model}}", "input": "What is a signal box?", "store": false, "stream": true}`,
			Checks: []string{`text.includes("event: response.completed")`},
		},
		{
			Name: "Embeddings", Method: "POST", Path: "/v1/embeddings",
			Body: `{"model": "{{embeddingModel}}", "input": ["a signal box", "a level crossing"]}`, Checks: []string{`json.data.length === 2`},
		},
		{
			Name: "Embeddings in base64", Method: "POST", Path: "/v1/embeddings",
			Body:   `{"model": "{{embeddingModel}}", "input": "a signal box", "encoding_format": "base64"}`,
			Checks: []string{`typeof json.data[0].embedding === "string"`},
		},
		{Name: "Models", Method: "GET", Path: "/v1/models", Checks: []string{`json.object === "list"`, `json.data.length > 0`}},
		{Name: "A model", Method: "GET", Path: "/v1/models/{{model}}", Checks: []string{`json.object === "model"`}},
		{
			Name: "A model that nothing serves", Method: "POST", Path: "/v1/chat/completions",
			Body:   `{"model": "no-such-model", "messages": [{"role": "user", "content": "Hello"}]}`,
			Checks: []string{`pm.response.code === 404`, `json.error.code === "model_not_found"`},
		},
	}}
}

func media() Folder {
	return Folder{Name: "OpenAI: pictures, sound, moderation", About: "Passed on to providers that have them.", Calls: []Call{
		{
			Name: "Moderation", Method: "POST", Path: "/v1/moderations",
			Body: `{"model": "{{moderationModel}}", "input": "The train is late."}`, Checks: []string{`json.results.length === 1`},
		},
		{
			Name: "A picture", Method: "POST", Path: "/v1/images/generations",
			Body: `{"model": "{{imageModel}}", "prompt": "A signal box in the snow", "size": "1024x1024"}`, Checks: []string{`json.data.length === 1`},
		},
		{
			Name: "A picture, changed", Method: "POST", Path: "/v1/images/edits",
			Form:   []Field{{Name: "model", Value: "{{imageModel}}"}, {Name: "prompt", Value: "Add a train"}, {Name: "image", File: PictureFile}},
			Checks: []string{`json.data.length === 1`},
		},
		{
			Name: "Speech", Method: "POST", Path: "/v1/audio/speech", Binary: "speech.mp3",
			Body: `{"model": "{{speechModel}}", "voice": "alloy", "input": "Mind the gap."}`, Checks: []string{`text.length > 0`},
		},
		{
			Name: "Transcription", Method: "POST", Path: "/v1/audio/transcriptions",
			Form: []Field{{Name: "model", Value: "{{transcriptionModel}}"}, {Name: "file", File: SoundFile}}, Checks: []string{`typeof json.text === "string"`},
		},
		{
			Name: "Translation", Method: "POST", Path: "/v1/audio/translations",
			Form: []Field{{Name: "model", Value: "{{transcriptionModel}}"}, {Name: "file", File: SoundFile}}, Checks: []string{`typeof json.text === "string"`},
		},
	}}
}

func anthropic() Folder {
	version := []Header{{"anthropic-version", "2023-06-01"}}
	messages := func(name, body string, stream bool, checks ...string) Call {
		return Call{Name: name, Method: "POST", Path: "/v1/messages", Header: version, KeyHeader: "x-api-key", Body: body, Stream: stream, Checks: checks}
	}
	return Folder{Name: "Anthropic", About: "Under `/v1`.", Calls: []Call{
		messages("Message", `{"model": "{{model}}", "max_tokens": 200, "system": "Be brief.", "messages": [{"role": "user", "content": "What is a signal box?"}]}`,
			false, `json.type === "message"`, `json.content.some((block) => block.type === "text")`),
		messages("Message, streamed", `{"model": "{{model}}", "max_tokens": 200, "stream": true, "messages": [{"role": "user", "content": "What is a signal box?"}]}`,
			true, `text.includes("event: message_stop")`),
		messages("Message with a tool", `{"model": "{{model}}", "max_tokens": 200, "messages": [{"role": "user", "content": "What is the weather in Löbau?"}],
 "tools": [{"name": "weather", "description": "Tells the weather of a city.", "input_schema": `+weatherTool+`}]}`,
			false, `json.stop_reason === "tool_use"`),
		{
			Name: "Count of tokens", Method: "POST", Path: "/v1/messages/count_tokens", Header: version, KeyHeader: "x-api-key",
			Body: `{"model": "{{model}}", "messages": [{"role": "user", "content": "What is a signal box?"}]}`, Checks: []string{`json.input_tokens > 0`},
		},
		{Name: "Models, for Anthropic's clients", Method: "GET", Path: "/v1/models", Header: version, KeyHeader: "x-api-key", Checks: []string{`json.has_more === false`}},
	}}
}

func openRouter() Folder {
	return Folder{Name: "OpenRouter", About: "Under `/api/v1`.", Calls: []Call{
		{
			Name: "Chat, OpenRouter's way", Method: "POST", Path: "/api/v1/chat/completions",
			Body:   `{"model": "{{model}}", "messages": [{"role": "user", "content": "What is a signal box?"}], "reasoning": {"effort": "low"}}`,
			Checks: []string{chatText, `json.usage.cost >= 0`, `typeof json.provider === "string"`, `pm.response.headers.get("x-generation-id").length > 0`},
		},
		{Name: "Models with prices", Method: "GET", Path: "/api/v1/models", Checks: []string{`json.data.every((model) => Number(model.pricing.prompt) >= 0 || model.pricing.prompt === "-1")`}},
		{
			Name: "Rerank", Method: "POST", Path: "/api/v1/rerank",
			Body:   `{"model": "{{rerankModel}}", "query": "What does a signal show?", "documents": ["A signal shows whether the line is clear.", "Bread is baked early."]}`,
			Checks: []string{`json.results.length === 2`},
		},
	}}
}

func groq() Folder {
	return Folder{Name: "Groq", About: "Under `/openai/v1`.", Calls: []Call{
		{
			Name: "Chat, Groq's way", Method: "POST", Path: "/openai/v1/chat/completions",
			Body:   `{"model": "{{model}}", "messages": [{"role": "user", "content": "What is a signal box?"}]}`,
			Checks: []string{chatText, `json.x_groq.id.length > 0`},
		},
		{Name: "Models, for Groq's clients", Method: "GET", Path: "/openai/v1/models", Checks: []string{`json.data.length > 0`}},
	}}
}

func gemini() Folder {
	const ask = `{"contents": [{"role": "user", "parts": [{"text": "What is a signal box?"}]}], "systemInstruction": {"parts": [{"text": "Be brief."}]}}`
	call := func(name, verb string, stream bool, checks ...string) Call {
		return Call{Name: name, Method: "POST", Path: "/v1beta/models/{{model}}:" + verb, KeyHeader: "x-goog-api-key", Body: ask, Stream: stream, Checks: checks}
	}
	return Folder{Name: "Gemini", About: "Under `/v1beta`.", Calls: []Call{
		call("Content", "generateContent", false, `json.candidates[0].content.parts.length > 0`),
		call("Content, streamed as events", "streamGenerateContent?alt=sse", true, `text.startsWith("data: ")`),
		call("Content, streamed as an array", "streamGenerateContent", true, `json.length > 1`),
		{Name: "Models, for Google's clients", Method: "GET", Path: "/v1beta/models", KeyHeader: "x-goog-api-key", Checks: []string{`json.models.length > 0`}},
	}}
}

func cohere() Folder {
	return Folder{Name: "Cohere", About: "Under `/v2`.", Calls: []Call{{
		Name: "Rerank, Cohere's way", Method: "POST", Path: "/v2/rerank",
		Body:   `{"model": "{{rerankModel}}", "query": "What does a signal show?", "documents": ["A signal shows whether the line is clear.", "Bread is baked early."], "top_n": 1}`,
		Checks: []string{`json.results.length === 1`},
	}}}
}
