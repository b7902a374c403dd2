//go:build linux

package boot

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"signalbox.dev/signalbox/hack/cluster/component"
	"signalbox.dev/signalbox/hack/cluster/holder"
	"signalbox.dev/signalbox/hack/cluster/network"
	"signalbox.dev/signalbox/hack/cluster/process"
)

// state is what must be known to take a cluster down, written before each thing that it names is used.
type state struct {
	Name       string       `json:"name"`
	Slot       uint8        `json:"slot"`
	Kubeconfig string       `json:"kubeconfig"`
	Bin        string       `json:"bin"`
	Containerd string       `json:"containerd"`
	Plugins    string       `json:"plugins"`
	Nodes      []nodeRecord `json:"nodes"`

	folder string
}

type nodeRecord struct {
	Name   string           `json:"name"`
	Holder process.Identity `json:"holder"`
}

func (s *state) plan() network.Plan { return network.Plan{Cluster: s.Name, Slot: s.Slot} }

func (s *state) nodeFolder(number int) string {
	return filepath.Join(s.folder, fmt.Sprintf("node-%d", number))
}

func (s *state) client(number int) holder.Client {
	return holder.Client{Socket: filepath.Join(s.nodeFolder(number), holder.SocketName)}
}

func (s *state) node(number int) component.Node {
	return component.Node{
		Name: nodeName(s.Name, number), Number: number, Plan: s.plan(),
		Programs: holder.BinFolder, Containerd: s.Containerd, Plugins: s.Plugins,
	}
}

func nodeName(cluster string, number int) string { return fmt.Sprintf("%s-%d", cluster, number) }

// load returns nil without an error when the folder holds no state.
func load(folder string) (*state, error) {
	text, err := os.ReadFile(filepath.Join(folder, "state.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	s := &state{folder: folder}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("reading the cluster's state: %w", err)
	}
	return s, nil
}

// save replaces the state file in one step, so that no crash leaves half of one.
func (s *state) save() error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding the cluster's state: %w", err)
	}
	name := filepath.Join(s.folder, "state.json")
	if err := writeSynced(name+".new", text); err != nil {
		return fmt.Errorf("writing the cluster's state: %w", err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		return fmt.Errorf("replacing the cluster's state: %w", err)
	}
	return nil
}

func writeSynced(name string, text []byte) error {
	file, err := os.OpenFile(name, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// lock keeps every other run of this program away from all clusters of this machine until the returned function is called,
// which also removes the folder if no cluster is left. The lock is the folder itself and ends with the process.
func lock(say func(string, ...any)) (unlock func(), err error) {
	for {
		if err := os.MkdirAll(StateRoot, 0o700); err != nil {
			return nil, fmt.Errorf("making the folder of clusters: %w", err)
		}
		folder, err := os.Open(StateRoot)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("opening the folder of clusters: %w", err)
		}
		if err := lockFolder(folder, say); err != nil {
			return nil, errors.Join(err, folder.Close())
		}
		// Whoever held the lock before may have removed the folder.
		if current(folder) {
			return func() {
				_ = syscall.Rmdir(StateRoot)
				_ = folder.Close()
			}, nil
		}
		_ = folder.Close()
	}
}

func lockFolder(folder *os.File, say func(string, ...any)) error {
	err := syscall.Flock(int(folder.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		say("waiting for another run of this program to end")
		err = syscall.Flock(int(folder.Fd()), syscall.LOCK_EX)
	}
	if err != nil {
		return fmt.Errorf("locking the folder of clusters: %w", err)
	}
	return nil
}

func current(folder *os.File) bool {
	opened, err := folder.Stat()
	if err != nil {
		return false
	}
	named, err := os.Stat(StateRoot)
	return err == nil && os.SameFile(opened, named)
}
