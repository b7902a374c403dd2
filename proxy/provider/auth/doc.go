// Package auth authenticates requests at providers: with a key in a header, with a signature of AWS, or with a token that a
// Google service account gets.
package auth
