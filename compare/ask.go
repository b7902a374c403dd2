package compare

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect/sse"
)

const (
	// maxErrorBody bounds what is read of an error, and maxEvent one event of a stream.
	maxErrorBody = 64 << 10
	maxEvent     = 1 << 20
	// maxAnswer bounds what is kept of an answer.
	maxAnswer = 8 << 20
	// maxMessage bounds what is shown of an error.
	maxMessage = 600
)

// errTooLong ends an answer above maxAnswer.
var errTooLong = fmt.Errorf("the answer is longer than %d MiB", maxAnswer>>20)

// StatusError is an answer of the proxy that is an error.
type StatusError struct {
	// Status of HTTP.
	Status int
	// Code of the proxy, where the surface has a place for it.
	Code string
	// Message for people.
	Message string
}

// Error implements error.
func (e *StatusError) Error() string {
	text := fmt.Sprintf("status %d", e.Status)
	if e.Code != "" {
		text += ", " + e.Code
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// ask puts the question to one model.
func (o *Options) ask(ctx context.Context, model string, q Question) Answer {
	answer := Answer{Model: model}
	started := o.Now()
	answer.Err = o.stream(ctx, &answer, started, q)
	answer.Total = o.Now().Sub(started)
	return answer
}

// stream sends the request and reads the answer as it comes.
func (o *Options) stream(ctx context.Context, answer *Answer, started time.Time, q Question) error {
	api := surfaces()[o.Surface]
	body, err := json.Marshal(api.request(answer.Model, q))
	if err != nil {
		return fmt.Errorf("encoding the request: %w", err)
	}
	address := strings.TrimSuffix(o.URL, "/") + api.path(url.PathEscape(answer.Model))
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("building the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream")
	request.Header.Set("Authorization", "Bearer "+o.Key)
	response, err := o.Client.Do(request)
	if err != nil {
		return fmt.Errorf("calling the proxy: %w", err)
	}
	answer.Target = response.Header.Get("X-Signalbox-Target")
	err = o.read(answer, started, response, api)
	return errors.Join(err, response.Body.Close())
}

// read takes in the answer.
func (o *Options) read(answer *Answer, started time.Time, response *http.Response, api surface) error {
	if response.StatusCode != http.StatusOK {
		return statusError(response)
	}
	if kind := response.Header.Get("Content-Type"); !strings.HasPrefix(kind, "text/event-stream") {
		return fmt.Errorf("the answer is %q and not a stream; is the URL that of the proxy?", oneLine(kind))
	}
	events := sse.NewReader(response.Body, maxEvent)
	for {
		event, err := events.Next()
		switch {
		case errors.Is(err, io.EOF) && api.endsOpen && answer.Finish != "":
			return nil
		case errors.Is(err, io.EOF):
			return errors.New("the stream broke off")
		case err != nil:
			return fmt.Errorf("reading the stream: %w", err)
		}
		if end, err := o.take(answer, started, event.Data, api); end || err != nil {
			return err
		}
	}
}

// take takes in the data of one event, if it has any, and tells whether it was the last.
func (o *Options) take(answer *Answer, started time.Time, data []byte, api surface) (bool, error) {
	if len(data) == 0 {
		return false, nil
	}
	before := answer.length()
	end, err := api.event(data, answer)
	if err != nil {
		return false, err
	}
	if answer.length() > maxAnswer {
		return false, errTooLong
	}
	if before == 0 && answer.length() > 0 {
		answer.FirstToken = o.Now().Sub(started)
	}
	return end, nil
}

// length is how much the model has said.
func (a *Answer) length() int { return len(a.Text) + len(a.Reasoning) }

// statusError reads an error in the shape of any surface.
func statusError(response *http.Response) error {
	failure := &StatusError{Status: response.StatusCode}
	data, err := io.ReadAll(io.LimitReader(response.Body, maxErrorBody))
	if err != nil {
		return errors.Join(failure, fmt.Errorf("reading the error: %w", err))
	}
	var body errorBody
	if json.Unmarshal(data, &body) != nil {
		return failure // an error page of something in between
	}
	failure.Message = oneLine(body.Error.Message)
	failure.Code = body.Error.word()
	return failure
}

// errorBody is an error in the shape of any surface.
type errorBody struct {
	Error errorObject `json:"error"`
}

type errorObject struct {
	Message string          `json:"message"`
	Type    string          `json:"type"`
	Status  string          `json:"status"`
	Code    json.RawMessage `json:"code"`
}

// word is what names the error: OpenAI's code, else Gemini's status, else the type.
func (e errorObject) word() string {
	var code string
	if json.Unmarshal(e.Code, &code) == nil && code != "" {
		return oneLine(code)
	}
	if e.Status != "" {
		return oneLine(e.Status)
	}
	return oneLine(e.Type)
}

// oneLine makes text safe to print in one line, and short.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(printable(text)), " ")
	if runes := []rune(text); len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return text
}
