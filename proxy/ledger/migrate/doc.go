// Package migrate moves ledgers from one store to another while their windows run.
//
// A ledger is moved in four steps, each of which can be repeated and may be cut short at any point:
//
//  1. Mark: a compare-and-set writes the name of the destination into each source document. From then on nobody is granted anything there, so what the source's
//     owners can still spend is known and only shrinks. Owners settle and return there as before.
//  2. Carry: each counter of the source becomes one entry in the destination, with what was spent and, as lost, what is still held. It counts against the limit there, so
//     both stores together never grant more than the limit.
//  3. Follow: owners settle late and return what they hold. Carrying again brings the entry up to date; its totals never shrink. The entry is read before the source
//     is, and written by compare-and-set, so two migrations at once do no harm.
//  4. Done: when no owner of the source runs any more, nothing can change there, and the mark says so.
//
// What a destination got from a source is never carried back: a ledger can be moved to and fro, and each store's own share is counted once.
package migrate
