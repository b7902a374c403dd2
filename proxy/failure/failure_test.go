package failure_test

import (
	"testing"
	"time"

	"signalbox.dev/signalbox/proxy/dialect"
	"signalbox.dev/signalbox/proxy/dialect/neutral"
	"signalbox.dev/signalbox/proxy/failure"
	"signalbox.dev/signalbox/proxy/table"
)

// answered is an error as a provider answers it.
type answered struct {
	status int
	body   string
	want   table.FailureKind
}

func check(t *testing.T, provider string, cases map[string]answered) {
	t.Helper()
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			if got := failure.Of(provider, tc.status, dialect.ParseError([]byte(tc.body))); got != tc.want {
				t.Errorf("status %d with %s is %q, want %q", tc.status, tc.body, got, tc.want)
			}
		})
	}
}

func TestOpenAI(t *testing.T) {
	check(t, "OpenAI", map[string]answered{
		"rate limit":         {429, `{"error":{"message":"Rate limit reached for gpt-4o in organization org-x on tokens per min (TPM): Limit 30000, Used 29000, Requested 5000. Please try again in 8s.","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`, table.RateLimited},
		"quota":              {429, `{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, table.QuotaExhausted},
		"billing limit":      {400, `{"error":{"message":"Billing hard limit has been reached","type":"invalid_request_error","param":null,"code":"billing_hard_limit_reached"}}`, table.QuotaExhausted},
		"key":                {401, `{"error":{"message":"Incorrect API key provided: sk-x.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, table.KeyRejected},
		"country":            {403, `{"error":{"code":"unsupported_country_region_territory","message":"Country, region, or territory not supported","param":null,"type":"request_forbidden"}}`, table.KeyRejected},
		"closed model":       {403, "{\"error\":{\"message\":\"Project `proj_x` does not have access to model `gpt-5`\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}", table.ModelWithdrawn},
		"model":              {404, "{\"error\":{\"message\":\"The model `gpt-9` does not exist or you do not have access to it.\",\"type\":\"invalid_request_error\",\"param\":null,\"code\":\"model_not_found\"}}", table.ModelWithdrawn},
		"model by parameter": {404, `{"error":{"message":"It has been retired.","type":"invalid_request_error","param":"model","code":null}}`, table.ModelWithdrawn},
		"other path":         {404, `{"error":{"message":"This is not a chat model and thus not supported in the v1/chat/completions endpoint. Did you mean to use v1/completions?","type":"invalid_request_error","param":"model","code":null}}`, table.BadRequest},
		"nothing behind":     {404, "default backend - 404", table.Unavailable},
		"a page":             {405, "<html><title>405 Not Allowed</title></html>", table.Unavailable},
		"wrong path":         {404, `{"error":{"message":"Invalid URL (POST /v1/models/x)","type":"invalid_request_error","param":null,"code":null}}`, table.BadRequest},
		"former response":    {404, `{"error":{"message":"Previous response with id 'the model does not exist' not found.","type":"invalid_request_error","param":"previous_response_id","code":"previous_response_not_found"}}`, table.BadRequest},
		"a firewall":         {403, "<!DOCTYPE html><html><head><title>Attention Required! | Cloudflare</title></head><body><h1>Sorry, you have been blocked</h1></body></html>", table.Unavailable},
		"a firewall's words": {403, `{"error":{"message":"Attention required! Your key is disabled.","type":"invalid_request_error","param":null,"code":null}}`, table.KeyRejected},
		"forbidden":          {403, "Forbidden", table.KeyRejected},
		"context":            {400, `{"error":{"message":"This model's maximum context length is 128000 tokens. However, your messages resulted in 411525 tokens.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, table.ContextTooLong},
		"context, old":       {400, `{"error":{"message":"This model's maximum context length is 4097 tokens. However, you requested 4128 tokens.","type":"invalid_request_error","param":null,"code":null}}`, table.ContextTooLong},
		"long text":          {400, `{"error":{"message":"Invalid 'messages[1].content': string too long. Expected a string with maximum length 1048576.","type":"invalid_request_error","param":"messages[1].content","code":"string_above_max_length"}}`, table.ContextTooLong},
		"long user":          {400, `{"error":{"message":"Invalid 'user': string too long. Expected a string with maximum length 64.","type":"invalid_request_error","param":"user","code":"string_above_max_length"}}`, table.BadRequest},
		"output bound":       {400, `{"error":{"message":"max_tokens is too large: 100000. This model supports at most 16384 completion tokens.","type":"invalid_request_error","param":"max_tokens","code":"invalid_value"}}`, table.BadRequest},
		"policy":             {400, `{"error":{"message":"Your request was rejected as a result of our safety system.","type":"invalid_request_error","param":null,"code":"content_policy_violation"}}`, table.ContentFiltered},
		"flagged":            {400, `{"error":{"message":"Invalid prompt: your prompt was flagged as potentially violating our usage policy.","type":"invalid_request_error","param":null,"code":"invalid_prompt"}}`, table.ContentFiltered},
		"parameter":          {400, `{"error":{"message":"Unsupported value: 'temperature'","type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}`, table.BadRequest},
		"server":             {500, `{"error":{"message":"The server had an error while processing your request.","type":"server_error","param":null,"code":null}}`, table.Unavailable},
		"overloaded":         {503, `{"error":{"message":"That model is currently overloaded with other requests.","type":"server_error","param":null,"code":null}}`, table.Capacity},
		"slow down":          {503, `{"error":{"message":"Slow Down","type":"server_error","param":null,"code":"slow_down"}}`, table.Capacity},
		"in a stream":        {502, `{"error":{"message":"Rate limit reached","type":"error","code":"rate_limit_exceeded"}}`, table.RateLimited},
		"bad, in a stream":   {502, `{"error":{"message":"This model's maximum context length is 128 tokens","type":"invalid_request_error","code":null}}`, table.ContextTooLong},
		"Azure filter":       {400, `{"error":{"message":"The response was filtered due to the prompt triggering Azure OpenAI's content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation"}}}`, table.ContentFiltered},
		"Azure deployment":   {404, `{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}`, table.ModelWithdrawn},
		"Azure rate":         {429, `{"error":{"code":"429","message":"Requests to the ChatCompletions_Create Operation have exceeded token rate limit of your current OpenAI S0 pricing tier. Please retry after 2 seconds."}}`, table.RateLimited},
		"Azure capacity":     {429, `{"error":{"code":"NoCapacity","message":"The system is currently experiencing high demand."}}`, table.Capacity},
		"Azure wrong path":   {404, `{"error":{"code":"404","message":"Resource not found"}}`, table.BadRequest},
	})
}

func TestGroq(t *testing.T) {
	check(t, "Groq", map[string]answered{
		"decommissioned": {400, "{\"error\":{\"message\":\"The model `llama-3.1-70b-versatile` has been decommissioned and is no longer supported.\",\"type\":\"invalid_request_error\",\"code\":\"model_decommissioned\"}}", table.ModelWithdrawn},
		"terms":          {400, "{\"error\":{\"message\":\"The model `canopylabs/orpheus` requires terms acceptance.\",\"type\":\"invalid_request_error\",\"code\":\"model_terms_required\"}}", table.ModelWithdrawn},
		"model":          {404, "{\"error\":{\"message\":\"The model `x` does not exist or you do not have access to it.\",\"type\":\"invalid_request_error\",\"code\":\"model_not_found\"}}", table.ModelWithdrawn},
		"wrong path":     {404, `{"error":{"message":"Unknown request URL: POST /v1/models/chat. Please check the URL for typos.","type":"invalid_request_error","code":"unknown_url"}}`, table.BadRequest},
		"capacity":       {498, `{"error":{"message":"Flex tier capacity exceeded. Please try again later.","type":"flex_tier_capacity_exceeded","code":"capacity_exceeded"}}`, table.Capacity},
		"bare capacity":  {498, ``, table.Capacity},
		"too large":      {413, "{\"error\":{\"message\":\"Request too large for model `openai/gpt-oss-120b` on tokens per minute (TPM): Limit 8000, Requested 22814, please reduce your message size and try again.\",\"type\":\"tokens\",\"code\":\"rate_limit_exceeded\"}}", table.RateLimited},
		"rate limit":     {429, `{"error":{"message":"Rate limit reached for model x on requests per day (RPD): Limit 1000, Used 1000, Requested 1. Please try again in 1m26.4s.","type":"requests","code":"rate_limit_exceeded"}}`, table.RateLimited},
		"context":        {400, `{"error":{"message":"Please reduce the length of the messages or completion.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}`, table.ContextTooLong},
		"tool use":       {400, `{"error":{"message":"Failed to call a function.","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"x"}}`, table.BadRequest},
		"tool server":    {424, `{"error":{"message":"MCP server failed","type":"invalid_request_error"}}`, table.BadRequest},
		"gave up":        {499, `{"error":{"message":"Request Cancelled"}}`, table.Unavailable},
		"unavailable":    {503, `{"error":{"message":"Service Unavailable","type":"internal_server_error"}}`, table.Unavailable},
	})
}

func TestAnthropic(t *testing.T) {
	check(t, "Anthropic", map[string]answered{
		"overloaded":            {529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"r"}`, table.Capacity},
		"overloaded, streaming": {502, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, table.Capacity},
		"failed, streaming":     {200, `{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`, table.Unavailable},
		"bad, streaming":        {200, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 210000 tokens > 200000 maximum"}}`, table.ContextTooLong},
		"gone, streaming":       {200, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-1"}}`, table.ModelWithdrawn},
		"closed, streaming":     {200, `{"type":"error","error":{"type":"permission_error","message":"no"}}`, table.KeyRejected},
		"large, streaming":      {200, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, table.ContextTooLong},
		"timeout":               {504, `{"type":"error","error":{"type":"timeout_error","message":"Request timed out"}}`, table.Timeout},
		"rate limit":            {429, `{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your account's rate limit. Please try again later."}}`, table.RateLimited},
		"prompt":                {400, `{"type":"error","error":{"type":"invalid_request_error","message":"prompt is too long: 208310 tokens > 200000 maximum"}}`, table.ContextTooLong},
		"prompt and answer":     {400, "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000\"}}", table.ContextTooLong},
		"too large":             {413, `{"type":"error","error":{"type":"request_too_large","message":"Request exceeds the maximum size"}}`, table.ContextTooLong},
		"credit":                {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}`, table.QuotaExhausted},
		"spend limit":           {400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC."}}`, table.QuotaExhausted},
		"billing":               {402, `{"type":"error","error":{"type":"billing_error","message":"There is an issue with your billing."}}`, table.QuotaExhausted},
		"quoted credit":         {400, `{"type":"error","error":{"type":"invalid_request_error","message":"metadata.user_id: 'Your credit balance is too low' is not allowed"}}`, table.BadRequest},
		"key":                   {401, `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key"}}`, table.KeyRejected},
		"permission":            {403, `{"type":"error","error":{"type":"permission_error","message":"Your API key does not have permission to use the specified resource."}}`, table.KeyRejected},
		"model":                 {404, `{"type":"error","error":{"type":"not_found_error","message":"model: claude-9"}}`, table.ModelWithdrawn},
		"wrong path":            {404, `{"type":"error","error":{"type":"not_found_error","message":"Not Found"}}`, table.BadRequest},
		"filter":                {400, `{"type":"error","error":{"type":"invalid_request_error","message":"Output blocked by content filtering policy"}}`, table.ContentFiltered},
		"field":                 {400, `{"type":"error","error":{"type":"invalid_request_error","message":"messages: at least one message is required"}}`, table.BadRequest},
	})
}

func TestGoogle(t *testing.T) {
	check(t, "GoogleAI", map[string]answered{
		"rate limit":      {429, `[{"error":{"code":429,"message":"You exceeded your current quota, please check your plan and billing details.\nPlease retry in 34.074824224s.","status":"RESOURCE_EXHAUSTED"}}]`, table.RateLimited},
		"credit":          {429, `{"error":{"code":429,"message":"Your prepayment credits are depleted. Please go to AI Studio to manage your project and billing.","status":"RESOURCE_EXHAUSTED"}}`, table.QuotaExhausted},
		"key":             {400, `{"error":{"code":400,"message":"API key not valid. Please pass a valid API key.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, table.KeyRejected},
		"quoted key":      {400, `{"error":{"code":400,"message":"Invalid value at 'x' (api key not valid)","status":"INVALID_ARGUMENT"}}`, table.BadRequest},
		"country":         {400, `{"error":{"code":400,"message":"User location is not supported for the API use.","status":"FAILED_PRECONDITION"}}`, table.KeyRejected},
		"tokens":          {400, `{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}`, table.ContextTooLong},
		"model":           {404, `{"error":{"code":404,"message":"models/gemini-1.0-pro is not found for API version v1beta, or is not supported for generateContent. Call ListModels to see the list of available models.","status":"NOT_FOUND"}}`, table.ModelWithdrawn},
		"Vertex model":    {404, "[{\"error\":{\"code\":404,\"message\":\"Publisher Model `projects/p/locations/l/publishers/google/models/x` was not found or your project does not have access to it.\",\"status\":\"NOT_FOUND\"}}]", table.ModelWithdrawn},
		"Vertex closed":   {403, `[{"error":{"code":403,"message":"Permission 'aiplatform.endpoints.predict' denied on resource '//aiplatform.googleapis.com/projects/p/locations/l/publishers/google/models/x' (or it may not exist).","status":"PERMISSION_DENIED"}}]`, table.ModelWithdrawn},
		"Vertex project":  {403, `{"error":{"code":403,"message":"Vertex AI API has not been used in project 1 before or it is disabled.","status":"PERMISSION_DENIED"}}`, table.KeyRejected},
		"billing":         {403, `{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED"}}`, table.QuotaExhausted},
		"blocked":         {400, `{"error":{"code":400,"message":"The prompt was blocked due to safety","status":"INVALID_ARGUMENT"}}`, table.ContentFiltered},
		"overloaded":      {503, `{"error":{"code":503,"message":"The model is overloaded. Please try again later.","status":"UNAVAILABLE"}}`, table.Capacity},
		"deadline":        {504, `{"error":{"code":504,"message":"Deadline expired before operation could complete.","status":"DEADLINE_EXCEEDED"}}`, table.Timeout},
		"HTML":            {404, `<html><title>Error 404 (Not Found)!!1</title></html>`, table.Unavailable},
		"inside a stream": {200, `{"error":{"code":503,"message":"The service is currently unavailable.","status":"UNAVAILABLE"}}`, table.Unavailable},
	})
}

func TestBedrock(t *testing.T) {
	check(t, "AWSBedrock", map[string]answered{
		"throttling":         {429, `{"message":"Too many requests, please wait before trying again."}`, table.RateLimited},
		"throttling, stream": {502, `{"type":"throttlingException","message":"slow"}`, table.RateLimited},
		"failed, stream":     {502, `{"type":"modelStreamErrorException","message":"x"}`, table.Unavailable},
		"input":              {400, `{"message":"Input is too long for requested model."}`, table.ContextTooLong},
		"model timeout":      {408, `{"message":"The model has timed out in processing the request."}`, table.Timeout},
		"service quota":      {400, `{"message":"Your request exceeds the service quota for your account."}`, table.QuotaExhausted},
		"service quota type": {400, `{"code":"com.amazon.bedrock#ServiceQuotaExceededException","message":"x"}`, table.QuotaExhausted},
		"resource":           {404, `{"message":"Could not resolve the foundation model from the provided model identifier."}`, table.ModelWithdrawn},
		"end of life":        {404, `{"message":"This model version has reached the end of its life."}`, table.ModelWithdrawn},
		"legacy":             {404, `{"message":"Access denied. This Model is marked by provider as Legacy."}`, table.ModelWithdrawn},
		"identifier":         {400, `{"message":"The provided model identifier is invalid."}`, table.ModelWithdrawn},
		"on demand":          {400, `{"message":"Invocation of model ID anthropic.claude-3-7 with on-demand throughput isn’t supported."}`, table.ModelWithdrawn},
		"closed model":       {403, `{"message":"You don’t have access to the model with the specified model ID."}`, table.ModelWithdrawn},
		"marketplace":        {403, `{"message":"Model access is denied due to IAM user or service role is not authorized."}`, table.ModelWithdrawn},
		"policy of a model":  {403, `{"message":"User: arn:aws:iam::1:user/u is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/x"}`, table.ModelWithdrawn},
		"token":              {403, `{"message":"The security token included in the request is invalid."}`, table.KeyRejected},
		"filter":             {400, `{"message":"The generated text has been blocked by our content filters."}`, table.ContentFiltered},
		"model failed":       {424, `{"message":"The request failed due to an error while processing the model."}`, table.Unavailable},
		"not ready":          {429, `{"message":"The model specified in the request is not ready to serve inference requests."}`, table.Capacity},
		"validation":         {400, `{"message":"messages.0: unknown role"}`, table.BadRequest},
	})
}

func TestOpenRouter(t *testing.T) {
	check(t, "OpenRouter", map[string]answered{
		"credit":            {402, `{"error":{"code":402,"message":"This request requires more credits, or fewer max_tokens."}}`, table.QuotaExhausted},
		"moderation":        {403, `{"error":{"code":403,"message":"Your chosen model requires moderation and your input was flagged for \"violence\".","metadata":{"reasons":["violence"]}}}`, table.ContentFiltered},
		"key limit":         {403, `{"error":{"code":403,"message":"Key limit exceeded (total limit)."}}`, table.KeyRejected},
		"key":               {401, `{"error":{"code":401,"message":"User not found."}}`, table.KeyRejected},
		"no endpoints":      {404, `{"error":{"code":404,"message":"No endpoints found for old/model."}}`, table.ModelWithdrawn},
		"no such endpoint":  {404, `{"error":{"code":404,"message":"No endpoints found that support tool use. To learn more about provider routing, visit the docs."}}`, table.Unavailable},
		"no policy":         {404, `{"error":{"code":404,"message":"No endpoints available matching your guardrail restrictions and data policy."}}`, table.Unavailable},
		"no provider":       {503, `{"error":{"code":503,"message":"There is no available model provider that meets your routing requirements"}}`, table.Unavailable},
		"model":             {400, `{"error":{"code":400,"message":"old/model is not a valid model ID"}}`, table.ModelWithdrawn},
		"passed on":         {429, `{"error":{"code":429,"message":"Provider returned error","metadata":{"raw":"x is temporarily rate-limited upstream. Please retry shortly.","provider_name":"Chutes"}}}`, table.RateLimited},
		"passed on, credit": {400, `{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"Your credit balance is too low\"}}","provider_name":"Anthropic"}}}`, table.QuotaExhausted},
		"passed on, long":   {400, `{"error":{"code":400,"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"prompt is too long: 9 tokens > 8 maximum\"}}","provider_name":"Anthropic"}}}`, table.ContextTooLong},
		"in a stream":       {200, `{"error":{"code":502,"message":"Upstream error"}}`, table.Unavailable},
		"429 in a stream":   {502, `{"error":{"code":429,"message":"Rate limited"}}`, table.RateLimited},
		"timeout":           {524, `{"error":{"code":524,"message":"Provider timed out"}}`, table.Timeout},
	})
}

// TestOpenRouterTypes goes through the words that OpenRouter gives errors as their type.
func TestOpenRouterTypes(t *testing.T) {
	for word, tc := range map[string]struct {
		status int
		want   table.FailureKind
	}{
		"context_length_exceeded":  {400, table.ContextTooLong},
		"token_limit_exceeded":     {400, table.ContextTooLong},
		"string_too_long":          {400, table.ContextTooLong},
		"max_tokens_exceeded":      {400, table.BadRequest},
		"authentication":           {401, table.KeyRejected},
		"payment_required":         {402, table.QuotaExhausted},
		"permission_denied":        {403, table.KeyRejected},
		"not_found":                {404, table.BadRequest},
		"precondition_failed":      {412, table.BadRequest},
		"payload_too_large":        {413, table.ContextTooLong},
		"unprocessable":            {422, table.BadRequest},
		"rate_limit_exceeded":      {429, table.RateLimited},
		"content_policy_violation": {400, table.ContentFiltered},
		"refusal":                  {400, table.ContentFiltered},
		"invalid_request":          {400, table.BadRequest},
		"invalid_prompt":           {400, table.BadRequest},
		"provider_overloaded":      {503, table.Capacity},
		"provider_unavailable":     {502, table.Unavailable},
		"timeout":                  {504, table.Timeout},
		"server":                   {500, table.Unavailable},
		"unmapped":                 {500, table.Unavailable},
	} {
		t.Run(word, func(t *testing.T) {
			if got := failure.Of("OpenRouter", tc.status, neutral.Error{Type: word}); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
}

// TestWords: a code or a type says enough, whatever the status and the text.
func TestWords(t *testing.T) {
	for kind, words := range map[table.FailureKind][]string{
		table.QuotaExhausted: {
			"insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error", "insufficient_balance", "insufficient_credits",
			"payment_required", "exceeded_current_quota_error", "com.amazon#ServiceQuotaExceededException",
		},
		table.KeyRejected: {
			"invalid_api_key", "authentication_error", "authentication", "UnrecognizedClientException", "ExpiredTokenException:http://internal.amazon.com/",
			"InvalidSignatureException",
		},
		table.RateLimited: {"rate_limit_error", "rate_limit_exceeded", "throttlingException"},
		table.Capacity: {
			"overloaded_error", "engine_overloaded", "engine_overloaded_error", "provider_overloaded", "capacity_exceeded", "capacity_exhausted",
			"service_tier_capacity_exceeded", "queue_exceeded", "ModelNotReadyException", "NoCapacity", "slow_down", "overloaded",
		},
		table.ModelWithdrawn: {
			"model_not_found", "model_decommissioned", "model_not_available", "model_deprecated", "model_terms_required", "model_unavailable_upstream",
			"free_variant_ended", "DeploymentNotFound", "invalid_model",
		},
		table.ContextTooLong: {"context_length_exceeded", "exceed_context_size_error", "token_limit_exceeded", "string_too_long"},
		table.ContentFiltered: {
			"content_filter", "content_policy_violation", "ResponsibleAIPolicyViolation", "moderation_blocked", "refusal", "data_inspection_failed",
		},
		table.Timeout: {"modelTimeoutException", "timeout_error", "timeout"},
		table.Unavailable: {
			"modelErrorException", "modelStreamErrorException", "internalServerException", "serviceUnavailableException", "provider_unavailable",
		},
		table.BadRequest: {"", "invalid_request_error", "unknown_error", "400"},
	} {
		for _, word := range words {
			for _, said := range []neutral.Error{{Code: word}, {Type: word}, {Code: "400", Type: word}} {
				if got := failure.Of("OpenAICompatible", 400, said); got != kind {
					t.Errorf("%+v is %q, want %q", said, got, kind)
				}
			}
		}
	}
}

func TestOthers(t *testing.T) {
	check(t, "OpenAICompatible", map[string]answered{
		"Cohere tokens":       {400, `{"message":"too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 4500"}`, table.ContextTooLong},
		"Cohere model":        {404, `{"message":"model 'command-z' not found, make sure the correct model ID was used and that you have access to the model."}`, table.ModelWithdrawn},
		"Cohere key":          {401, `{"message":"invalid api token"}`, table.KeyRejected},
		"Mistral model":       {400, `{"object":"error","message":"Invalid model: mistral-x","type":"invalid_model","param":null,"code":"1500"}`, table.ModelWithdrawn},
		"Mistral model text":  {400, `{"object":"error","message":"Invalid model: mistral-x","type":"invalid_request_error"}`, table.ModelWithdrawn},
		"Mistral context":     {400, `{"object":"error","message":"Prompt contains 40000 tokens and 0 draft tokens, too large for model with 32768 maximum context length","type":"invalid_request_error","code":"3051"}`, table.ContextTooLong},
		"Mistral capacity":    {429, `{"object":"error","message":"Service tier capacity exceeded for this model.","type":"service_tier_capacity_exceeded","code":"3505"}`, table.Capacity},
		"Mistral rate":        {429, `{"message":"Requests rate limit exceeded"}`, table.RateLimited},
		"Mistral path":        {404, `{"message":"no Route matched with those values"}`, table.BadRequest},
		"DeepSeek balance":    {402, `{"error":{"message":"Insufficient Balance","type":"unknown_error","param":null,"code":"invalid_request_error"}}`, table.QuotaExhausted},
		"DeepSeek model":      {400, `{"error":{"message":"Model Not Exist","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`, table.ModelWithdrawn},
		"DeepSeek risk":       {400, `{"error":{"message":"Content Exists Risk","type":"invalid_request_error"}}`, table.ContentFiltered},
		"xAI key":             {400, `{"code":"Client specified an invalid argument","error":"Incorrect API key provided: xa***. You can obtain an API key from https://console.x.ai."}`, table.KeyRejected},
		"xAI credits":         {403, `{"code":"The caller does not have permission to execute the specified operation","error":"Your newly created team doesn't have any credits or licenses yet."}`, table.QuotaExhausted},
		"xAI spent":           {429, `{"code":"Some resource has been exhausted","error":"Your team x has either used all available credits or reached its monthly spending limit."}`, table.QuotaExhausted},
		"xAI guidelines":      {403, `{"code":"The caller does not have permission to execute the specified operation","error":"Content violates usage guidelines. Failed check: SAFETY_CHECK_TYPE_BIO"}`, table.ContentFiltered},
		"xAI denied":          {403, `{"code":"permission-denied","error":"Access to the chat endpoint is denied."}`, table.KeyRejected},
		"xAI model":           {404, `{"code":"Some requested entity was not found","error":"The model grok-0 does not exist or your team x does not have access to it."}`, table.ModelWithdrawn},
		"xAI prompt":          {400, `{"code":"Client specified an invalid argument","error":"This model's maximum prompt length is 131072 but the request contains 537812 tokens."}`, table.ContextTooLong},
		"Together model":      {404, `{"error":{"message":"Unable to access model x. Please visit the site.","type":"invalid_request_error","param":null,"code":"model_not_available"}}`, table.ModelWithdrawn},
		"Together tokens":     {422, "{\"error\":{\"message\":\"Input validation error: `inputs` tokens + `max_new_tokens` must be <= 4097.\",\"type\":\"invalid_request_error\"}}", table.ContextTooLong},
		"Fireworks model":     {404, `{"error":{"object":"error","type":"invalid_request_error","code":"NOT_FOUND","message":"Model not found, inaccessible, and/or not deployed"}}`, table.ModelWithdrawn},
		"Fireworks suspended": {412, `{"error":{"object":"error","type":"invalid_request_error","code":"PRECONDITION_FAILED","message":"Account x is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."}}`, table.QuotaExhausted},
		"Cerebras queue":      {429, `{"message":"We're experiencing high traffic right now! Please try again soon.","type":"too_many_requests_error","param":"queue","code":"queue_exceeded"}`, table.Capacity},
		"vLLM context":        {400, `{"object":"error","message":"This model's maximum context length is 4096 tokens. However, you requested 5000 tokens.","type":"BadRequestError","param":null,"code":400}`, table.ContextTooLong},
		"vLLM model":          {404, "{\"object\":\"error\",\"message\":\"The model `x` does not exist.\",\"type\":\"NotFoundError\",\"param\":null,\"code\":404}", table.ModelWithdrawn},
		"llama.cpp context":   {400, `{"error":{"code":400,"message":"the request exceeds the available context size. try increasing the context size or enable context shift","type":"exceed_context_size_error","n_prompt_tokens":9,"n_ctx":8}}`, table.ContextTooLong},
		"llama.cpp loading":   {503, `{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}`, table.Unavailable},
		"SGLang context":      {400, `{"object":"error","message":"The input (9000 tokens) is longer than the model's context length (8192 tokens).","type":"BadRequestError","code":400}`, table.ContextTooLong},
		"Ollama model":        {404, `{"error":{"message":"model \"x\" not found, try pulling it first","type":"api_error"}}`, table.ModelWithdrawn},
		"gateway timeout":     {504, `<html><head><title>504 Gateway Time-out</title></head></html>`, table.Timeout},
		"bad gateway":         {502, `<html><head><title>502 Bad Gateway</title></head></html>`, table.Unavailable},
		"wrong path":          {404, `404 page not found`, table.Unavailable},
		"FastAPI path":        {404, `{"detail":"Not Found"}`, table.BadRequest},
		"no image inputs":     {400, "{\"error\":{\"message\":\"The model `x` does not take images\"}}", table.BadRequest},
		"redirect":            {302, ``, table.BrokenAnswer},
		"legal":               {451, ``, table.KeyRejected},
		"sister, budget":      {402, `{"error":{"message":"SpendBudget \"a\" is spent","type":"insufficient_quota","param":null,"code":"budget_exceeded"}}`, table.QuotaExhausted},
		"sister, overloaded":  {503, `{"error":{"message":"the proxy answers as many requests as it can; try again","type":"server_error","param":null,"code":"overloaded"}}`, table.Capacity},
	})
}

func TestRetryAfter(t *testing.T) {
	for name, tc := range map[string]struct {
		message string
		want    time.Duration
	}{
		"Google":       {"You exceeded your current quota. Please retry in 34.074824224s.", 34074824224 * time.Nanosecond},
		"Groq":         {"Limit 1000, Used 1000. Please try again in 1m26.4s. Need more tokens?", 86400 * time.Millisecond},
		"milliseconds": {"Please try again in 6ms.", 6 * time.Millisecond},
		"Azure":        {"Please retry after 2 seconds.", 2 * time.Second},
		"bounded":      {"try again in 99h", time.Hour},
		"far":          {"retry after 65535 seconds", time.Hour},
		"negative":     {"try again in -5s", 0},
		"words":        {"try again in a moment", 0},
		"a number":     {"try again in 5", 0},
		"nothing":      {"no", 0},
		"end":          {"try again in ", 0},
	} {
		t.Run(name, func(t *testing.T) {
			if got := failure.RetryAfter(neutral.Error{Message: tc.message}); got != tc.want {
				t.Errorf("got %s, want %s", got, tc.want)
			}
		})
	}
}

// FuzzOf checks that every answer is classified as one of the kinds, and that no text alone, which a client could have had a part in, condemns a key.
func FuzzOf(f *testing.F) {
	for _, seed := range []string{
		`{"error":{"message":"m","code":"model_not_found"}}`, `[{"error":{"code":429,"message":"Please retry in 3s."}}]`,
		"Provider returned error: x", "’", `{"error":{"type":"#:x","code":"503"}}`,
	} {
		f.Add("Groq", 400, []byte(seed))
		f.Add("", 200, []byte(seed))
	}
	kinds := map[table.FailureKind]bool{}
	for _, kind := range []table.FailureKind{
		table.RateLimited, table.QuotaExhausted, table.KeyRejected, table.Unavailable, table.Capacity, table.Timeout, table.BrokenAnswer,
		table.ModelWithdrawn, table.ContextTooLong, table.ContentFiltered, table.BadRequest,
	} {
		kinds[kind] = true
	}
	f.Fuzz(func(t *testing.T, provider string, status int, body []byte) {
		said := dialect.ParseError(body)
		if kind := failure.Of(provider, status, said); !kinds[kind] {
			t.Errorf("%d with %q is %q", status, body, kind)
		}
		if d := failure.RetryAfter(said); d < 0 || d > time.Hour {
			t.Errorf("%q asks for %s", body, d)
		}
		quoted := neutral.Error{Message: "invalid value '" + said.Message + "'"}
		switch kind := failure.Of(provider, 400, quoted); kind {
		case table.KeyRejected, table.QuotaExhausted, table.RateLimited, table.Capacity, table.Unavailable:
			t.Errorf("the quotation %q is %q", quoted.Message, kind)
		default:
		}
	})
}
