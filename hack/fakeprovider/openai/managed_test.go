package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// manage calls a management API and returns status and body; status 0 for an answer that was cut.
func (r *running) manage(method, path, key, body string) (int, map[string]any) {
	r.t.Helper()
	request, err := http.NewRequestWithContext(context.Background(), method, r.url+path, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+key)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, nil
	}
	answer := map[string]any{}
	if err := json.Unmarshal(data, &answer); err != nil {
		r.t.Fatalf("%s %s answered %q: %v", method, path, data, err)
	}
	return response.StatusCode, answer
}

const serviceAccounts = "/v1/organization/projects/proj_1/service_accounts"

func TestManagedKeys(t *testing.T) {
	cases := map[string]struct {
		path, data string
		id, value  func(map[string]any) any
	}{
		"OpenRouter": {
			path: "/api/v1/keys", data: "/api/v1/key",
			id:    func(a map[string]any) any { return a["data"].(map[string]any)["hash"] },
			value: func(a map[string]any) any { return a["key"] },
		},
		"OpenAI": {
			path: serviceAccounts, data: "/v1/models",
			id:    func(a map[string]any) any { return a["id"] },
			value: func(a map[string]any) any { return a["api_key"].(map[string]any)["value"] },
		},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			server := start(t, func(s *core.Settings) {
				s.ManagementKeys, s.Keys = []string{"admin"}, []core.Key{{Value: "stored"}}
			})
			if status, _ := server.manage(http.MethodPost, tc.path, "stored", `{"name":"a-1"}`); status != http.StatusUnauthorized {
				t.Fatalf("a key that is none of management made a key: %d", status)
			}
			status, made := server.manage(http.MethodPost, tc.path, "admin", `{"name":"a-1"}`)
			if status != http.StatusOK {
				t.Fatalf("making a key: %d %v", status, made)
			}
			value, id := fmt.Sprint(tc.value(made)), fmt.Sprint(tc.id(made))
			if status, _ := server.manage(http.MethodGet, tc.data, value, ""); status != http.StatusOK {
				t.Errorf("the key that was made is refused: %d", status)
			}
			if status, _ := server.manage(http.MethodGet, tc.path, value, ""); status != http.StatusUnauthorized {
				t.Errorf("a key that was made manages keys: %d", status)
			}
			if status, list := server.manage(http.MethodGet, tc.path, "admin", ""); status != http.StatusOK || !strings.Contains(fmt.Sprint(list), id) || strings.Contains(fmt.Sprint(list), value) {
				t.Errorf("the list is %d %v", status, list)
			}
			if status, _ := server.manage(http.MethodDelete, tc.path+"/"+id, "admin", ""); status != http.StatusOK {
				t.Errorf("deleting: %d", status)
			}
			if status, _ := server.manage(http.MethodDelete, tc.path+"/"+id, "admin", ""); status != http.StatusNotFound {
				t.Errorf("deleting again: %d", status)
			}
			if status, _ := server.manage(http.MethodGet, tc.data, value, ""); status != http.StatusUnauthorized {
				t.Errorf("the key is still taken after it was deleted: %d", status)
			}
		})
	}
}

// A key can be made without anybody hearing of it, and turn up in the list late.
func TestManagedKeyLost(t *testing.T) {
	server := start(t, func(s *core.Settings) { s.KeyListLag = core.Duration(time.Minute) })
	if err := server.AddFaults(core.Fault{Kind: core.FaultCloseMidBody, Match: core.Match{Endpoint: "keys.make"}}); err != nil {
		t.Fatal(err)
	}
	if status, _ := server.manage(http.MethodPost, "/api/v1/keys", "admin", `{"name":"a-1","limit":2.5}`); status != 0 {
		t.Fatalf("the answer was not lost: %d", status)
	}
	listed := func() int {
		_, list := server.manage(http.MethodGet, "/api/v1/keys", "admin", "")
		return len(list["data"].([]any))
	}
	if len(server.ManagedKeys()) != 1 || listed() != 0 {
		t.Fatalf("%d keys were made and %d are listed, want 1 and 0", len(server.ManagedKeys()), listed())
	}
	if err := server.clock.Sleep(t.Context(), time.Minute); err != nil {
		t.Fatal(err)
	}
	if listed() != 1 {
		t.Errorf("%d keys are listed after the lag, want 1", listed())
	}
}

func TestManagedPages(t *testing.T) {
	server := start(t, nil)
	for i := range 105 {
		server.manage(http.MethodPost, "/api/v1/keys", "admin", fmt.Sprintf(`{"name":"a-%d"}`, i))
		server.manage(http.MethodPost, serviceAccounts, "admin", fmt.Sprintf(`{"name":"b-%d"}`, i))
	}
	_, second := server.manage(http.MethodGet, "/api/v1/keys?offset=100", "admin", "")
	if got := len(second["data"].([]any)); got != 5 {
		t.Errorf("the second page of OpenRouter has %d keys, want 5", got)
	}
	_, first := server.manage(http.MethodGet, serviceAccounts+"?limit=100", "admin", "")
	_, last := server.manage(http.MethodGet, serviceAccounts+"?limit=100&after="+fmt.Sprint(first["last_id"]), "admin", "")
	if got := len(last["data"].([]any)); first["has_more"] != true || last["has_more"] != false || got != 5 {
		t.Errorf("the pages of OpenAI say more %v, %v; the last one has %d, want 5", first["has_more"], last["has_more"], got)
	}
	if keys := server.ManagedKeys(); keys[208].Together != 105 {
		t.Errorf("%d keys lived together, want 105", keys[208].Together)
	}
}
