package ledger

import (
	"context"
	"time"

	"signalbox.dev/signalbox/proxy/table"
)

// Call is what is known of a call before it is made.
type Call struct {
	// Unpriced tells that none of the targets that the call may go to has a known price.
	Unpriced bool
}

// Admission is a call that all its budgets let pass. A nil Admission, that of a call that no budget counts, takes Settle and Release and does nothing.
type Admission struct {
	reservation Reservation
}

// Admit asks all budgets that match a call, in their order, without a price. Either all admit it, or the first that does not is returned.
func (b *Book) Admit(now time.Time, budgets []*table.Budget, call Call) (*Admission, *Refusal) {
	if len(budgets) == 0 {
		return nil, nil
	}
	handles := make([]*Budget, len(budgets))
	for i, budget := range budgets {
		handles[i] = &Budget{Budget: budget, book: b}
	}
	admission := &Admission{}
	if refusal := b.Reserve(context.Background(), now, handles, &Claimant{}, Ask{Unpriced: call.Unpriced}, &admission.reservation); refusal != nil {
		return nil, refusal
	}
	return admission, nil
}

// Settle counts a call that reached a provider, with what it cost.
func (a *Admission) Settle(charge Charge) {
	if a != nil {
		a.reservation.Settle(charge, nil)
	}
}

// Release ends a call that reached no provider: it is not counted.
func (a *Admission) Release() {
	if a != nil {
		a.reservation.Release()
	}
}
