package fakes

import (
	"errors"
	"iter"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jwt"
	"google.golang.org/genai"

	"signalbox.dev/signalbox/hack/fakeprovider"
)

// googleClients are the two services that Google's library drives. Vertex is asked with a token that the service account's key was exchanged for.
func googleClients(t *testing.T, f fake) map[string]*genai.Client {
	t.Helper()
	gemini, err := genai.NewClient(t.Context(), &genai.ClientConfig{APIKey: key, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: f.url + "/gemini"}})
	if err != nil {
		t.Fatal(err)
	}
	vertex, err := genai.NewClient(t.Context(), &genai.ClientConfig{
		Backend: genai.BackendVertexAI, Project: "project", Location: "us-central1", HTTPOptions: genai.HTTPOptions{BaseURL: f.url + "/vertex"},
		HTTPClient: oauth2.NewClient(t.Context(), accountOf(t, f).TokenSource(t.Context())),
	})
	if err != nil {
		t.Fatal(err)
	}
	return map[string]*genai.Client{"Gemini": gemini, "Vertex": vertex}
}

// accountOf downloads the service account's key.
func accountOf(t *testing.T, f fake) *jwt.Config {
	t.Helper()
	file := getJSON[struct {
		Email      string `json:"client_email"`
		PrivateKey string `json:"private_key"`
		TokenURI   string `json:"token_uri"`
	}](t, f.control+"/vertex/service-account?token_uri="+url.QueryEscape(f.url+"/vertex/token"))
	return &jwt.Config{
		Email: file.Email, PrivateKey: []byte(file.PrivateKey), TokenURL: file.TokenURI, Scopes: []string{"https://www.googleapis.com/auth/cloud-platform"},
	}
}

func parts(p ...*genai.Part) []*genai.Content {
	return []*genai.Content{genai.NewContentFromParts(p, genai.RoleUser)}
}

// collect puts a streamed answer together.
func collect(stream iter.Seq2[*genai.GenerateContentResponse, error]) (text string, last *genai.GenerateContentResponse, err error) {
	for chunk, err := range stream {
		if err != nil {
			return text, last, err
		}
		text += chunk.Text()
		last = chunk
	}
	return text, last, nil
}

func TestGoogleContent(t *testing.T) {
	f := start(t)
	want := words(t, f)
	for name, client := range googleClients(t, f) {
		t.Run(name, func(t *testing.T) {
			answer, err := client.Models.GenerateContent(t.Context(), model, genai.Text(prompt), nil)
			if err != nil {
				t.Fatal(err)
			}
			if answer.Text() != want || answer.UsageMetadata.PromptTokenCount != 9 || answer.UsageMetadata.CandidatesTokenCount != 16 {
				t.Errorf("got %q and %+v, want %q", answer.Text(), answer.UsageMetadata, want)
			}
			text, last, err := collect(client.Models.GenerateContentStream(t.Context(), model, genai.Text(prompt), nil))
			if err != nil || text != want || last.UsageMetadata.TotalTokenCount != 25 || last.Candidates[0].FinishReason != genai.FinishReasonStop {
				t.Errorf("streamed %q, %+v, %v, want %q", text, last, err, want)
			}
		})
	}
}

func TestGoogleCountsAndEmbeddings(t *testing.T) {
	f := start(t)
	for name, client := range googleClients(t, f) {
		t.Run(name, func(t *testing.T) {
			count, err := client.Models.CountTokens(t.Context(), model, genai.Text(prompt), nil)
			if err != nil || count.TotalTokens != 9 {
				t.Errorf("count: got %+v, %v", count, err)
			}
			size := int32(8)
			vectors, err := client.Models.EmbedContent(t.Context(), "text-embedding-004", genai.Text(prompt), &genai.EmbedContentConfig{OutputDimensionality: &size})
			if err != nil || len(vectors.Embeddings[0].Values) != 8 {
				t.Errorf("embedding: got %+v, %v", vectors, err)
			}
		})
	}
}

// TestGoogleThoughtsAndTools: calls go back with their signatures; without, or with a changed one, the request is refused.
func TestGoogleThoughtsAndTools(t *testing.T) {
	f := start(t)
	for name, client := range googleClients(t, f) {
		t.Run(name, func(t *testing.T) {
			config := &genai.GenerateContentConfig{
				ThinkingConfig: &genai.ThinkingConfig{IncludeThoughts: true},
				Tools:          []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{Name: "weather", ParametersJsonSchema: weather()}}}},
			}
			answer, err := client.Models.GenerateContent(t.Context(), thinker, genai.Text(prompt), config)
			if err != nil || len(answer.FunctionCalls()) != 1 || answer.FunctionCalls()[0].Args["city"] != "junction" || answer.UsageMetadata.ThoughtsTokenCount != 8 {
				t.Fatalf("got %+v, %v", answer, err)
			}
			turn := answer.Candidates[0].Content
			call := answer.FunctionCalls()[0]
			response := &genai.Part{FunctionResponse: &genai.FunctionResponse{ID: call.ID, Name: "weather", Response: map[string]any{"output": "sunny"}}}
			history := append(genai.Text(prompt), turn, genai.NewContentFromParts([]*genai.Part{response}, genai.RoleUser))
			next, err := client.Models.GenerateContent(t.Context(), thinker, history, config)
			if err != nil || next.Text() == "" {
				t.Fatalf("after the result: %+v, %v", next, err)
			}
			refuses := func(what, want string) {
				t.Helper()
				if _, err := client.Models.GenerateContent(t.Context(), thinker, history, config); err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("%s: got %v", what, err)
				}
			}
			signature := turn.Parts[1].ThoughtSignature
			turn.Parts[1].ThoughtSignature = nil
			refuses("without the signature", "missing a `thought_signature`")
			turn.Parts[1].ThoughtSignature = append([]byte{signature[0] ^ 1}, signature[1:]...)
			refuses("changed signature", "not valid")
			turn.Parts[1].ThoughtSignature, response.FunctionResponse.Name = signature, "other"
			refuses("the response of another function", "does not match")
		})
	}
}

func TestGoogleStructuredAndImage(t *testing.T) {
	f := start(t)
	for name, client := range googleClients(t, f) {
		t.Run(name, func(t *testing.T) {
			config := &genai.GenerateContentConfig{ResponseMIMEType: "application/json", ResponseSchema: &genai.Schema{
				Type: genai.TypeObject, Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString}, "days": {Type: genai.TypeInteger}},
			}}
			answer, err := client.Models.GenerateContent(t.Context(), model, parts(genai.NewPartFromText("what?"), genai.NewPartFromBytes(pixel(t), "image/png")), config)
			if err != nil || answer.Text() != example {
				t.Fatalf("got %+v, %v", answer, err)
			}
		})
	}
}

func TestGoogleErrors(t *testing.T) {
	f := start(t)
	for name, client := range googleClients(t, f) {
		t.Run(name, func(t *testing.T) {
			for _, status := range []int{http.StatusTooManyRequests, http.StatusForbidden, http.StatusServiceUnavailable} {
				if err := f.AddFaults(fakeprovider.Fault{Kind: fakeprovider.FaultStatus, Status: status, Match: fakeprovider.Match{Endpoint: "generateContent"}}); err != nil {
					t.Fatal(err)
				}
				_, err := client.Models.GenerateContent(t.Context(), model, genai.Text(prompt), nil)
				var apiError genai.APIError
				if !errors.As(err, &apiError) || apiError.Code != status || apiError.Status == "" {
					t.Errorf("status %d: got %v", status, err)
				}
			}
			if err := f.AddFaults(fakeprovider.Fault{Kind: fakeprovider.FaultErrorEvent, AfterEvents: 2, Status: 503, Match: fakeprovider.Match{Endpoint: "streamGenerateContent"}}); err != nil {
				t.Fatal(err)
			}
			if _, _, err := collect(client.Models.GenerateContentStream(t.Context(), model, genai.Text(prompt), nil)); err == nil {
				t.Error("an error inside a stream was not seen")
			}
		})
	}
}

func TestGoogleModels(t *testing.T) {
	page, err := googleClients(t, start(t))["Gemini"].Models.List(t.Context(), nil)
	if err != nil || len(page.Items) != 2 || page.Items[0].Name != "models/"+model {
		t.Errorf("models: got %+v, %v", page, err)
	}
}

// TestGoogleToken: an assertion with a wrong audience gets no token, and a made-up token no answer.
func TestGoogleToken(t *testing.T) {
	f := start(t)
	account := accountOf(t, f)
	account.Audience = "https://example.com/token"
	if _, err := account.TokenSource(t.Context()).Token(); err == nil || !strings.Contains(err.Error(), "invalid_grant") {
		t.Errorf("wrong audience: got %v", err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, f.url+"/vertex/v1/projects/p/locations/l/publishers/google/models/m:generateContent", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer fake-access-AAAA")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	if err := response.Body.Close(); err != nil || response.StatusCode != http.StatusUnauthorized {
		t.Errorf("made-up token: got %d, %v", response.StatusCode, err)
	}
}
