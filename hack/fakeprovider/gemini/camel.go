package gemini

import (
	"encoding/json"
	"reflect"
	"strings"
)

// camel rewrites the snake_case names that Google accepts beside its own into the latter, wherever the type knows the field.
func camel(data []byte, t reflect.Type) []byte {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t.Kind() {
	case reflect.Struct:
		return camelObject(data, func(name string) (string, reflect.Type) { return fieldNamed(name, t) })
	case reflect.Map:
		if t.Elem().Kind() == reflect.Struct {
			return camelObject(data, func(name string) (string, reflect.Type) { return name, t.Elem() })
		}
	case reflect.Slice:
		var items []json.RawMessage
		if t.Elem().Kind() == reflect.Uint8 || json.Unmarshal(data, &items) != nil || items == nil {
			return data
		}
		for i, item := range items {
			items[i] = camel(item, t.Elem())
		}
		return remarshal(items, data)
	default:
	}
	return data
}

// camelObject rewrites an object; field finds the name and the type that a name stands for.
func camelObject(data []byte, field func(string) (string, reflect.Type)) []byte {
	var given map[string]json.RawMessage
	if json.Unmarshal(data, &given) != nil || given == nil {
		return data // the wrong type is the decoder's to refuse
	}
	out := make(map[string]json.RawMessage, len(given))
	for name, value := range given {
		known, t := field(name)
		if t != nil {
			value = camel(value, t)
		}
		out[known] = value
	}
	return remarshal(out, data)
}

func remarshal(value any, otherwise []byte) []byte {
	out, err := json.Marshal(value)
	if err != nil {
		return otherwise
	}
	return out
}

// fieldNamed finds a field by its name in either case; unknown ones keep theirs.
func fieldNamed(name string, t reflect.Type) (string, reflect.Type) {
	words := strings.Split(name, "_")
	for i, word := range words[1:] {
		if word != "" {
			words[i+1] = strings.ToUpper(word[:1]) + word[1:]
		}
	}
	wanted := strings.Join(words, "")
	for i := range t.NumField() {
		tag, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if tag == wanted {
			return wanted, t.Field(i).Type
		}
	}
	return name, nil
}
