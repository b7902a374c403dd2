// Package openrouter makes keys with OpenRouter's management API.
package openrouter

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// Keys are those of an account's default workspace.
type Keys struct {
	// Client calls below /api/v1.
	Client management.Client
	// Limit is the credit limit of each key in US dollars, a decimal; empty for none.
	Limit string
}

// listed is a key as OpenRouter shows it. Its hash is its id.
type listed struct {
	Hash string `json:"hash"`
	Name string `json:"name"`
}

// List goes through all pages. Pages are asked for by how many keys come before them, so what others make or delete meanwhile can shift one out of sight; the next list
// shows it. The last page is one without a key that was not there before.
func (k Keys) List(ctx context.Context, prefix string) ([]management.Key, error) {
	listing := management.Listing{Prefix: prefix}
	for listing.Seen < management.MaxListed {
		var page struct {
			Data management.Rows[listed] `json:"data"`
		}
		query := url.Values{"include_disabled": {"true"}, "offset": {strconv.Itoa(listing.Seen)}}
		if err := k.Client.Do(ctx, management.Call{Method: http.MethodGet, Path: "/keys", Query: query}, &page); err != nil {
			return nil, err
		}
		keys := page.Data.Keys(listed.key)
		fresh, err := listing.Add(keys)
		if err != nil {
			return nil, err
		}
		if fresh == 0 {
			return listing.Ours, nil
		}
	}
	return nil, management.ErrTooMany
}

func (row listed) key() management.Key { return management.Key{ID: row.Hash, Name: row.Name} }

// creation is what a key is made of.
type creation struct {
	Name  string      `json:"name"`
	Limit json.Number `json:"limit,omitempty"`
}

// Create makes a key with the limit.
func (k Keys) Create(ctx context.Context, name string) (management.Made, error) {
	var answer struct {
		Key  string `json:"key"`
		Data listed `json:"data"`
	}
	body := creation{Name: name, Limit: number(k.Limit)}
	if err := k.Client.Do(ctx, management.Call{Method: http.MethodPost, Path: "/keys", Body: body}, &answer); err != nil {
		return management.Made{}, err
	}
	made := management.Made{ID: answer.Data.Hash, Value: answer.Key}
	return made, made.Check()
}

// Delete removes a key.
func (k Keys) Delete(ctx context.Context, id string) error {
	return k.Client.Delete(ctx, "/keys/"+url.PathEscape(id))
}

// number is a decimal as JSON writes it, which has no leading zeros.
func number(decimal string) json.Number {
	if decimal == "" {
		return ""
	}
	trimmed := strings.TrimLeft(decimal, "0")
	if trimmed == "" || trimmed[0] == '.' {
		trimmed = "0" + trimmed
	}
	return json.Number(trimmed)
}
