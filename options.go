package websocket

import (
	"context"
	"net/http"
	"time"
)

// AcceptOptions are the options of [Accept] and [Handler]. nil and the zero
// value are the defaults.
type AcceptOptions struct {
	// Subprotocols are the subprotocols that the server speaks, the preferred
	// first. The first of them that the client offers is chosen; the comparison
	// ignores case. If there is none, a Sec-WebSocket-Protocol header field that the
	// handler has set on its ResponseWriter is sent. Empty names count for nothing. Any
	// name without comma, space and control characters will do, though RFC 6455 wants
	// a token.
	Subprotocols []string

	// InsecureSkipVerify accepts requests from any Origin: pages of any site may
	// then connect, with the user's cookies. OriginPatterns are the better way.
	InsecureSkipVerify bool

	// OriginPatterns lists the hosts whose pages may connect besides the one the
	// request was sent to. A pattern is one of [path.Match], for the lower-cased
	// host (with its port, if any); or for scheme://host if it has "://". It may also be
	// the host itself, as in "[::1]:3000". The ports 80 of http and 443 of https may
	// be written or left out, in the patterns and in the request. "null" is the Origin
	// of sandboxed pages and local files; besides, only "*" matches that.
	//
	// A pattern that is malformed, or that can never match because it has a slash, space,
	// user or fragment, makes Accept refuse every request with 500. The patterns are not
	// looked at if CheckOrigin or InsecureSkipVerify is set.
	//
	// Requests without Origin, or with an empty one, which no browser sends, are accepted.
	OriginPatterns []string

	// CheckOrigin, if not nil, decides whether the request's Origin may connect, in
	// place of OriginPatterns, InsecureSkipVerify and the comparison with the host. It is
	// called for requests without Origin, too. If it returns false the handshake is
	// refused with 403.
	CheckOrigin func(r *http.Request) bool

	// OnRefuse, if not nil, writes the response to a request that is refused, in place
	// of a page with err as its text. status is the fitting HTTP status, which it may
	// replace. Header fields that belong to the status, such as Sec-WebSocket-Version
	// with 426, are set on w before. Accept returns err when OnRefuse has returned.
	OnRefuse func(w http.ResponseWriter, r *http.Request, status int, err error)

	// CompressionMode says whether permessage-deflate (RFC 7692) is accepted.
	// Default: CompressionDisabled.
	CompressionMode CompressionMode

	// CompressionThreshold is the size in bytes from which on messages are
	// compressed. Default: 512, or 128 with context takeover. Negative: 0.
	CompressionThreshold int

	// CompressionTuning sets windows, takeover by direction, and effort.
	CompressionTuning CompressionTuning

	// ReadLimit is how many bytes a message may have, decoded. Default: 1 MiB.
	// Negative: no limit. See [Conn.SetReadLimit].
	ReadLimit int64

	// QueueLimit is how many bytes of messages may wait to be written, see
	// [Conn.TryWrite]. Default: 256 KiB. Negative: nothing waits, and TryWrite
	// always returns ErrQueueFull.
	QueueLimit int

	// CloseTimeout bounds the closing handshake, whoever began it, see [Conn.Close].
	// Default: 5 s. Negative: Close does not wait for the handshake, which has a
	// second in the background.
	CloseTimeout time.Duration

	// KeepAlive is the time without a sign of life after which the peer is sent a
	// Ping. Signs of life are bytes that come from the peer, and bytes that its
	// system takes from us; where the system does not tell that, bytes that the
	// net.Conn takes while the Ping waits behind them. If there is none for the same
	// time again, counted from when the Ping has left, the connection ends with
	// ErrPingTimeout. A slow transfer is not taken for a dead peer, nor is a peer
	// whose Pong can't be seen because the application leaves the read-ahead full.
	// Default: 30 s. Negative: off.
	KeepAlive time.Duration

	// CloseOnCancel makes a context that ends a call end the connection as well, as it does
	// in github.com/coder/websocket. The call, be it Read, AppendRead, Messages, Reader,
	// Write, Writer, Ping, or one of a message's reader or writer, returns the context's
	// error; the connection ends as by [Conn.CloseNow], without a closing handshake: the
	// peer sees the end of the stream, which browsers call 1006. All calls that are pending
	// then, and all later ones, return an error for which [errors.Is] finds [net.ErrClosed], and not the context's.
	//
	// A call whose context was done before counts, and so does the context of
	// [Conn.CloseRead]. The deadlines of [NetConn] do not, nor does [Conn.CloseContext].
	// Default: false, the connection stays open until it is closed.
	CloseOnCancel bool

	// EndOnShutdown makes the context that [Handler] gives to its function end when the
	// [http.Server] begins to shut down (its Shutdown is called, not its Close), besides
	// with the connection. [context.Cause] of it is [http.ErrServerClosed] then. The
	// connection itself stays open: the function may say good-bye, with a context of its
	// own, and close it with the code of its choice. If it just returns, the connection is
	// closed with 1001 (StatusGoingAway) in place of 1000. Shutdown does not wait for that:
	// it knows nothing of WebSockets. Count the functions with a sync.WaitGroup, and wait for
	// them after Shutdown, or the process ends before the Close frames have left. With CloseOnCancel, a call under this context ends
	// the connection without a Close frame.
	//
	// Accept does not look at it. Default: false, WebSockets live on after Shutdown.
	EndOnShutdown bool

	// OnPingReceived, if not nil, is called for each Ping; if it returns false,
	// no Pong is sent. ctx is that of [Conn.Context]. The payload is the callback's
	// to keep.
	//
	// It runs in the goroutine that reads frames, a Read's or the connection's own:
	// it must return soon and must not wait for the connection. If it panics, in
	// whichever goroutine, the panic goes no further: the connection is closed with
	// 1011 (StatusInternalError), and calls return an error that says so, with the
	// stack. The same goes for runtime.Goexit.
	OnPingReceived func(ctx context.Context, payload []byte) bool

	// OnPongReceived, if not nil, is called for each Pong, those to the connection's
	// own Pings included. It runs as OnPingReceived does.
	OnPongReceived func(ctx context.Context, payload []byte)

	// Trace, if not nil, has functions that are called for what happens on the
	// connection. It must not be changed afterwards. Default: nil, which costs nothing.
	Trace *Trace
}

// DialOptions are the options of [Dial]. nil and the zero value are the
// defaults.
type DialOptions struct {
	// HTTPClient makes the handshake's request, with its transport, proxy, TLS
	// settings, cookies and redirects. Its Timeout bounds the handshake.
	// Default: http.DefaultClient.
	//
	// If its Transport is an *http.Transport (as the default is), a ws URL goes through
	// an HTTP or HTTPS proxy by CONNECT, as a wss URL does; see [Dial]. Another
	// RoundTripper has to see to that itself.
	HTTPClient *http.Client

	// HTTPHeader is added to the request. The fields of the handshake itself
	// (Connection, Upgrade, Sec-WebSocket-Key, -Version and -Extensions) and those of a
	// body (Content-Length, Transfer-Encoding, Trailer) are left out. The subprotocols
	// of its Sec-WebSocket-Protocol are offered behind Subprotocols, and its Host is used
	// if the option Host is empty. Names leave as they are spelled here.
	HTTPHeader http.Header

	// Host overrides the request's Host header.
	Host string

	// Subprotocols are offered to the server, the preferred first. Empty names count
	// for nothing. A name must not have commas, spaces, control characters or
	// characters outside ASCII; some servers insist on tokens (RFC 9110, section 5.6.2).
	Subprotocols []string

	// CompressionMode says whether permessage-deflate (RFC 7692) is offered.
	// Default: CompressionDisabled.
	CompressionMode CompressionMode

	// CompressionThreshold and CompressionTuning are as in AcceptOptions.
	CompressionThreshold int
	CompressionTuning    CompressionTuning

	// ReadLimit, QueueLimit, CloseTimeout and KeepAlive are as in AcceptOptions.
	ReadLimit    int64
	QueueLimit   int
	CloseTimeout time.Duration
	KeepAlive    time.Duration

	// CloseOnCancel, OnPingReceived, OnPongReceived and Trace are as in AcceptOptions.
	CloseOnCancel  bool
	OnPingReceived func(ctx context.Context, payload []byte) bool
	OnPongReceived func(ctx context.Context, payload []byte)
	Trace          *Trace
}

// CompressionMode says whether and how messages are compressed.
type CompressionMode int

const (
	// CompressionDisabled sends and accepts nothing compressed.
	CompressionDisabled CompressionMode = iota
	// CompressionContextTakeover lets a message refer to those before it: the
	// best compression, for the memory of a window in each direction.
	CompressionContextTakeover
	// CompressionNoContextTakeover compresses each message for itself: no memory
	// between messages.
	CompressionNoContextTakeover
)

// orDefault is how all options read: zero is the default, negative is off.
func orDefault[T ~int | ~int64](v, def, off T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return off
	}
	return v
}

func newSettings(queueLimit int, closeTimeout, keepAlive time.Duration) settings {
	return settings{
		closeTimeout: orDefault(closeTimeout, defaultCloseTimeout, 0),
		keepAlive:    orDefault(keepAlive, defaultKeepAlive, 0),
		queueLimit:   orDefault(queueLimit, defaultQueueLimit, 0),
	}
}
