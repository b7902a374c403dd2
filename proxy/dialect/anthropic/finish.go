package anthropic

import (
	"signalbox.dev/signalbox/proxy/dialect/neutral"
)

// The reasons why an answer ended.
const (
	stopEndTurn  = "end_turn"
	stopLength   = "max_tokens"
	stopSequence = "stop_sequence"
	stopToolUse  = "tool_use"
	stopPause    = "pause_turn"
	stopRefusal  = "refusal"
	stopWindow   = "model_context_window_exceeded"
)

// readFinish reads a stop_reason; "" for one that is not there.
func readFinish(reason string) neutral.Finish {
	switch reason {
	case "":
		return ""
	case stopLength, stopWindow:
		return neutral.FinishLength
	case stopSequence:
		return neutral.FinishStopSequence
	case stopToolUse:
		return neutral.FinishToolCalls
	case stopPause:
		return neutral.FinishPause
	case stopRefusal:
		return neutral.FinishRefusal
	}
	return neutral.FinishStop
}

// withCalls is the finish of an answer that has calls: it waits for their results, whatever the provider called it.
func withCalls(finish neutral.Finish) neutral.Finish {
	if finish == neutral.FinishStop || finish == "" {
		return neutral.FinishToolCalls
	}
	return finish
}

// stopReason is the word for a finish. An answer that broke off in the middle reads as one that was cut by a limit.
func stopReason(finish neutral.Finish, native string) string {
	switch finish {
	case neutral.FinishLength:
		if native == stopWindow {
			return stopWindow
		}
		return stopLength
	case neutral.FinishStopSequence:
		return stopSequence
	case neutral.FinishContentFilter, neutral.FinishRefusal:
		return stopRefusal
	case neutral.FinishPause:
		return stopPause
	case neutral.FinishError:
		return stopLength
	case neutral.FinishToolCalls:
		return stopToolUse
	case neutral.FinishStop:
	}
	return stopEndTurn
}
