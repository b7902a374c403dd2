//go:build linux

// Package holder keeps a node alive: a process that owns the node's network, mount, process and host name namespaces and
// starts the node's programs in them on request.
//
// The holder is process 1 of its process namespace. When it ends, however it ends, the kernel ends every process of the
// node, containers included, and with the last of them go the mounts, links and packet filter rules. Nothing that must be
// undone by hand lives anywhere else, except control groups and folders.
package holder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"time"
)

// Settings is what a holder needs to set up its namespaces.
type Settings struct {
	// Node is the node's name, and its host name inside.
	Node string `json:"node"`
	// Folder keeps the node's /var/lib and /var/log, in lib and log.
	Folder string `json:"folder"`
	// Bin is the folder of the programs, seen by the node as BinFolder.
	Bin string `json:"bin"`
}

// BinFolder is where a node finds the folder Settings.Bin.
const BinFolder = "/var/lib/signalbox-bin"

// SocketName is the name of the holder's control socket in the node's folder.
const SocketName = "control.sock"

// operation names what a request asks for.
type operation string

const (
	operationStart operation = "start"
	operationStop  operation = "stop"
	operationList  operation = "list"
)

type request struct {
	Operation operation     `json:"operation"`
	Name      string        `json:"name,omitempty"`
	Command   []string      `json:"command,omitempty"`
	Grace     time.Duration `json:"grace,omitempty"`
}

type reply struct {
	Error    string    `json:"error,omitempty"`
	Programs []Program `json:"programs,omitempty"`
}

// Program is one program that a holder started.
type Program struct {
	// Name is the name it was started under.
	Name string `json:"name"`
	// PID is its process number as seen inside the node.
	PID int `json:"pid"`
	// Running is false once it has ended.
	Running bool `json:"running"`
	// Ending says how it ended, such as "exit status 1" or "signal: killed".
	Ending string `json:"ending,omitempty"`
	// Stopped is true when it ended because Stop asked for it.
	Stopped bool `json:"stopped,omitempty"`
}

// Client talks to the holder that listens on a socket.
type Client struct {
	// Socket is the path of the control socket.
	Socket string
}

// Start starts a program, whose output goes to /var/log/NAME.log in the node. A name is in use until its program has ended.
func (c Client) Start(name string, command []string) error {
	_, err := c.call(request{Operation: operationStart, Name: name, Command: command})
	return err
}

// Stop asks a program to end, kills it when it has not after the grace period, and returns once it is gone.
func (c Client) Stop(name string, grace time.Duration) error {
	_, err := c.call(request{Operation: operationStop, Name: name, Grace: grace})
	return err
}

// List returns every program ever started, ordered by name; of those with one name the last.
func (c Client) List() ([]Program, error) {
	answer, err := c.call(request{Operation: operationList})
	return answer.Programs, err
}

func (c Client) call(question request) (reply, error) {
	const patience = 10 * time.Second
	connection, err := (&net.Dialer{Timeout: patience}).DialContext(context.Background(), "unix", c.Socket)
	if err != nil {
		return reply{}, fmt.Errorf("reaching the node's holder: %w", err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(patience + question.Grace)); err != nil {
		return reply{}, fmt.Errorf("limiting the wait for the node's holder: %w", err)
	}
	if err := json.NewEncoder(connection).Encode(question); err != nil {
		return reply{}, fmt.Errorf("asking the node's holder: %w", err)
	}
	var answer reply
	if err := json.NewDecoder(connection).Decode(&answer); err != nil {
		return reply{}, fmt.Errorf("reading the answer of the node's holder: %w", err)
	}
	if answer.Error != "" {
		return answer, errors.New(answer.Error)
	}
	return answer, nil
}
