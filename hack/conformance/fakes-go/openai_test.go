package fakes

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/azure"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func openaiClient(f fake, prefix string) openai.Client {
	return openai.NewClient(option.WithBaseURL(f.url+prefix), option.WithAPIKey(key), option.WithMaxRetries(0))
}

func azureClient(f fake) openai.Client {
	return openai.NewClient(azure.WithEndpoint(f.secure.URL+"/azure", "2024-10-21"), azure.WithAPIKey(key), option.WithHTTPClient(f.secure.Client()), option.WithMaxRetries(0))
}

// openaiClients are the flavours that OpenAI's library drives.
func openaiClients(f fake) map[string]openai.Client {
	return map[string]openai.Client{
		"OpenAI": openaiClient(f, "/v1"), "Groq": openaiClient(f, "/openai/v1"), "OpenRouter": openaiClient(f, "/api/v1"),
		"Compatible": openaiClient(f, "/compatible/v1"), "Azure v1": openaiClient(f, "/azure/openai/v1"), "Azure deployment": azureClient(f),
	}
}

// messageOf is what an error of the API says.
func messageOf(err error) string {
	var apiError *openai.Error
	if !errors.As(err, &apiError) {
		return ""
	}
	return apiError.Message
}

func chatParams() openai.ChatCompletionNewParams {
	return openai.ChatCompletionNewParams{Model: model, Messages: []openai.ChatCompletionMessageParamUnion{openai.UserMessage(prompt)}}
}

// plainChat is the answer that all others are compared with.
func plainChat(t *testing.T, f fake) string {
	t.Helper()
	client := openaiClient(f, "/v1")
	answer, err := client.Chat.Completions.New(t.Context(), chatParams())
	if err != nil {
		t.Fatal(err)
	}
	return answer.Choices[0].Message.Content
}

func TestOpenAIChat(t *testing.T) {
	f := start(t)
	want := words(t, f)
	for name, client := range openaiClients(f) {
		t.Run(name, func(t *testing.T) {
			answer, err := client.Chat.Completions.New(t.Context(), chatParams())
			if err != nil {
				t.Fatal(err)
			}
			if got := answer.Choices[0].Message.Content; got != want || answer.Usage.CompletionTokens != 16 || answer.Usage.PromptTokens != 9 {
				t.Errorf("got %q and %+v, want %q", got, answer.Usage, want)
			}
			params := chatParams()
			params.StreamOptions.IncludeUsage = openai.Bool(true)
			stream := client.Chat.Completions.NewStreaming(t.Context(), params)
			var whole openai.ChatCompletionAccumulator
			for stream.Next() {
				whole.AddChunk(stream.Current())
			}
			if err := stream.Err(); err != nil {
				t.Fatal(err)
			}
			if got := whole.Choices[0].Message.Content; got != want || whole.Usage.TotalTokens != 25 || whole.Choices[0].FinishReason != "stop" {
				t.Errorf("streamed %q and %+v, want %q", got, whole.Usage, want)
			}
		})
	}
}

func TestOpenAIToolsRoundTrip(t *testing.T) {
	f := start(t)
	for name, client := range openaiClients(f) {
		t.Run(name, func(t *testing.T) {
			params := chatParams()
			params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: "weather", Parameters: weather()})}
			stream := client.Chat.Completions.NewStreaming(t.Context(), params)
			var whole openai.ChatCompletionAccumulator
			for stream.Next() {
				whole.AddChunk(stream.Current())
			}
			if err := stream.Err(); err != nil {
				t.Fatal(err)
			}
			message := whole.Choices[0].Message
			if len(message.ToolCalls) != 1 || message.ToolCalls[0].Function.Arguments != example || whole.Choices[0].FinishReason != "tool_calls" {
				t.Fatalf("got %+v", message)
			}
			params.Messages = append(params.Messages, message.ToParam(), openai.ToolMessage("sunny", message.ToolCalls[0].ID))
			answer, err := client.Chat.Completions.New(t.Context(), params)
			if err != nil || answer.Choices[0].Message.Content == "" {
				t.Fatalf("after the result: %+v, %v", answer, err)
			}
			params.Messages = params.Messages[:2]
			if _, err := client.Chat.Completions.New(t.Context(), params); !strings.Contains(messageOf(err), "must be followed by tool messages") {
				t.Errorf("a call without its result: got %v", err)
			}
		})
	}
}

func TestOpenAIStructuredImageAndErrors(t *testing.T) {
	f := start(t)
	for name, client := range openaiClients(f) {
		t.Run(name, func(t *testing.T) {
			params := chatParams()
			params.Messages = []openai.ChatCompletionMessageParamUnion{openai.UserMessage([]openai.ChatCompletionContentPartUnionParam{
				openai.TextContentPart("what is this?"), openai.ImageContentPart(openai.ChatCompletionContentPartImageImageURLParam{URL: "data:image/png;base64," + onePixel}),
			})}
			params.ResponseFormat.OfJSONSchema = &shared.ResponseFormatJSONSchemaParam{JSONSchema: shared.ResponseFormatJSONSchemaJSONSchemaParam{Name: "w", Schema: weather()}}
			answer, err := client.Chat.Completions.New(t.Context(), params)
			if err != nil || answer.Choices[0].Message.Content != example {
				t.Fatalf("got %+v, %v", answer, err)
			}
			for _, status := range []int{429, 401, 503} {
				f.refuse(t, status)
				_, err := client.Chat.Completions.New(t.Context(), chatParams())
				var apiError *openai.Error
				if !errors.As(err, &apiError) || apiError.StatusCode != status || apiError.Message == "" {
					t.Errorf("status %d: got %v", status, err)
				}
			}
			params = chatParams()
			params.SetExtraFields(map[string]any{"foo": 1})
			if _, err := client.Chat.Completions.New(t.Context(), params); (err == nil) != (name == "OpenRouter") {
				t.Errorf("unknown parameter: got %v", err)
			}
		})
	}
}

func TestOpenAIModelsAndEmbeddings(t *testing.T) {
	f := start(t)
	for name, client := range openaiClients(f) {
		t.Run(name, func(t *testing.T) {
			page, err := client.Models.List(t.Context())
			if err != nil || len(page.Data) != 2 || page.Data[0].ID != model {
				t.Errorf("models: got %+v, %v", page, err)
			}
			vector, err := client.Embeddings.New(t.Context(), openai.EmbeddingNewParams{
				Model: model, Input: openai.EmbeddingNewParamsInputUnion{OfString: openai.String(prompt)}, Dimensions: openai.Int(8),
			})
			if err != nil || len(vector.Data[0].Embedding) != 8 {
				t.Errorf("embeddings: got %+v, %v", vector, err)
			}
		})
	}
}

func responsesClients(f fake) map[string]openai.Client {
	return map[string]openai.Client{"OpenAI": openaiClient(f, "/v1"), "Azure": azureResponses(f), "Azure v1": openaiClient(f, "/azure/openai/v1")}
}

func TestOpenAIResponses(t *testing.T) {
	f := start(t)
	want := words(t, f)
	for name, client := range responsesClients(f) {
		t.Run(name, func(t *testing.T) {
			params := responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}}
			answer, err := client.Responses.New(t.Context(), params)
			if err != nil || answer.OutputText() != want || answer.Status != "completed" || answer.Usage.OutputTokens != 16 {
				t.Fatalf("got %+v, %v", answer, err)
			}
			stream := client.Responses.NewStreaming(t.Context(), params)
			streamed, number := "", int64(0)
			for stream.Next() {
				event := stream.Current()
				if event.SequenceNumber != number {
					t.Errorf("%s: number %d, want %d", event.Type, event.SequenceNumber, number)
				}
				number++
				if event.Type == "response.output_text.delta" {
					streamed += event.Delta
				}
			}
			if err := stream.Err(); err != nil || streamed != want {
				t.Errorf("streamed %q, %v, want %q", streamed, err, want)
			}
		})
	}
}

// TestOpenAIStoredResponses: an answer builds on one that was stored.
func TestOpenAIStoredResponses(t *testing.T) {
	f := start(t)
	for name, client := range responsesClients(f) {
		t.Run(name, func(t *testing.T) {
			answer, err := client.Responses.New(t.Context(), responses.ResponseNewParams{Model: model, Input: responses.ResponseNewParamsInputUnion{OfString: openai.String(prompt)}})
			if err != nil {
				t.Fatal(err)
			}
			next, err := client.Responses.New(t.Context(), responses.ResponseNewParams{
				Model: model, PreviousResponseID: openai.String(answer.ID), Input: responses.ResponseNewParamsInputUnion{OfString: openai.String("and?")},
			})
			if err != nil || next.Usage.InputTokens <= answer.Usage.InputTokens {
				t.Errorf("after a stored one: %+v, %v", next, err)
			}
		})
	}
}

// azureResponses asks as the deployments are asked, but by the path that Azure has for responses.
func azureResponses(f fake) openai.Client {
	return openai.NewClient(option.WithBaseURL(f.url+"/azure/openai/"), option.WithQuery("api-version", "2025-04-01-preview"), option.WithHeader("Api-Key", key),
		option.WithAPIKey(""), option.WithMaxRetries(0))
}

// TestOpenAIEncryptedReasoning: stateless thoughts and calls go back as they came; changed ones are refused.
func TestOpenAIEncryptedReasoning(t *testing.T) {
	f := start(t)
	client := openaiClient(f, "/v1")
	params := responses.ResponseNewParams{
		Model: thinker, Store: openai.Bool(false), Include: []responses.ResponseIncludable{"reasoning.encrypted_content"},
		Reasoning: shared.ReasoningParam{Summary: "auto"},
		Input: responses.ResponseNewParamsInputUnion{OfInputItemList: responses.ResponseInputParam{
			responses.ResponseInputItemParamOfMessage(prompt, "user"),
		}},
		Tools: []responses.ToolUnionParam{responses.ToolParamOfFunction("weather", weather(), false)},
	}
	answer, err := client.Responses.New(t.Context(), params)
	if err != nil || len(answer.Output) != 2 {
		t.Fatalf("got %+v, %v", answer, err)
	}
	thought, call := answer.Output[0].AsReasoning(), answer.Output[1].AsFunctionCall()
	if thought.EncryptedContent == "" || len(thought.Summary) != 1 || call.Arguments != example {
		t.Fatalf("got %+v and %+v", thought, call)
	}
	sealed := responses.ResponseReasoningItemParam{ID: thought.ID, Summary: []responses.ResponseReasoningItemSummaryParam{}, EncryptedContent: openai.String(thought.EncryptedContent)}
	callParam := call.ToParam()
	result := responses.ResponseInputItemParamOfFunctionCallOutput("sunny")
	result.OfFunctionCallOutput.CallID = openai.String(call.CallID)
	params.Input.OfInputItemList = append(params.Input.OfInputItemList, responses.ResponseInputItemUnionParam{OfReasoning: &sealed},
		responses.ResponseInputItemUnionParam{OfFunctionCall: &callParam}, result)
	next, err := client.Responses.New(t.Context(), params)
	if err != nil || next.OutputText() == "" {
		t.Fatalf("after the result: %+v, %v", next, err)
	}
	sealed.EncryptedContent = openai.String("AAAA" + thought.EncryptedContent[4:])
	if _, err := client.Responses.New(t.Context(), params); !strings.Contains(messageOf(err), "could not be verified") {
		t.Errorf("changed thought: got %v", err)
	}
}

func TestOpenAITranscriptions(t *testing.T) {
	f := start(t)
	client := openaiClient(f, "/v1")
	recording := strings.NewReader("RIFF some sound")
	text, err := client.Audio.Transcriptions.New(t.Context(), openai.AudioTranscriptionNewParams{Model: "whisper-1", File: openai.File(recording, "a.wav", "audio/wav")})
	if err != nil || len(strings.Fields(text.Text)) != 16 {
		t.Errorf("transcription: got %+v, %v", text, err)
	}
	stream := client.Audio.Transcriptions.NewStreaming(t.Context(), openai.AudioTranscriptionNewParams{
		Model: "gpt-4o-transcribe", File: openai.File(strings.NewReader("RIFF some sound"), "a.wav", "audio/wav"),
	})
	last := ""
	for stream.Next() {
		last = stream.Current().Type
	}
	if err := stream.Err(); err != nil || last != "transcript.text.done" {
		t.Errorf("streamed transcription: last %q, %v", last, err)
	}
}

func TestOpenAISpeech(t *testing.T) {
	client := openaiClient(start(t), "/v1")
	speech, err := client.Audio.Speech.New(t.Context(), openai.AudioSpeechNewParams{
		Model: "tts-1", Input: prompt, Voice: openai.AudioSpeechNewParamsVoiceUnion{OfString: openai.String("alloy")},
	})
	if err != nil {
		t.Fatal(err)
	}
	sound, err := io.ReadAll(speech.Body)
	if err := errors.Join(err, speech.Body.Close()); err != nil || !strings.HasPrefix(string(sound), "ID3") {
		t.Errorf("speech: got %d bytes, %v", len(sound), err)
	}
}

func TestOpenAIImagesAndModerations(t *testing.T) {
	client := openaiClient(start(t), "/v1")
	picture, err := client.Images.Generate(t.Context(), openai.ImageGenerateParams{Model: "gpt-image-1", Prompt: prompt})
	if err != nil || picture.Data[0].B64JSON == "" {
		t.Errorf("image: got %+v, %v", picture, err)
	}
	edited, err := client.Images.Edit(t.Context(), openai.ImageEditParams{
		Model: "gpt-image-1", Prompt: prompt, Image: openai.ImageEditParamsImageUnion{OfFile: openai.File(strings.NewReader(string(pixel(t))), "a.png", "image/png")},
	})
	if err != nil || edited.Data[0].B64JSON == picture.Data[0].B64JSON {
		t.Errorf("edit: got %+v, %v", edited, err)
	}
	judged, err := client.Moderations.New(t.Context(), openai.ModerationNewParams{
		Input: openai.ModerationNewParamsInputUnion{OfStringArray: []string{"peace", "violence"}},
	})
	if err != nil || len(judged.Results) != 2 || judged.Results[0].Flagged || !judged.Results[1].Categories.Violence {
		t.Errorf("moderation: got %+v, %v", judged, err)
	}
}
