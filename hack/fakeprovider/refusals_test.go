package fakeprovider

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// refusal is a request and what its refusal has to say; empty means that it is taken.
type refusal struct {
	body, want string
}

// refused posts every body in a dialect and compares.
func refused(t *testing.T, d dialect, path string, cases map[string]refusal) {
	t.Helper()
	r := start(t, nil)
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			status, _, body := r.post(path, tc.body, d.headers...)
			body = strings.ReplaceAll(body, `\"`, `"`)
			if taken := status == http.StatusOK; taken != (tc.want == "") || !strings.Contains(body, tc.want) {
				t.Errorf("got %d %s, want %q", status, body, tc.want)
			}
		})
	}
}

func TestAnthropicRefuses(t *testing.T) {
	message := func(extra, messages string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":2000%s,"messages":[%s]}`, extra, messages)
	}
	const hello = `{"role":"user","content":"hello"}`
	const tools = `,"tools":[{"name":"t","input_schema":{"type":"object"}}]`
	const use = `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]}`
	const result = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}`
	refused(t, dialects()["anthropic"], "/anthropic/v1/messages", map[string]refusal{
		"good":                   {message("", hello), ""},
		"several of one role":    {message("", hello+","+hello), ""},
		"no max_tokens":          {`{"model":"m","messages":[` + hello + `]}`, "max_tokens: Field required"},
		"no model":               {`{"max_tokens":1,"messages":[` + hello + `]}`, "model: Field required"},
		"no messages":            {message("", ""), "at least one message"},
		"unknown field":          {message(`,"seed":1`, hello), "seed: Extra inputs are not permitted"},
		"unknown inner field":    {message("", `{"role":"user","content":[{"type":"text","text":"x","foo":1}]}`), "messages.0.content.0.foo: Extra inputs are not permitted"},
		"wrong type":             {message(`,"temperature":"hot"`, hello), "temperature: Input should be a valid number"},
		"temperature":            {message(`,"temperature":1.5`, hello), "temperature: range: 0..1"},
		"assistant first":        {message("", `{"role":"assistant","content":"x"},`+hello), `first message must use the "user" role`},
		"role system":            {message("", `{"role":"system","content":"x"}`), `Unexpected role "system"`},
		"empty text":             {message("", `{"role":"user","content":[{"type":"text","text":""}]}`), "text content blocks must be non-empty"},
		"empty content":          {message("", `{"role":"user","content":""},`+hello), "non-empty content"},
		"trailing whitespace":    {message("", hello+`,{"role":"assistant","content":"x "}`), "trailing whitespace"},
		"image from assistant":   {message("", hello+`,{"role":"assistant","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]},`+hello), "does not match any of the expected tags"},
		"tool without schema":    {message(`,"tools":[{"name":"t"}]`, hello), "input_schema: Field required"},
		"tool's name":            {message(`,"tools":[{"name":"a b","input_schema":{"type":"object"}}]`, hello), "String should match pattern"},
		"choice without tools":   {message(`,"tool_choice":{"type":"auto"}`, hello), "only be specified while providing tools"},
		"choice of another":      {message(tools+`,"tool_choice":{"type":"tool","name":"x"}`, hello), "not found in provided tools"},
		"tools":                  {message(tools, hello+","+use+","+result), ""},
		"use without result":     {message(tools, hello+","+use+","+hello), "without `tool_result` blocks immediately after: a"},
		"result without use":     {message(tools, hello+","+result), "unexpected `tool_use_id`"},
		"input is a string":      {message(tools, hello+`,{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":"{}"}]},`+result), "valid dictionary"},
		"id of another vendor":   {message(tools, hello+`,{"role":"assistant","content":[{"type":"tool_use","id":"call:1","name":"t","input":{}}]}`), "String should match pattern"},
		"budget too small":       {message(`,"thinking":{"type":"enabled","budget_tokens":100}`, hello), "greater than or equal to 1024"},
		"budget above limit":     {message(`,"thinking":{"type":"enabled","budget_tokens":3000}`, hello), "`max_tokens` must be greater"},
		"thinking, temperature":  {message(`,"thinking":{"type":"adaptive"},"temperature":0.5`, hello), "`temperature` may only be set to 1"},
		"thinking, forced tool":  {message(tools+`,"tool_choice":{"type":"any"},"thinking":{"type":"adaptive"}`, hello), "Thinking may not be enabled"},
		"thought of another":     {message("", hello+`,{"role":"assistant","content":[{"type":"thinking","thinking":"x","signature":"AAAA"}]},`+hello), "Invalid `signature`"},
		"unsigned thought":       {message("", hello+`,{"role":"assistant","content":[{"type":"thinking","thinking":"x"}]},`+hello), "signature: Field required"},
		"five marks":             {message("", `{"role":"user","content":[`+strings.Repeat(`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}},`, 4)+`{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}`), "A maximum of 4 blocks"},
		"ttl":                    {message("", `{"role":"user","content":[{"type":"text","text":"x","cache_control":{"type":"ephemeral","ttl":"2h"}}]}`), "Input should be '5m' or '1h'"},
		"a PDF that is none":     {message("", `{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"aGVsbG8="}}]}`), "PDF specified was not valid"},
		"version in the body":    {message(`,"anthropic_version":"bedrock-2023-05-31"`, hello), "anthropic_version: Extra inputs"},
		"not JSON":               {`{`, "not valid JSON"},
		"output of another type": {message(`,"output_config":{"format":{"type":"json_object"}}`, hello), "output_config.format.schema"},
		"thought lost in a loop": {message(tools+`,"thinking":{"type":"enabled","budget_tokens":1024}`, hello+","+use+","+result+","+hello), "messages.1.content.0.type: Expected `thinking`"},
	})
}

// TestAnthropicVersions: the newest version takes instructions among the messages, and no parameters of sampling.
func TestAnthropicVersions(t *testing.T) {
	d := dialects()["anthropic"]
	d.headers = []string{"X-Api-Key", "sk-test", "Anthropic-Version", "2026-10-21"}
	message := func(extra, messages string) string {
		return fmt.Sprintf(`{"model":"m","max_tokens":2000%s,"messages":[%s]}`, extra, messages)
	}
	const hello = `{"role":"user","content":"hello"}`
	const use = `{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"t","input":{}}]}`
	const result = `{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":"1"}]}`
	const system = `{"role":"system","content":"x"}`
	const tools = `,"tools":[{"name":"t","input_schema":{"type":"object"}}]`
	cases := map[string]refusal{
		"good":                 {message("", hello), ""},
		"temperature":          {message(`,"temperature":1`, hello), "temperature: Extra inputs are not permitted"},
		"top_p":                {message(`,"top_p":1`, hello), "top_p: Extra inputs are not permitted"},
		"top_k":                {message(`,"top_k":1`, hello), "top_k: Extra inputs are not permitted"},
		"system":               {message("", hello+","+system+","+hello), ""},
		"system, in blocks":    {message("", hello+`,{"role":"system","content":[{"type":"text","text":"x"}]}`), ""},
		"system first":         {message("", system+","+hello), ""},
		"system alone":         {message("", system), `first message must use the "user" role`},
		"system, empty":        {message("", hello+`,{"role":"system","content":""}`), "non-empty content"},
		"system with an image": {message("", hello+`,{"role":"system","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}`), "expected tags: 'text'"},
		"system inside a loop": {message(tools, hello+","+use+","+system+","+result), "without `tool_result` blocks immediately after"},
		"role developer":       {message("", hello+`,{"role":"developer","content":"x"}`), "messages.1.role: Input should be"},
	}
	refused(t, d, "/anthropic/v1/messages", cases)
	d.headers[3] = "2024-01-01"
	refused(t, d, "/anthropic/v1/messages", map[string]refusal{"unknown": {message("", hello), "not a valid version"}})
	d.headers[3] = "2026-10-21"
	refused(t, d, "/anthropic/v1/messages/count_tokens", map[string]refusal{
		"temperature": {`{"model":"m","temperature":1,"messages":[` + hello + `]}`, "temperature: Extra inputs are not permitted"},
		"system":      {`{"model":"m","messages":[` + hello + "," + system + `]}`, ""},
	})
}

func TestGeminiRefuses(t *testing.T) {
	body := func(extra, contents string) string { return fmt.Sprintf(`{"contents":[%s]%s}`, contents, extra) }
	const hello = `{"role":"user","parts":[{"text":"hello"}]}`
	const tools = `,"tools":[{"functionDeclarations":[{"name":"t","parameters":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}}]}]`
	const call = `{"role":"model","parts":[{"functionCall":{"name":"t","args":{}}}]}`
	const response = `{"role":"user","parts":[{"functionResponse":{"name":"t","response":{"output":1}}}]}`
	refused(t, dialects()["gemini"], "/gemini/v1beta/models/m:generateContent", map[string]refusal{
		"good":                       {body("", hello), ""},
		"snake case":                 {body(`,"system_instruction":{"parts":[{"text":"x"}]},"generation_config":{"max_output_tokens":5,"stop_sequences":["x"]}`, hello), ""},
		"no contents":                {`{}`, "contents is not specified"},
		"unknown name":               {body(`,"temperature":1`, hello), `Unknown name "temperature": Cannot find field`},
		"unknown inner name":         {body(`,"generationConfig":{"max_tokens":1}`, hello), `Unknown name "max_tokens" at 'generationConfig'`},
		"JSON schema as parameters":  {body(`,"tools":[{"functionDeclarations":[{"name":"t","parameters":{"type":"object","additionalProperties":false,"properties":{"a":{"type":"string"}}}}]}]`, hello), `Unknown name "additionalProperties"`},
		"role assistant":             {body("", `{"role":"assistant","parts":[{"text":"x"}]}`), "valid role"},
		"no parts":                   {body("", `{"role":"user","parts":[]}`), "must not be empty"},
		"two kinds in a part":        {body("", `{"parts":[{"text":"x","fileData":{"mimeType":"a/b","fileUri":"x"}}]}`), "must have one initialized field"},
		"schema without JSON":        {body(`,"generationConfig":{"responseSchema":{"type":"OBJECT","properties":{"a":{"type":"STRING"}}}}`, hello), "requires response_mime_type"},
		"array without items":        {body(`,"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"ARRAY"}}`, hello), "items: missing field"},
		"tools":                      {body(tools, hello+","+call+","+response), ""},
		"call without response":      {body(tools, hello+","+call+","+hello), "number of function response parts"},
		"call at the end":            {body(tools, hello+","+call), "followed by a function response turn"},
		"response without call":      {body(tools, hello+","+response), "immediately after a function call turn"},
		"response of another":        {body(tools, hello+","+call+","+strings.Replace(response, `"t"`, `"u"`, 1)), "does not match any function call"},
		"response that is a text":    {body(tools, hello+","+call+","+`{"role":"user","parts":[{"functionResponse":{"name":"t","response":"x"}}]}`), "Invalid value"},
		"allowed names without ANY":  {body(tools+`,"toolConfig":{"functionCallingConfig":{"mode":"AUTO","allowedFunctionNames":["t"]}}`, hello), "only be set when"},
		"seal of another":            {body("", hello+`,{"role":"model","parts":[{"text":"x","thoughtSignature":"AAAA"}]},`+hello), ""}, // looked at where the model thinks
		"stop sequences":             {body(`,"generationConfig":{"stopSequences":["a","b","c","d","e","f"]}`, hello), "at most 5"},
		"labels, which Vertex takes": {body(`,"labels":{"a":"b"}`, hello), "labels"},
		"not JSON":                   {`{`, "Invalid JSON payload"},
		"bytes in neither alphabet":  {body("", `{"role":"user","parts":[{"inlineData":{"mimeType":"text/plain","data":"a*b="}}]}`), "Base64 decoding failed"},
	})
	skip := base64.RawURLEncoding.EncodeToString([]byte("skip_thought_signature_validator"))
	refused(t, dialects()["gemini"], "/gemini/v1beta/models/thinks:generateContent", map[string]refusal{
		"seal of another":        {body("", hello+`,{"role":"model","parts":[{"text":"x","thoughtSignature":"AAAA"}]},`+hello), "Thought signature is not valid"},
		"call without a seal":    {body(tools, hello+","+call+","+response), "missing a `thought_signature`"},
		"an earlier turn":        {body(tools, hello+","+call+","+response+","+hello), ""},
		"word to skip, URL-safe": {body(tools, hello+","+strings.Replace(call, `{"functionCall"`, `{"thoughtSignature":"`+skip+`","functionCall"`, 1)+","+response), ""},
		"word to skip":           {body(tools, hello+","+strings.Replace(call, `{"functionCall"`, `{"thoughtSignature":"skip_thought_signature_validator","functionCall"`, 1)+","+response), ""},
	})
}

func TestBedrockRefuses(t *testing.T) {
	body := func(extra, messages string) string { return fmt.Sprintf(`{"messages":[%s]%s}`, messages, extra) }
	const hello = `{"role":"user","content":[{"text":"hello"}]}`
	const answer = `{"role":"assistant","content":[{"text":"hello"}]}`
	const tools = `,"toolConfig":{"tools":[{"toolSpec":{"name":"t","inputSchema":{"json":{"type":"object"}}}}]}`
	const use = `{"role":"assistant","content":[{"toolUse":{"toolUseId":"a","name":"t","input":{}}}]}`
	const result = `{"role":"user","content":[{"toolResult":{"toolUseId":"a","content":[{"json":{"x":1}}]}}]}`
	refused(t, dialects()["converse"], "/bedrock/model/m/converse", map[string]refusal{
		"good":                    {body("", hello), ""},
		"two user turns":          {body("", hello+","+hello), "must alternate"},
		"assistant first":         {body("", answer+","+hello), "must start with a user message"},
		"blank text":              {body("", `{"role":"user","content":[{"text":" "}]}`), "is blank"},
		"two members":             {body("", `{"role":"user","content":[{"text":"x","image":{"format":"png","source":{}}}]}`), "one and only one"},
		"unknown member":          {body(`,"max_tokens":1`, hello), "extraneous key [max_tokens]"},
		"limit":                   {body(`,"inferenceConfig":{"maxTokens":0}`, hello), "inferenceConfig.maxTokens"},
		"temperature":             {body(`,"inferenceConfig":{"temperature":1.5}`, hello), "inferenceConfig.temperature"},
		"tools":                   {body(tools, hello+","+use+","+result), ""},
		"tools not configured":    {body("", hello+","+use+","+result), "toolConfig field must be defined"},
		"no tools":                {body(`,"toolConfig":{"tools":[]}`, hello), "toolConfig.tools"},
		"tool_choice":             {body(strings.Replace(tools, `"toolConfig":{`, `"toolConfig":{"tool_choice":{"auto":{}},`, 1), hello), "extraneous key"},
		"use without result":      {body(tools, hello+","+use+","+hello), "Expected toolResult blocks"},
		"result without use":      {body(tools, hello+","+answer+","+result), "exceeds the number of toolUse"},
		"input is a string":       {body(tools, hello+","+strings.Replace(use, "{}", `"{}"`, 1)+","+result), "Provide a json object"},
		"JSON that is no object":  {body(tools, hello+","+use+","+strings.Replace(result, `{"x":1}`, "[1]", 1)), "Provide a json object"},
		"document without text":   {body("", `{"role":"user","content":[{"document":{"format":"txt","name":"a","source":{"bytes":"aGVsbG8="}}}]}`), "Include a text block"},
		"document's name":         {body("", `{"role":"user","content":[{"text":"x"},{"document":{"format":"txt","name":"a.txt","source":{"bytes":"aGVsbG8="}}}]}`), "invalid characters"},
		"thought of another":      {body("", hello+`,{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"x","signature":"AAAA"}}}]},`+hello), "Invalid `signature`"},
		"image as a data URL":     {body("", `{"role":"user","content":[{"image":{"format":"image/png","source":{"bytes":"`+pixel+`"}}}]}`), "image.format"},
		"budget above the limit":  {body(`,"inferenceConfig":{"maxTokens":1024},"additionalModelRequestFields":{"thinking":{"type":"enabled","budget_tokens":1024}}`, hello), "must be greater"},
		"schema that is no JSON":  {body(`,"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"schema":"{"}}}}`, hello), "not valid JSON"},
		"not JSON":                {`{`, "Unexpected token"},
		"description of no words": {body(strings.Replace(tools, `"name":"t"`, `"name":"t","description":""`, 1), hello), "description"},
	})
	refused(t, dialects()["invoke"], "/bedrock/model/m/invoke", map[string]refusal{
		"no version":   {`{"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, "anthropic_version: Field required"},
		"a model":      {`{"anthropic_version":"bedrock-2023-05-31","model":"m","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, "model: Extra inputs"},
		"a stream":     {`{"anthropic_version":"bedrock-2023-05-31","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, "stream: Extra inputs"},
		"of Vertex's":  {`{"anthropic_version":"vertex-2023-10-16","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, "anthropic_version: Input should be"},
		"current":      {`{"anthropic_version":"2026-10-21","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]}`, ""},
		"too old":      {`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"x"},{"role":"system","content":"y"}]}`, "Unexpected role"},
		"too new":      {`{"anthropic_version":"2026-10-21","temperature":1,"max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, "temperature: Extra inputs"},
		"good, native": {`{"anthropic_version":"bedrock-2023-05-31","max_tokens":9,"messages":[{"role":"user","content":"x"}]}`, ""},
	})
}

// TestBedrockEmbeddingsRefuse: the third generation of Cohere's models does not know what the fourth does.
func TestBedrockEmbeddingsRefuse(t *testing.T) {
	const texts = `"texts":["a","b"],"input_type":"search_query"`
	refused(t, dialects()["invoke"], "/bedrock/model/cohere.embed-multilingual-v3/invoke", map[string]refusal{
		"good":            {`{` + texts + `,"truncate":"END","embedding_types":["float","int8"]}`, ""},
		"an image":        {`{"images":["data:image/png;base64,` + pixel + `"],"input_type":"image"}`, ""},
		"no image":        {`{"images":["data:image/png;base64,AAAA"],"input_type":"image"}`, "the image is not valid"},
		"size":            {`{` + texts + `,"output_dimension":256}`, "extraneous key [output_dimension]"},
		"a model":         {`{` + texts + `,"model":"m"}`, "extraneous key [model]"},
		"no type":         {`{"texts":["a"]}`, "#/input_type"},
		"nothing":         {`{"input_type":"search_query"}`, "exactly one of"},
		"texts and image": {`{` + texts + `,"images":["https://x"]}`, "exactly one of"},
		"truncation":      {`{` + texts + `,"truncate":"MIDDLE"}`, "#/truncate"},
		"form":            {`{` + texts + `,"embedding_types":["float","base64"]}`, "#/embedding_types/1"},
		"too many":        {`{"texts":["a"` + strings.Repeat(`,"a"`, 96) + `],"input_type":"clustering"}`, "maximum item count: 96, found: 97"},
		"not JSON":        {`{`, "Malformed input request"},
	})
	refused(t, dialects()["invoke"], "/bedrock/model/eu.cohere.embed-v4:0/invoke", map[string]refusal{
		"good":            {`{` + texts + `,"output_dimension":256,"max_tokens":100,"truncate":"RIGHT"}`, ""},
		"mixed":           {`{"inputs":[{"content":[{"type":"text","text":"x"},{"type":"image_url","image_url":"data:image/png;base64,` + pixel + `"}]}],"input_type":"search_document"}`, ""},
		"size":            {`{` + texts + `,"output_dimension":300}`, "#/output_dimension: 300"},
		"part":            {`{"inputs":[{"content":[{"type":"audio"}]}],"input_type":"search_document"}`, "audio is not a valid enum value"},
		"no image inside": {`{"inputs":[{"content":[{"type":"image_url","image_url":"data:image/png;base64,AAAA"}]}],"input_type":"search_document"}`, "the image is not valid"},
	})
}

// vectorsIn reads vectors that stand in a list, or in one by the name of their type.
func vectorsIn(t *testing.T, embeddings json.RawMessage) [][]float32 {
	t.Helper()
	var typed struct{ Float [][]float32 }
	out := any(&typed)
	if embeddings[0] == '[' {
		out = &typed.Float
	}
	if err := json.Unmarshal(embeddings, out); err != nil {
		t.Fatal(err)
	}
	return typed.Float
}

// TestBedrockEmbeddings: as many vectors as texts, of the size that the model has, in lists by type or by themselves; the price is in a header.
func TestBedrockEmbeddings(t *testing.T) {
	r := start(t, nil)
	for name, tc := range map[string]struct {
		model, extra, kind string
		size               int
	}{
		"third":          {"cohere.embed-english-v3", `,"embedding_types":["float"]`, "embeddings_by_type", 1024},
		"third, no type": {"cohere.embed-english-v3", "", "embeddings_floats", 1024},
		"fourth":         {"cohere.embed-v4:0", `,"embedding_types":["float"]`, "embeddings_by_type", 1536},
		"fourth, sized":  {"cohere.embed-v4:0", `,"output_dimension":512`, "embeddings_floats", 512},
	} {
		t.Run(name, func(t *testing.T) {
			status, header, body := r.post("/bedrock/model/"+tc.model+"/invoke", `{"texts":["abcd","efgh"],"input_type":"search_query"`+tc.extra+`}`, dialects()["invoke"].headers...)
			var answer struct {
				Kind       string          `json:"response_type"`
				Texts      []string        `json:"texts"`
				Embeddings json.RawMessage `json:"embeddings"`
			}
			if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK || len(answer.Embeddings) == 0 {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			got := vectorsIn(t, answer.Embeddings)
			if answer.Kind != tc.kind || len(answer.Texts) != 2 || len(got) != 2 || len(got[0]) != tc.size || slices.Equal(got[0], got[1]) {
				t.Errorf("%s for %q: %d vectors of %s", answer.Kind, answer.Texts, len(got), body)
			}
			if tokens := header.Get("X-Amzn-Bedrock-Input-Token-Count"); tokens != "2" {
				t.Errorf("tokens %q", tokens)
			}
		})
	}
}

// TestBedrockSignatures: what is not signed, or not signed right, is refused before anything is read.
func TestBedrockSignatures(t *testing.T) {
	r := start(t, nil)
	const signed = "AWS4-HMAC-SHA256 Credential=AKIA/20260101/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=00"
	for name, tc := range map[string]struct{ authorization, date, want string }{
		"nothing":       {"", "", "MissingAuthenticationToken"},
		"other service": {fmt.Sprintf(signed, "s3", "host;x-amz-date"), "20260101T000000Z", "InvalidSignature"},
		"old":           {fmt.Sprintf(signed, "bedrock", "host;x-amz-date"), "20260101T000000Z", "InvalidSignature"},
		"no scope":      {"AWS4-HMAC-SHA256 Credential=AKIA, SignedHeaders=host, Signature=00", "", "MissingAuthenticationToken"},
	} {
		status, header, body := r.post("/bedrock/model/m/converse", `{}`, "Authorization", tc.authorization, "X-Amz-Date", tc.date)
		if status != http.StatusForbidden || !strings.HasPrefix(header.Get("X-Amzn-Errortype"), tc.want) {
			t.Errorf("%s: got %d %s %s, want %s", name, status, header.Get("X-Amzn-Errortype"), body, tc.want)
		}
	}
}

func TestCohereRefuses(t *testing.T) {
	body := func(extra, messages string) string {
		return fmt.Sprintf(`{"model":"m","messages":[%s]%s}`, messages, extra)
	}
	const hello = `{"role":"user","content":"hello"}`
	const tools = `,"tools":[{"type":"function","function":{"name":"t","parameters":{"type":"object"}}}]`
	const call = `{"role":"assistant","tool_calls":[{"id":"a","type":"function","function":{"name":"t","arguments":"{}"}}]}`
	const result = `{"role":"tool","tool_call_id":"a","content":[{"type":"document","document":{"data":{"x":1}}}]}`
	refused(t, dialects()["cohere"], "/cohere/v2/chat", map[string]refusal{
		"good":                   {body("", hello), ""},
		"no messages":            {body("", ""), "at least one message"},
		"unknown field":          {body(`,"top_p":1`, hello), "parameter 'top_p' is not a valid field"},
		"role developer":         {body("", `{"role":"developer","content":"x"}`), "must be one of"},
		"p":                      {body(`,"p":1`, hello), "p must be between"},
		"tool_choice":            {body(tools+`,"tool_choice":"auto"`, hello), "'REQUIRED' or 'NONE'"},
		"tools":                  {body(tools, hello+","+call+","+result), ""},
		"call without result":    {body(tools, hello+","+call+","+hello), "must be followed by"},
		"result without call":    {body(tools, hello+","+result), "not found in previous tool calls"},
		"JSON and tools":         {body(tools+`,"response_format":{"type":"json_object"}`, hello), "cannot specify both"},
		"json_schema":            {body(`,"response_format":{"type":"json_schema"}`, hello), "'text' or 'json_object'"},
		"document from the user": {body("", `{"role":"user","content":[{"type":"document","document":{"data":{}}}]}`), "not valid in a message of role 'user'"},
	})
}

func TestResponsesRefuse(t *testing.T) {
	const input = `{"role":"user","content":"hello"}`
	body := func(extra, items string) string { return fmt.Sprintf(`{"model":"m","input":[%s]%s}`, items, extra) }
	const tools = `,"tools":[{"type":"function","name":"t","parameters":{"type":"object"},"strict":false}]`
	const call = `{"type":"function_call","call_id":"a","name":"t","arguments":"{}"}`
	const output = `{"type":"function_call_output","call_id":"a","output":"1"}`
	refused(t, dialects()["responses"], "/v1/responses", map[string]refusal{
		"good":                     {body("", input), ""},
		"no input":                 {`{"model":"m"}`, "Missing required parameter: 'input'"},
		"unknown parameter":        {body(`,"max_tokens":5`, input), "Unknown parameter: 'max_tokens'"},
		"unknown inner parameter":  {body("", `{"role":"user","content":"x","foo":1}`), "Unknown parameter: 'input[0].foo'"},
		"part of chat":             {body("", `{"role":"user","content":[{"type":"text","text":"x"}]}`), "Invalid value: 'text'"},
		"input_text of assistant":  {body("", `{"role":"assistant","content":[{"type":"input_text","text":"x"}]},`+input), "Invalid value: 'input_text'"},
		"limit":                    {body(`,"max_output_tokens":15`, input), "integer below minimum value"},
		"tools":                    {body(tools, input+","+call+","+output), ""},
		"call without output":      {body(tools, input+","+call), "No tool output found for function call a"},
		"output without call":      {body(tools, input+","+output), "No tool call found"},
		"tool of chat":             {body(`,"tools":[{"type":"function","function":{"name":"t"}}]`, input), "Unknown parameter: 'tools[0].function'"},
		"reasoning, not stored":    {body("", input+`,{"type":"reasoning","id":"rs_1","summary":[]},{"role":"assistant","content":"x"},`+input), "Item with id 'rs_1' not found"},
		"reasoning, of another":    {body("", input+`,{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"AAAA"},{"role":"assistant","content":"x"},`+input), "could not be verified"},
		"previous response":        {body(`,"previous_response_id":"resp_1"`, input), "Previous response with id 'resp_1' not found"},
		"include":                  {body(`,"include":["everything"]`, input), "Invalid value: 'everything'"},
		"role tool":                {body("", `{"role":"tool","content":"x"}`), "Invalid value: 'tool'"},
		"options without a stream": {body(`,"stream_options":{"include_obfuscation":false}`, input), "only allowed when"},
	})
	refused(t, dialects()["responses"], "/v1/responses", map[string]refusal{
		"encrypted content of a model that does not think": {strings.Replace(body(`,"include":["reasoning.encrypted_content"]`, input), `"m"`, `"gpt-4o"`, 1), "not supported with this model"},
	})
}

// TestStoredResponses: what was stored is found, and gone once it is deleted.
func TestStoredResponses(t *testing.T) {
	r := start(t, nil)
	bearer := []string{"Authorization", "Bearer k"}
	_, _, body := r.post("/v1/responses", `{"model":"m","input":"hello"}`, bearer...)
	id := said(`"id":"(resp_[^"]*)"`, body)
	call := func(method, path string) (int, string) {
		request, err := http.NewRequestWithContext(t.Context(), method, r.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer k")
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		data := make([]byte, 4096)
		n, _ := response.Body.Read(data) // the beginning is enough
		if err := response.Body.Close(); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(data[:n])
	}
	if status, found := call(http.MethodGet, "/v1/responses/"+id); status != http.StatusOK || !strings.Contains(found, id) {
		t.Errorf("stored: %d %s", status, found)
	}
	if status, items := call(http.MethodGet, "/v1/responses/"+id+"/input_items"); status != http.StatusOK || !strings.Contains(items, "hello") {
		t.Errorf("items: %d %s", status, items)
	}
	if status, gone := call(http.MethodDelete, "/v1/responses/"+id); status != http.StatusOK || !strings.Contains(gone, `"deleted":true`) {
		t.Errorf("delete: %d %s", status, gone)
	}
	if status, _ := call(http.MethodGet, "/v1/responses/"+id); status != http.StatusNotFound {
		t.Errorf("deleted: %d", status)
	}
	if status, _ := call(http.MethodPatch, "/v1/responses/"+id); status != http.StatusMethodNotAllowed {
		t.Errorf("patch: %d", status)
	}
}
