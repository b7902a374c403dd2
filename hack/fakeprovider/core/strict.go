package core

import (
	"encoding/json"
	"fmt"
	"reflect"
	"sort"
	"strings"
)

// UnknownField is the path of the first field in a JSON value that the type has no place for, such as "messages[0].foo"; empty if there is none.
// What the type leaves open (maps, any, raw JSON, types that decode themselves) is not looked into.
func UnknownField(data []byte, t reflect.Type) string {
	return strings.TrimPrefix(unknownIn(data, t, ""), ".")
}

func unknownIn(data []byte, t reflect.Type, path string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if open, ok := reflect.New(t).Interface().(interface{ Open() reflect.Type }); ok {
		t = open.Open()
		if trimmed := strings.TrimSpace(string(data)); trimmed == "" || trimmed[0] != '[' {
			return ""
		}
	} else if _, ok := reflect.New(t).Interface().(json.Unmarshaler); ok {
		return ""
	}
	switch t.Kind() {
	case reflect.Struct:
		return unknownInObject(data, t, path)
	case reflect.Slice:
		var items []json.RawMessage
		if json.Unmarshal(data, &items) != nil {
			return "" // the wrong type is another's to refuse
		}
		for i, item := range items {
			if found := unknownIn(item, t.Elem(), fmt.Sprintf("%s[%d]", path, i)); found != "" {
				return found
			}
		}
	default:
	}
	return ""
}

func unknownInObject(data []byte, t reflect.Type, path string) string {
	var given map[string]json.RawMessage
	if json.Unmarshal(data, &given) != nil {
		return ""
	}
	known := map[string]reflect.Type{}
	collectFields(t, known)
	names := make([]string, 0, len(given))
	for name := range given {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		field, ok := known[name]
		if !ok {
			return path + "." + name
		}
		if found := unknownIn(given[name], field, path+"."+name); found != "" {
			return found
		}
	}
	return ""
}

// collectFields lists a struct's fields by JSON name, those of embedded structs included.
func collectFields(t reflect.Type, into map[string]reflect.Type) {
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		if field.Anonymous && name == "" {
			collectFields(field.Type, into)
			continue
		}
		if name != "" && name != "-" {
			into[name] = field.Type
		}
	}
}

// OneOrMany is a JSON list, or a string that stands for one element which only the type knows how to make.
type OneOrMany[T any] struct {
	// Text is the string, if IsText.
	Text   string
	IsText bool
	Items  []T
	// Given is true for anything but null, Null for null.
	Given, Null bool
}

// Open names the type to look into.
func (OneOrMany[T]) Open() reflect.Type { return reflect.TypeFor[[]T]() }

// UnmarshalJSON reads a string, a list or null.
func (o *OneOrMany[T]) UnmarshalJSON(data []byte) error {
	*o = OneOrMany[T]{}
	switch {
	case string(data) == "null":
		o.Null = true
		return nil
	case len(data) > 0 && data[0] == '"':
		o.IsText, o.Given = true, true
		return json.Unmarshal(data, &o.Text)
	}
	o.Given = true
	return json.Unmarshal(data, &o.Items)
}

// Decode reads a body strictly: the path of an unknown field comes back, or the error of encoding/json.
func Decode(x *Exchange, out any) (unknown string, err error) {
	if err := json.Unmarshal(x.Body, out); err != nil {
		return "", fmt.Errorf("decoding the request: %w", err)
	}
	if x.Settings.UnknownParameters == UnknownIgnored {
		return "", nil
	}
	return UnknownField(x.Body, reflect.TypeOf(out)), nil
}
