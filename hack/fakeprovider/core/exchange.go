package core

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

const jsonType = "application/json"

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

// Exchange is one request on its way to its answer.
type Exchange struct {
	// Settings and Fault in force for it.
	Settings Settings
	Fault    Fault
	// Endpoint is the name of the route.
	Endpoint string
	// R and Body are what was received.
	R    *http.Request
	Body []byte
	// Model asked for, and Key as it was sent.
	Model, Key string
	// RequestID is unique, Sequence counts the requests received, Started is when the body had been read.
	RequestID string
	Sequence  uint64
	Started   time.Time
	// Overrun says by what the request exceeded its quota, nil if it did not.
	Overrun *Overrun

	server *Server
	vendor Vendor
	w      http.ResponseWriter
	record *Record // shared with readers: changed only through update
	epoch  uint64  // the reset that the request came after

	generated int64 // tokens produced so far, for the bill of an answer that is cut
	paceStart time.Time

	estimate  int64      // tokens taken from the quota beforehand
	charged   bool       // the quota was charged
	rateLimit *RateLimit // what the quota has left
}

// Now is the server's time.
func (x *Exchange) Now() time.Time { return x.server.now() }

// Listed are the models that a list of models has.
func (x *Exchange) Listed() []string {
	return slices.DeleteFunc(slices.Clone(x.Settings.Models), func(id string) bool { return id == "*" || x.Withdrawn(id) })
}

// Withdrawn tells whether the settings say that a model was retired.
func (x *Exchange) Withdrawn(model string) bool { return slices.Contains(x.Settings.Withdrawn, model) }

// Serves tells whether the settings list a model.
func (x *Exchange) Serves(model string) bool {
	if x.Withdrawn(model) {
		return false
	}
	return slices.Contains(x.Settings.Models, model) || slices.Contains(x.Settings.Models, "*")
}

// ResponseModel is the model that answers name.
func (x *Exchange) ResponseModel() string {
	if x.Settings.ResponseModel != "" {
		return x.Settings.ResponseModel
	}
	return x.Model
}

// update changes the record under the server's lock.
func (x *Exchange) update(change func(*Record)) {
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	change(x.record)
}

// run plays the fault, checks the key and answers.
func (x *Exchange) run(answer func(*Exchange) error) error {
	if err := x.sleep(time.Duration(x.Fault.Delay)); err != nil {
		return err
	}
	if err := x.breakBeforeAnswer(); err != nil {
		return err
	}
	if refused := x.vendor.Authenticate(x); refused != nil {
		return refused
	}
	if refused := x.throttle(); refused != nil {
		return refused
	}
	return answer(x)
}

// CheckKey applies the settings to the request's key: nil accepts it, unknown is the provider's refusal of a key outside the list.
func (x *Exchange) CheckKey(unknown *Refusal) *Refusal {
	known := x.knownKey(x.Key)
	if made := x.managedKey(); made != nil && known == nil {
		if made.Deleted.IsZero() {
			return nil
		}
		return unknown
	}
	if len(x.Settings.Keys) == 0 {
		return nil
	}
	switch {
	case known == nil:
		return unknown
	case known.Status < http.StatusBadRequest:
		return nil
	case known.Error != nil:
		return &Refusal{known.Status, *known.Error}
	case known.Status == http.StatusUnauthorized:
		return unknown
	}
	return &Refusal{known.Status, x.vendor.UsualError(known.Status)}
}

// RateLimit is what the rate-limit headers have to say, nil for nothing.
func (x *Exchange) RateLimit() *RateLimit {
	if x.Settings.Quota != nil {
		return x.rateLimit
	}
	if key := x.knownKey(x.Key); key != nil && key.RateLimit != nil {
		return key.RateLimit
	}
	return x.Settings.RateLimit
}

func (x *Exchange) knownKey(key string) *Key {
	at := slices.IndexFunc(x.Settings.Keys, func(k Key) bool { return k.Value == key })
	if at < 0 {
		return nil
	}
	return &x.Settings.Keys[at]
}

// breakBeforeAnswer plays the faults that need no answer; nil lets the request go on.
func (x *Exchange) breakBeforeAnswer() error {
	switch x.Fault.Kind {
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

func (x *Exchange) sendStatus() error {
	body := []byte(x.Fault.Body)
	if x.Fault.Body == "" {
		body = x.vendor.ErrorBody(x, x.faultRefusal(x.Fault.Status), x.w.Header())
	}
	return errors.Join(x.send(x.Fault.Status, jsonType, body), errAnswered)
}

// faultRefusal is the error of a fault, the provider's usual one where the fault gives none.
func (x *Exchange) faultRefusal(status int) *Refusal {
	refused := &Refusal{status, x.vendor.UsualError(status)}
	if x.Fault.Error != nil {
		refused.Body = *x.Fault.Error
	}
	return refused
}

func (x *Exchange) sendHTML() error {
	status := x.Fault.Status
	if status == 0 {
		status = http.StatusBadGateway
	}
	title := strconv.Itoa(status) + " " + http.StatusText(status)
	page := "<html>\r\n<head><title>" + title + "</title></head>\r\n<body>\r\n<center><h1>" + title + "</h1></center>\r\n<hr><center>cloudflare</center>\r\n</body>\r\n</html>\r\n"
	return errors.Join(x.send(status, "text/html", []byte(page)), errAnswered)
}

// send answers with a small body in one piece.
func (x *Exchange) send(status int, contentType string, body []byte) error {
	x.setHeaders(contentType)
	for name, value := range x.Fault.Headers {
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
func (x *Exchange) setHeaders(contentType string) {
	x.w.Header().Set("Content-Type", contentType)
	x.vendor.Headers(x, x.w.Header())
}

// hijack takes the connection over, writes raw bytes and closes it; linger 0 makes the close a reset. HTTP/2 has no connection to take over:
// its stream is reset instead.
func (x *Exchange) hijack(raw string, linger int) error {
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
func (x *Exchange) untilClientLeaves() error {
	<-x.R.Context().Done()
	return errClientLeft
}

// sleep passes time unless the client leaves.
func (x *Exchange) sleep(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	if err := x.server.sleep(x.R.Context(), d); err != nil {
		return errClientLeft
	}
	return nil
}

// pace waits until the next tokens are due and counts them as generated.
func (x *Exchange) pace(tokens int64) error {
	if x.paceStart.IsZero() {
		x.paceStart = x.server.now()
	}
	if rate := x.Settings.TokensPerSecond; rate > 0 && tokens > 0 {
		due := x.paceStart.Add(time.Duration(x.generated+tokens) * time.Second / time.Duration(rate))
		if err := x.sleep(due.Sub(x.server.now())); err != nil {
			return err
		}
	}
	x.generated += tokens
	return nil
}

// conclude sends a refusal that is still to be sent, closes the record and says what becomes of the connection.
func (x *Exchange) conclude(err error) ending {
	var refused *Refusal
	if errors.As(err, &refused) {
		err = errors.Join(x.send(refused.Status, jsonType, x.vendor.ErrorBody(x, refused, x.w.Header())), errAnswered)
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
	x.settle()
	if x.epoch == s.epoch {
		s.counters.end(x.record)
	}
	s.notify()
	return after
}

// acceptsGzip tells whether the client asked for gzip.
func (x *Exchange) acceptsGzip() bool {
	return strings.Contains(x.R.Header.Get("Accept-Encoding"), "gzip")
}
