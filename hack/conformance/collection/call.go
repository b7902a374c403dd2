package collection

// Call is one example.
type Call struct {
	// Name is unique.
	Name string
	// Method and Path below the address of the proxy; {{name}} stands for a variable.
	Method, Path string
	// Header besides Content-Type and the key.
	Header []Header
	// KeyHeader is where the key goes; empty means "Authorization: Bearer".
	KeyHeader string
	// Body is JSON; empty for none.
	Body string
	// Form are the fields of an upload, in place of Body.
	Form []Field
	// Checks are what has to be true of the answer, in JavaScript: "json" is its JSON, "text" its text.
	Checks []string
	// Stream tells that the answer comes in pieces.
	Stream bool
	// Binary tells that the answer is a file of this name.
	Binary string
}

// Header is a line of a request's header.
type Header struct{ Name, Value string }

// Field is a field of a form: a value, or a file of the working folder.
type Field struct{ Name, Value, File string }

// Folder holds the calls of one API.
type Folder struct {
	// Name of the API, and About in a sentence.
	Name, About string
	Calls       []Call
}

// Variable is what stands for {{Name}} in calls.
type Variable struct{ Name, Value, About string }

// Variables of the collection with their values on a laptop.
func Variables() []Variable {
	return []Variable{
		{"url", "http://127.0.0.1:8080", "the address of the proxy"},
		{"key", "", "an access key, or the token of a ServiceAccount"},
		{"model", "chat", "a model that makes text, as a ModelRoute names it"},
		{"otherModel", "other", "another one, to go on with"},
		{"completionModel", "completion", "one that completes a text"},
		{"embeddingModel", "embedding", "one that makes vectors"},
		{"rerankModel", "rerank", "one that orders documents"},
		{"moderationModel", "moderation", "one that classifies texts"},
		{"imageModel", "image", "one that makes pictures"},
		{"speechModel", "speech", "one that speaks"},
		{"transcriptionModel", "transcription", "one that writes down what is said"},
	}
}

// Files that forms upload, by name: a WAV of an eighth of a second of silence and a picture of one point.
const (
	SoundFile   = "sound.wav"
	PictureFile = "picture.png"
)

// Folders are all examples.
func Folders() []Folder {
	return []Folder{openAI(), routing(), media(), anthropic(), openRouter(), groq(), gemini(), cohere()}
}

// Names are those of all calls.
func Names() []string {
	var names []string
	for _, folder := range Folders() {
		for _, call := range folder.Calls {
			names = append(names, call.Name)
		}
	}
	return names
}
