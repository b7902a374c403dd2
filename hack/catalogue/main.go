// Command catalogue writes the catalogue of prices, proxy/catalogue/data, from two pinned packages of public price facts and a list of overrides that
// follow the providers' own documentation. It takes no float: a price is the decimal number of its package, moved to nano-dollars, and what has more digits
// than that is rounded up and marked. The same pins, overrides and program give the same bytes.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
)

// options are the flags.
type options struct {
	wheels, sources, out, date string
	accept                     bool
}

func main() {
	var o options
	flag.StringVar(&o.wheels, "wheels", "", "folder with the wheels of requirements.txt")
	flag.StringVar(&o.sources, "sources", ".", "folder of this program, whose requirements.txt and overrides.json are read")
	flag.StringVar(&o.out, "out", "", "folder that the data is written into")
	flag.StringVar(&o.date, "date", "", "date of the data, YYYY-MM-DD")
	flag.BoolVar(&o.accept, "accept", false, "accept large changes since the data that is there")
	flag.Parse()
	if err := run(o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "catalogue: "+err.Error())
		os.Exit(1)
	}
}

func run(o options, report io.Writer) error {
	made, err := load(o)
	if err != nil {
		return err
	}
	problems := check(made.providers)
	if !o.accept {
		before, err := readData(o.out)
		if err != nil {
			return err
		}
		problems = append(problems, changes(before, made.providers)...)
	}
	for _, problem := range problems {
		fmt.Fprintln(report, problem)
	}
	if len(problems) > 0 {
		return fmt.Errorf("the data has %d problems and was not written", len(problems))
	}
	if err := write(o, made); err != nil {
		return err
	}
	for _, line := range made.review {
		fmt.Fprintln(report, line)
	}
	return nil
}
