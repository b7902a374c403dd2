package neutral

import "slices"

// SettleResults moves results of tool calls that come late, behind messages of somebody else, to where the calls are: most APIs demand them there, but some
// take them anywhere. Results without a call before them stay where they are.
func (r *Request) SettleResults() {
	if !slices.ContainsFunc(r.Messages, func(m Message) bool { return m.Role == ToolRole }) {
		return
	}
	s := settling{messages: r.Messages, calls: map[string]int{}, ends: map[int]int{}, late: map[int][]Part{}, moved: map[[2]int]bool{}}
	for i := range r.Messages {
		s.see(i)
	}
	if len(s.late) > 0 {
		r.Messages = s.settled()
	}
}

// settling finds the results that come late.
type settling struct {
	messages []Message
	// calls are the messages of the latest calls, by the calls' ids.
	calls map[string]int
	// ends are where the answers to messages with calls end.
	ends map[int]int
	// late are the results that belong before the message of an index, and moved where they were, by message and part.
	late  map[int][]Part
	moved map[[2]int]bool
}

// see takes in the message at an index.
func (s *settling) see(i int) {
	m := &s.messages[i]
	for j := range m.Parts {
		p := &m.Parts[j]
		if p.Kind == ToolCallPart && p.Call != nil {
			s.calls[p.Call.ID] = i
		}
		if m.Role != ToolRole || p.Kind != ToolResultPart || p.Result == nil {
			continue
		}
		call, known := s.calls[p.Result.CallID]
		if !known {
			continue
		}
		if end := s.end(call); i >= end {
			s.late[end], s.moved[[2]int{i, j}] = append(s.late[end], *p), true
		}
	}
}

// end is the index behind the results that directly follow a message with calls; what else the assistant says may stand between.
func (s *settling) end(call int) int {
	end, known := s.ends[call]
	if known {
		return end
	}
	end = call + 1
	for end < len(s.messages) && s.messages[end].Role == Assistant {
		end++
	}
	for end < len(s.messages) && s.messages[end].Role == ToolRole {
		end++
	}
	s.ends[call] = end
	return end
}

// settled are the messages with the late results moved. A message that has nothing left is left out.
func (s *settling) settled() []Message {
	out := make([]Message, 0, len(s.messages)+len(s.late))
	for i, m := range s.messages {
		if late := s.late[i]; len(late) > 0 {
			out = append(out, Message{Role: ToolRole, Parts: late})
		}
		if m.Role == ToolRole {
			m.Parts = s.left(i)
		}
		if len(m.Parts) > 0 || len(s.messages[i].Parts) == 0 {
			out = append(out, m)
		}
	}
	return out
}

// left are the parts of the message at an index that are not moved.
func (s *settling) left(i int) []Part {
	var left []Part
	for j, p := range s.messages[i].Parts {
		if !s.moved[[2]int{i, j}] {
			left = append(left, p)
		}
	}
	return left
}
