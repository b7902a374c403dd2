// Package compare puts one prompt to several models at a time, through the proxy and as any client would, and shows the answers side by side with what
// each took: time to the first token, tokens a second, cost.
package compare
