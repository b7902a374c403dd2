package server

import (
	"net/http"
)

// handler answers a request or returns the error that the outermost link answers with.
type handler func(*call) error

// chain builds the links from the innermost to the outermost; a request meets them in the order of this list, which is that of their cost.
//
//	observe       first, for everything is logged and measured, the refused requests too, and it alone writes error replies
//	isolate       next, so that a panic anywhere below becomes an error of this one request
//	locate        finds surface and operation; it comes before all refusals because they must be written in the surface's dialect
//	shed          before anything that costs more than comparing strings
//	authenticate  before the body is read: a stranger can make the proxy read a head of at most 32 KiB
//	dispatch      the work itself
func (s *Server) chain() http.Handler {
	h := s.dispatch
	h = s.authenticate(h)
	h = s.shed(h)
	h = s.locate(h)
	h = s.isolate(h)
	return s.observe(h)
}

func (s *Server) dispatch(c *call) error {
	switch c.place.action {
	case actionListModels:
		return s.listModels(c)
	case actionGetModel:
		return s.getModel(c)
	case actionCountTokens:
		return s.countTokens(c)
	case actionExplain:
		return s.explain(c)
	case actionGeneration:
		return s.generation(c)
	case actionKey, actionCredits:
		return s.accountOf(c)
	case actionActivity, actionUsage:
		return s.usageOf(c)
	case actionForm:
		return s.generateFromForm(c)
	default:
		return s.generate(c)
	}
}
