package dialect

import (
	"errors"
	"fmt"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
)

// RequestCode is the code of an error in a request's body.
type RequestCode string

// The codes. All of them are answered with status 400.
const (
	// CodeInvalidJSON means that the body is not one JSON object in UTF-8.
	CodeInvalidJSON RequestCode = "invalid_json"
	// CodeMissingParameter means that a required parameter is absent.
	CodeMissingParameter RequestCode = "missing_required_parameter"
	// CodeInvalidType means that a parameter has another JSON type.
	CodeInvalidType RequestCode = "invalid_type"
	// CodeInvalidValue means that a parameter has an impossible value or a misspelled name.
	CodeInvalidValue RequestCode = "invalid_value"
	// CodeDuplicateParameter means that a parameter is given more than once.
	CodeDuplicateParameter RequestCode = "duplicate_parameter"
	// CodeUnsupportedParameter means that a parameter cannot be used here.
	CodeUnsupportedParameter RequestCode = "unsupported_parameter"
)

// RequestError tells the client what is wrong with its request. It holds nothing of the body but names.
type RequestError struct {
	// Code for programs.
	Code RequestCode
	// Param is the parameter at fault; empty when it is the body as a whole.
	Param string
	// Message is a sentence for people.
	Message string
}

// Error implements error.
func (e *RequestError) Error() string { return e.Message }

func invalidJSON(message string) error {
	return &RequestError{Code: CodeInvalidJSON, Message: message}
}

func syntax(err error) error {
	var problem *jsonscan.SyntaxError
	if !errors.As(err, &problem) {
		return invalidJSON("the request body is not valid JSON")
	}
	return invalidJSON(fmt.Sprintf("the request body is not valid JSON: at byte %d it %s", problem.Offset, problem.Problem))
}
