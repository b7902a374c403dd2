package neutral_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

func TestSettleResults(t *testing.T) {
	say := func(role neutral.Role, text string) neutral.Message {
		return neutral.Message{Role: role, Parts: []neutral.Part{{Kind: neutral.TextPart, Text: text}}}
	}
	calls := func(ids ...string) neutral.Message {
		m := neutral.Message{Role: neutral.Assistant}
		for _, id := range ids {
			m.Parts = append(m.Parts, neutral.Part{Kind: neutral.ToolCallPart, Call: &neutral.ToolCall{ID: id}})
		}
		return m
	}
	results := func(ids ...string) neutral.Message {
		m := neutral.Message{Role: neutral.ToolRole}
		for _, id := range ids {
			m.Parts = append(m.Parts, neutral.Part{Kind: neutral.ToolResultPart, Result: &neutral.ToolResult{CallID: id}})
		}
		return m
	}
	user, assistant := say(neutral.User, "u"), say(neutral.Assistant, "a")
	for name, tc := range map[string]struct{ messages, want []neutral.Message }{
		"in order":               {[]neutral.Message{user, calls("1", "2"), results("2"), results("1"), user}, []neutral.Message{user, calls("1", "2"), results("2"), results("1"), user}},
		"behind the user":        {[]neutral.Message{user, calls("1"), user, results("1"), user}, []neutral.Message{user, calls("1"), results("1"), user, user}},
		"one of two":             {[]neutral.Message{calls("1", "2"), results("2"), say(neutral.Developer, "d"), results("1")}, []neutral.Message{calls("1", "2"), results("2"), results("1"), say(neutral.Developer, "d")}},
		"one message, two calls": {[]neutral.Message{calls("1"), user, calls("2"), results("1", "2")}, []neutral.Message{calls("1"), results("1"), user, calls("2"), results("2")}},
		"behind the assistant":   {[]neutral.Message{calls("1"), assistant, results("1")}, []neutral.Message{calls("1"), assistant, results("1")}},
		"behind both":            {[]neutral.Message{calls("1"), assistant, user, results("1")}, []neutral.Message{calls("1"), assistant, results("1"), user}},
		"to the next call":       {[]neutral.Message{calls("1"), user, calls("2"), results("2"), results("1")}, []neutral.Message{calls("1"), results("1"), user, calls("2"), results("2")}},
		"an id again":            {[]neutral.Message{calls("1"), user, results("1"), calls("1"), results("1")}, []neutral.Message{calls("1"), results("1"), user, calls("1"), results("1")}},
		"without a call":         {[]neutral.Message{user, results("9"), calls("1"), user}, []neutral.Message{user, results("9"), calls("1"), user}},
		"before the call":        {[]neutral.Message{results("1"), user, calls("1")}, []neutral.Message{results("1"), user, calls("1")}},
		"nothing in it":          {[]neutral.Message{calls("1"), user, {Role: neutral.ToolRole}, results("1")}, []neutral.Message{calls("1"), results("1"), user, {Role: neutral.ToolRole}}},
		"a broken part":          {[]neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ToolCallPart}}}, {Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart}}}}, []neutral.Message{{Role: neutral.Assistant, Parts: []neutral.Part{{Kind: neutral.ToolCallPart}}}, {Role: neutral.ToolRole, Parts: []neutral.Part{{Kind: neutral.ToolResultPart}}}}},
	} {
		t.Run(name, func(t *testing.T) {
			request := neutral.Request{Messages: tc.messages}
			request.SettleResults()
			if diff := cmp.Diff(tc.want, request.Messages); diff != "" {
				t.Errorf("messages (-want +got):\n%s", diff)
			}
		})
	}
}
