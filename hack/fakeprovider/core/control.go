package core

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
)

// maxControlBody bounds what the control API reads.
const maxControlBody = 4 << 20

// Control is the handler of the control API that the package documents.
func (s *Server) Control() http.Handler {
	mux := http.NewServeMux()
	for pattern, act := range map[string]func(*http.Request) (any, error){
		"GET /healthz":                func(*http.Request) (any, error) { return map[string]string{"status": "ok"}, nil },
		"GET /settings":               func(*http.Request) (any, error) { return s.Settings(), nil },
		"PUT /settings":               func(r *http.Request) (any, error) { return s.decodeSettings(r, DefaultSettings()) },
		"PATCH /settings":             s.patchSettings,
		"GET /faults":                 func(*http.Request) (any, error) { return s.Faults(), nil },
		"POST /faults":                s.postFaults,
		"DELETE /faults":              func(*http.Request) (any, error) { s.ClearFaults(); return s.Faults(), nil },
		"GET /requests":               s.getRequests,
		"GET /arrivals":               func(*http.Request) (any, error) { return s.Arrivals(), nil },
		"GET /managed-keys":           func(*http.Request) (any, error) { return s.ManagedKeys(), nil },
		"GET /counters":               func(*http.Request) (any, error) { return s.Counters(), nil },
		"GET /vertex/service-account": s.getServiceAccount,
		"POST /reset":                 func(*http.Request) (any, error) { s.Reset(); return s.Settings(), nil },
	} {
		mux.HandleFunc(pattern, controlHandler(act))
	}
	return mux
}

// controlHandler writes an act's result as JSON, its error as 400.
func controlHandler(act func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status := http.StatusOK
		result, err := act(r)
		if err != nil {
			status, result = http.StatusBadRequest, map[string]string{"error": err.Error()}
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(append(Encode(result), '\n')) // a client that left needs no answer
	}
}

// patchSettings changes the given fields under the lock's own copy, so that two patches at once cannot undo each other.
func (s *Server) patchSettings(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControlBody))
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	settings, err := mergeSettings(s.settings, body)
	if err != nil {
		return nil, err
	}
	s.settings = settings
	return settings, nil
}

func (s *Server) decodeSettings(r *http.Request, base Settings) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControlBody))
	if err != nil {
		return nil, fmt.Errorf("reading settings: %w", err)
	}
	settings, err := mergeSettings(base, body)
	if err != nil {
		return nil, err
	}
	return settings, s.SetSettings(settings)
}

// mergeSettings applies a JSON object to a copy of base; lists and objects given replace the old ones.
func mergeSettings(base Settings, patch []byte) (Settings, error) {
	merged := base
	var given map[string]json.RawMessage
	if err := json.Unmarshal(patch, &given); err != nil {
		return base, fmt.Errorf("decoding settings: %w", err)
	}
	// Decoding into a shared pointer or slice would change what requests under way read.
	if _, ok := given["rateLimit"]; ok {
		merged.RateLimit = nil
	}
	if _, ok := given["quota"]; ok {
		merged.Quota = nil
	}
	if _, ok := given["withdrawn"]; ok {
		merged.Withdrawn = nil
	}
	if _, ok := given["usage"]; ok {
		merged.Usage = nil
	}
	if _, ok := given["keys"]; ok {
		merged.Keys = nil
	}
	if _, ok := given["models"]; ok {
		merged.Models = nil
	}
	if err := decodeStrict(patch, &merged); err != nil {
		return base, fmt.Errorf("decoding settings: %w", err)
	}
	if err := merged.Validate(); err != nil {
		return base, fmt.Errorf("validating settings: %w", err)
	}
	return merged, nil
}

// decodeStrict refuses unknown fields, which in a control request are typing errors.
func decodeStrict(data []byte, out any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	return decoder.Decode(out)
}

func (s *Server) postFaults(r *http.Request) (any, error) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxControlBody))
	if err != nil {
		return nil, fmt.Errorf("reading faults: %w", err)
	}
	var faults []Fault
	if trimmed := bytes.TrimSpace(body); len(trimmed) > 0 && trimmed[0] == '{' {
		faults = make([]Fault, 1)
		err = decodeStrict(body, &faults[0])
	} else {
		err = decodeStrict(body, &faults)
	}
	if err != nil {
		return nil, fmt.Errorf("decoding faults: %w", err)
	}
	if err := s.AddFaults(faults...); err != nil {
		return nil, err
	}
	return s.Faults(), nil
}

func (s *Server) getRequests(r *http.Request) (any, error) {
	last := keptRecords
	if text := r.URL.Query().Get("last"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return nil, fmt.Errorf("parsing last: %w", err)
		}
		last = n
	}
	return s.Requests(last), nil
}
