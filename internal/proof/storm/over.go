package storm

import (
	"net"
	"time"
)

// TB is what Over needs of a test.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Logf(format string, args ...any)
	TempDir() string
}

// Over runs a storm over connections that pair makes, as Config.Pair does, in a test of whoever makes them. Those share a
// connection, so all is given more time.
func Over(t TB, c Config, pair func(server bool) (near, far net.Conn, err error)) {
	t.Helper()
	a, b, err := pair(true) // what is made once stays, and must not look as if it was left behind
	if err != nil {
		t.Fatal(err)
	}
	a.Close()
	b.Close()
	c.Transports, c.Pair, c.Dir = []string{"given"}, pair, t.TempDir()
	c.CloseTimeout, c.Patience, c.Hearing = 20*time.Second, 30*time.Second, 30*time.Second
	c.Found = func(v Violation) {
		t.Errorf("%s after %.1f s: %v\n%s", v.Kind, v.After.Seconds(), v.Program, v.Detail)
	}
	report, err := Run(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("seed %d: %d programs, %d messages, %d frames, %d MB", c.Seed, report.Programs, report.Messages, report.Frames, report.Bytes>>20)
}
