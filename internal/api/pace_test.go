package api

import (
	"fmt"
	"testing"
	"time"
)

// TestPace: one question in a while of each, in a map that does not grow with those who came.
func TestPace(t *testing.T) {
	var p pace
	at := time.Date(2026, 7, 5, 14, 30, 0, 0, time.UTC)
	if left := p.wait("a", at, time.Minute); left != 0 {
		t.Errorf("the first waits %v", left)
	}
	if left := p.wait("a", at.Add(20*time.Second), time.Minute); left != 40*time.Second {
		t.Errorf("the second waits %v", left)
	}
	if left := p.wait("b", at.Add(20*time.Second), time.Minute); left != 0 {
		t.Errorf("another waits %v", left)
	}
	if left := p.wait("a", at.Add(time.Minute), time.Minute); left != 0 {
		t.Errorf("after a minute it waits %v", left)
	}
	// A clock that was set back holds nobody for as long as it was wrong.
	if left := p.wait("a", at.Add(-time.Hour), time.Minute); left != 0 {
		t.Errorf("an hour before it waits %v", left)
	}
	for i := range 3000 {
		p.wait(fmt.Sprint(i), at.Add(time.Duration(i)*time.Minute), time.Minute)
	}
	if len(p.last) > 1001 {
		t.Errorf("%d are remembered", len(p.last))
	}
}
