package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/route"
)

// maxListedModels bounds the names that a model_not_found tells.
const maxListedModels = 50

var errTotalTimeout = errors.New("the call took longer than its route's total timeout")

// generate answers a request whose body is JSON.
func (s *Server) generate(c *call) error {
	if err := s.readBody(c); err != nil {
		return err
	}
	if err := c.readHead(); err != nil {
		return err
	}
	return s.serve(c)
}

// generateFromForm answers a request whose body is a form.
func (s *Server) generateFromForm(c *call) error {
	defer c.closeForm()
	if err := s.readForm(c); err != nil {
		return err
	}
	return s.serve(c)
}

func (c *call) closeForm() {
	if c.form != nil {
		c.form.spool.close()
	}
}

// serve answers a request whose head was read.
func (s *Server) serve(c *call) error {
	c.claim()
	if err := s.findLegs(c); err != nil {
		return err
	}
	s.plan(c)
	defer s.leave(c)
	deadline := time.Now().Add(c.total())
	if c.form != nil {
		c.form.paced.until = deadline
	}
	ctx, cancel := context.WithDeadlineCause(c.r.Context(), deadline, errTotalTimeout)
	defer cancel()
	defer s.sendToMirror(c, s.copyForMirror(c))
	return s.tryTargets(ctx, c)
}

func (c *call) readHead() error {
	head, err := c.place.surface.ReadHead(c.body.bytes)
	if err == nil && c.place.modelID != "" {
		head.Stream, head.Array = c.place.stream, c.place.array
		err = head.TakePath(c.place.modelID)
	}
	if err != nil {
		return requestError(err)
	}
	c.inbound = dialect.Inbound{Body: c.body.bytes, Head: head}
	return nil
}

// requestError makes a refusal of a *dialect.RequestError.
func requestError(err error) error {
	var refusal *dialect.RequestError
	if !errors.As(err, &refusal) {
		return err
	}
	return &Error{
		Code: CodeInvalidRequest, Status: http.StatusBadRequest, Message: refusal.Message, Param: refusal.Param, DialectCode: string(refusal.Code),
	}
}

func (c *call) accessDenied(model, routeName string) error {
	why := "its access rules do not admit this caller; whoever owns it can, in spec.access"
	if c.grant != nil && c.grant.Routes != nil && !slices.Contains(c.grant.Routes, routeName) {
		why = "the access key is for other routes; use another key, or have the annotation of its Secret list this route"
	}
	return &Error{
		Code: CodeAccessDenied, Status: http.StatusForbidden,
		Message: fmt.Sprintf("%s may not use model %q of ModelRoute %q in namespace %q: %s", c.caller, model, routeName, c.snapshot.namespace, why),
	}
}

// modelNotFound lists what the caller may use instead.
func (c *call) modelNotFound(model string) error {
	names := make([]string, 0, maxListedModels)
	more := 0
	visible := c.visibleModels()
	for _, m := range visible {
		if len(names) == maxListedModels {
			more++
			continue
		}
		names = append(names, m.Name)
	}
	message := fmt.Sprintf("no ModelRoute in namespace %q serves model %q", c.snapshot.namespace, model)
	if meant := closest(model, visible); meant != "" {
		message += fmt.Sprintf("; did you mean %q?", meant)
	} else {
		message += ";"
	}
	switch {
	case len(names) == 0:
		message += " there is no model that " + c.caller.String() + " may use: whoever owns the ModelRoutes can admit it in spec.access"
	case more > 0:
		message += fmt.Sprintf(" you may use %s and %d more", strings.Join(names, ", "), more)
	default:
		message += " you may use " + strings.Join(names, ", ")
	}
	return &Error{
		Code: CodeModelNotFound, Status: http.StatusNotFound, Message: message, Param: "model", Metadata: &dialect.Metadata{Models: names},
	}
}

// visibleModels are the names and patterns that the caller may use.
func (c *call) visibleModels() []route.Model {
	return c.snapshot.index.Models(c.mayUse)
}
