package feed_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"signalbox.dev/signalbox/proxy/feed"
	"signalbox.dev/signalbox/proxy/table"
)

const (
	namespace  = "team-a"
	secretName = "signalbox-table"
)

// apiServer is as much of an API server as a watch on one Secret needs. It can go away and come back, and forget its history.
type apiServer struct {
	http *httptest.Server

	mu      sync.Mutex
	away    bool
	version int
	packed  []byte
	// gone makes the next watch fail as one on a version that is too old.
	gone bool
	// changed is closed and replaced when anything above changes.
	changed  chan struct{}
	lists    int
	watches  int
	rejected int
	fields   []string
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	s := &apiServer{version: 1, changed: make(chan struct{})}
	s.http = httptest.NewServer(s)
	t.Cleanup(func() {
		s.change(func() { s.away = true })
		s.http.Close()
	})
	return s
}

func (s *apiServer) secrets(t *testing.T) feed.Secrets {
	t.Helper()
	client, err := typedcorev1.NewForConfig(&rest.Config{Host: s.http.URL, QPS: -1})
	if err != nil {
		t.Fatal(err)
	}
	return client.Secrets(namespace)
}

func (s *apiServer) change(edit func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	edit()
	s.version++
	close(s.changed)
	s.changed = make(chan struct{})
}

func (s *apiServer) store(packed []byte) { s.change(func() { s.packed = packed }) }

func (s *apiServer) count() (lists, watches, rejected int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists, s.watches, s.rejected
}

// secret is the stored Secret, nil if there is none. The caller holds the lock.
func (s *apiServer) secret() *corev1.Secret {
	if s.packed == nil {
		return nil
	}
	return &corev1.Secret{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{Name: secretName, Namespace: namespace, ResourceVersion: strconv.Itoa(s.version)},
		Data:       map[string][]byte{feed.TableKey: s.packed},
	}
}

func (s *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.fields = append(s.fields, r.URL.Query().Get("fieldSelector"))
	if s.away {
		s.rejected++
		s.mu.Unlock()
		panic(http.ErrAbortHandler)
	}
	if r.URL.Query().Get("watch") == "true" || r.URL.Query().Get("watch") == "1" {
		s.watches++
		s.mu.Unlock()
		s.watch(w, r)
		return
	}
	s.lists++
	list := corev1.SecretList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "SecretList"}, ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(s.version)}}
	if secret := s.secret(); secret != nil {
		list.Items = append(list.Items, *secret)
	}
	s.mu.Unlock()
	writeJSON(w, list)
}

func (s *apiServer) watch(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	w.Header().Set("Content-Type", "application/json")
	seen, err := strconv.Atoi(r.URL.Query().Get("resourceVersion"))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if controller.Flush() != nil {
		return
	}
	for {
		s.mu.Lock()
		away, gone, secret, version, changed := s.away, s.gone, s.secret(), s.version, s.changed
		s.gone = false
		s.mu.Unlock()
		switch {
		case away:
			panic(http.ErrAbortHandler)
		case gone:
			writeEvent(w, "ERROR", metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired,
			})
			return
		case version > seen && secret != nil:
			writeEvent(w, "MODIFIED", secret)
		case version > seen:
			writeEvent(w, "DELETED", &corev1.Secret{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"}, ObjectMeta: metav1.ObjectMeta{Name: secretName, ResourceVersion: strconv.Itoa(version)},
			})
		}
		seen = version
		if controller.Flush() != nil {
			return
		}
		select {
		case <-changed:
		case <-r.Context().Done():
			return
		}
	}
}

func writeEvent(w http.ResponseWriter, kind string, object any) {
	writeJSON(w, map[string]any{"type": kind, "object": object})
}

func writeJSON(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(value); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// encodedTable returns an encoded table with the sequence.
func encodedTable(t *testing.T, sequence int64) []byte {
	t.Helper()
	packed, err := table.Encode(table.Table{
		Format: table.Format, Namespace: namespace, Sequence: sequence,
		Credentials: []table.Credential{{Keys: []table.Key{{Name: "primary", Value: "sk-very-secret"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return packed
}
