package http3

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"testing"

	"github.com/quic-go/quic-go"
)

// TestUnreachableHosts: a Dialer remembers nothing of hosts that it could not reach.
func TestUnreachableHosts(t *testing.T) {
	d := &Dialer{DialQUIC: func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error) {
		return nil, errors.New("unreachable")
	}}
	for i := range 100 {
		if _, _, err := d.Dial(context.Background(), fmt.Sprintf("wss://h%d.example/", i), nil); err == nil {
			t.Fatal("Dial returned no error")
		}
	}
	if n := len(d.hosts); n > 0 {
		t.Errorf("the Dialer has %d hosts", n)
	}
}
