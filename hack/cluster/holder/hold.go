//go:build linux

package holder

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
)

// Hold is the life of a holder, which must have been started in new namespaces. It waits for its settings on in, so that a
// holder whose starter died before writing it down ends by itself; sets the node up; says "ready" on out; and serves its
// control socket until it is killed.
func Hold(in io.Reader, out io.WriteCloser) error {
	var settings Settings
	if err := json.NewDecoder(in).Decode(&settings); err != nil {
		return fmt.Errorf("reading the settings: %w", err)
	}
	// Before the node's own /var/lib hides the folder.
	listener, err := (&net.ListenConfig{}).Listen(context.Background(), "unix", filepath.Join(settings.Folder, SocketName))
	if err != nil {
		return fmt.Errorf("listening for requests: %w", err)
	}
	if err := prepare(settings); err != nil {
		return err
	}
	started := newPrograms("/var/log")
	go started.collect(context.Background(), deaths())
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return fmt.Errorf("saying that the node is ready: %w", err)
	}
	if err := out.Close(); err != nil {
		return fmt.Errorf("closing the output: %w", err)
	}
	for {
		connection, err := listener.Accept()
		if err != nil {
			return fmt.Errorf("accepting a request: %w", err)
		}
		go serve(connection, started)
	}
}

func serve(connection net.Conn, started *programs) {
	defer func() { _ = connection.Close() }()
	var question request
	if err := json.NewDecoder(connection).Decode(&question); err != nil {
		fmt.Fprintln(os.Stderr, "reading a request:", err)
		return
	}
	if err := json.NewEncoder(connection).Encode(answer(question, started)); err != nil {
		fmt.Fprintln(os.Stderr, "answering a request:", err)
	}
}

func answer(question request, started *programs) reply {
	var err error
	switch question.Operation {
	case operationStart:
		err = started.start(question.Name, question.Command)
	case operationStop:
		err = started.stop(question.Name, question.Grace)
	case operationList:
		return reply{Programs: started.list()}
	default:
		err = fmt.Errorf("unknown operation %q", question.Operation)
	}
	if err != nil {
		return reply{Error: err.Error()}
	}
	return reply{}
}
