package websocket_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"

	"github.com/closeonce/websocket"
)

// A server that logs what happens on its connections with log/slog.
func ExampleTrace() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		Level: slog.LevelDebug,
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey { // other in each run
				return slog.Attr{}
			}
			return a
		},
	}))
	done := make(chan struct{})
	trace := &websocket.Trace{
		HandshakeDone: func(c *websocket.Conn, h websocket.HandshakeInfo) {
			logger.Info("open", "subprotocol", c.Subprotocol(), "compressed", h.Compressed)
		},
		FrameRead: func(c *websocket.Conn, f websocket.FrameInfo) {
			logger.Debug("frame read", "opcode", f.Opcode, "length", f.Length)
		},
		MessageRead: func(c *websocket.Conn, m websocket.MessageInfo) {
			logger.Debug("message read", "type", m.Type, "size", m.Size)
		},
		StateChanged: func(c *websocket.Conn, from, to websocket.CloseState) {
			logger.Debug("closing", "from", from, "to", to)
		},
		Closed: func(c *websocket.Conn, reason error, s websocket.Stats) {
			logger.Info("closed", "by", s.ClosedBy, "code", int(s.CloseCode), "read", s.Read.Messages, "written", s.Written.Messages)
			close(done)
		},
	}
	server := httptest.NewServer(websocket.Handler(&websocket.AcceptOptions{Trace: trace}, func(ctx context.Context, c *websocket.Conn) {
		for {
			typ, p, err := c.Read(ctx)
			if err != nil {
				return
			}
			if err := c.Write(ctx, typ, p); err != nil {
				return
			}
		}
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
		fmt.Println(err)
		return
	}
	if _, _, err := c.Read(ctx); err != nil {
		fmt.Println(err)
		return
	}
	c.Close(websocket.StatusNormalClosure, "")
	<-done
	// Output:
	// level=INFO msg=open subprotocol="" compressed=false
	// level=DEBUG msg="frame read" opcode=text length=5
	// level=DEBUG msg="message read" type=MessageText size=5
	// level=DEBUG msg="frame read" opcode=close length=2
	// level=DEBUG msg=closing from=open to="close received"
	// level=DEBUG msg=closing from="close received" to=closed
	// level=INFO msg=closed by=peer code=1000 read=1 written=1
}

// What has gone through a connection, and who has closed it.
func ExampleConn_Stats() {
	server := httptest.NewServer(websocket.Handler(nil, func(ctx context.Context, c *websocket.Conn) {
		c.Write(ctx, websocket.MessageText, []byte("hello"))
		c.Close(websocket.StatusGoingAway, "")
	}))
	defer server.Close()

	ctx := context.Background()
	c, _, err := websocket.Dial(ctx, server.URL, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.CloseNow()
	for err == nil {
		_, _, err = c.Read(ctx)
	}
	s := c.Stats()
	fmt.Printf("%d message of %d bytes, %d frames of %d bytes\n", s.Read.Messages, s.Read.Bytes, s.Read.Frames, s.Read.WireBytes)
	fmt.Printf("closed by %v with %d\n", s.ClosedBy, s.CloseCode)
	// Output:
	// 1 message of 5 bytes, 2 frames of 11 bytes
	// closed by peer with 1001
}
