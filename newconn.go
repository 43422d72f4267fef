package websocket

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"math"
	"net"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
	"github.com/closeonce/websocket/internal/streamconn"
)

// ConnOptions are the options of [NewConn]: what the handshake has agreed on, and how the connection is to behave. nil and
// the zero value are a server's connection without subprotocol and compression, with the defaults.
type ConnOptions struct {
	// Client makes this the client's end, which masks what it sends. Default: the server's end.
	Client bool

	// Context has the values of [Conn.Context]; its end is ignored. If it is that of a request to a server of [ServerGroup],
	// a server's connection becomes a member of the group. Default: context.Background().
	Context context.Context

	// Early are bytes that came behind the handshake and were read with it: the start of the first frame, or many frames.
	// They are copied.
	Early []byte

	// Subprotocol is what [Conn.Subprotocol] returns.
	Subprotocol string

	// Extensions is the Sec-WebSocket-Extensions of the server's answer, as it was sent or received; "" means none.
	// NewConn understands permessage-deflate and refuses any other extension.
	Extensions string

	// Offered is the Sec-WebSocket-Extensions that the client has offered. If it is not empty, NewConn refuses Extensions
	// that do not fit it, as a client must (RFC 6455, section 4.1). A server leaves it empty.
	Offered string

	// CompressionThreshold is as in AcceptOptions.
	CompressionThreshold int

	// CompressionTuning bounds what this end compresses with: its window, context takeover, and effort. The peer's window
	// and takeover are those of Extensions.
	CompressionTuning CompressionTuning

	// The rest is as in AcceptOptions.
	ReadLimit      int64
	QueueLimit     int
	CloseTimeout   time.Duration
	KeepAlive      time.Duration
	CloseOnCancel  bool
	Passive        bool
	AnyText        bool
	OnPingReceived func(ctx context.Context, payload []byte) bool
	OnPongReceived func(ctx context.Context, payload []byte)
	Trace          *Trace
}

// NewConn makes a connection of a stream on which the opening handshake has been made elsewhere, or needs none. The stream
// belongs to the Conn from then on; what [Accept] and [Dial] promise of a Conn holds for this one.
//
// The best stream is a [net.Conn]: its deadlines are cleared, and TCP, Unix sockets and TLS over them are read without
// a goroutine more. TLS must have made its handshake ([crypto/tls.Conn.HandshakeContext]): what a listener of package tls accepts
// has not. Of any other stream nothing is expected but that Read, Write and Close work, that Read and Write may be
// called at the same time, and that Close makes both return. A goroutine reads it, and another writes while there is
// something to write. If Close does not make them return, they stay until they do, but no call of the Conn's waits
// for them. LocalAddr, RemoteAddr and CloseWrite are used if the stream has them. A CloseWrite lets the last Close frame arrive
// before the stream is closed.
//
// If there is an error, it is about opts or the handshake of TLS, and the stream is left as it is; except that a server of
// [ServerGroup] that has been shut down closes the connection with 1001 (StatusGoingAway), and the error is [net.ErrClosed].
func NewConn(stream io.ReadWriteCloser, opts *ConnOptions) (*Conn, error) {
	if opts == nil {
		opts = &ConnOptions{}
	}
	switch {
	case stream == nil:
		return nil, errors.New("websocket: NewConn was called without a stream")
	case len(opts.Early) > math.MaxInt32:
		return nil, errors.New("websocket: the option Early has 2 GiB or more")
	}
	if secured, ok := stream.(*tls.Conn); ok && !secured.ConnectionState().HandshakeComplete {
		return nil, errors.New("websocket: NewConn was called before the handshake of TLS was made; call the tls.Conn's HandshakeContext first")
	}
	deflate, err := opts.compression()
	if err != nil {
		return nil, err
	}
	if nc, ok := stream.(net.Conn); ok {
		nc.SetDeadline(time.Time{}) // that of the handshake would end the connection
	}
	cfg := opts.config()
	cfg.deflate = deflate
	c := newConn(streamconn.Bare(stream), cfg)
	if opts.Client { // what a server's handler dials is not its group's
		return c, nil
	}
	return joined(cfg.parent, c, nil)
}

// config returns what newConn needs, but for the compression.
func (opts *ConnOptions) config() config {
	s := newSettings(opts.QueueLimit, opts.CloseTimeout, opts.KeepAlive)
	s.onPing, s.onPong, s.trace = opts.OnPingReceived, opts.OnPongReceived, opts.Trace
	s.cancels, s.passive, s.anyText = opts.CloseOnCancel, opts.Passive, opts.AnyText
	return config{
		client:      opts.Client,
		subprotocol: opts.Subprotocol,
		early:       opts.Early,
		parent:      cmp.Or(opts.Context, context.Background()),
		readLimit:   orDefault(opts.ReadLimit, defaultReadLimit, -1),
		settings:    s,
	}
}

// conn returns the options that hold for the connection, however it is made. They are not on the stack: a handler that goes on waits
// with what Accept has needed of it.
//
//go:noinline
func (opts *AcceptOptions) conn() *ConnOptions {
	return &ConnOptions{
		CompressionThreshold: opts.CompressionThreshold, CompressionTuning: opts.CompressionTuning,
		ReadLimit: opts.ReadLimit, QueueLimit: opts.QueueLimit, CloseTimeout: opts.CloseTimeout, KeepAlive: opts.KeepAlive,
		CloseOnCancel: opts.CloseOnCancel, Passive: opts.Passive, AnyText: opts.AnyText,
		OnPingReceived: opts.OnPingReceived, OnPongReceived: opts.OnPongReceived, Trace: opts.Trace,
	}
}

// conn is the same for a client.
//
//go:noinline
func (opts *DialOptions) conn() *ConnOptions {
	return &ConnOptions{
		Client:               true,
		CompressionThreshold: opts.CompressionThreshold, CompressionTuning: opts.CompressionTuning,
		ReadLimit: opts.ReadLimit, QueueLimit: opts.QueueLimit, CloseTimeout: opts.CloseTimeout, KeepAlive: opts.KeepAlive,
		CloseOnCancel: opts.CloseOnCancel, Passive: opts.Passive, AnyText: opts.AnyText,
		OnPingReceived: opts.OnPingReceived, OnPongReceived: opts.OnPongReceived, Trace: opts.Trace,
	}
}

// compression returns the state of permessage-deflate as it was agreed on, or nil.
func (opts *ConnOptions) compression() (*compression, error) {
	agreed, ok, err := handshake.ReadAnswer(opts.Extensions, opts.Offered)
	if err != nil {
		return nil, errors.New("websocket: the option Extensions has " + err.Error())
	}
	if !ok {
		return nil, nil
	}
	tuning, err := opts.CompressionTuning.wish(CompressionContextTakeover)
	if err != nil {
		return nil, err
	}
	agreed.Effort = tuning.Effort
	if opts.Client {
		agreed.ClientBits = min(agreed.ClientBits, tuning.ClientBits)
		agreed.ClientNoTakeover = agreed.ClientNoTakeover || tuning.ClientNoTakeover
	} else {
		agreed.ServerBits = min(agreed.ServerBits, tuning.ServerBits)
		agreed.ServerNoTakeover = agreed.ServerNoTakeover || tuning.ServerNoTakeover
	}
	return newCompression(agreed, opts.Client, opts.CompressionThreshold), nil
}
