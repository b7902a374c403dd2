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

// List goes through all pages.
func (k Keys) List(ctx context.Context, prefix string) ([]management.Key, error) {
	var ours []management.Key
	query := url.Values{"limit": {strconv.Itoa(pageSize)}}
	for seen := 0; seen < management.MaxListed; {
		var page struct {
			Data    []account `json:"data"`
			HasMore bool      `json:"has_more"`
		}
		if err := k.Client.Do(ctx, management.Call{Method: http.MethodGet, Path: k.path(), Query: query}, &page); err != nil {
			return nil, err
		}
		keys := make([]management.Key, 0, len(page.Data))
		for _, key := range page.Data {
			keys = append(keys, management.Key{ID: key.ID, Name: key.Name})
		}
		ours = append(ours, management.Ours(keys, prefix)...)
		if !page.HasMore || len(page.Data) == 0 {
			return ours, nil
		}
		seen += len(page.Data)
		query.Set("after", page.Data[len(page.Data)-1].ID)
	}
	return nil, management.ErrTooMany
}

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
