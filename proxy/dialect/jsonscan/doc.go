// Package jsonscan finds things in JSON text without building values from it: it checks the syntax in one pass, without recursion and without
// allocating, and hands out offsets, so that a caller can read or replace a few members of a large text and leave all other bytes alone. It checks the
// grammar of RFC 8259 strictly, except that it does not look for valid UTF-8; callers check that once for the whole text.
package jsonscan
