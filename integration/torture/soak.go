package main

import (
	"context"
	"fmt"
	"time"
)

// sampleTime is how often a soak looks at the daemon.
const sampleTime = 10 * time.Second

// soakRound lets the readers work for a while, and looks at the daemon.
func (s *stage) soakRound(ctx context.Context) error {
	select {
	case <-ctx.Done():
	case <-time.After(sampleTime):
	}
	now, _, err := s.daemon.sample()
	if err != nil {
		return err
	}
	fmt.Fprintf(s.log, "%6.0f s  %s\n", time.Since(s.report.began).Seconds(), now)
	s.workOn("soak")
	return nil
}
