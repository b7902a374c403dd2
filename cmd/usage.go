package cmd

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"signalbox.dev/signalbox/proxy/usage"
	"signalbox.dev/signalbox/proxy/usage/postgres"
)

// Environment of `signalbox usage`, for what should not stand on a command line.
const (
	postgresURLVariable = "SIGNALBOX_POSTGRES_URL"
	tokenVariable       = "SIGNALBOX_TOKEN"
	// usageTimeout bounds the answer of a proxy.
	usageTimeout = time.Minute
	usagePath    = "/v1/usage"
)

// usageOptions are the flags of `signalbox usage`.
type usageOptions struct {
	by, since, until  string
	namespace, caller string
	output            string
	postgresURL       string
	proxy, tokenFile  string
}

// NewUsage returns the command that adds up what was used.
func NewUsage() *cobra.Command {
	options := usageOptions{}
	command := &cobra.Command{
		Use:   "usage",
		Short: "Add up what calls used and cost",
		Long: "Usage adds up usage records, by caller and model if nothing else is asked for, the most expensive first. It reads the database that the platform\n" +
			"keeps them in, or with --proxy the newest ones of one proxy's memory, those of the token's own caller only.\n" +
			"The URL of the database comes from --postgres-url or $" + postgresURLVariable + "; the token from --token-file or $" + tokenVariable + ".",
		Example: "  signalbox usage --by caller,model --since 7d\n  signalbox usage --by day,tag:team -n team-a --since 2026-11-01 -o csv\n" +
			"  signalbox usage --proxy http://signalbox.team-a --token-file token --since 1h",
		Args: cobra.NoArgs,
		RunE: func(command *cobra.Command, _ []string) error {
			return addUp(command, options)
		},
	}
	flags := command.Flags()
	flags.StringVar(&options.by, "by", "caller,model", "what to add up by, separated by commas: namespace, caller, end_user, model, served_model, provider, target,\n"+
		"route, operation, outcome, code, pod, day, hour, tag:KEY; empty for one sum")
	flags.StringVar(&options.since, "since", "24h", "from when on: a duration such as 90m, 24h, 7d or 2w, a date, or a time such as 2026-11-23T12:00:00Z; empty for all")
	flags.StringVar(&options.until, "until", "", "until when, as with --since (default: now)")
	flags.StringVarP(&options.namespace, "namespace", "n", "", "namespace (default: all)")
	flags.StringVar(&options.caller, "caller", "", "caller, such as accesskey:app or serviceaccount:team-a/app (default: all)")
	flags.StringVarP(&options.output, "output", "o", "table", "table, json or csv")
	flags.StringVar(&options.postgresURL, "postgres-url", "", "URL of the database, postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	flags.StringVar(&options.proxy, "proxy", "", "URL of a proxy to ask instead of the database")
	flags.StringVar(&options.tokenFile, "token-file", "", "file with the token or access key for the proxy")
	return command
}

func addUp(command *cobra.Command, options usageOptions) error {
	query, err := options.query(time.Now())
	if err != nil {
		return err
	}
	database := cmp.Or(options.postgresURL, os.Getenv(postgresURLVariable))
	var summary *usage.Summary
	switch {
	case options.proxy != "":
		summary, err = askProxy(command.Context(), options, query)
	case database != "":
		summary, err = postgres.Report(command.Context(), database, query)
	default:
		return errors.New("name a database with --postgres-url or $" + postgresURLVariable + ", or a proxy with --proxy")
	}
	if err != nil {
		return err
	}
	if summary.From.After(query.Since) {
		if _, err := fmt.Fprintf(command.ErrOrStderr(), "the proxy remembers calls since %s\n", summary.From.Format(time.RFC3339)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return printUsage(command.OutOrStdout(), summary, options.output)
}

// query reads the flags.
func (o *usageOptions) query(now time.Time) (postgres.Query, error) {
	q := postgres.Query{Namespace: o.namespace, Filter: usage.Filter{Caller: o.caller}}
	switch o.output {
	case "table", "json", "csv":
	default:
		return q, fmt.Errorf("--output is table, json or csv, not %q", o.output)
	}
	if o.proxy != "" && (o.namespace != "" || o.caller != "") {
		return q, errors.New("--namespace and --caller are for the database: a proxy answers for the caller of the token")
	}
	var err error
	if o.by != "" {
		if q.By, err = usage.ParseDimensions(o.by); err != nil {
			return q, fmt.Errorf("--by: %w", err)
		}
	}
	if q.Since, err = instant(o.since, now); err != nil {
		return q, fmt.Errorf("--since: %w", err)
	}
	if q.Until, err = instant(o.until, now); err != nil {
		return q, fmt.Errorf("--until: %w", err)
	}
	return q, nil
}

// days matches durations in days and weeks, which Go has no units for.
var days = regexp.MustCompile(`\A([0-9]{1,4})([dw])\z`)

// instant reads a time, a date of UTC, or how long ago something was. Empty is no time.
func instant(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if found := days.FindStringSubmatch(text); found != nil {
		// Four digits are a number.
		count, _ := strconv.Atoi(found[1])
		if found[2] == "w" {
			count *= 7
		}
		return now.Add(-time.Duration(count) * 24 * time.Hour), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return now.Add(-d), nil
	}
	for _, layout := range [...]string{time.DateOnly, time.RFC3339} {
		if t, err := time.Parse(layout, text); err == nil {
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is neither a duration such as 90m or 7d, nor a date, nor a time such as 2026-11-23T12:00:00Z", text)
}

// askProxy reads the summary of a proxy.
func askProxy(ctx context.Context, options usageOptions, query postgres.Query) (*usage.Summary, error) {
	address, err := url.Parse(options.proxy)
	if err != nil || address.Scheme != "http" && address.Scheme != "https" || address.Host == "" {
		return nil, errors.New("--proxy is not a URL of http or https")
	}
	token := os.Getenv(tokenVariable)
	if options.tokenFile != "" {
		text, err := os.ReadFile(filepath.Clean(options.tokenFile))
		if err != nil {
			return nil, fmt.Errorf("reading the token: %w", err)
		}
		token = strings.TrimSpace(string(text))
	}
	parameters := url.Values{}
	parameters.Set("by", options.by)
	if !query.Since.IsZero() {
		parameters.Set("since", query.Since.UTC().Format(time.RFC3339Nano))
	}
	if !query.Until.IsZero() {
		parameters.Set("until", query.Until.UTC().Format(time.RFC3339Nano))
	}
	address = address.JoinPath(usagePath)
	address.RawQuery = parameters.Encode()
	ctx, stop := context.WithTimeout(ctx, usageTimeout)
	defer stop()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, fmt.Errorf("asking the proxy: %w", err)
	}
	// What is left of the body is of no use.
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("asking the proxy: it answers %s", answer.Status)
	}
	return usage.ReadSummary(answer.Body)
}

func printUsage(out io.Writer, summary *usage.Summary, format string) error {
	switch format {
	case "csv":
		return usage.WriteCSV(out, summary)
	case "json":
		if _, err := out.Write(append(usage.AppendSummary(nil, summary), '\n')); err != nil {
			return fmt.Errorf("printing usage: %w", err)
		}
		return nil
	default:
		return usage.WriteTable(out, summary)
	}
}
