// Package bedrock writes requests for the models of AWS Bedrock, and reads what they answer: Converse and ConverseStream for conversations, InvokeModel for
// the vectors of Amazon's Titan models. Streams come as events of package awsstream.
package bedrock
