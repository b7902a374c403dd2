// Command cluster runs a real Kubernetes cluster on this machine: the components built from their Go modules, in namespaces
// of their own, with containerd as runtime.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"signalbox.dev/signalbox/hack/cluster/archive"
)

const usage = `usage: cluster COMMAND

  up [--nodes 1|2]        start the cluster, or keep it if it is healthy
  down                    remove the cluster and everything it left on the machine
  status                  print every component; exit code 1 when something is wrong
  check                   try out whether this machine can run a cluster
  load ARCHIVE...         bring image archives to every node
  exec [--node N] -- CMD  run a command in a node's network
  folder [--node N]       print the folder that a node has as its /var/lib
  stop-apiserver          stop the API server
  start-apiserver         start it again and wait until pods reach it
  stop [--node N] NAME    stop a component
  start [--node N] NAME   start it again
  packages [PROGRAM...]   install the Debian packages that a cluster needs, and those named like the programs
  image --name NAME --entrypoint PATH --output FILE SOURCE[:TARGET]...
                          write an image archive

up, down, load, exec, status, stop and start take --name (default signalbox), --bin (default: the folder of this program) and
--kubeconfig (default: kubeconfig in that folder).
`

// errUsage ends the program with the exit code for wrong arguments.
var errUsage = errors.New("wrong arguments")

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err == nil {
		return
	}
	if errors.Is(err, errUsage) {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	fmt.Fprintln(os.Stderr, "cluster:", err)
	os.Exit(1)
}

func run(ctx context.Context, arguments []string) error {
	if len(arguments) == 0 {
		return errUsage
	}
	if arguments[0] == "image" {
		return writeImage(arguments[1:])
	}
	return runCommand(ctx, arguments[0], arguments[1:])
}

func writeImage(arguments []string) error {
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	image := archive.Image{Architecture: runtime.GOARCH}
	flags.StringVar(&image.Name, "name", "", "full reference with registry and tag")
	flags.StringVar(&image.User, "user", "65532", "numeric user that containers run as")
	flags.StringVar(&image.Architecture, "arch", image.Architecture, "processor architecture")
	entrypoint := flags.String("entrypoint", "", "path of the program in the image, and its arguments, separated by spaces")
	output := flags.String("output", "", "archive to write")
	if err := flags.Parse(arguments); err != nil || *output == "" {
		return errUsage
	}
	image.Entrypoint = strings.Fields(*entrypoint)
	for _, argument := range flags.Args() {
		file, err := archive.ParseFile(argument)
		if err != nil {
			return err
		}
		image.Files = append(image.Files, file)
	}
	return archive.WriteFile(*output, image)
}
