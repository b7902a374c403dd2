package preference

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/jsonscan"
	"signalbox.dev/signalbox/proxy/meter"
)

// Bounds of what a request can ask for.
const (
	maxSlugs     = 64
	maxSlugBytes = 128
	// maxNameBytes is how much of an unknown member's name an error repeats.
	maxNameBytes = 64
	// maxNumberBytes is the longest number; an exact price has at most 19 digits.
	maxNumberBytes = 32
)

// object is the name of the whole.
const object = "provider"

// readMembers reads the object; null and nothing have no members.
func readMembers(raw []byte) (*members, error) {
	m := &members{}
	raw = bytes.Trim(raw, " \t\r\n")
	if len(raw) == 0 || string(raw) == "null" {
		return m, nil
	}
	err := eachMember(raw, object, m.read)
	return m, err
}

// eachMember calls read with the name and the text of each member of an object that is not null. path is the object's name for errors.
func eachMember(raw []byte, path string, read func(name, path string, value []byte) error) error {
	if raw[0] != '{' {
		return wrongType(path, "an object")
	}
	walk := jsonscan.WalkObject(raw, 0)
	var seen []string
	for {
		member, ok := walk.Next()
		if !ok {
			break
		}
		name := string(member.Name(raw))
		end := walk.Skip()
		if _, err := walk.End(); err != nil {
			break
		}
		inner := path + "." + shortened(name)
		if slices.Contains(seen, name) {
			return &dialect.RequestError{Code: dialect.CodeDuplicateParameter, Param: inner, Message: quoted(inner) + " is given more than once"}
		}
		seen = append(seen, name)
		value := raw[member.Value:end]
		if err := read(name, inner, value); err != nil {
			return err
		}
	}
	if end, err := walk.End(); err != nil || jsonscan.Space(raw, end) != len(raw) {
		return &dialect.RequestError{Code: dialect.CodeInvalidJSON, Param: path, Message: quoted(path) + " is not valid JSON"}
	}
	return nil
}

// read reads one member. Null is nothing, but it is not a way to get an unknown name past.
func (m *members) read(name, path string, value []byte) error {
	if string(value) == "null" && isKnown(name) {
		return nil
	}
	var err error
	switch name {
	case "order":
		m.Order, err = readSlugs(value, path)
	case "only":
		m.Only, err = readSlugs(value, path)
	case "ignore":
		m.Ignore, err = readSlugs(value, path)
	case "allow_fallbacks":
		m.AllowFallbacks, err = readFlag(value, path)
	case "require_parameters":
		m.RequireParameters, err = readFlag(value, path)
	case "zdr":
		m.ZDR, err = readFlag(value, path)
	case "enforce_distillable_text":
		m.Distillable, err = readFlag(value, path)
	default:
		return m.readRest(name, path, value)
	}
	return err
}

func (m *members) readRest(name, path string, value []byte) error {
	var err error
	switch name {
	case "data_collection":
		m.DataCollection, err = readWord(value, path, collectionAllow, collectionDeny)
	case "quantizations":
		m.Quantizations, err = readQuantizations(value, path)
	case "sort":
		m.Sort, err = readSort(value, path)
	case "preferred_min_throughput":
		m.MinThroughput, err = readPercentiles(value, path)
	case "preferred_max_latency":
		m.MaxLatency, err = readPercentiles(value, path)
	case "max_price":
		m.MaxPrice, err = readPrices(value, path)
	default:
		return unknown(path)
	}
	return err
}

func isKnown(name string) bool {
	switch name {
	case "order", "only", "ignore", "allow_fallbacks", "require_parameters", "data_collection", "zdr", "enforce_distillable_text",
		"quantizations", "sort", "preferred_min_throughput", "preferred_max_latency", "max_price":
		return true
	}
	return false
}

func readFlag(value []byte, path string) (*bool, error) {
	flag, err := dialect.ReadFlag(value, path)
	if err != nil {
		return nil, err
	}
	return &flag, nil
}

func readString(value []byte, path string) (string, error) {
	if value[0] != '"' {
		return "", wrongType(path, "a string")
	}
	text, whole := jsonscan.Unquote(nil, value)
	if !whole {
		return "", wrongValue(path, "must be text in UTF-8")
	}
	return string(text), nil
}

// readWord reads one of a few words.
func readWord(value []byte, path string, words ...string) (string, error) {
	text, err := readString(value, path)
	if err != nil {
		return "", err
	}
	if !slices.Contains(words, text) {
		return "", wrongValue(path, "must be one of "+strings.Join(words, ", "))
	}
	return text, nil
}

// readList reads a list of strings. Without elements it is not nil.
func readList(value []byte, path string, read func(value []byte, path string) (string, error)) ([]string, error) {
	if value[0] != '[' {
		return nil, wrongType(path, "a list of strings")
	}
	list := []string{}
	walk := jsonscan.WalkArray(value, 0)
	for {
		at, ok := walk.Next()
		if !ok {
			return list, nil
		}
		if len(list) == maxSlugs {
			return nil, wrongValue(path, "must have at most "+strconv.Itoa(maxSlugs)+" elements")
		}
		element, err := read(value[at:walk.Skip()], path+"["+strconv.Itoa(len(list))+"]")
		if err != nil {
			return nil, err
		}
		list = append(list, element)
	}
}

func readSlugs(value []byte, path string) ([]string, error) { return readList(value, path, readSlug) }

// readSlug reads a provider's slug. What it names is not judged: OpenRouter has providers that nobody here knows.
func readSlug(value []byte, path string) (string, error) {
	slug, err := readString(value, path)
	if err == nil && (slug == "" || len(slug) > maxSlugBytes) {
		err = wrongValue(path, "must have 1 to "+strconv.Itoa(maxSlugBytes)+" bytes")
	}
	return slug, err
}

func readQuantizations(value []byte, path string) ([]string, error) {
	return readList(value, path, func(value []byte, path string) (string, error) {
		return readWord(value, path, "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32", "unknown")
	})
}

// readSort reads a word, or an object of a word and whether the models of a request are sorted each by itself.
func readSort(value []byte, path string) (*sorting, error) {
	s := &sorting{}
	if value[0] != '"' && value[0] != '{' {
		return nil, wrongType(path, "a string or an object")
	}
	if value[0] == '"' {
		by, err := readWord(value, path, string(ByPrice), string(ByThroughput), string(ByLatency))
		s.By = Sort(by)
		return s, err
	}
	err := eachMember(value, path, func(name, path string, value []byte) error {
		var err error
		switch isNull := string(value) == "null"; {
		case name != "by" && name != "partition":
			return unknown(path)
		case isNull:
		case name == "by":
			var by string
			by, err = readWord(value, path, string(ByPrice), string(ByThroughput), string(ByLatency))
			s.By = Sort(by)
		default:
			s.Partition, err = readWord(value, path, partitionModel, partitionNone)
		}
		return err
	})
	return s, err
}

// readPercentiles reads a number, which stands for the median, or an object of numbers.
func readPercentiles(value []byte, path string) (percentiles, error) {
	if value[0] != '{' {
		number, err := readFigure(value, path)
		return percentiles{"p50": number}, err
	}
	found := percentiles{}
	err := eachMember(value, path, func(name, path string, value []byte) error {
		switch name {
		case "p50", "p75", "p90", "p99":
		default:
			return unknown(path)
		}
		if string(value) == "null" {
			return nil
		}
		number, err := readFigure(value, path)
		found[name] = number
		return err
	})
	return found, err
}

// readFigure reads a positive number.
func readFigure(value []byte, path string) (json.Number, error) {
	if !isNumber(value) {
		return "", wrongType(path, "a number, or an object of p50, p75, p90 and p99")
	}
	number := json.Number(value)
	if figure, err := number.Float64(); err != nil || figure <= 0 || len(value) > maxNumberBytes {
		return "", wrongValue(path, "must be a number above 0")
	}
	return number, nil
}

func isNumber(value []byte) bool { return value[0] == '-' || (value[0] >= '0' && value[0] <= '9') }

func readPrices(value []byte, path string) (prices, error) {
	found := prices{}
	if value[0] != '{' {
		return nil, wrongType(path, "an object")
	}
	err := eachMember(value, path, func(name, path string, value []byte) error {
		switch name {
		case "prompt", "completion", "request", "image", "audio":
		default:
			return unknown(path)
		}
		if string(value) == "null" {
			return nil
		}
		nano, err := readDollars(value, path)
		found[name] = nanoDollars(nano)
		return err
	})
	return found, err
}

// readDollars reads dollars exactly, from a number or a string.
func readDollars(value []byte, path string) (int64, error) {
	text := string(value)
	switch {
	case value[0] == '"':
		var err error
		if text, err = readString(value, path); err != nil {
			return 0, err
		}
	case !isNumber(value):
		return 0, wrongType(path, "a number or a string")
	}
	plain, ok := withoutExponent(text)
	if !ok {
		return 0, wrongValue(path, "must be an amount of dollars, like 0.59")
	}
	nano, err := meter.ParseUSD(plain)
	if err != nil {
		return 0, wrongValue(path, "must be an amount of dollars of at most nine digits on either side of the point, like 0.59")
	}
	return nano, nil
}

// withoutExponent writes a decimal number that may have an exponent, as programs write small ones, without it. It stays exact. False when it is too long.
func withoutExponent(text string) (string, bool) {
	if len(text) > maxNumberBytes {
		return "", false
	}
	cut := strings.IndexAny(text, "eE")
	if cut < 0 {
		return text, true
	}
	shift, err := strconv.Atoi(text[cut+1:])
	if err != nil || shift < -maxNumberBytes || shift > maxNumberBytes {
		return "", false
	}
	whole, fraction, _ := strings.Cut(text[:cut], ".")
	padding := strings.Repeat("0", maxNumberBytes)
	digits, point := padding+whole+fraction+padding, maxNumberBytes+len(whole)+shift
	whole = strings.TrimLeft(digits[:point], "0")
	fraction = strings.TrimRight(digits[point:], "0")
	if whole == "" {
		whole = "0"
	}
	if fraction == "" {
		return whole, true
	}
	return whole + "." + fraction, true
}

func unknown(path string) error {
	return &dialect.RequestError{Code: dialect.CodeUnsupportedParameter, Param: path, Message: quoted(path) + " is not known"}
}

func wrongType(path, want string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidType, Param: path, Message: quoted(path) + " must be " + want}
}

func wrongValue(path, problem string) error {
	return &dialect.RequestError{Code: dialect.CodeInvalidValue, Param: path, Message: quoted(path) + " " + problem}
}

func quoted(path string) string { return fmt.Sprintf("%q", path) }

// shortened cuts a name that came from outside.
func shortened(name string) string {
	if len(name) > maxNameBytes {
		return strings.ToValidUTF8(name[:maxNameBytes], "") + "..."
	}
	return name
}
