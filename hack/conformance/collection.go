package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"signalbox.dev/signalbox/hack/conformance/collection"
)

// writeCollection writes the files that are made from package collection.
func writeCollection(args []string) error {
	set := flag.NewFlagSet("collection", flag.ContinueOnError)
	docs := set.String("docs", "docs", "folder of the documentation")
	if err := set.Parse(args); err != nil {
		return fmt.Errorf("reading flags: %w", err)
	}
	data, err := collection.Postman()
	if err != nil {
		return err
	}
	folder := filepath.Join(*docs, "postman")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return fmt.Errorf("making the folder of the collection: %w", err)
	}
	if err := os.WriteFile(filepath.Join(folder, "signalbox.json"), data, 0o644); err != nil {
		return fmt.Errorf("writing the collection: %w", err)
	}
	if err := os.WriteFile(filepath.Join(*docs, "curl.md"), []byte(collection.Curl()), 0o644); err != nil {
		return fmt.Errorf("writing the page of commands: %w", err)
	}
	return nil
}
