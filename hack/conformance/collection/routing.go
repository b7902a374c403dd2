package collection

// routing are what a request may ask of the way it takes, and explanations of it.
func routing() Folder {
	const path, explain = "/v1/chat/completions", "/v1/route/explain"
	const messages = `"messages": [{"role": "user", "content": "What is a signal box?"}]`
	header := func(name, value string) string { return `pm.response.headers.get("` + name + `") === "` + value + `"` }
	return Folder{Name: "Routing", About: "What a request may ask of the way it takes, and why it takes it.", Calls: []Call{
		{
			Name: "Another model to go on with", Method: "POST", Path: path,
			Body:   `{"model": "{{model}}", "models": ["{{otherModel}}"], ` + messages + `}`,
			Checks: []string{chatText, header("x-signalbox-attempts", "1"), `pm.response.headers.get("x-signalbox-target").length > 0`},
		},
		{
			Name: "The cheapest target of a session", Method: "POST", Path: path,
			Body:   `{"model": "{{model}}:floor", "session_id": "a-conversation", "provider": {"data_collection": "allow", "max_price": {"prompt": 100}}, ` + messages + `}`,
			Checks: []string{chatText},
		},
		{
			Name: "Chat with its way", Method: "POST", Path: path, Header: []Header{{"X-OpenRouter-Metadata", "enabled"}},
			Body:   `{"model": "{{model}}", ` + messages + `}`,
			Checks: []string{chatText, `json.openrouter_metadata.endpoints.available.some((endpoint) => endpoint.selected)`, `json.openrouter_metadata.attempt === 1`},
		},
		{
			Name: "An explanation", Method: "POST", Path: explain,
			Body:   `{"model": "{{model}}", "models": ["{{otherModel}}"], ` + messages + `}`,
			Checks: []string{`json.routes.length === 2`, `json.targets[0].order === 1`, `json.targets[0].estimated_cost.length > 0`, `json.prompt_tokens > 0`},
		},
		{
			Name: "An explanation of a message", Method: "POST", Path: explain + "?path=/v1/messages", KeyHeader: "x-api-key",
			Body:   `{"model": "{{model}}", "max_tokens": 200, "provider": {"ignore": ["elsewhere"]}, ` + messages + `}`,
			Checks: []string{`json.targets.every((target) => target.order > 0 || target.excluded.length > 0)`},
		},
		{
			Name: "An unknown preference", Method: "POST", Path: path,
			Body:   `{"model": "{{model}}", "provider": {"colour": "red"}, ` + messages + `}`,
			Checks: []string{`pm.response.code === 400`, `json.error.param === "provider.colour"`},
		},
	}}
}
