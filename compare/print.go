package compare

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/width"
)

const (
	// minColumn is the narrowest column that is still pleasant to read; answers stand below each other where there is less room.
	minColumn = 32
	separator = " │ "
	unknown   = "-"
)

// PrintText writes the answers beside each other as far as columns go, else below each other. columns is the width of the terminal; 0 when there is none.
func PrintText(out io.Writer, answers []Answer, columns int) error {
	text := stacked(answers, columns)
	if room := column(len(answers), columns); len(answers) > 1 && room >= minColumn {
		text = beside(answers, room)
	}
	if _, err := io.WriteString(out, text); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// column is the width of each of n columns.
func column(n, columns int) int {
	if n == 0 {
		return 0
	}
	return (columns - (n-1)*textWidth(separator)) / n
}

// facts are what is told of an answer.
func facts(a *Answer) [][2]string {
	speed := unknown
	if rate, ok := a.TokensPerSecond(); ok {
		speed = strconv.FormatFloat(rate, 'f', 1, 64)
	}
	first, tokens, cost := unknown, unknown, unknown
	if a.FirstToken > 0 {
		first = fmt.Sprintf("%.2f s", a.FirstToken.Seconds())
	}
	if a.PromptTokens+a.CompletionTokens > 0 {
		tokens = fmt.Sprintf("%d in, %d out", a.PromptTokens, a.CompletionTokens)
	}
	if a.Cost != "" {
		cost = a.Cost + " USD"
	}
	return [][2]string{
		{"first token", first}, {"total", fmt.Sprintf("%.2f s", a.Total.Seconds())}, {"tokens/s", speed}, {"tokens", tokens}, {"cost", cost},
		{"finish", orUnknown(a.Finish)}, {"target", orUnknown(a.Target)},
	}
}

func orUnknown(text string) string {
	if text == "" {
		return unknown
	}
	return oneLine(text)
}

// body is the answer as lines of at most room columns; 0 leaves lines as they are.
func body(a *Answer, room int) []string {
	text := strings.TrimSpace(printable(a.Text))
	if a.Err != nil {
		text = strings.TrimSpace(text + "\n\nerror: " + oneLine(a.Err.Error()))
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		lines = append(lines, wrap(line, room)...)
	}
	return lines
}

func stacked(answers []Answer, columns int) string {
	var out strings.Builder
	for i := range answers {
		a := &answers[i]
		if i > 0 {
			out.WriteString("\n")
		}
		fmt.Fprintf(&out, "== %s\n%s\n\n", oneLine(a.Model), strings.Join(body(a, columns), "\n"))
		for _, fact := range facts(a) {
			fmt.Fprintf(&out, "%-12s %s\n", fact[0], fact[1])
		}
	}
	return out.String()
}

func beside(answers []Answer, room int) string {
	blocks := make([][]string, len(answers))
	longest := 0
	for i := range answers {
		blocks[i] = body(&answers[i], room)
		longest = max(longest, len(blocks[i]))
	}
	var lines [][]string
	head := make([]string, len(answers))
	for i := range answers {
		head[i] = cut(oneLine(answers[i].Model), room)
	}
	rule := make([]string, len(answers))
	for i := range rule {
		rule[i] = strings.Repeat("─", room)
	}
	lines = append(lines, head, rule)
	for row := range longest {
		cells := make([]string, len(answers))
		for i, block := range blocks {
			if row < len(block) {
				cells[i] = block[row]
			}
		}
		lines = append(lines, cells)
	}
	lines = append(lines, rule)
	for row := range facts(&answers[0]) {
		cells := make([]string, len(answers))
		for i := range answers {
			fact := facts(&answers[i])[row]
			cells[i] = cut(fmt.Sprintf("%-12s %s", fact[0], fact[1]), room)
		}
		lines = append(lines, cells)
	}
	return join(lines, room)
}

// join puts the cells of each line beside each other.
func join(lines [][]string, room int) string {
	var out strings.Builder
	for _, cells := range lines {
		var line strings.Builder
		for i, cell := range cells {
			if i > 0 {
				line.WriteString(separator)
			}
			line.WriteString(cell + strings.Repeat(" ", max(0, room-textWidth(cell))))
		}
		out.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return out.String()
}

// printable leaves out control characters, with which a model could take over the terminal, but for line feeds; tabs become blanks.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.In(r, unicode.Bidi_Control), r == '\u2028', r == '\u2029':
			return -1
		default:
			return r
		}
	}, text)
}

// runeWidth is how many columns of a terminal a character takes.
func runeWidth(r rune) int {
	if unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) {
		return 0
	}
	switch width.LookupRune(r).Kind() {
	case width.EastAsianWide, width.EastAsianFullwidth:
		return 2
	default:
		return 1
	}
}

func textWidth(text string) int {
	total := 0
	for _, r := range text {
		total += runeWidth(r)
	}
	return total
}

// cut shortens text to room columns.
func cut(text string, room int) string {
	if textWidth(text) <= room {
		return text
	}
	used := 0
	for i, r := range text {
		if used += runeWidth(r); used > room-1 {
			return text[:i] + "…"
		}
	}
	return text
}

// wrap breaks a line at blanks, and inside words that are longer than the room.
func wrap(line string, room int) []string {
	if room <= 0 || textWidth(line) <= room {
		return []string{line}
	}
	var lines []string
	current, used := "", 0
	for word := range strings.FieldsSeq(line) {
		wide := textWidth(word)
		if used > 0 && used+1+wide > room {
			lines = append(lines, current)
			current, used = "", 0
		}
		if used > 0 {
			current, used = current+" ", used+1
		}
		for _, r := range word {
			if used+runeWidth(r) > room {
				lines = append(lines, current)
				current, used = "", 0
			}
			current, used = current+string(r), used+runeWidth(r)
		}
	}
	return append(lines, current)
}

// result is an answer in JSON.
type result struct {
	Model             string       `json:"model"`
	Target            string       `json:"target,omitempty"`
	Text              string       `json:"text"`
	Reasoning         string       `json:"reasoning,omitempty"`
	Finish            string       `json:"finish,omitempty"`
	FirstTokenSeconds *float64     `json:"firstTokenSeconds,omitempty"`
	TotalSeconds      float64      `json:"totalSeconds"`
	TokensPerSecond   *float64     `json:"tokensPerSecond,omitempty"`
	PromptTokens      int64        `json:"promptTokens"`
	CompletionTokens  int64        `json:"completionTokens"`
	CostUSD           string       `json:"costUSD,omitempty"`
	Error             *resultError `json:"error,omitempty"`
}

type resultError struct {
	Status  int    `json:"status,omitempty"`
	Code    string `json:"code,omitempty"`
	Message string `json:"message"`
}

// PrintJSON writes the answers as a list in JSON.
func PrintJSON(out io.Writer, answers []Answer) error {
	results := make([]result, 0, len(answers))
	for i := range answers {
		results = append(results, resultOf(&answers[i]))
	}
	encoder := json.NewEncoder(out)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(results); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

func resultOf(a *Answer) result {
	r := result{
		Model: a.Model, Target: a.Target, Text: a.Text, Reasoning: a.Reasoning, Finish: a.Finish, TotalSeconds: a.Total.Seconds(),
		PromptTokens: a.PromptTokens, CompletionTokens: a.CompletionTokens, CostUSD: a.Cost,
	}
	if a.FirstToken > 0 {
		seconds := a.FirstToken.Seconds()
		r.FirstTokenSeconds = &seconds
	}
	if rate, ok := a.TokensPerSecond(); ok {
		r.TokensPerSecond = &rate
	}
	if a.Err != nil {
		r.Error = &resultError{Message: oneLine(a.Err.Error())}
		var failure *StatusError
		if errors.As(a.Err, &failure) {
			r.Error.Status, r.Error.Code, r.Error.Message = failure.Status, failure.Code, failure.Message
		}
	}
	return r
}
