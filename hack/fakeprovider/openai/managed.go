package openai

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"time"

	"signalbox.dev/signalbox/hack/fakeprovider/core"
)

// Names by which faults match the endpoints of the management APIs.
const (
	endpointListKeys   = "keys.list"
	endpointMakeKey    = "keys.make"
	endpointDeleteKey  = "keys.delete"
	endpointGetKey     = "keys.get"
	openRouterAccount  = "OpenRouter"
	openRouterPageSize = 100
	openAIPageSize     = 20
	openAIMaxPageSize  = 100
)

// managementRoutes are OpenRouter's keys and OpenAI's service accounts.
func managementRoutes() []core.Route {
	const keys, accounts = "/api/v1/keys", "/v1/organization/projects/{project}/service_accounts"
	return []core.Route{
		openRouter.route(http.MethodGet, keys, endpointListKeys, (*exchange).listKeys),
		openRouter.route(http.MethodPost, keys, endpointMakeKey, (*exchange).makeKey),
		openRouter.route(http.MethodGet, keys+"/{id}", endpointGetKey, (*exchange).getKey),
		openRouter.route(http.MethodDelete, keys+"/{id}", endpointDeleteKey, (*exchange).deleteKey),
		openAI.route(http.MethodGet, accounts, endpointListKeys, (*exchange).listAccounts),
		openAI.route(http.MethodPost, accounts, endpointMakeKey, (*exchange).makeAccount),
		openAI.route(http.MethodGet, accounts+"/{id}", endpointGetKey, (*exchange).getAccount),
		openAI.route(http.MethodDelete, accounts+"/{id}", endpointDeleteKey, (*exchange).deleteAccount),
	}
}

// manages tells whether a request is to a management API.
func manages(endpoint string) bool {
	return slices.Contains([]string{endpointListKeys, endpointMakeKey, endpointDeleteKey, endpointGetKey}, endpoint)
}

// keyObject is a key as OpenRouter shows it. Its hash is its id.
type keyObject struct {
	Hash           string       `json:"hash"`
	Name           string       `json:"name"`
	Label          string       `json:"label"`
	Disabled       bool         `json:"disabled"`
	Limit          *json.Number `json:"limit"`
	LimitRemaining *json.Number `json:"limit_remaining"`
	Usage          int64        `json:"usage"`
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      *time.Time   `json:"updated_at"`
}

func keyObjectOf(key core.ManagedKey) keyObject {
	return keyObject{Hash: key.ID, Name: key.Name, Label: key.Value[:12] + "..." + key.Value[len(key.Value)-3:], CreatedAt: key.Made.UTC()}
}

// listKeys answers a page of a hundred, newest first.
func (x *exchange) listKeys() error {
	offset := 0
	if asked := x.R.URL.Query().Get("offset"); asked != "" {
		var err error
		if offset, err = strconv.Atoi(asked); err != nil || offset < 0 {
			return core.Refuse(http.StatusBadRequest, "invalid_request_error", "offset: not a number")
		}
	}
	keys := x.ListKeys(openRouterAccount)
	slices.Reverse(keys)
	page := []keyObject{}
	for _, key := range keys[min(offset, len(keys)):min(offset+openRouterPageSize, len(keys))] {
		page = append(page, keyObjectOf(key))
	}
	return x.Plain(map[string]any{"data": page}, 0, nil)
}

// makeKey answers POST keys, the only answer that has the key.
func (x *exchange) makeKey() error {
	var asked struct {
		Name  string       `json:"name"`
		Limit *json.Number `json:"limit"`
	}
	if err := json.Unmarshal(x.Body, &asked); err != nil || asked.Name == "" {
		return core.Refuse(http.StatusBadRequest, "invalid_request_error", "name: required")
	}
	key, refused := x.MakeKey(openRouterAccount, asked.Name, "", "sk-or-v1-")
	if refused != nil {
		return refused
	}
	object := keyObjectOf(key)
	object.Limit, object.LimitRemaining = asked.Limit, asked.Limit
	return x.Plain(map[string]any{"data": object, "key": key.Value}, 0, nil)
}

func (x *exchange) getKey() error {
	for _, key := range x.ListKeys(openRouterAccount) {
		if key.ID == x.R.PathValue("id") {
			return x.Plain(map[string]any{"data": keyObjectOf(key)}, 0, nil)
		}
	}
	return noSuchKey()
}

func (x *exchange) deleteKey() error {
	if !x.DeleteKey(openRouterAccount, x.R.PathValue("id")) {
		return noSuchKey()
	}
	return x.Plain(map[string]any{"deleted": true}, 0, nil)
}

func noSuchKey() *core.Refusal {
	return core.Refuse(http.StatusNotFound, "invalid_request_error", "API key not found")
}

// accountObject is a service account of OpenAI.
type accountObject struct {
	Object    string         `json:"object"`
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Role      string         `json:"role"`
	CreatedAt int64          `json:"created_at"`
	APIKey    *accountAPIKey `json:"api_key,omitempty"`
}

type accountAPIKey struct {
	Object    string `json:"object"`
	ID        string `json:"id"`
	Name      string `json:"name"`
	Value     string `json:"value"`
	CreatedAt int64  `json:"created_at"`
	ExpiresAt *int64 `json:"expires_at"`
}

func accountOf(key core.ManagedKey) accountObject {
	return accountObject{Object: "organization.project.service_account", ID: key.ID, Name: key.Name, Role: "member", CreatedAt: key.Made.Unix()}
}

// listAccounts answers a page that begins after an id.
func (x *exchange) listAccounts() error {
	query := x.R.URL.Query()
	limit := openAIPageSize
	if asked := query.Get("limit"); asked != "" {
		var err error
		if limit, err = strconv.Atoi(asked); err != nil || limit < 1 || limit > openAIMaxPageSize {
			return core.Refuse(http.StatusBadRequest, "invalid_request_error", "limit: not between 1 and 100")
		}
	}
	keys := x.ListKeys(x.R.PathValue("project"))
	if after := query.Get("after"); after != "" {
		at := slices.IndexFunc(keys, func(key core.ManagedKey) bool { return key.ID == after })
		keys = keys[at+1:]
	}
	page := struct {
		Object  string          `json:"object"`
		Data    []accountObject `json:"data"`
		FirstID *string         `json:"first_id"`
		LastID  *string         `json:"last_id"`
		HasMore bool            `json:"has_more"`
	}{Object: "list", Data: []accountObject{}, HasMore: len(keys) > limit}
	for _, key := range keys[:min(limit, len(keys))] {
		page.Data = append(page.Data, accountOf(key))
	}
	if len(page.Data) > 0 {
		page.FirstID, page.LastID = &page.Data[0].ID, &page.Data[len(page.Data)-1].ID
	}
	return x.Plain(page, 0, nil)
}

// makeAccount answers POST service_accounts, the only answer that has the key.
func (x *exchange) makeAccount() error {
	var asked struct {
		Name string `json:"name"`
	}
	if err := json.Unmarshal(x.Body, &asked); err != nil || asked.Name == "" {
		return core.Refuse(http.StatusBadRequest, "invalid_request_error", "Missing required parameter: 'name'.")
	}
	key, refused := x.MakeKey(x.R.PathValue("project"), asked.Name, "user-", "sk-svcacct-")
	if refused != nil {
		return refused
	}
	account := accountOf(key)
	account.APIKey = &accountAPIKey{
		Object: "organization.project.service_account.api_key", ID: "key_" + key.ID, Name: "Secret Key", Value: key.Value, CreatedAt: key.Made.Unix(),
	}
	return x.Plain(account, 0, nil)
}

func (x *exchange) getAccount() error {
	for _, key := range x.ListKeys(x.R.PathValue("project")) {
		if key.ID == x.R.PathValue("id") {
			return x.Plain(accountOf(key), 0, nil)
		}
	}
	return noSuchAccount()
}

func (x *exchange) deleteAccount() error {
	id := x.R.PathValue("id")
	if !x.DeleteKey(x.R.PathValue("project"), id) {
		return noSuchAccount()
	}
	return x.Plain(map[string]any{"object": "organization.project.service_account.deleted", "id": id, "deleted": true}, 0, nil)
}

func noSuchAccount() *core.Refusal {
	return core.Refuse(http.StatusNotFound, "invalid_request_error", "No such service account.")
}
