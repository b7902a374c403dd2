package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// GenerationPath is the path where a replica of a proxy tells another one what it knows of a request, by the request's id.
const GenerationPath = "/v1/generations/"

const (
	// MaxGenerationBytes bounds the answer.
	MaxGenerationBytes = 64 << 10
	// GenerationTimeout is how long one question may take.
	GenerationTimeout = time.Second
	// maxGenerationID bounds the id that is asked for.
	maxGenerationID = 128
	// maxGenerations bounds the questions that are answered at a time.
	maxGenerations = 64
)

// ErrNoGeneration is returned for a request that the other replica knows nothing of.
var ErrNoGeneration = errors.New("no such generation")

// generation answers what this replica knows of a request.
func (s *Server) generation(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if !ValidGenerationID(id) {
		http.Error(w, "the id cannot be one", http.StatusBadRequest)
		return
	}
	known, found := s.options.Generation(id)
	switch {
	case !found:
		http.Error(w, "not known here", http.StatusNotFound)
		return
	case len(known) > MaxGenerationBytes:
		s.options.Log.Warn("what is known of a request is too long for another replica", "bytes", len(known))
		http.Error(w, "too long", http.StatusInternalServerError)
		return
	}
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(ExchangeTimeout)); err != nil {
		s.options.Log.Debug("a replica was not answered", "error", err)
		return
	}
	w.Header().Set("Content-Type", exchangeType)
	if _, err := w.Write(known); err != nil {
		s.options.Log.Debug("a replica was not answered", "error", err)
	}
}

// ValidGenerationID tells whether an id can be that of a request: it goes into a path as it is.
func ValidGenerationID(id string) bool {
	if id == "" || len(id) > maxGenerationID {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

// Generation asks the replica at an address what it knows of a request. The error is ErrNoGeneration if that is nothing.
func (c *Caller) Generation(ctx context.Context, addr string, identity *Identity, id string) ([]byte, error) {
	if !ValidGenerationID(id) {
		return nil, ErrNoGeneration
	}
	ctx, cancel := context.WithTimeout(ctx, GenerationTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+addr+GenerationPath+id, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("building a question: %w", err)
	}
	response, err := c.use(identity).RoundTrip(request)
	if err != nil {
		return nil, fmt.Errorf("asking for a generation: %w", err)
	}
	defer func() { _ = response.Body.Close() }()
	// What is wrong is read, too, so that the connection can be used again.
	answer, err := io.ReadAll(io.LimitReader(response.Body, MaxGenerationBytes+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("reading what is known of a generation: %w", err)
	case response.StatusCode == http.StatusNotFound:
		return nil, ErrNoGeneration
	case response.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("asking for a generation: status %d", response.StatusCode)
	}
	if len(answer) > MaxGenerationBytes {
		return nil, ErrAnswerTooLong
	}
	return answer, nil
}
