//go:build race

package ledger

// simSchedules is how many schedules run unless the environment says otherwise. Nothing in them runs at the same time, so the race detector finds
// nothing in the others, and makes each take ten times as long.
const simSchedules = 3_000
