// Package dialect is what the proxy knows of wire APIs in general: what a surface (what clients speak) and an upstream (what providers speak) must be able
// to do, and how the two are joined. Where both are the same API, the bytes pass with only the necessary edits; otherwise a request crosses through
// package neutral, by one reader and one writer. The folders below hold one dialect each.
package dialect
