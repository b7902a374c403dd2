// Package docs holds the tests of the documentation: what the code names must be explained there, and what is shown there must work.
package docs
