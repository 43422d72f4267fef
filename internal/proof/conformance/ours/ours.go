// Package ours is this library as the conformance suite meets it: an endpoint
// that echoes, as server or as client.
package ours

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/closeonce/websocket"
)

// Mode is a way in which the endpoint uses the library.
type Mode struct {
	Name        string
	Compression websocket.CompressionMode
	Streams     bool // it echoes from a Reader into a Writer, not whole messages
	HTTP2       websocket.HTTP2Mode
}

// Modes are all of them.
var Modes = []Mode{
	{Name: "plain", Compression: websocket.CompressionDisabled},
	{Name: "takeover", Compression: websocket.CompressionContextTakeover},
	{Name: "no-takeover", Compression: websocket.CompressionNoContextTakeover},
	{Name: "streams", Compression: websocket.CompressionDisabled, Streams: true},
	{Name: "streams-takeover", Compression: websocket.CompressionContextTakeover, Streams: true},
}

// ReadLimit is what the endpoint reads at most: the suite's largest message fits,
// and its cases of messages beyond any limit do not.
const ReadLimit = 32 << 20

// closeTimeout is longer than a suite on a busy machine takes to read what comes
// before the endpoint's Close.
const closeTimeout = time.Minute

// Echo sends every message back until the connection ends.
func (m Mode) Echo(ctx context.Context, c *websocket.Conn) {
	send := echoWhole
	if m.Streams {
		send = echoStream
	}
	for send(ctx, c) == nil {
	}
}

func echoWhole(ctx context.Context, c *websocket.Conn) error {
	typ, p, err := c.Read(ctx)
	if err != nil {
		return err
	}
	return c.Write(ctx, typ, p)
}

func echoStream(ctx context.Context, c *websocket.Conn) error {
	typ, r, err := c.Reader(ctx)
	if err != nil {
		return err
	}
	w, err := c.Writer(ctx, typ)
	if err != nil {
		return err
	}
	if _, err := io.Copy(w, r); err != nil {
		return err
	}
	return w.Close()
}

// Handler is the server: it accepts every WebSocket and echoes.
func (m Mode) Handler() http.Handler {
	return websocket.Handler(&websocket.AcceptOptions{
		CompressionMode: m.Compression, CompressionThreshold: 1, ReadLimit: ReadLimit, CloseTimeout: closeTimeout,
	}, m.Echo)
}

// Drive is the client: it comes to the [suite.Driver] at base, a ws or wss URL,
// for every case, and echoes.
//
// [suite.Driver]: https://pkg.go.dev/github.com/closeonce/websocket/internal/proof/conformance/suite#Driver
func (m Mode) Drive(ctx context.Context, base string, client *http.Client) error {
	opts := &websocket.DialOptions{
		CompressionMode: m.Compression, CompressionThreshold: 1, ReadLimit: ReadLimit, CloseTimeout: closeTimeout, HTTPClient: client,
		HTTP2: m.HTTP2,
	}
	p, err := told(ctx, base+"/count", opts)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(string(p))
	if err != nil || count == 0 {
		return fmt.Errorf("the driver counts %q cases", p)
	}
	var wg sync.WaitGroup
	turns := make(chan struct{}, 16)
	for n := 1; n <= count; n++ {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			c, _, err := websocket.Dial(ctx, fmt.Sprintf("%s/case?n=%d&agent=ours", base, n), opts)
			if err != nil {
				return // a handshake that must be refused; the report tells
			}
			m.Echo(ctx, c)
			c.Close(websocket.StatusNormalClosure, "") // waits for an end that is under way
		})
	}
	wg.Wait()
	p, err = told(ctx, base+"/report?agent=ours", opts)
	if err == nil && !bytes.HasPrefix(p, []byte(`{"role":"client"`)) {
		err = fmt.Errorf("the driver reports %.40q", p)
	}
	return err
}

// told returns the one message that the driver has at url.
func told(ctx context.Context, url string, opts *websocket.DialOptions) ([]byte, error) {
	c, _, err := websocket.Dial(ctx, url, opts)
	if err != nil {
		return nil, err
	}
	defer c.CloseNow()
	_, p, err := c.Read(ctx)
	if err != nil {
		return nil, err
	}
	c.Close(websocket.StatusNormalClosure, "")
	return p, nil
}
