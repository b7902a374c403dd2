package fakeprovider

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	errClientLeft = errors.New("client left")
	errBroken     = errors.New("broken by a fault, connection to be closed")
	errEndedEarly = errors.New("broken by a fault, ended properly")
	errHijacked   = errors.New("broken by a fault, connection closed by hand")
)

// ending is what the HTTP server has to do after the handler.
type ending int

const (
	endProperly ending = iota
	abortConnection
)

// exchange is one request on its way to its answer.
type exchange struct {
	server   *Server
	settings Settings
	fault    Fault
	flavour  flavour
	endpoint string
	w        http.ResponseWriter
	r        *http.Request
	body     []byte
	sequence uint64
	started  time.Time

	record *Record // shared with readers: changed only through update
	epoch  uint64  // the reset that the request came after

	generated int64 // tokens produced so far, for the bill of an answer that is cut
	paceStart time.Time
}

// update changes the record under the server's lock.
func (x *exchange) update(change func(*Record)) {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	change(x.record)
}

// run plays the fault, checks the key and answers.
func (x *exchange) run(answer func(*exchange) error) error {
	if err := x.sleep(time.Duration(x.fault.Delay)); err != nil {
		return err
	}
	if err := x.breakBeforeAnswer(); err != nil {
		return err
	}
	if refused := x.checkKey(); refused != nil {
		return refused
	}
	return answer(x)
}

// checkKey refuses keys that are missing, unknown or set to be refused. OpenRouter lists its models to everyone.
func (x *exchange) checkKey() *refusal {
	key := bearer(x.r.Header)
	if x.flavour == openRouter && x.endpoint == "models" {
		return nil
	}
	if key == "" {
		return missingKey()
	}
	if len(x.settings.Keys) == 0 {
		return nil
	}
	known := x.knownKey(key)
	switch {
	case known == nil:
		return unknownKey(key)
	case known.Status < http.StatusBadRequest:
		return nil
	case known.Error != nil:
		return &refusal{known.Status, *known.Error}
	case known.Status == http.StatusUnauthorized:
		return unknownKey(key)
	}
	return &refusal{known.Status, usualError(known.Status)}
}

func (x *exchange) knownKey(key string) *Key {
	at := slices.IndexFunc(x.settings.Keys, func(k Key) bool { return k.Value == key })
	if at < 0 {
		return nil
	}
	return &x.settings.Keys[at]
}

// breakBeforeAnswer plays the faults that need no answer; nil lets the request go on.
func (x *exchange) breakBeforeAnswer() error {
	switch x.fault.Kind {
	case FaultStatus:
		return x.sendStatus()
	case FaultHTML:
		return x.sendHTML()
	case FaultHang:
		return x.untilClientLeaves()
	case FaultClose:
		return errBroken
	case FaultReset:
		return x.hijack("", 0)
	case FaultCloseMidHeaders:
		return x.hijack("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-", -1)
	case FaultDelay, FaultCloseMidBody, FaultTruncate, FaultEndEarly, FaultStall, FaultErrorEvent, FaultHugeLine, FaultInvalidUTF8, FaultGzip,
		FaultBrokenGzip, FaultSplit, FaultNoUsage:
	}
	return nil
}

// errAnswered marks an answer that a fault sent in full.
var errAnswered = errors.New("answered by a fault")

func (x *exchange) sendStatus() error {
	body := []byte(x.fault.Body)
	if x.fault.Body == "" {
		apiError := usualError(x.fault.Status)
		if x.fault.Error != nil {
			apiError = *x.fault.Error
		}
		body = x.flavour.errorBody(x.fault.Status, apiError)
	}
	return errors.Join(x.send(x.fault.Status, "application/json", body), errAnswered)
}

func (x *exchange) sendHTML() error {
	status := x.fault.Status
	if status == 0 {
		status = http.StatusBadGateway
	}
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
	return errors.Join(x.send(status, "text/html", []byte(page)), errAnswered)
}

// send answers with a small body in one piece.
func (x *exchange) send(status int, contentType string, body []byte) error {
	x.setHeaders(contentType)
	for name, value := range x.fault.Headers {
		x.w.Header().Set(name, value)
	}
	x.w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	x.update(func(r *Record) { r.Status = status })
	if _, err := bytes.NewReader(body).WriteTo(x.w); err != nil && !errors.Is(err, http.ErrBodyNotAllowed) {
		return errClientLeft
	}
	return nil
}

// setHeaders sets the headers that every answer of the imitated provider has.
func (x *exchange) setHeaders(contentType string) {
	h := x.w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Request-Id", x.record.ID)
	if x.flavour == openAI {
		h.Set("Openai-Processing-Ms", strconv.FormatInt(x.server.now().Sub(x.started).Milliseconds(), 10))
		h.Set("Openai-Version", "2020-10-01")
		h.Set("Openai-Organization", "fakeprovider")
	}
	limit := x.settings.RateLimit
	if key := x.knownKey(bearer(x.r.Header)); key != nil && key.RateLimit != nil {
		limit = key.RateLimit
	}
	if limit == nil || x.endpoint == "models" || x.flavour == openRouter {
		return
	}
	for name, value := range map[string]string{
		"Limit-Requests": strconv.FormatInt(limit.LimitRequests, 10), "Remaining-Requests": strconv.FormatInt(limit.RemainingRequests, 10),
		"Reset-Requests": time.Duration(limit.ResetRequests).String(), "Limit-Tokens": strconv.FormatInt(limit.LimitTokens, 10),
		"Remaining-Tokens": strconv.FormatInt(limit.RemainingTokens, 10), "Reset-Tokens": time.Duration(limit.ResetTokens).String(),
	} {
		h.Set("X-Ratelimit-"+name, value)
	}
}

// hijack takes the connection over, writes raw bytes and closes it; linger 0 makes the close a reset. HTTP/2 has no connection to take over:
// its stream is reset instead.
func (x *exchange) hijack(raw string, linger int) error {
	conn, _, err := http.NewResponseController(x.w).Hijack()
	if err != nil {
		return errBroken
	}
	if _, err := conn.Write([]byte(raw)); err != nil {
		return errors.Join(errClientLeft, conn.Close())
	}
	if tcp, ok := conn.(*net.TCPConn); ok && linger == 0 {
		err = tcp.SetLinger(linger)
	}
	return errors.Join(errHijacked, err, conn.Close())
}

// untilClientLeaves holds the connection open without a byte.
func (x *exchange) untilClientLeaves() error {
	<-x.r.Context().Done()
	return errClientLeft
}

// sleep passes time unless the client leaves.
func (x *exchange) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if err := x.server.sleep(x.r.Context(), d); err != nil {
		return errClientLeft
	}
	return nil
}

// pace waits until the next tokens are due and counts them as generated.
func (x *exchange) pace(tokens int64) error {
	if x.paceStart.IsZero() {
		x.paceStart = x.server.now()
	}
	if rate := x.settings.TokensPerSecond; rate > 0 && tokens > 0 {
		due := x.paceStart.Add(time.Duration(x.generated+tokens) * time.Second / time.Duration(rate))
		if err := x.sleep(due.Sub(x.server.now())); err != nil {
			return err
		}
	}
	x.generated += tokens
	return nil
}

// conclude sends a refusal that is still to be sent, closes the record and says what becomes of the connection.
func (x *exchange) conclude(err error) ending {
	var refused *refusal
	if errors.As(err, &refused) {
		err = errors.Join(x.send(refused.status, "application/json", x.flavour.errorBody(refused.status, refused.body)), errAnswered)
	}
	state, after := StateDone, endProperly
	switch {
	case errors.Is(err, errClientLeft), errors.Is(err, context.Canceled):
		state, after = StateClientLeft, abortConnection
	case errors.Is(err, errBroken):
		state, after = StateBroken, abortConnection
	case errors.Is(err, errEndedEarly), errors.Is(err, errHijacked):
		state = StateBroken
	}
	s := x.server
	s.mu.Lock()
	defer s.mu.Unlock()
	if state == StateDone && x.record.Status >= http.StatusBadRequest {
		state = StateRefused
	}
	x.record.State, x.record.End = state, s.now()
	if x.epoch == s.epoch {
		s.counters.end(x.record)
	}
	s.notify()
	return after
}

// acceptsGzip tells whether the client asked for gzip.
func (x *exchange) acceptsGzip() bool {
	return strings.Contains(x.r.Header.Get("Accept-Encoding"), "gzip")
}
