// Package window counts what happened in about the last minute: how attempts ended, and how long they took as sketches that can be added up. Percentiles of
// several windows are those of all their samples together, which averages of percentiles are not. It is pure and does no I/O.
package window
