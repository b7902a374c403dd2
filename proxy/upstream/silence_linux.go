package upstream

import (
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unacknowledged is how long the other end has acknowledged nothing although something is on its way to it; 0 when nothing is. An end that does not read, so
// that nothing more can be sent, still acknowledges.
func unacknowledged(nc net.Conn) time.Duration {
	sc, ok := nc.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	var info *unix.TCPInfo
	var asked error
	err = raw.Control(func(fd uintptr) { info, asked = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO) })
	if err != nil || asked != nil || info.Unacked == 0 {
		return 0
	}
	return max(1, time.Duration(info.Last_ack_recv)*time.Millisecond)
}
