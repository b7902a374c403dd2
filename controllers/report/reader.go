// Package report reads what the manager itself delivered to a namespace: the routing table and the report beside it. Each version is decoded once,
// however many objects ask for it.
package report

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"signalbox.dev/signalbox/controllers/platform"
	"signalbox.dev/signalbox/proxy/compile"
	"signalbox.dev/signalbox/proxy/table"
)

// Reader reads tables and reports. It is safe for concurrent use.
type Reader struct {
	secrets client.Reader

	mutex    sync.Mutex
	versions map[string]*version
}

// version is one state of a namespace's table Secret.
type version struct {
	uid             types.UID
	resourceVersion string
	secret          *corev1.Secret

	mutex  sync.Mutex
	report *View
	table  *table.Table
}

// View is a report, indexed.
type View struct {
	// Report as it was decoded.
	Report  *compile.Report
	objects map[key]*compile.ObjectReport
}

type key struct{ kind, name string }

// NewReader reads from a cache that holds the Secrets that the manager made.
func NewReader(secrets client.Reader) *Reader {
	return &Reader{secrets: secrets, versions: map[string]*version{}}
}

// View returns the report of a namespace, nil if it has no table.
func (r *Reader) View(ctx context.Context, namespace string) (*View, error) {
	current, err := r.current(ctx, namespace)
	if err != nil || current == nil {
		return nil, err
	}
	return current.view()
}

// Report returns the report of a namespace, nil if it has no table.
func (r *Reader) Report(ctx context.Context, namespace string) (*compile.Report, error) {
	view, err := r.View(ctx, namespace)
	if err != nil || view == nil {
		return nil, err
	}
	return view.Report, nil
}

// Table returns the table of a namespace, nil if it has none, and the version of the Secret that it is in. It is shared and must not be changed.
func (r *Reader) Table(ctx context.Context, namespace string) (*table.Table, *corev1.Secret, error) {
	current, err := r.current(ctx, namespace)
	if err != nil || current == nil {
		return nil, nil, err
	}
	decoded, err := current.decodeTable()
	return decoded, current.secret, err
}

// current returns the newest version, nil if there is no table.
func (r *Reader) current(ctx context.Context, namespace string) (*version, error) {
	secret := &corev1.Secret{}
	err := r.secrets.Get(ctx, types.NamespacedName{Namespace: namespace, Name: platform.TableSecret}, secret)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	switch {
	case apierrors.IsNotFound(err):
		delete(r.versions, namespace)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading Secret %s/%s: %w", namespace, platform.TableSecret, err)
	}
	known := r.versions[namespace]
	if known == nil || known.uid != secret.UID || known.resourceVersion != secret.ResourceVersion {
		known = &version{uid: secret.UID, resourceVersion: secret.ResourceVersion, secret: secret}
		r.versions[namespace] = known
	}
	return known, nil
}

func (v *version) view() (*View, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.report != nil {
		return v.report, nil
	}
	decoded, err := compile.DecodeReport(v.secret.Data[platform.ReportKey])
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", v.secret.Namespace, v.secret.Name, err)
	}
	view := &View{Report: decoded, objects: make(map[key]*compile.ObjectReport, len(decoded.Objects))}
	for i := range decoded.Objects {
		view.objects[key{decoded.Objects[i].Kind, decoded.Objects[i].Name}] = &decoded.Objects[i]
	}
	v.report = view
	return view, nil
}

func (v *version) decodeTable() (*table.Table, error) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	if v.table != nil {
		return v.table, nil
	}
	decoded, err := table.Decode(v.secret.Data[platform.TableKey])
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", v.secret.Namespace, v.secret.Name, err)
	}
	v.table = decoded
	return decoded, nil
}

// Object finds the report of one object.
func (v *View) Object(kind, name string) (*compile.ObjectReport, bool) {
	found, ok := v.objects[key{kind, name}]
	return found, ok
}
