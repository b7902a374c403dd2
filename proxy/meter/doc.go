// Package meter counts tokens and money: what a call used, what that costs and how an amount is written. Money is integer nano-dollars, so that sums
// are exact; a price is integer nano-dollars for one million tokens. What was not reported is estimated upwards and marked, never free.
package meter
