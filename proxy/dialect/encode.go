package dialect

import "encoding/json"

// AppendJSON appends a value of a dialect's own types, which encoding/json always takes; a value that it does not take becomes an empty object.
func AppendJSON(dst []byte, value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		return append(dst, "{}"...)
	}
	return append(dst, text...)
}
