package anthropic

import (
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
)

// Model is an entry of the list of models.
type Model struct {
	// ID is what clients put in "model".
	ID string
	// DisplayName for people.
	DisplayName string
	// Created is in seconds since 1970.
	Created int64
}

// wireModel is an entry as clients read it.
type wireModel struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	DisplayName string `json:"display_name"`
	CreatedAt   string `json:"created_at"`
}

// wireModelList is the body of GET models; all of it is one page.
type wireModelList struct {
	Data    []wireModel `json:"data"`
	HasMore bool        `json:"has_more"`
	FirstID *string     `json:"first_id"`
	LastID  *string     `json:"last_id"`
}

func (m Model) wire() wireModel {
	return wireModel{Type: "model", ID: m.ID, DisplayName: m.DisplayName, CreatedAt: time.Unix(m.Created, 0).UTC().Format(time.RFC3339)}
}

// AppendModel appends the body of GET models/{id} to dst.
func AppendModel(dst []byte, m Model) []byte { return dialect.AppendJSON(dst, m.wire()) }

// AppendModelList appends the body of GET models to dst.
func AppendModelList(dst []byte, models []Model) []byte {
	list := wireModelList{Data: make([]wireModel, 0, len(models))}
	for _, m := range models {
		list.Data = append(list.Data, m.wire())
	}
	if len(models) > 0 {
		list.FirstID, list.LastID = &list.Data[0].ID, &list.Data[len(models)-1].ID
	}
	return dialect.AppendJSON(dst, list)
}
