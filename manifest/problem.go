package manifest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Position is a place in a file.
type Position struct {
	// File as it was named by the user.
	File string
	// Line, from 1; 0 stands for the whole file.
	Line int
}

// String returns file:line.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

// Severity says how bad a problem is.
type Severity string

// The severities.
const (
	// Error means that the object is not, or not wholly, served.
	Error Severity = "error"
	// Warning means that the object is served but may not do what was meant.
	Warning Severity = "warning"
	// Note is for information.
	Note Severity = "note"
)

// Problem is one thing to say about a place in the manifests. It never holds a key.
type Problem struct {
	Position
	// Severity of the problem.
	Severity Severity
	// Kind of the object; empty when there is none.
	Kind string
	// Name of the object.
	Name string
	// Field is the path of the field; empty when it is no field's fault.
	Field string
	// Message says what is wrong.
	Message string
}

// String returns the problem as one line, "file:line: kind/name: field: message". What is no error says so after the line.
func (p Problem) String() string {
	parts := []string{p.Position.String()}
	if p.Severity != Error {
		parts = append(parts, string(p.Severity))
	}
	switch {
	case p.Kind != "" && p.Name != "":
		parts = append(parts, p.Kind+"/"+p.Name)
	case p.Kind != "":
		parts = append(parts, p.Kind)
	}
	if p.Field != "" {
		parts = append(parts, p.Field)
	}
	return strings.Join(append(parts, p.Message), ": ")
}

// Count returns how many problems have the severity.
func Count(problems []Problem, severity Severity) int {
	count := 0
	for i := range problems {
		if problems[i].Severity == severity {
			count++
		}
	}
	return count
}

// Sort orders problems by file and line.
func Sort(problems []Problem) {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Field, b.Field), cmp.Compare(a.Message, b.Message))
	})
}
