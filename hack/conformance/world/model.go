package world

import (
	"context"
	"path/filepath"
	"regexp"
)

// Model is llama.cpp with a small model.
type Model struct {
	*Program
	// Text and Vectors are the base URLs of its two servers.
	Text, Vectors string
}

// StartModel runs it. The weights are put together in a file under installed, once.
func StartModel(ctx context.Context, installed, sources, logs string) (*Model, error) {
	python := filepath.Join(installed, "python-model", "bin", "python")
	ready := regexp.MustCompile(`^model: text on (\S+), vectors on (\S+)$`)
	p, err := start(ctx, filepath.Join(logs, "model.log"), ready, python, filepath.Join(sources, "python", "model_server.py"), filepath.Join(installed, "model.gguf"))
	if err != nil {
		return nil, err
	}
	return &Model{Program: p, Text: "http://" + p.found[1], Vectors: "http://" + p.found[2]}, nil
}
