package dialect

import "signalbox.dev/signalbox/proxy/dialect/jsonscan"

// EmbeddingDemand is the most that a request for vectors can use: name is the member with the texts. Lists of tokens are shorter than their JSON text.
func EmbeddingDemand(body []byte, name string) Demand {
	s := demandScan{body: body}
	s.members(jsonscan.Space(body, 0), func(member string, at, _ int) {
		if member != canonical([]byte(name)) || s.body[at] == 'n' {
			return
		}
		s.elements(at, func(at int) {
			if s.body[at] == '{' {
				s.content(at, 0)
			}
			s.demand.Rounds++
		})
	})
	d := &s.demand
	d.Rounds = max(d.Rounds, 1)
	d.Prompt = MostTokens(body) + templateTokens
	return *d
}

// What Cohere counts as a unit: a query with so many documents, of which one with more tokens than these, the query's included, counts as several. The query
// is at most half of it, so that a piece of a document has the other half at least.
const (
	documentsPerUnit = 100
	pieceTokens      = 250
)

// RerankDemand is the most that a request for an order can use. Those who charge tokens count the query with every document.
func RerankDemand(body []byte) Demand {
	s := demandScan{body: body, demand: Demand{Rounds: 1}}
	var query, pieces, documents int64
	s.members(jsonscan.Space(body, 0), func(member string, at, end int) {
		switch member {
		case "query":
			query += MostTokens(body[at:end])
		case "documents":
			s.elements(at, func(at int) {
				end, _ := jsonscan.Value(body, at)
				documents++
				pieces += 1 + MostTokens(body[at:end])/pieceTokens
				s.document(at)
			})
		}
	})
	d := &s.demand
	d.Prompt = min(MostTokens(body)+templateTokens+product(query, documents), Unlimited)
	d.Rounds = max(documents, 1)
	d.SearchUnits = (pieces + documentsPerUnit - 1) / documentsPerUnit
	return *d
}

// document takes in a document that is an object. It is a text with the names of its fields, unless it holds an image.
func (s *demandScan) document(at int) {
	s.members(at, func(name string, at, _ int) {
		if name != "text" && s.body[at] != '"' || name == "image" || name == "imageurl" {
			s.medium("image")
		}
	})
}
