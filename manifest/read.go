package manifest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	yamlv3 "go.yaml.in/yaml/v3"
	apimachineryvalidation "k8s.io/apimachinery/pkg/api/validation"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"
	kjson "sigs.k8s.io/json"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/config/crd"
	"signalbox.dev/signalbox/proxy/compile"
)

// kindNamespace is the kind of Namespaces.
const kindNamespace = "Namespace"

// Reader reads manifests.
type Reader struct {
	schemas map[string]*schema
}

// NewReader returns a Reader of the kinds that this version knows.
func NewReader() (*Reader, error) {
	schemas, err := loadSchemas(crd.Files())
	if err != nil {
		return nil, err
	}
	return &Reader{schemas: schemas}, nil
}

// Read reads the objects of all sources. An object that names no namespace is put into the given one. An object with an error is not in the set.
func (r *Reader) Read(ctx context.Context, sources []Source, namespace string) (*Set, []Problem) {
	l := &loader{reader: r, namespace: namespace, set: &Set{places: map[key]place{}}}
	for _, source := range sources {
		for _, document := range split(source) {
			parsed, problem := document.parse()
			if problem != nil {
				l.problems = append(l.problems, *problem)
			}
			if parsed != nil {
				l.add(ctx, found{document: document, value: parsed.value, node: parsed.node})
			}
		}
	}
	Sort(l.problems)
	return l.set, l.problems
}

// loader fills a set.
type loader struct {
	reader    *Reader
	namespace string
	set       *Set
	problems  []Problem
}

// found is a value in a document that should be an object.
type found struct {
	document document
	value    any
	node     *yamlv3.Node
	// kind that a list gives to its items; empty when the object says it itself.
	kind string
}

// place is where an object is.
type place struct {
	document document
	node     *yamlv3.Node
}

func (p place) position(path string) Position {
	return Position{File: p.document.file, Line: p.document.before + lineOf(p.node, path)}
}

// object is one object of a document.
type object struct {
	place
	content    map[string]any
	apiVersion string
	kind       string
	meta       metav1.ObjectMeta
	// defective tells that an error was reported.
	defective bool
}

func (l *loader) add(ctx context.Context, f found) {
	content, isObject := f.value.(map[string]any)
	if !isObject {
		l.problems = append(l.problems, f.document.problem(f.node.Line, "it is not an object with apiVersion and kind"))
		return
	}
	o := object{place: place{document: f.document, node: f.node}, content: content}
	o.apiVersion, _ = content["apiVersion"].(string)
	o.kind, _ = content["kind"].(string)
	if o.kind == "" && f.kind != "" {
		o.kind = f.kind
	}
	switch items, isList := content["items"].([]any); {
	case o.kind == "":
		l.problems = append(l.problems, f.document.problem(f.node.Line, "it is not an object with apiVersion and kind"))
	case isList && strings.HasSuffix(o.kind, "List"):
		l.addItems(ctx, o, items)
	default:
		l.addObject(ctx, &o)
	}
}

func (l *loader) addItems(ctx context.Context, list object, items []any) {
	_, node := member(resolve(list.node), "items")
	itemKind := strings.TrimSuffix(list.kind, "List")
	for i, item := range items {
		f := found{document: list.document, value: item, node: list.node, kind: itemKind}
		if node != nil && i < len(resolve(node).Content) {
			f.node = resolve(resolve(node).Content[i])
		}
		if content, isObject := item.(map[string]any); isObject && content["apiVersion"] == nil {
			content["apiVersion"] = list.apiVersion
		}
		l.add(ctx, f)
	}
}

func (l *loader) addObject(ctx context.Context, o *object) {
	group, version, grouped := strings.Cut(o.apiVersion, "/")
	switch {
	case grouped && group == v1alpha1.GroupName:
		l.addOwnKind(ctx, o, version)
	case o.apiVersion == "v1" && o.kind == compile.KindSecret:
		l.addSecret(o)
	case o.apiVersion == "v1" && o.kind == kindNamespace:
		l.addNamespace(o)
	default:
		name, _ := nested(o.content, "metadata", "name").(string)
		o.meta.Name = name
		l.report(o, Note, "", "ignored: Signalbox does not read this kind")
	}
}

func nested(content map[string]any, outer, inner string) any {
	within, _ := content[outer].(map[string]any)
	return within[inner]
}

// report adds a problem with an object.
func (l *loader) report(o *object, severity Severity, path, message string) {
	o.defective = o.defective || severity == Error
	l.problems = append(l.problems, Problem{
		Position: o.position(path), Severity: severity, Kind: o.kind, Name: o.meta.Name, Field: path, Message: message,
	})
}

// identify reads an object's metadata and notes where it is. It returns false for an object that has no identity of its own, and says why.
func (l *loader) identify(o *object) bool {
	text, err := json.Marshal(o.content["metadata"])
	if err != nil {
		l.report(o, Error, "metadata", "it cannot be expressed as JSON")
		return false
	}
	unknown, err := kjson.UnmarshalStrict(text, &o.meta)
	if err != nil {
		l.report(o, Error, "metadata", err.Error())
		return false
	}
	for _, strict := range unknown {
		l.report(o, Error, "metadata", strict.Error())
	}
	if o.kind != kindNamespace && o.meta.Namespace == "" {
		o.meta.Namespace = l.namespace
	}
	if o.meta.Name == "" {
		l.report(o, Error, "metadata.name", "Required value: name or generateName is required")
		return false
	}
	k := key{kind: o.kind, namespace: o.meta.Namespace, name: o.meta.Name}
	if first, twice := l.set.places[k]; twice {
		l.report(o, Error, "metadata.name", "this object is declared already, at "+first.position("").String())
		return false
	}
	l.set.places[k] = o.place
	// What a server fills in is left out, so that the output of `kubectl get -o yaml` can be read. The file's content takes the place of a generation.
	o.meta.UID = types.UID(strings.Join([]string{o.kind, o.meta.Namespace, o.meta.Name}, "/"))
	o.meta.Generation = contentHash(o.content["spec"])
	o.meta.ResourceVersion, o.meta.ManagedFields = "", nil
	return true
}

// contentHash returns a positive number that changes with the content.
func contentHash(content any) int64 {
	text, err := json.Marshal(content)
	if err != nil {
		return 1
	}
	sum := sha256.Sum256(text)
	return int64(binary.BigEndian.Uint64(sum[:])&math.MaxInt64) | 1
}

// addOwnKind admits an object of Signalbox's group.
func (l *loader) addOwnKind(ctx context.Context, o *object, version string) {
	if own := v1alpha1.SchemeGroupVersion().Version; version != own {
		l.report(o, Error, "apiVersion", fmt.Sprintf("version %q is not one that this program reads, which is %s", version, own))
		return
	}
	if l.reader.schemas[o.kind] == nil {
		l.report(o, Error, "kind", fmt.Sprintf("there is no kind %q in group %s", o.kind, v1alpha1.GroupName))
		return
	}
	if !l.identify(o) {
		return
	}
	unknown, errs := l.reader.schemas[o.kind].admit(ctx, o.content, &o.meta)
	for _, path := range unknown {
		l.report(o, Error, path, fmt.Sprintf("unknown field %q", path))
	}
	l.reportAll(o, errs)
	if o.defective {
		return
	}
	switch o.kind {
	case compile.KindModelRoute:
		appendTyped(l, o, &l.set.Routes, func(r *v1alpha1.ModelRoute) { r.ObjectMeta = o.meta })
	case compile.KindProviderCredential:
		appendTyped(l, o, &l.set.Credentials, func(c *v1alpha1.ProviderCredential) { c.ObjectMeta = o.meta })
	case compile.KindSpendBudget:
		appendTyped(l, o, &l.set.Budgets, func(b *v1alpha1.SpendBudget) { b.ObjectMeta = o.meta })
	}
}

func (l *loader) reportAll(o *object, errs field.ErrorList) {
	for _, err := range errs {
		path := err.Field
		if path == "<nil>" {
			path = ""
		}
		l.report(o, Error, path, err.ErrorBody())
	}
}

func appendTyped[O any](l *loader, o *object, list *[]O, identify func(*O)) {
	delete(o.content, "metadata")
	text, err := json.Marshal(o.content)
	if err != nil {
		l.report(o, Error, "", "it cannot be expressed as JSON")
		return
	}
	var typed O
	if err := json.Unmarshal(text, &typed); err != nil {
		l.report(o, Error, "", err.Error())
		return
	}
	identify(&typed)
	*list = append(*list, typed)
}

func (l *loader) addNamespace(o *object) {
	if !l.identify(o) {
		return
	}
	l.reportAll(o, apimachineryvalidation.ValidateObjectMeta(&o.meta, false, apimachineryvalidation.ValidateNamespaceName, field.NewPath("metadata")))
	if !o.defective {
		l.set.addNamespace(o.meta)
	}
}
