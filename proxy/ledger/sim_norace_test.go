//go:build !race

package ledger

// simSchedules is how many schedules run unless the environment says otherwise.
const simSchedules = 100_000
