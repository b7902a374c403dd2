package node

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// loopback is the address of every pod.
const loopback = "127.0.0.1"

// place says what a pod gets of this machine.
type place struct {
	// folder for what is mounted.
	folder string
	// ports are free ports, one for each that the container declares.
	ports []int
}

// adapt changes a template's spec as little as a process needs: ports become free ports of loopback, and paths of mounts become folders. All else stays
// as it was declared, so that the Pod object is what runs.
func adapt(raw json.RawMessage, where place) (json.RawMessage, error) {
	var spec podSpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	if len(spec.Containers) != 1 {
		return nil, fmt.Errorf("a process node runs pods of one container, not of %d", len(spec.Containers))
	}
	declared := spec.Containers[0]
	if len(where.ports) != len(declared.Ports) {
		return nil, errors.New("a process node needs one port for each declared one")
	}
	var whole map[string]any
	if err := json.Unmarshal(raw, &whole); err != nil {
		return nil, fmt.Errorf("reading a template: %w", err)
	}
	only, ok := whole["containers"].([]any)[0].(map[string]any)
	if !ok {
		return nil, errors.New("a template's container is not an object")
	}
	ports := slices.Clone(declared.Ports)
	args := inFolders(declared.Args, declared.VolumeMounts, where.folder)
	for i := range ports {
		args = onPort(args, ports[i], where.ports[i])
		ports[i].ContainerPort = where.ports[i]
	}
	only["args"], only["ports"] = args, ports
	whole["nodeName"] = Name
	adapted, err := json.Marshal(whole)
	if err != nil {
		return nil, fmt.Errorf("encoding a pod: %w", err)
	}
	return adapted, nil
}

// onPort moves the flag that names a declared port to a free one. A port that no flag names is the default of the flag that is called after it.
func onPort(args []string, declared port, free int) []string {
	address := net.JoinHostPort(loopback, strconv.Itoa(free))
	named := "=:" + strconv.Itoa(declared.ContainerPort)
	moved := slices.Clone(args)
	for i, arg := range moved {
		if flag, found := strings.CutSuffix(arg, named); found {
			moved[i] = flag + "=" + address
			return moved
		}
	}
	return append(moved, "--"+declared.Name+"-addr="+address)
}

// inFolders replaces the paths of mounts, the longest first, for one can lie in another.
func inFolders(args []string, mounts []mount, folder string) []string {
	sorted := slices.Clone(mounts)
	slices.SortFunc(sorted, func(a, b mount) int { return len(b.MountPath) - len(a.MountPath) })
	var pairs []string
	for _, mount := range sorted {
		pairs = append(pairs, mount.MountPath, mountFolder(folder, mount.Name))
	}
	replacer := strings.NewReplacer(pairs...)
	changed := make([]string, len(args))
	for i, arg := range args {
		changed[i] = replacer.Replace(arg)
	}
	return changed
}

func mountFolder(folder, volume string) string { return filepath.Join(folder, "mounts", volume) }

// variables are the container's own, with what the downward API knows of a pod. It has no address of its own: all pods share loopback.
func variables(of container, pod meta) (map[string]string, error) {
	fields := map[string]string{"metadata.name": pod.Name, "metadata.namespace": pod.Namespace, "metadata.uid": pod.UID, "status.podIP": ""}
	list := make(map[string]string, len(of.Env))
	for _, variable := range of.Env {
		list[variable.Name] = variable.Value
		if variable.ValueFrom == nil {
			continue
		}
		value, known := fields[variable.ValueFrom.FieldRef.FieldPath]
		if !known {
			return nil, fmt.Errorf("a process node does not know where variable %s comes from", variable.Name)
		}
		list[variable.Name] = value
	}
	return list, nil
}

// expand replaces $(NAME) by the variable, as kubelet does.
func expand(args []string, values map[string]string) []string {
	var pairs []string
	for _, name := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, "$("+name+")", values[name])
	}
	replacer := strings.NewReplacer(pairs...)
	expanded := make([]string, len(args))
	for i, arg := range args {
		expanded[i] = replacer.Replace(arg)
	}
	return expanded
}

// probeURL is where to ask whether a container is ready; empty if it has no probe.
func probeURL(of container) (string, error) {
	if of.ReadinessProbe == nil {
		return "", nil
	}
	get := of.ReadinessProbe.HTTPGet
	for _, port := range of.Ports {
		if get.Port == port.Name || get.Port == float64(port.ContainerPort) {
			return "http://" + net.JoinHostPort(loopback, strconv.Itoa(port.ContainerPort)) + get.Path, nil
		}
	}
	return "", fmt.Errorf("the readiness probe of container %s asks on port %v, which is not declared", of.Name, get.Port)
}
