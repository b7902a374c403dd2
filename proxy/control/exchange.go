package control

import (
	"io"
	"net/http"
	"time"
)

// PeersPath is the path where replicas of a proxy tell each other things.
const PeersPath = "/v1/peers"

const (
	// MaxExchangeBytes bounds what a replica says, and what it is answered.
	MaxExchangeBytes = 1 << 20
	// ExchangeTimeout is how long one exchange may take, and each half of it at the answering end.
	ExchangeTimeout = 2 * time.Second

	// maxExchanges bounds the exchanges that are answered at a time, and with it the memory that they take. A replica has at most one of its own
	// under way with each other.
	maxExchanges = 64
	// exchangeType is the media type of both messages.
	exchangeType = "application/json"
)

// exchange answers another replica.
func (s *Server) exchange(w http.ResponseWriter, r *http.Request) {
	controller := http.NewResponseController(w)
	if err := controller.SetReadDeadline(time.Now().Add(ExchangeTimeout)); err != nil {
		s.options.Log.Debug("a replica was not answered", "error", err)
		return
	}
	said, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxExchangeBytes))
	if err != nil {
		http.Error(w, "the message is too long, or did not come in time", http.StatusRequestEntityTooLarge)
		return
	}
	answer, err := s.options.Answer(said)
	if err != nil {
		s.options.Log.Debug("a message of a replica was refused", "bytes", len(said), "error", err)
		http.Error(w, "the message cannot be read", http.StatusBadRequest)
		return
	}
	if err := controller.SetWriteDeadline(time.Now().Add(ExchangeTimeout)); err != nil {
		s.options.Log.Debug("a replica was not answered", "error", err)
		return
	}
	w.Header().Set("Content-Type", exchangeType)
	if _, err := w.Write(answer); err != nil {
		s.options.Log.Debug("a replica was not answered", "error", err)
	}
}
