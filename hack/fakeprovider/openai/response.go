package openai

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// storedResponse is what an answer leaves behind.
type storedResponse struct {
	answer responseAnswer
	items  []item            // all that a following request builds on
	input  []json.RawMessage // as it was sent
}

// responses answers POST responses.
func (x *exchange) responses() error {
	w, refused := x.readResponse()
	if refused != nil {
		return refused
	}
	if w.request.stores() {
		w.keep()
	}
	if !w.request.Stream {
		return x.Plain(w.answer(), w.g.Tokens(), &w.g.Usage)
	}
	stream := core.EventStream(w.events())
	if !w.request.summarises() {
		stream.Hidden = w.g.Thoughts()
	}
	return x.Stream(stream, &w.g.Usage)
}

// readResponse checks the request and generates the answer.
func (x *exchange) readResponse() (responseWriter, *core.Refusal) {
	var r responseRequest
	if refused := x.decodeResponse(&r); refused != nil {
		return responseWriter{}, refused
	}
	if refused := x.checkModel(); refused != nil {
		return responseWriter{}, refused
	}
	if refused := x.checkResponse(r); refused != nil {
		return responseWriter{}, refused
	}
	items := r.items()
	if r.PreviousResponseID != nil {
		before, ok := x.Kept(*r.PreviousResponseID).(storedResponse)
		if !ok {
			return responseWriter{}, invalid("previous_response_id", "previous_response_not_found", "Previous response with id '%s' not found.", *r.PreviousResponseID)
		}
		items = slices.Concat(before.items, items)
	}
	prompt, refused := x.responsePrompt(r, items)
	if refused != nil {
		return responseWriter{}, refused
	}
	return responseWriter{exchange: x, request: r, items: items, g: x.Generate(x.responseAsk(r, prompt))}, nil
}

func (x *exchange) responseAsk(r responseRequest, prompt core.Prompt) core.Ask {
	word, forced := r.choice()
	ask := core.Ask{Prompt: prompt, Forced: forced, Single: r.ParallelToolCalls != nil && !*r.ParallelToolCalls, Think: core.Thinks(x.Model)}
	if r.MaxOutputTokens != nil {
		ask.Limit = *r.MaxOutputTokens
	}
	switch word {
	case "none":
		ask.Calls = core.CallsNever
	case "required":
		ask.Calls = core.CallsRequired
	}
	for _, t := range r.Tools {
		ask.Tools = append(ask.Tools, core.Tool{Name: t.Name, Schema: t.Parameters})
	}
	if f := r.format(); f.Type != "text" {
		ask.JSON, ask.Schema = true, f.Schema
	}
	return ask
}

// responseWriter puts a generation into the form of the Responses API.
type responseWriter struct {
	*exchange
	request responseRequest
	items   []item
	g       core.Generation
}

func (w responseWriter) choice() core.Choice { return w.g.Choices[0] }

func (w responseWriter) itemID(prefix string, i int) string {
	return fmt.Sprintf("%s_%024d%02d", prefix, w.Sequence, i)
}

// shell is the response before anything was generated.
func (w responseWriter) shell() responseAnswer {
	r := w.request
	out := responseAnswer{
		ID: w.ID("resp_"), Object: "response", CreatedAt: w.Started.Unix(), Status: "in_progress", Instructions: r.Instructions, MaxOutputTokens: r.MaxOutputTokens,
		MaxToolCalls: r.MaxToolCalls, Model: w.ResponseModel(), Output: []outputItem{}, ParallelToolCalls: r.ParallelToolCalls == nil || *r.ParallelToolCalls,
		PreviousResponseID: r.PreviousResponseID, PromptCacheKey: r.PromptCacheKey, SafetyIdentifier: r.SafetyIdentifier, ServiceTier: "default",
		Store: r.stores(), Temperature: 1, TopP: 1, ToolChoice: json.RawMessage(`"auto"`), Tools: r.Tools, Truncation: "disabled", User: r.User, Metadata: r.Metadata,
	}
	out.Text.Format, out.Text.Verbosity = r.format(), "medium"
	if r.Reasoning != nil {
		out.Reasoning.Effort, out.Reasoning.Summary = r.Reasoning.Effort, r.Reasoning.Summary
	}
	if r.Temperature != nil {
		out.Temperature = *r.Temperature
	}
	if r.TopP != nil {
		out.TopP = *r.TopP
	}
	if len(r.ToolChoice) > 0 && string(r.ToolChoice) != "null" {
		out.ToolChoice = r.ToolChoice
	}
	if out.Tools == nil {
		out.Tools = []responseTool{}
	}
	if out.Metadata == nil {
		out.Metadata = map[string]string{}
	}
	if r.TopLogprobs != nil {
		out.TopLogprobs = *r.TopLogprobs
	}
	return out
}

// answer is the whole response.
func (w responseWriter) answer() responseAnswer {
	out := w.shell()
	out.Output = w.output()
	out.Status = "completed"
	if w.choice().Finish == core.FinishLength {
		out.Status = "incomplete"
		out.IncompleteDetails = &incompleteDetails{"max_output_tokens"}
	}
	if w.HidesUsage() {
		return out
	}
	u := w.g.Usage
	usage := &responseUsage{InputTokens: u.PromptTokens, OutputTokens: u.CompletionTokens, TotalTokens: u.PromptTokens + u.CompletionTokens}
	usage.InputTokensDetails.CachedTokens, usage.OutputTokensDetails.ReasoningTokens = u.CachedTokens, u.ReasoningTokens
	out.Usage = usage
	return out
}

// output are the items: reasoning, then calls or a message.
func (w responseWriter) output() []outputItem {
	out := []outputItem{}
	c := w.choice()
	if len(c.Thoughts) > 0 {
		out = append(out, w.thought())
	}
	for _, call := range c.Calls {
		i := len(out)
		out = append(out, outputItem{
			ID: w.itemID("fc", i), Type: "function_call", Status: "completed", Arguments: &call.Arguments, CallID: w.itemID("call", i), Name: call.Name,
		})
	}
	if c.Calls == nil && (len(c.Tokens) > 0 || c.Finish != core.FinishLength) {
		text := outputPart{Type: "output_text", Text: c.Text(), Annotations: json.RawMessage("[]"), Logprobs: w.logprobs(c.Tokens)}
		status := "completed"
		if c.Finish == core.FinishLength {
			status = "incomplete"
		}
		out = append(out, outputItem{ID: w.itemID("msg", len(out)), Type: "message", Status: status, Role: "assistant", Content: []outputPart{text}})
	}
	return out
}

// thought is the reasoning, encrypted where that was asked for.
func (w responseWriter) thought() outputItem {
	whole := w.choice().Thinking()
	out := outputItem{ID: w.itemID("rs", 0), Type: "reasoning", Summary: &[]summaryPart{}}
	if w.request.summarises() {
		*out.Summary = append(*out.Summary, summaryPart{"summary_text", whole})
	}
	if w.request.includes("reasoning.encrypted_content") {
		sealed := core.Seal(w.flavour.sealer(), whole)
		out.EncryptedContent = &sealed
	}
	return out
}

// logprobs are made up where they were asked for.
func (w responseWriter) logprobs(tokens []string) json.RawMessage {
	if !w.request.includes("message.output_text.logprobs") {
		return json.RawMessage("[]")
	}
	top := 0
	if w.request.TopLogprobs != nil {
		top = *w.request.TopLogprobs
	}
	return core.Encode(logprobs(tokens, top).Content)
}

// keep stores the answer, and every item of it by its id.
func (w responseWriter) keep() {
	answer := w.answer()
	items := slices.Clone(w.items)
	var output []item
	if err := json.Unmarshal(core.Encode(answer.Output), &output); err == nil {
		items = append(items, output...)
	}
	for _, it := range output {
		w.Keep(it.ID, it)
	}
	var body struct {
		Input []json.RawMessage `json:"input"`
	}
	if json.Unmarshal(w.Body, &body) != nil { // a string is one message
		body.Input = []json.RawMessage{core.Encode(map[string]any{
			"id": w.itemID("msg", 99), "type": "message", "role": "user", "status": "completed",
			"content": []any{map[string]string{"type": "input_text", "text": w.request.Input.Text}},
		})}
	}
	w.Keep(answer.ID, storedResponse{answer, items, body.Input})
}

// stored finds the response that the path names.
func (x *exchange) stored() (storedResponse, *core.Refusal) {
	id := x.R.PathValue("id")
	found, ok := x.Kept(id).(storedResponse)
	if !ok {
		return storedResponse{}, &core.Refusal{Status: http.StatusNotFound, Body: core.APIError{
			Message: fmt.Sprintf("Response with id '%s' not found.", id), Type: "invalid_request_error",
		}}
	}
	return found, nil
}

func (x *exchange) getResponse() error {
	found, refused := x.stored()
	if refused != nil {
		return refused
	}
	return x.Plain(found.answer, 0, nil)
}

func (x *exchange) deleteResponse() error {
	found, refused := x.stored()
	if refused != nil {
		return refused
	}
	x.Forget(found.answer.ID)
	return x.Plain(map[string]any{"id": found.answer.ID, "object": "response", "deleted": true}, 0, nil)
}

func (x *exchange) responseInput() error {
	found, refused := x.stored()
	if refused != nil {
		return refused
	}
	return x.Plain(map[string]any{"object": "list", "data": found.input, "first_id": nil, "last_id": nil, "has_more": false}, 0, nil)
}

// inputTokens counts what a request would cost.
func (x *exchange) inputTokens() error {
	var r responseRequest
	if refused := x.decodeResponse(&r); refused != nil {
		return refused
	}
	prompt, refused := x.responsePrompt(r, r.items())
	if refused != nil {
		return refused
	}
	usage := x.Count(prompt.Tokens())
	return x.Plain(map[string]any{"object": "response.input_tokens", "input_tokens": usage.PromptTokens}, 0, nil)
}

// responseRoutes are the endpoints of the Responses API.
func (f flavour) responseRoutes(prefix string) []core.Route {
	at := strings.TrimSuffix(prefix, "/") + "/responses"
	return []core.Route{
		f.route(http.MethodPost, at, "responses", (*exchange).responses),
		f.route(http.MethodPost, at+"/input_tokens", "responses/input_tokens", (*exchange).inputTokens),
		f.route(http.MethodGet, at+"/{id}", "responses", (*exchange).getResponse),
		f.route(http.MethodDelete, at+"/{id}", "responses", (*exchange).deleteResponse),
		f.route(http.MethodGet, at+"/{id}/input_items", "responses", (*exchange).responseInput),
	}
}
