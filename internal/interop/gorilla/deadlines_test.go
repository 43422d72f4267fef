package gorilla

import (
	"fmt"
	"io"
	"testing"
	"time"
)

// A deadlineConn is a connection of either package.
type deadlineConn interface {
	conn
	SetWriteDeadline(time.Time) error
	SetReadDeadline(time.Time) error
	NextWriter(int) (io.WriteCloser, error)
	WriteControl(int, []byte, time.Time) error
}

// failing describes an error without its text, if it has the methods of a net.Error.
func failing(err error) string {
	if e, ok := err.(interface {
		Timeout() bool
		Temporary() bool
	}); ok {
		return fmt.Sprintf("timeout=%v temporary=%v;", e.Timeout(), e.Temporary())
	}
	return fmt.Sprint(err) + ";"
}

// TestDeadlines: deadlines that have passed, were moved, or are far away have the same effect in both packages, for control frames, too.
func TestDeadlines(t *testing.T) {
	past, far := time.Now().Add(-time.Second), time.Unix(1<<40, 0)
	payload := []byte{3, 232}
	for _, typ := range []int{1, 8, 9, 10} {
		for name, calls := range map[string]func(c deadlineConn) string{
			"WriteMessage in the past": func(c deadlineConn) string {
				c.SetWriteDeadline(past)
				failed := c.WriteMessage(typ, payload)
				c.SetWriteDeadline(time.Time{})
				return failing(failed) + failing(c.WriteMessage(1, nil))
			},
			"NextWriter in the past": func(c deadlineConn) string {
				c.SetWriteDeadline(past)
				w, err := c.NextWriter(typ)
				_, writeErr := w.Write(payload)
				closeErr := w.Close()
				c.SetWriteDeadline(time.Time{})
				return failing(err) + failing(writeErr) + failing(closeErr) + failing(c.WriteMessage(1, nil))
			},
			"too long, and in the past": func(c deadlineConn) string {
				c.SetWriteDeadline(past)
				return failing(c.WriteMessage(typ, make([]byte, 200)))
			},
			"moved": func(c deadlineConn) string {
				c.SetWriteDeadline(past)
				c.SetWriteDeadline(time.Now().Add(time.Hour))
				return failing(c.WriteMessage(typ, payload))
			},
			"far away": func(c deadlineConn) string {
				c.SetWriteDeadline(time.Now().Add(1 << 62))
				err := c.WriteMessage(typ, payload)
				c.SetWriteDeadline(far)
				return failing(err) + failing(c.WriteMessage(typ, payload))
			},
			"WriteControl": func(c deadlineConn) string {
				c.SetWriteDeadline(past)
				return failing(c.WriteControl(typ, payload, far)) + failing(c.WriteControl(typ, payload, time.Now().Add(1<<62))) +
					failing(c.WriteControl(typ, payload, past))
			},
		} {
			got := map[string]string{}
			for lib, upgrade := range upgraders {
				c, _ := accepted(t, upgrade)
				got[lib] = calls(c.(deadlineConn))
			}
			if got["ours"] != got["gorilla/websocket"] {
				t.Errorf("%s, type %d:\ngorilla/websocket %s\nours              %s", name, typ, got["gorilla/websocket"], got["ours"])
			}
		}
	}
}

// TestReadDeadlineMoved: a deadline that has passed and was moved before anything was read is forgotten.
func TestReadDeadlineMoved(t *testing.T) {
	for lib, upgrade := range upgraders {
		c, nc := accepted(t, upgrade)
		io.WriteString(nc, frame(0x81, "a")+frame(0x81, "b"))
		for _, to := range []time.Time{{}, time.Unix(1<<40, 0)} {
			c.(deadlineConn).SetReadDeadline(time.Unix(1, 0))
			c.(deadlineConn).SetReadDeadline(to)
			if _, p, err := c.ReadMessage(); len(p) != 1 || err != nil {
				t.Errorf("%s: %q, %v", lib, p, err)
			}
		}
	}
}
