package docs

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/cmd"
	"signalbox.dev/signalbox/config/crd"
	"signalbox.dev/signalbox/proxy/telemetry"
)

func TestErrorCodes(t *testing.T) {
	page := read(t, "docs/errors.md")
	codes := constants(t, "proxy/server/errors.go", "^Code[A-Z]")
	requestCodes := constants(t, "proxy/dialect/requesterror.go", "^Code[A-Z]")
	want(t, page, codes, 20)
	want(t, page, requestCodes, 5)
	for _, row := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		if !slices.Contains(codes, row[1]) {
			t.Errorf("`%s` is explained, and no code has that name", row[1])
		}
	}
}

func TestConditionsAndReasons(t *testing.T) {
	kinds := read(t, "docs/modelroute.md") + read(t, "docs/providercredential.md") + read(t, "docs/spendbudget.md")
	want(t, kinds, constants(t, "api/v1alpha1/conditions.go", "^Condition[A-Z]"), 9)
	reasons := constants(t, "api/v1alpha1/conditions.go", "^Reason[A-Z]")
	want(t, kinds, reasons, 30)
	for _, row := range regexp.MustCompile("(?m)^\\| (`[A-Z][A-Za-z]+`(?:, `[A-Z][A-Za-z]+`)*) \\| (?:`|any|as named|a target)").FindAllStringSubmatch(kinds, -1) {
		for reason := range strings.SplitSeq(strings.ReplaceAll(row[1], "`", ""), ", ") {
			if !slices.Contains(reasons, reason) {
				t.Errorf("`%s` is explained, and no reason has that name", reason)
			}
		}
	}
}

func TestMetrics(t *testing.T) {
	page := read(t, "docs/metrics.md")
	files, err := fs.Glob(os.DirFS(root), "proxy/telemetry/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var metrics []string
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		metrics = append(metrics, arguments(t, file, map[string]int{"counters": 0, "histograms": 0, "states": 0})...)
		for _, match := range regexp.MustCompile(`Name: "([a-z_]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			metrics = append(metrics, match[1])
		}
		want(t, page, constants(t, file, "^label[A-Z]"), 0)
	}
	for _, match := range regexp.MustCompile(`NewDesc\("([a-z_]+)"`).FindAllStringSubmatch(read(t, "controllers/providercredential/ages.go"), -1) {
		metrics = append(metrics, match[1])
	}
	want(t, page, metrics, 25)
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:signalbox|gen_ai)_[a-z_]+)` \\|").FindAllStringSubmatch(page, -1) {
		if !slices.Contains(metrics, row[1]) {
			t.Errorf("`%s` is explained, and no metric has that name", row[1])
		}
	}
}

// A line with everything in it shows all fields that there are.
func TestAccessLog(t *testing.T) {
	var line bytes.Buffer
	telemetry.NewAccessLog(&line).Write(&telemetry.Entry{
		Time: time.Unix(1, 0), RequestID: "a", TraceID: "a", Caller: "a", Method: "a", Path: "a", Operation: telemetry.Chat, Route: "a", Target: "a", Provider: "a",
		Model: "a", UpstreamModel: "a", Stream: true, Status: 200, Code: "ok", Detail: "a", Attempts: 1, Priced: true,
		Mirror: true, Retries: 1, FallbackFrom: []string{"a"}, Excluded: 1, Queued: time.Second,
		Usage: telemetry.Usage{Prompt: 1, Cached: 1, Completion: 1, Cost: 1}, FirstToken: time.Second, Upstream: time.Second, Duration: time.Second,
	})
	var fields map[string]any
	if err := json.Unmarshal(line.Bytes(), &fields); err != nil {
		t.Fatal(err)
	}
	page := read(t, "docs/metrics.md")
	want(t, page, slices.Collect(maps.Keys(fields)), 20)
	_, table, _ := strings.Cut(page, "## Access log")
	table, _, _ = strings.Cut(table, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-z_]+`(?:, `[a-z_]+`)*) \\|").FindAllStringSubmatch(table, -1) {
		for name := range strings.SplitSeq(strings.ReplaceAll(row[1], "`", ""), ", ") {
			if _, ok := fields[name]; !ok {
				t.Errorf("`%s` is explained, and no field has that name", name)
			}
		}
	}
}

func TestHeaders(t *testing.T) {
	var headers []string
	for _, header := range constants(t, "proxy/server/observe.go", "^header[A-Z]") {
		if strings.HasPrefix(header, "X-") {
			headers = append(headers, strings.ToLower(header))
		}
	}
	want(t, read(t, "docs/api.md"), headers, 6)
}

// schemaNode is what is looked at of a JSON schema.
type schemaNode struct {
	Properties map[string]schemaNode `json:"properties"`
}

// leaves are the paths of all values that hold no further ones.
func (n schemaNode) leaves(path string) []string {
	if len(n.Properties) == 0 {
		return []string{path}
	}
	var all []string
	for name, child := range n.Properties {
		all = append(all, child.leaves(strings.TrimPrefix(path+"."+name, "."))...)
	}
	return all
}

// has tells whether the schema knows a path.
func (n schemaNode) has(path []string) bool {
	if len(path) == 0 {
		return true
	}
	child, ok := n.Properties[path[0]]
	return ok && child.has(path[1:])
}

func TestChartValues(t *testing.T) {
	var schema schemaNode
	if err := json.Unmarshal([]byte(read(t, "charts/signalbox/values.schema.json")), &schema); err != nil {
		t.Fatal(err)
	}
	page := read(t, "docs/configuration.md")
	explained := quoted(page)
	leaves := schema.leaves("")
	if len(leaves) < 40 {
		t.Fatalf("only %d values found in the schema", len(leaves))
	}
	for _, leaf := range leaves {
		// Helm's own.
		if leaf == "global" {
			continue
		}
		// A value is explained by itself or by the group that it belongs to, unless that group is a whole section.
		path, found := leaf, false
		for !found && (strings.Contains(path, ".") || path == leaf) {
			found = explained[path]
			path = path[:max(0, strings.LastIndex(path, "."))]
		}
		if !found {
			t.Errorf("value `%s` is not explained", leaf)
		}
	}
	for _, row := range regexp.MustCompile("(?m)^\\| (`[a-zA-Z.]+`(?:, `[a-zA-Z.]+`)*) \\|").FindAllStringSubmatch(page, -1) {
		for name := range strings.SplitSeq(strings.ReplaceAll(row[1], "`", ""), ", ") {
			if !schema.has(strings.Split(name, ".")) {
				t.Errorf("value `%s` is explained, and the chart has no such value", name)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	tests := map[string]struct {
		command *cobra.Command
		page    string
	}{
		"run":     {command: cmd.NewRun(), page: "docs/cli.md"},
		"check":   {command: cmd.NewCheck(), page: "docs/cli.md"},
		"manager": {command: cmd.NewManager(), page: "docs/configuration.md"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			page := read(t, tc.page)
			tc.command.Flags().VisitAll(func(flag *pflag.Flag) {
				if !regexp.MustCompile("`--" + flag.Name + "[ `]").MatchString(page) {
					t.Errorf("flag --%s is not explained", flag.Name)
				}
			})
		})
	}
}

// Every field of a spec and of a status is named on the page of its kind.
func TestFields(t *testing.T) {
	err := fs.WalkDir(crd.Files(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasPrefix(path, "signalbox.dev_") {
			return err
		}
		content, err := fs.ReadFile(crd.Files(), path)
		if err != nil {
			return err
		}
		var definition apiextensionsv1.CustomResourceDefinition
		if err := yaml.UnmarshalStrict(content, &definition); err != nil {
			return err
		}
		t.Run(definition.Spec.Names.Kind, func(t *testing.T) {
			page := read(t, "docs/"+definition.Spec.Names.Singular+".md")
			schema := definition.Spec.Versions[0].Schema.OpenAPIV3Schema
			for _, part := range []string{"spec", "status"} {
				names := fieldNames(schema.Properties[part])
				if len(names) < 6 {
					t.Fatalf("only %d fields found in %s", len(names), part)
				}
				for name := range names {
					if !regexp.MustCompile(`\b` + name + `\b`).MatchString(page) {
						t.Errorf("field %s of %s is not explained", name, part)
					}
				}
			}
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// fieldNames are the names of all fields below a schema. Those of conditions are Kubernetes' own.
func fieldNames(schema apiextensionsv1.JSONSchemaProps) map[string]bool {
	names := map[string]bool{}
	for name, child := range schema.Properties {
		if name == "conditions" {
			continue
		}
		names[name] = true
		for below := range fieldNames(child) {
			names[below] = true
		}
	}
	if schema.Items != nil && schema.Items.Schema != nil {
		for below := range fieldNames(*schema.Items.Schema) {
			names[below] = true
		}
	}
	return names
}
