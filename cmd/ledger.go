package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/proxy/ledger"
	"signalbox.dev/signalbox/proxy/ledger/migrate"
	"signalbox.dev/signalbox/proxy/meter"
)

// ledgerFlags are the flags of all commands of `signalbox ledger`.
type ledgerFlags struct {
	namespace  string
	kubeconfig string
	dir        string
	valkeyURL  string
}

// NewLedger returns the command that looks after ledgers.
func NewLedger() *cobra.Command {
	flags := &ledgerFlags{}
	command := &cobra.Command{
		Use:   "ledger",
		Short: "Look into the ledgers of budgets, free what was lost, move them to another store",
		Long:  "Ledger reads and changes what budgets have counted. " + placesHelp,
	}
	set := command.PersistentFlags()
	set.StringVarP(&flags.namespace, "namespace", "n", "default", "namespace of the budgets")
	set.StringVar(&flags.kubeconfig, "kubeconfig", "", "kubeconfig file; without it $KUBECONFIG or the usual one")
	command.AddCommand(newLedgerShow(flags), newLedgerRelease(flags), newLedgerMigrate(flags))
	return command
}

// addPlace adds the flags that say where the ledgers are.
func addPlace(command *cobra.Command, flags *ledgerFlags) {
	command.Flags().StringVar(&flags.dir, "dir", "", "directory of the ledgers of `signalbox run`, instead of the cluster")
	command.Flags().StringVar(&flags.valkeyURL, "valkey-url", "", "server of the ledgers, instead of the cluster's ConfigMaps: valkey://USER@HOST:PORT?password=FILE")
	command.MarkFlagsMutuallyExclusive("dir", "valkey-url")
}

// place is what the flags name.
func (f *ledgerFlags) place() string {
	switch {
	case f.dir != "":
		return filePlace + f.dir
	case f.valkeyURL != "":
		return f.valkeyURL
	default:
		return kubernetesPlace
	}
}

func newLedgerShow(flags *ledgerFlags) *cobra.Command {
	top := 20
	command := &cobra.Command{
		Use:   "show [BUDGET...]",
		Short: "Print what was spent, what is reserved and what was lost, by window, counter and owner",
		Long: "Show prints the ledgers of the named budgets, or of all, with amounts in dollars. RESERVED is what living proxies hold and have not spent,\n" +
			"LOST what proxies held that are gone: it counts as spent until its window ends or `signalbox ledger release` frees it. " + placesHelp,
		Example: "  signalbox ledger show team -n team-a\n  signalbox ledger show --dir ~/.local/state/signalbox/ledger",
		RunE: func(command *cobra.Command, budgets []string) error {
			return showLedgers(command, flags, budgets, top)
		},
	}
	addPlace(command, flags)
	command.Flags().IntVar(&top, "top", top, "how many counters and owners of a window to print, those with the largest amounts; 0 for all")
	return command
}

func showLedgers(command *cobra.Command, flags *ledgerFlags, budgets []string, top int) error {
	ctx := command.Context()
	place, err := flags.open(flags.place(), reading)
	if err != nil {
		return err
	}
	defer place.close()
	names, err := place.names(ctx, budgets)
	if err != nil {
		return err
	}
	var out strings.Builder
	for _, name := range names {
		record, err := place.whole(ctx, name)
		if err != nil {
			return err
		}
		writeLedger(&out, strings.TrimPrefix(name, ledger.Name("")), record, top)
	}
	if len(names) == 0 {
		out.WriteString("there are no ledgers\n")
	}
	if _, err := io.WriteString(command.OutOrStdout(), out.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// releaseOptions are the flags of `signalbox ledger release`.
type releaseOptions struct {
	owners []string
	all    bool
	yes    bool
}

func newLedgerRelease(flags *ledgerFlags) *cobra.Command {
	options := releaseOptions{}
	command := &cobra.Command{
		Use:   "release BUDGET",
		Short: "Free what proxies held that are gone",
		Long: "Release makes lost slices of a budget free again: what a proxy held when its pod was lost, of which nobody knows how much was spent. Compare with\n" +
			"the provider's bill first: what is freed can be spent once more. Without --yes it says what it would free, and fails. " + placesHelp,
		Example: "  signalbox ledger release team -n team-a --all-lost\n  signalbox ledger release team -n team-a --owner 7c9e…/20261123T120000.000000000Z.1 --yes",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, budgets []string) error {
			return releaseLedger(command, flags, budgets[0], options)
		},
	}
	addPlace(command, flags)
	set := command.Flags()
	set.StringArrayVar(&options.owners, "owner", nil, "owner whose lost slices are freed, as `signalbox ledger show` names it; can be repeated")
	set.BoolVar(&options.all, "all-lost", false, "free all lost slices of the budget, but for those of another store that the ledger was moved from")
	set.BoolVar(&options.yes, "yes", false, "do it")
	command.MarkFlagsMutuallyExclusive("owner", "all-lost")
	command.MarkFlagsOneRequired("owner", "all-lost")
	return command
}

// release frees what the options name in a record.
func (o releaseOptions) release(record *ledger.Record) []ledger.Slice {
	if o.all {
		return record.ReleaseAll()
	}
	owners := make([]ledger.Owner, len(o.owners))
	for i, owner := range o.owners {
		owners[i] = ledger.Owner(owner)
	}
	return record.Release(owners...)
}

func releaseLedger(command *cobra.Command, flags *ledgerFlags, budget string, options releaseOptions) error {
	ctx := command.Context()
	place, err := flags.open(flags.place(), writing)
	if err != nil {
		return err
	}
	defer place.close()
	documents, err := place.documents(ctx, ledger.Name(budget))
	if err != nil {
		return err
	}
	var freed []ledger.Slice
	for _, name := range documents {
		var slices []ledger.Slice
		err := place.Change(ctx, name, func(record *ledger.Record) (bool, error) {
			slices = options.release(record)
			return options.yes && len(slices) > 0, nil
		})
		if err != nil {
			return err
		}
		freed = append(freed, slices...)
	}
	verb := "would free"
	if options.yes {
		verb = "freed"
	}
	if err := reportRelease(command.OutOrStdout(), verb, freed); err != nil {
		return err
	}
	switch {
	case len(freed) == 0:
		return errors.New("there is no such lost slice")
	case !options.yes:
		return errors.New("nothing was freed: say --yes to do it")
	default:
		return nil
	}
}

// reportRelease prints what was freed, or would be.
func reportRelease(to io.Writer, verb string, freed []ledger.Slice) error {
	var out strings.Builder
	var sum int64
	for _, slice := range freed {
		sum = ledger.Totals{Spent: sum}.Plus(ledger.Totals{Spent: slice.Nano}).Spent
		fmt.Fprintf(&out, "%s %s of %s, %s, window %s\n", verb, dollars(slice.Nano), ownerName(slice.Owner), counterName(slice.Subject), keyName(slice.Key))
	}
	fmt.Fprintf(&out, "%s %s in %d slices\n", verb, dollars(sum), len(freed))
	if _, err := io.WriteString(to, out.String()); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// migrateOptions are the flags of `signalbox ledger migrate`.
type migrateOptions struct {
	from, to string
	once     bool
	interval time.Duration
}

func newLedgerMigrate(flags *ledgerFlags) *cobra.Command {
	options := migrateOptions{}
	command := &cobra.Command{
		Use:   "migrate [BUDGET...] --from PLACE --to PLACE",
		Short: "Move ledgers to another store while their windows run",
		Long: "Migrate moves the ledgers of the named budgets, or of all budgets of the namespace. It can be stopped and run again at any point.\n\n" +
			"  1. It marks the ledgers in the old store. From then on no proxy is granted anything there; each spends the allowance that it holds, and\n" +
			"     Hard budgets answer 503 ledger_unavailable once that is used up.\n" +
			"  2. It carries what was spent to the new store, and what is still held as lost, so that both together never pass the limit.\n" +
			"  3. Now name the new store in the platform's configuration (ledger.store): the manager replaces the proxies, and the new ones count in the new\n" +
			"     store. Doing this before step 1 would let the new store grant what the old one has granted already.\n" +
			"  4. It repeats steps 1 and 2, every --interval, for what the old proxies settle late, until no proxy is left that used the old store. Then the\n" +
			"     ledger is done. With --once it does not repeat; run it again after the proxies are replaced.\n\n" +
			"With --from file:DIR the process that uses the directory has to be stopped first. Moving back is the same with --from and --to exchanged. " + placesHelp,
		Example: "  signalbox ledger migrate -n team-a --from kubernetes --to 'valkey://default@valkey.data:6379?password=/run/valkey-password'",
		RunE: func(command *cobra.Command, budgets []string) error {
			return migrateLedgers(command, flags, budgets, options)
		},
	}
	set := command.Flags()
	set.StringVar(&options.from, "from", "", "place that the ledgers are in")
	set.StringVar(&options.to, "to", "", "place that they go to")
	set.BoolVar(&options.once, "once", false, "do the steps once and end, also when proxies still use the old store")
	set.DurationVar(&options.interval, "interval", 2*time.Second, "how long to wait before the steps are repeated")
	for _, name := range []string{"from", "to"} {
		if err := command.MarkFlagRequired(name); err != nil {
			panic(err)
		}
	}
	return command
}

func migrateLedgers(command *cobra.Command, flags *ledgerFlags, budgets []string, options migrateOptions) error {
	ctx := command.Context()
	if options.interval <= 0 {
		return errors.New("--interval must be greater than zero")
	}
	from, err := flags.open(options.from, writing)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := flags.open(options.to, writing)
	if err != nil {
		return err
	}
	defer to.close()
	names, err := from.names(ctx, budgets)
	if err != nil {
		return err
	}
	migration := migrate.Migration{From: from.Place, To: to.Place, Running: from.running, Now: time.Now}
	report := newMigrationReport(command.OutOrStdout())
	if !options.once {
		return migration.Run(ctx, options.interval, names, report.seen)
	}
	for _, name := range names {
		progress, err := migration.Pass(ctx, name)
		if err != nil {
			return err
		}
		report.seen(name, progress)
	}
	return nil
}

// migrationReport prints the progress of ledgers, each state once.
type migrationReport struct {
	to   io.Writer
	last map[string]migrate.Progress
}

func newMigrationReport(to io.Writer) *migrationReport {
	return &migrationReport{to: to, last: map[string]migrate.Progress{}}
}

func (r *migrationReport) seen(of string, progress migrate.Progress) {
	progress.Changed = false
	if last, seen := r.last[of]; seen && last == progress {
		return
	}
	r.last[of] = progress
	state := "done"
	if !progress.Done {
		state = fmt.Sprintf("waiting for %d counters of proxies that use the old store", progress.Living)
	}
	_, _ = fmt.Fprintf(r.to, "%s: spent %s, held %s, lost %s; %s\n", strings.TrimPrefix(of, ledger.Name("")), dollars(progress.Spent), dollars(progress.Reserved),
		dollars(progress.Lost), state)
}

// names returns the ledgers of budgets, or all that the place has.
func (p *ledgerPlace) names(ctx context.Context, budgets []string) ([]string, error) {
	if len(budgets) == 0 {
		return p.list(ctx)
	}
	names := make([]string, len(budgets))
	for i, budget := range budgets {
		names[i] = ledger.Name(budget)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// dollars writes nano-dollars for people.
func dollars(nano int64) string {
	return "$" + meter.FormatUSD(nano)
}
