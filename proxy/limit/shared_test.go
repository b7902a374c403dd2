package limit

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// counted are the routes of the simulation that count over a window, but for the one whose limit is so small that when its minutes begin decides.
func counted() []string { return []string{"requests", "tokens", "caller"} }

// overload gives every replica more than all of each limit.
func overload(*replica) float64 { return 20 }

// simulate runs a story with several seeds, and checks that no minute and no moment admitted more than the limits.
func simulate(t *testing.T, seeds []uint64, story func(*sim)) {
	for _, seed := range seeds {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			s := newSim(t, seed)
			story(s)
			s.checkNever()
		})
	}
}

func TestScaling(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		s.load = overload
		s.add()
		s.run(3 * time.Minute)
		s.checkUse(time.Minute, s.now, 900, counted()...)
		for range 3 {
			s.add()
			s.run(time.Second)
		}
		s.run(2 * time.Minute)
		s.checkUse(3*time.Minute, s.now, 900, counted()...)
		s.run(2 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
		s.remove(s.replicas[0])
		s.run(time.Second)
		s.remove(s.replicas[2])
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
		s.checkPeak()
	})
}

func TestJoinersTogether(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		s.load = overload
		s.add()
		s.add()
		s.run(2 * time.Minute)
		s.add()
		s.add()
		s.add()
		s.run(3 * time.Minute)
		s.checkUse(2*time.Minute, s.now, 850, "requests", "tokens", "caller")
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}

func TestOneBusyReplica(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		busy := 1
		s.load = func(r *replica) float64 {
			if r == s.replicas[busy] {
				return 20
			}
			return 0
		}
		s.add()
		s.add()
		s.add()
		s.run(4 * time.Minute)
		s.checkUse(time.Minute, s.now, 900, counted()...)
		s.checkUse(time.Minute, s.now, 650, "few")
		s.checkPeak()
		// The client connects to another replica: what the first one borrowed follows as its minute rolls out.
		busy = 2
		moved := s.now
		s.run(3 * time.Minute)
		s.checkUse(moved+time.Minute, s.now, 900, counted()...)
	})
}

func TestBusyReplicaLeaves(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		busy := 1
		s.load = func(r *replica) float64 {
			if r == s.replicas[busy] {
				return 20
			}
			return 0.2
		}
		s.add()
		s.add()
		s.add()
		s.run(2 * time.Minute)
		s.remove(s.replicas[1])
		busy = 2
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}

// TestLenderLeaves has a replica gone whose whole share another one uses, with calls that outlive it.
func TestLenderLeaves(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		s.load = func(r *replica) float64 {
			if r == s.replicas[0] {
				return 20
			}
			return 0
		}
		s.add()
		s.add()
		s.add()
		s.run(90 * time.Second)
		s.remove(s.replicas[1])
		s.run(30 * time.Second)
		s.load = overload
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}

func TestReplacement(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		s.load = overload
		s.add()
		s.add()
		s.run(2 * time.Minute)
		for i := range 4 {
			s.add()
			s.run(time.Duration(5+s.random.IntN(40)) * time.Second)
			s.remove(s.replicas[i])
			s.run(time.Duration(s.random.IntN(30)) * time.Second)
		}
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}

func TestPartition(t *testing.T) {
	simulate(t, []uint64{0, 1}, func(s *sim) {
		busy := 0
		s.load = func(r *replica) float64 {
			if r == s.replicas[busy] {
				return 20
			}
			return 2
		}
		s.add()
		s.add()
		s.add()
		s.run(2 * time.Minute)
		s.cut = func(a, b *replica) bool { return (a == s.replicas[0]) != (b == s.replicas[0]) }
		s.run(time.Minute)
		busy = 1
		s.run(2 * time.Minute)
		s.cut = func(_, _ *replica) bool { return false }
		s.load = overload
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}

// TestWandering moves the load about at random while replicas come and go.
func TestWandering(t *testing.T) {
	simulate(t, []uint64{2, 6, 11, 12, 57}, func(s *sim) {
		s.loss = 30
		rates := map[*replica]float64{}
		s.load = func(r *replica) float64 { return rates[r] }
		for range 30 {
			alive := s.living()
			switch n := s.random.IntN(6); {
			case len(alive) < 2 || n == 0 && len(alive) < 5:
				s.add()
			case n == 1:
				// One that knows what was admitted has to be left.
				if gone := alive[s.random.IntN(len(alive))]; slices.ContainsFunc(alive, func(r *replica) bool { return r != gone && r.settled }) {
					s.remove(gone)
				}
			}
			for _, r := range s.replicas {
				rates[r] = float64(s.random.IntN(3)) * 10
			}
			s.run(time.Duration(s.random.IntN(30)) * time.Second)
		}
		s.load = overload
		s.run(4 * time.Minute)
		s.checkUse(s.now-2*time.Minute, s.now, 900, counted()...)
	})
}
