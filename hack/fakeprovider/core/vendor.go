package core

import (
	"fmt"
	"net/http"
)

// Vendor is how a provider speaks wherever all its endpoints agree.
type Vendor interface {
	// Head reads what faults and records need out of a request, as far as it can be read.
	Head(r *http.Request, body []byte) Head
	// Authenticate refuses requests without a good key.
	Authenticate(x *Exchange) *Refusal
	// Headers sets the headers that every answer has, rate limits included; Content-Type is set.
	Headers(x *Exchange, h http.Header)
	// UsualError is what the provider says with a status when a key or a fault names only the status.
	UsualError(status int) APIError
	// ErrorBody is the whole JSON body of a refusal; it may add headers.
	ErrorBody(x *Exchange, refused *Refusal, h http.Header) []byte
	// ErrorEvent is an error inside a stream; a plain answer shows its data.
	ErrorEvent(x *Exchange, refused *Refusal) Event
	// NotFound refuses a path that the provider does not serve.
	NotFound(x *Exchange) *Refusal
	// WrongMethod refuses a method that the path does not take.
	WrongMethod(x *Exchange) *Refusal
}

// Head is what a request says about itself before anyone judges it.
type Head struct {
	Model  string
	Stream bool
	Key    string
}

// Route is one endpoint of a provider.
type Route struct {
	// Method is GET, which takes HEAD too, or POST or DELETE. Pattern is a path as http.ServeMux takes it.
	Method, Pattern string
	// Endpoint is the name by which faults match it.
	Endpoint string
	// EndpointOf replaces Endpoint where the path has to be looked into.
	EndpointOf func(r *http.Request) string
	Vendor     Vendor
	Answer     func(x *Exchange) error
}

// APIError is what a refusal says. The fields are OpenAI's; another provider shows those it has a place for.
type APIError struct {
	// Message is the text for people.
	Message string `json:"message"`
	// Type is the class in the provider's own words, such as invalid_request_error or ThrottlingException.
	Type string `json:"type"`
	// Param is the request field at fault, null when it is none.
	Param *string `json:"param"`
	// Code is the machine's word, such as model_not_found, null when there is none.
	Code *string `json:"code"`
}

// Refusal is an APIError on its way to the client with a status.
type Refusal struct {
	Status int
	Body   APIError
}

// Error names the status and the message.
func (r *Refusal) Error() string { return fmt.Sprintf("refused with %d: %s", r.Status, r.Body.Message) }

// Refuse makes a refusal of a type in the provider's words.
func Refuse(status int, kind, format string, args ...any) *Refusal {
	return &Refusal{Status: status, Body: APIError{Type: kind, Message: fmt.Sprintf(format, args...)}}
}
