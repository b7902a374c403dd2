// Package meter counts tokens and money: what a call used, what that costs, the most that it can cost, and how an amount is written. Money is integer
// nano-dollars, so that sums are exact, and the cost of a call is rounded up once. What was not reported is estimated upwards and marked, never free.
package meter
