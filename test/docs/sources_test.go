package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

const root = "../.."

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// pages are the files that users read.
func pages(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"README.md"}
	for _, path := range found {
		names = append(names, "docs/"+filepath.Base(path))
	}
	return names
}

func parse(t *testing.T, path string) *ast.File {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, path), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func text(expression ast.Expr) (string, bool) {
	literal, ok := expression.(*ast.BasicLit)
	if !ok || literal.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(literal.Value)
	return value, err == nil
}

// constants returns the texts of a file's string constants whose names match.
func constants(t *testing.T, path, name string) []string {
	t.Helper()
	pattern := regexp.MustCompile(name)
	var found []string
	ast.Inspect(parse(t, path), func(node ast.Node) bool {
		spec, ok := node.(*ast.ValueSpec)
		if !ok {
			return true
		}
		for i, identifier := range spec.Names {
			if !pattern.MatchString(identifier.Name) || i >= len(spec.Values) {
				continue
			}
			if value, ok := text(spec.Values[i]); ok {
				found = append(found, value)
			}
		}
		return true
	})
	return found
}

// arguments returns the texts that a file passes to functions, at the position that functions gives for each name.
func arguments(t *testing.T, path string, functions map[string]int) []string {
	t.Helper()
	var found []string
	ast.Inspect(parse(t, path), func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		function, ok := call.Fun.(*ast.Ident)
		if !ok {
			return true
		}
		position, known := functions[function.Name]
		if !known || position >= len(call.Args) {
			return true
		}
		if value, ok := text(call.Args[position]); ok {
			found = append(found, value)
		}
		return true
	})
	return found
}

// quoted returns everything that a page shows as code inside a line.
func quoted(page string) map[string]bool {
	all := map[string]bool{}
	for _, match := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(page, -1) {
		all[match[1]] = true
	}
	return all
}

// want fails for names that a page does not explain, and if there are fewer than least, for then the test looks at the wrong place.
func want(t *testing.T, page string, names []string, least int) {
	t.Helper()
	if len(names) < least {
		t.Fatalf("only %d names found in the code: %s", len(names), strings.Join(names, ", "))
	}
	explained := quoted(page)
	for _, name := range names {
		if !explained[name] {
			t.Errorf("`%s` is not explained", name)
		}
	}
}
