package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"signalbox.dev/signalbox/compare"
)

const (
	// maxPrompt bounds the file of the prompt, and maxKey that of the key.
	maxPrompt = 4 << 20
	maxKey    = 16 << 10
	// keyVariable is the environment variable of the access key, and urlVariable that of the proxy's address.
	keyVariable = "SIGNALBOX_KEY"
	urlVariable = "SIGNALBOX_URL"
)

// compareOptions are the flags of `signalbox compare`.
type compareOptions struct {
	models    []string
	url       string
	keyFile   string
	surface   string
	system    string
	maxTokens int
	timeout   time.Duration
	output    string
}

// NewCompare returns the command that puts one prompt to several models.
func NewCompare() *cobra.Command {
	options := compareOptions{}
	command := &cobra.Command{
		Use:   "compare --models MODEL,... PROMPTFILE",
		Short: "Put one prompt to several models and show the answers side by side",
		Long: "Compare reads a prompt from a file, or from the standard input (-), and asks each model for an answer through a proxy, all at the same time.\n" +
			"It prints the answers with the time to the first token, tokens a second and what each cost. The access key, or the token of a\n" +
			"ServiceAccount, stands in a file or in $SIGNALBOX_KEY. It fails if a model gives no answer.",
		Example: "  signalbox compare --models chat,claude prompt.txt\n  echo 'Name three rivers.' | signalbox compare --models a,b --key-file key.txt --output json -",
		Args:    cobra.ExactArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return runCompare(command, args[0], options)
		},
	}
	flags := command.Flags()
	flags.StringSliceVarP(&options.models, "models", "m", nil, "names of the models, as clients ask for them")
	flags.StringVar(&options.url, "url", "", "address of the proxy (default: $SIGNALBOX_URL, else http://127.0.0.1:8080)")
	flags.StringVar(&options.keyFile, "key-file", "", "file with the access key or token (default: $SIGNALBOX_KEY holds it)")
	flags.StringVar(&options.surface, "surface", "chat", "API to speak: "+strings.Join(compare.Surfaces(), ", "))
	flags.StringVar(&options.system, "system", "", "instructions before the prompt")
	flags.IntVar(&options.maxTokens, "max-tokens", 1024, "most tokens of each answer")
	flags.DurationVar(&options.timeout, "timeout", 5*time.Minute, "how long the answers may take")
	flags.StringVarP(&options.output, "output", "o", "text", "text or json")
	return command
}

func runCompare(command *cobra.Command, promptFile string, options compareOptions) error {
	if options.output != "text" && options.output != "json" {
		return fmt.Errorf("--output is text or json, not %q", options.output)
	}
	if options.maxTokens < 1 || options.timeout <= 0 {
		return errors.New("--max-tokens and --timeout must be greater than zero")
	}
	key, err := readKey(options.keyFile)
	if err != nil {
		return err
	}
	prompt, err := readPrompt(promptFile, command.InOrStdin())
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(command.Context(), options.timeout)
	defer cancel()
	question := compare.Question{Prompt: prompt, System: options.system, MaxTokens: options.maxTokens}
	answers, err := compare.Run(ctx, compare.Options{
		URL: options.address(), Key: key, Surface: options.surface, Models: options.models, Client: newCompareClient(), Now: time.Now,
		Done: tellDone(command.ErrOrStderr()),
	}, question)
	if err != nil {
		return err
	}
	if options.output == "json" {
		err = compare.PrintJSON(command.OutOrStdout(), answers)
	} else {
		err = compare.PrintText(command.OutOrStdout(), answers, terminalWidth(command.OutOrStdout()))
	}
	return errors.Join(err, countFailures(answers))
}

// address of the proxy: the flag, else the environment, else what `signalbox run` listens on.
func (o compareOptions) address() string {
	for _, address := range []string{o.url, os.Getenv(urlVariable)} {
		if address != "" {
			return address
		}
	}
	return "http://127.0.0.1:8080"
}

// newCompareClient makes a client that follows no redirect, which could carry the key elsewhere.
func newCompareClient() *http.Client {
	return &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// tellDone says on the error output which answers are there.
func tellDone(out io.Writer) func(compare.Answer) {
	var mu sync.Mutex
	return func(a compare.Answer) {
		mu.Lock()
		defer mu.Unlock()
		word := "answered"
		if a.Err != nil {
			word = "failed"
		}
		_, _ = fmt.Fprintf(out, "%q %s after %.1f s\n", a.Model, word, a.Total.Seconds()) // progress that nobody can see is lost
	}
}

// readKey reads the access key. Its errors never hold it.
func readKey(file string) (string, error) {
	if file == "" {
		if key := os.Getenv(keyVariable); key != "" {
			return key, nil
		}
		return "", fmt.Errorf("there is no access key: name its file with --key-file, or set $%s", keyVariable)
	}
	key, err := readBounded(file, nil, maxKey)
	if err != nil {
		return "", fmt.Errorf("reading the access key: %w", err)
	}
	return strings.TrimSpace(key), nil
}

func readPrompt(file string, stdin io.Reader) (string, error) {
	prompt, err := readBounded(file, stdin, maxPrompt)
	if err != nil {
		return "", fmt.Errorf("reading the prompt: %w", err)
	}
	if strings.TrimSpace(prompt) == "" {
		return "", errors.New("the prompt is empty")
	}
	return prompt, nil
}

// readBounded reads a file of at most limit bytes; "-" is stdin, if there is one.
func readBounded(file string, stdin io.Reader, limit int64) (text string, err error) {
	source := stdin
	if file != "-" || stdin == nil {
		opened, err := os.Open(filepath.Clean(file))
		if err != nil {
			return "", err
		}
		defer func() { err = errors.Join(err, opened.Close()) }()
		source = opened
	}
	data, err := io.ReadAll(io.LimitReader(source, limit+1))
	if err != nil {
		return "", err
	}
	if int64(len(data)) > limit {
		return "", fmt.Errorf("%s has more than %d bytes", file, limit)
	}
	return string(data), nil
}

// terminalWidth is the width of the terminal that out is, 0 when it is none.
func terminalWidth(out io.Writer) int {
	file, ok := out.(*os.File)
	if !ok {
		return 0
	}
	columns, _, err := term.GetSize(int(file.Fd()))
	if err != nil {
		return 0
	}
	return columns
}

// countFailures is an error if a model gave no answer.
func countFailures(answers []compare.Answer) error {
	failed := 0
	for i := range answers {
		if answers[i].Err != nil {
			failed++
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %d models gave no whole answer", failed, len(answers))
	}
	return nil
}
