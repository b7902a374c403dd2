package neutral

import "signalbox.dev/signalbox/proxy/meter"

// EventKind is what an event of a stream says.
type EventKind string

// The kinds, in the order in which a stream has them: Start; for each part PartStart, PartDeltas, PartStop; Finish for each choice; End. Parts of one choice
// do not overlap. Usage comes at any time, the last one counts; Ping and Failure too.
const (
	// EventStart begins the stream: ID, Model, Created.
	EventStart EventKind = "start"
	// EventPartStart begins a part: Choice, Index, Part with what is known already (kind; id and name of a tool call; an opaque or media part is whole).
	EventPartStart EventKind = "part_start"
	// EventPartDelta adds Delta to the part Index of Choice.
	EventPartDelta EventKind = "part_delta"
	// EventPartStop ends the part Index of Choice.
	EventPartStop EventKind = "part_stop"
	// EventFinish ends a choice: Choice, Finish, Native, StopSequence.
	EventFinish EventKind = "finish"
	// EventUsage tells the usage so far, whole and normalised.
	EventUsage EventKind = "usage"
	// EventPing is a sign of life.
	EventPing EventKind = "ping"
	// EventFailure is an error inside the stream: Err. Nothing comes after it.
	EventFailure EventKind = "failure"
	// EventEnd is the proper end of the stream. Nothing comes after it.
	EventEnd EventKind = "end"
)

// Event is one event of a stream. Its strings and slices are valid until the reader's next call.
type Event struct {
	// Kind tells which of the other fields count.
	Kind EventKind
	// Choice is the choice's index, and Index that of the part in the choice, counted from 0 without gaps.
	Choice, Index int
	// Part that starts.
	Part Part
	// Delta of the part.
	Delta Delta
	// Finish, Native and StopSequence end a choice.
	Finish       Finish
	Native       string
	StopSequence string
	// ID, Model, Created, ServiceTier and SystemFingerprint are those of Response. ServiceTier and SystemFingerprint may come with EventStart or EventUsage.
	ID, Model         string
	Created           int64
	ServiceTier       string
	SystemFingerprint string
	// Usage so far.
	Usage meter.Usage
	// Err is the provider's error.
	Err *Error
}

// Delta is what is added to a part.
type Delta struct {
	// Text is added to the text, thinking, refusal, or to the arguments of a tool call, by the part's kind.
	Text string
	// Summary tells that Text belongs to a paragraph of the thinking's summary, SummaryIndex, rather than to the thinking itself.
	Summary      bool
	SummaryIndex int
	// Signature or Encrypted seals a thought; Origin says whose. A seal comes whole in one delta.
	Signature, Encrypted string
	Origin               Origin
	// Citation is added to a text; nil for most.
	Citation *Citation
	// LogProbs is OpenAI's object for the tokens of Text; nil for most.
	LogProbs []byte
}
