package auth

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"net/http"
)

// TokenError tells that no token was to be had.
type TokenError struct {
	// Host of the token service; empty where none was asked.
	Host string
	// Status of the answer; 0 when there was none.
	Status int
	// Code is the service's word for the refusal, such as invalid_grant or AccessDenied; empty when it is none of those that are known.
	Code string
	// Number is that of Microsoft Entra ID's error, as in AADSTS7000215; 0 for none.
	Number int64
	// Err is why there was no answer, or none that can be used; nil otherwise.
	Err error
}

// Error implements error.
func (e *TokenError) Error() string {
	service := "the token endpoint"
	if e.Host != "" {
		service += " " + e.Host
	}
	switch {
	case e.Err != nil && e.Host == "":
		return "asking for a token: " + e.Err.Error()
	case e.Err != nil:
		return "asking " + service + " for a token: " + e.Err.Error()
	case e.Number > 0:
		return fmt.Sprintf("%s refused with %s AADSTS%d (status %d)", service, e.Code, e.Number, e.Status)
	case e.Code != "":
		return fmt.Sprintf("%s refused with %s (status %d)", service, e.Code, e.Status)
	default:
		return fmt.Sprintf("%s answered with status %d", service, e.Status)
	}
}

// Unwrap returns Err.
func (e *TokenError) Unwrap() error { return e.Err }

// Refused tells that the key or identity is not good, rather than that the token service cannot be reached or is failing.
func (e *TokenError) Refused() bool {
	switch {
	case e.Err != nil || e.Status < http.StatusBadRequest || e.Status >= http.StatusInternalServerError:
		return false
	case e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden:
		return refusalOf(e.Code) != passing
	default:
		return refusalOf(e.Code) == final
	}
}

// tokenless makes any failure to get a token a TokenError.
func tokenless(err error) error {
	var token *TokenError
	if errors.As(err, &token) {
		return token
	}
	return &TokenError{Err: err}
}

// refusal says what a token service's word for an error means.
type refusal int

const (
	// unknown is no word that is known. Such a word is not repeated: it could be anything.
	unknown refusal = iota
	// passing may get better by waiting.
	passing
	// final does not, as long as nobody changes something.
	final
)

// refusalOf knows the words of OAuth, of the token service of AWS, of the agent of EKS Pod Identity, and of Google's APIs, in this order.
func refusalOf(code string) refusal {
	switch code {
	case "invalid_grant", "invalid_client", "unauthorized_client", "access_denied", "invalid_request", "invalid_target",
		"AccessDenied", "ExpiredToken", "ExpiredTokenException", "InvalidIdentityToken", "InvalidIdentityTokenException", "IDPRejectedClaim", "IDPRejectedClaimException",
		"RegionDisabledException", "ValidationError",
		"AccessDeniedException", "InvalidParameterException", "InvalidRequestException", "InvalidTokenException", "ResourceNotFoundException",
		"UNAUTHENTICATED", "PERMISSION_DENIED", "NOT_FOUND", "INVALID_ARGUMENT", "FAILED_PRECONDITION":
		return final
	case "invalid_scope", "server_error", "temporarily_unavailable",
		"IDPCommunicationError", "IDPCommunicationErrorException", "Throttling", "ThrottlingException", "InternalFailure", "ServiceUnavailable",
		"InternalServerException", "ServiceUnavailableException",
		"UNAVAILABLE", "RESOURCE_EXHAUSTED", "INTERNAL", "DEADLINE_EXCEEDED":
		return passing
	default:
		return unknown
	}
}

// readRefusal reads the answer of a token service that is no token. What is not known of it is left out.
func readRefusal(body []byte) (code string, number int64) {
	var answer struct {
		Error   json.RawMessage `json:"error"`
		Code    string          `json:"code"`
		Numbers []int64         `json:"error_codes"`
	}
	if json.Unmarshal(body, &answer) != nil {
		code = readXMLRefusal(body)
	} else if json.Unmarshal(answer.Error, &code) != nil {
		var inner struct {
			Status string `json:"status"`
		}
		code = answer.Code
		if json.Unmarshal(answer.Error, &inner) == nil {
			code = inner.Status
		}
	}
	if refusalOf(code) == unknown {
		return "", 0
	}
	if len(answer.Numbers) > 0 && answer.Numbers[0] > 0 {
		number = answer.Numbers[0]
	}
	return code, number
}

// readXMLRefusal reads how AWS says it.
func readXMLRefusal(body []byte) string {
	var answer struct {
		Error struct {
			Code string `xml:"Code"`
		} `xml:"Error"`
	}
	if xml.Unmarshal(body, &answer) != nil {
		return ""
	}
	return answer.Error.Code
}
