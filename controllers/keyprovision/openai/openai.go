// Package openai makes keys with OpenAI's administration API: each is that of a service account of a project, and goes with it.
package openai

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"signalbox.dev/signalbox/controllers/keyprovision/management"
)

// pageSize is the largest that the API takes.
const pageSize = 100

// Keys are those of a project's service accounts.
type Keys struct {
	// Client calls below /v1.
	Client management.Client
	// Project is the project's id.
	Project string
}

// account is a service account.
type account struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

func (k Keys) path() string {
	return "/organization/projects/" + url.PathEscape(k.Project) + "/service_accounts"
}

// List goes through all pages. One that says that there are more and has nothing new is no answer: what comes after it would be missing.
func (k Keys) List(ctx context.Context, prefix string) ([]management.Key, error) {
	listing := management.Listing{Prefix: prefix}
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for listing.Seen < management.MaxListed {
		var page struct {
			Data    management.Rows[account] `json:"data"`
			HasMore bool                     `json:"has_more"`
		}
		if err := k.Client.Do(ctx, management.Call{Method: http.MethodGet, Path: k.path(), Query: query}, &page); err != nil {
			return nil, err
		}
		keys := page.Data.Keys(account.key)
		fresh, err := listing.Add(keys)
		switch {
		case err != nil:
			return nil, err
		case !page.HasMore:
			return listing.Ours, nil
		case fresh == 0:
			return nil, &management.UnclearError{Problem: "the list of keys goes in circles"}
		}
		query.Set("after", keys[len(keys)-1].ID)
	}
	return nil, management.ErrTooMany
}

func (row account) key() management.Key { return management.Key{ID: row.ID, Name: row.Name} }

// Create makes a service account with a key.
func (k Keys) Create(ctx context.Context, name string) (management.Made, error) {
	var answer struct {
		ID     string `json:"id"`
		APIKey struct {
			Value string `json:"value"`
		} `json:"api_key"`
	}
	body := struct {
		Name string `json:"name"`
	}{name}
	if err := k.Client.Do(ctx, management.Call{Method: http.MethodPost, Path: k.path(), Body: body}, &answer); err != nil {
		return management.Made{}, err
	}
	made := management.Made{ID: answer.ID, Value: answer.APIKey.Value}
	return made, made.Check()
}

// Delete removes a service account with its key.
func (k Keys) Delete(ctx context.Context, id string) error {
	return k.Client.Delete(ctx, k.path()+"/"+url.PathEscape(id))
}
