package gemini

import "signalbox.dev/signalbox/proxy/dialect/neutral"

// finishOf is the neutral form of a finishReason. calls tells that the answer calls tools, for which Google has no reason of its own.
func finishOf(native string, calls int) neutral.Finish {
	switch native {
	case "STOP":
		if calls > 0 {
			return neutral.FinishToolCalls
		}
		return neutral.FinishStop
	case "MAX_TOKENS":
		return neutral.FinishLength
	case "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR", "JAILBREAK",
		"IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION":
		return neutral.FinishContentFilter
	case "MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE",
		"OTHER", "IMAGE_OTHER", "NO_IMAGE":
		return neutral.FinishError
	case "CONTINUATION":
		return neutral.FinishPause
	}
	if calls > 0 {
		return neutral.FinishToolCalls
	}
	return neutral.FinishStop
}

// reasonOf is the finishReason for clients.
func reasonOf(finish neutral.Finish) string {
	switch finish {
	case neutral.FinishLength:
		return "MAX_TOKENS"
	case neutral.FinishContentFilter, neutral.FinishRefusal:
		return "SAFETY"
	case neutral.FinishPause, neutral.FinishError:
		return "OTHER"
	case neutral.FinishStop, neutral.FinishStopSequence, neutral.FinishToolCalls:
	}
	return "STOP"
}
