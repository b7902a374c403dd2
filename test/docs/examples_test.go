package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/manifest"
	"signalbox.dev/signalbox/manifest/lint"
)

// blocks returns the code blocks of a page in a language.
func blocks(page, language string) []string {
	var found []string
	for _, match := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(page, -1) {
		found = append(found, match[1])
	}
	return found
}

// errorsIn reads manifests and returns what is wrong with them. Those that are shown together must also be good together.
func errorsIn(t *testing.T, content string, whole linting) []string {
	t.Helper()
	reader, err := manifest.NewReader()
	if err != nil {
		t.Fatal(err)
	}
	set, problems := reader.Read(t.Context(), []manifest.Source{{Name: "example", Content: []byte(content)}}, "team-a")
	if whole == together {
		problems = append(problems, lint.Linter{Set: set}.Problems()...)
	}
	var wrong []string
	for i := range problems {
		if problems[i].Severity == manifest.Error {
			wrong = append(wrong, problems[i].String())
		}
	}
	return wrong
}

// linting says whether objects of an example refer to others that it does not show.
type linting string

const (
	alone    linting = "alone"
	together linting = "together"
)

func TestManifests(t *testing.T) {
	examples := 0
	for _, name := range pages(t) {
		t.Run(name, func(t *testing.T) {
			var manifests []string
			for _, block := range blocks(read(t, name), "yaml") {
				if strings.Contains(block, "kind:") {
					manifests = append(manifests, block)
				}
			}
			examples += len(manifests)
			how := alone
			if name == "README.md" {
				// One walk through it leaves all of its objects in the namespace.
				manifests, how = []string{strings.Join(manifests, "---\n")}, together
			}
			for _, manifest := range manifests {
				for _, wrong := range errorsIn(t, manifest, how) {
					t.Error(wrong)
				}
			}
		})
	}
	if examples < 5 {
		t.Errorf("only %d manifests found", examples)
	}
}

// The samples are applied as they are, all of them, and are good without a warning.
func TestSamples(t *testing.T) {
	kustomization := read(t, "config/samples/kustomization.yaml")
	paths, err := filepath.Glob(filepath.Join(root, "config", "samples", "*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	var manifests []string
	for _, path := range paths {
		name := filepath.Base(path)
		if name == "kustomization.yaml" {
			continue
		}
		if !strings.Contains(kustomization, "\n- "+name+"\n") {
			t.Errorf("kubectl apply -k config/samples leaves out %s", name)
		}
		manifests = append(manifests, read(t, "config/samples/"+name))
	}
	if len(manifests) < 8 {
		t.Fatalf("only %d samples found", len(manifests))
	}
	for _, wrong := range errorsIn(t, strings.Join(manifests, "---\n"), together) {
		t.Error(wrong)
	}
}

// Every block of YAML can be read, those that show a part of an object too.
func TestPartsAreYAML(t *testing.T) {
	parts := 0
	for _, name := range pages(t) {
		for _, block := range blocks(read(t, name), "yaml") {
			for document := range strings.SplitSeq(block, "\n---\n") {
				var content any
				if err := yaml.UnmarshalStrict([]byte(document), &content); err != nil {
					t.Errorf("%s: %v in\n%s", name, err, document)
				}
				parts++
			}
		}
	}
	if parts < 20 {
		t.Errorf("only %d blocks found", parts)
	}
}

// The check itself must see what is wrong.
func TestManifestsAreChecked(t *testing.T) {
	const broken = "apiVersion: signalbox.dev/v1alpha1\nkind: ModelRoute\nmetadata: {name: a}\nspec: {models: [a], targets: []}\n"
	if len(errorsIn(t, broken, alone)) == 0 {
		t.Error("a route without targets passes")
	}
}

func TestConfigurationExample(t *testing.T) {
	examples := blocks(read(t, "docs/configuration.md"), "yaml")
	if len(examples) == 0 {
		t.Fatal("no example found")
	}
	for _, example := range examples {
		if strings.Contains(example, "kind: Kustomization") {
			continue
		}
		var values map[string]any
		if err := yaml.UnmarshalStrict([]byte(example), &values); err != nil {
			t.Fatal(err)
		}
		// The chart has defaults for it, and keeps what is about the manager's pods to itself.
		proxy, ok := values["proxy"].(map[string]any)
		if !ok {
			proxy = map[string]any{}
			values["proxy"] = proxy
		}
		proxy["image"] = "example.com/signalbox:1"
		delete(values, "manager")
		content, err := yaml.Marshal(values)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := platform.Parse(content); err != nil {
			t.Error(err)
		}
	}
}

func TestLinks(t *testing.T) {
	for _, name := range pages(t) {
		for _, match := range regexp.MustCompile(`\]\(([^)#]+)[^)]*\)`).FindAllStringSubmatch(read(t, name), -1) {
			if strings.Contains(match[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(name), match[1])); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

func TestMakeTargets(t *testing.T) {
	makefiles, err := filepath.Glob(filepath.Join(root, "hack", "make", "*.mk"))
	if err != nil {
		t.Fatal(err)
	}
	rules := read(t, "Makefile")
	for _, makefile := range makefiles {
		rules += read(t, "hack/make/"+filepath.Base(makefile))
	}
	for _, name := range append(pages(t), "CONTRIBUTING.md") {
		for _, match := range regexp.MustCompile("(?m)(?:^|`|FILE )make ([a-z][a-z0-9-]*)").FindAllStringSubmatch(read(t, name), -1) {
			if !regexp.MustCompile(`(?m)^` + match[1] + `:`).MatchString(rules) {
				t.Errorf("%s names `make %s`, which is no target", name, match[1])
			}
		}
	}
}
