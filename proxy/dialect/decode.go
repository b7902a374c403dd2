package dialect

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// Decode reads a request's body, or a part of it at a path such as "messages[2].content", into a value. The error is a *RequestError that names the member.
func Decode(raw []byte, path string, into any) error {
	err := json.Unmarshal(raw, into)
	if err == nil {
		return nil
	}
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		param := strings.Trim(path+"."+wrongType.Field, ".")
		return &RequestError{Code: CodeInvalidType, Param: param, Message: fmt.Sprintf("%s must not be %s %s", quoteParam(param), article(wrongType.Value), wrongType.Value)}
	}
	return &RequestError{Code: CodeInvalidValue, Param: path, Message: quoteParam(path) + " cannot be read"}
}

func quoteParam(param string) string {
	if param == "" {
		return "the request body"
	}
	return `"` + param + `"`
}

func article(noun string) string {
	if strings.ContainsAny(noun[:min(1, len(noun))], "aeiou") {
		return "an"
	}
	return "a"
}

// ExtraMembers returns the members of a checked object that are not known and not null, in their order.
func ExtraMembers(object []byte, known []string) []neutral.Member {
	start := jsonscan.Space(object, 0)
	if start == len(object) || object[start] != '{' {
		return nil
	}
	var extra []neutral.Member
	walk := jsonscan.WalkObject(object, start)
	for member, ok := walk.Next(); ok; member, ok = walk.Next() {
		end := walk.Skip()
		name := string(member.Name(object))
		if value := object[member.Value:end]; string(value) != "null" && !slices.Contains(known, name) {
			extra = append(extra, neutral.Member{Name: name, Value: slices.Clone(value)})
		}
	}
	return extra
}
