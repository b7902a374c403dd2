package gemini

import "signalbox.dev/signalbox/proxy/dialect"

// Model is an entry of the model list.
type Model struct {
	// ID is what clients ask for; the list shows it behind "models/".
	ID string
	// DisplayName for people; empty is the ID.
	DisplayName string
	// InputTokens and OutputTokens are the limits of the model; 0 when they are not known.
	InputTokens, OutputTokens int64
}

// wireModel is an entry as Google writes it.
type wireModel struct {
	Name         string   `json:"name"`
	BaseModelID  string   `json:"baseModelId"`
	Version      string   `json:"version"`
	DisplayName  string   `json:"displayName"`
	InputTokens  int64    `json:"inputTokenLimit,omitempty"`
	OutputTokens int64    `json:"outputTokenLimit,omitempty"`
	Methods      []string `json:"supportedGenerationMethods"`
}

// modelList is the body of GET models.
type modelList struct {
	Models []wireModel `json:"models"`
}

func wire(m Model) wireModel {
	name := m.DisplayName
	if name == "" {
		name = m.ID
	}
	return wireModel{
		Name: "models/" + m.ID, BaseModelID: m.ID, Version: "001", DisplayName: name, InputTokens: m.InputTokens, OutputTokens: m.OutputTokens,
		Methods: []string{"generateContent", "streamGenerateContent"},
	}
}

// AppendModel appends the body of GET models/{id} to dst.
func AppendModel(dst []byte, m Model) []byte { return dialect.AppendJSON(dst, wire(m)) }

// AppendModelList appends the body of GET models to dst.
func AppendModelList(dst []byte, models []Model) []byte {
	list := modelList{Models: make([]wireModel, len(models))}
	for i, m := range models {
		list.Models[i] = wire(m)
	}
	return dialect.AppendJSON(dst, list)
}
