package sim

import (
	"time"
)

// A deadline is guarded by its direction's mu.
type deadline struct {
	expired bool
	timer   *time.Timer
}

func (d *deadline) stop() {
	if d.timer != nil {
		d.timer.Stop()
		d.timer = nil
	}
}

func (d *direction) setDeadline(l *deadline, t time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l.stop()
	wait := time.Until(t)
	l.expired = !t.IsZero() && wait <= 0
	if !t.IsZero() && wait > 0 {
		var timer *time.Timer
		timer = time.AfterFunc(wait, func() {
			d.mu.Lock()
			defer d.mu.Unlock()
			if l.timer == timer { // not stopped too late
				l.expired = true
				d.changed.Broadcast()
			}
		})
		l.timer = timer
	}
	d.changed.Broadcast()
}
