package spendbudget

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"signalbox.dev/signalbox/api/v1alpha1"
	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/meter"
	"signalbox.dev/signalbox/proxy/usage"
)

// lostAction is what the event of a lost slice says was being done.
const lostAction = "MarkLost"

// maxLostEvents bounds the events of one look at a ledger; the usage records name every slice.
const maxLostEvents = 8

// tellLost tells of slices that are lost: a usage record for each, and events.
func (r *Reconciler) tellLost(ctx context.Context, in *input, lost []ledger.Slice) error {
	if len(lost) == 0 {
		return nil
	}
	records := make([]*usage.Record, 0, len(lost))
	for i := range lost {
		records = append(records, lostRecord(in, &lost[i]))
		if i < maxLostEvents {
			r.Status.Events.Eventf(in.budget, nil, corev1.EventTypeWarning, v1alpha1.ReasonLostSlice, lostAction, "%s", lostNote(&lost[i]))
		}
	}
	r.telling.Lock()
	defer r.telling.Unlock()
	if err := r.Usage.Write(ctx, records); err != nil {
		return fmt.Errorf("writing usage records of %d lost slices: %w", len(records), err)
	}
	return nil
}

// lostNote says what was lost and what to do about it.
func lostNote(slice *ledger.Slice) string {
	whose := ""
	if slice.Subject != "" {
		whose = fmt.Sprintf(" of counter %q", slice.Subject)
	}
	return fmt.Sprintf("the pod of owner %s is gone and did not say what it spent of the %s USD%s that it held; they count as spent in this window; signalbox ledger release makes them free",
		slice.Owner, meter.FormatUSD(slice.Nano), whose)
}

// lostRecord is the usage record of a lost slice. Its ID is that of the slice, so that a record that is written twice counts once.
func lostRecord(in *input, slice *ledger.Slice) *usage.Record {
	name := fmt.Sprintf("%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s\x00%s", in.budget.Namespace, ledger.Name(in.budget.Name), slice.Owner,
		slice.Key.Period, slice.Key.TimeZone, slice.Key.ResetID, slice.Key.Start.UTC().Format(time.RFC3339Nano), slice.Subject)
	sum := sha256.Sum256([]byte(name))
	record := &usage.Record{
		ID: "lost-" + hex.EncodeToString(sum[:16]), Time: in.now.UTC(), Namespace: in.budget.Namespace, Pod: slice.Owner.Pod(),
		Cost: slice.Nano, Estimated: true, Outcome: usage.Lost, Budgets: []string{in.budget.Name},
	}
	switch in.budget.Spec.Counter {
	case v1alpha1.CounterPerCaller:
		record.Caller = slice.Subject
	case v1alpha1.CounterPerEndUser:
		record.EndUser = slice.Subject
	case v1alpha1.CounterPerTag, v1alpha1.CounterShared:
	}
	return record
}
