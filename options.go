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
	// ignores case.
	Subprotocols []string

	// InsecureSkipVerify accepts requests from any Origin: pages of any site may
	// then connect, with the user's cookies. OriginPatterns are the better way.
	InsecureSkipVerify bool

	// OriginPatterns lists the hosts whose pages may connect besides the one the
	// request was sent to. A pattern is one of [path.Match], for the lower-cased
	// host (with its port, if any); or for scheme://host if it has "://".
	// Requests without Origin, which no browser sends, are accepted.
	OriginPatterns []string

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
	// [Conn.TryWrite]. Default: 256 KiB. Negative: nothing waits.
	QueueLimit int

	// CloseTimeout bounds the closing handshake, see [Conn.Close]. Default: 5 s.
	// Negative: Close does not wait for it; it has a second in the background.
	CloseTimeout time.Duration

	// KeepAlive is after how long without a byte from the peer it is pinged. If
	// it stays silent for as long again, the connection ends with
	// ErrPingTimeout. Default: 30 s. Negative: off.
	KeepAlive time.Duration

	// OnPingReceived, if not nil, is called for each Ping; if it returns false,
	// no Pong is sent. It runs where frames are read: it must return soon and
	// must not wait for the connection. The payload is the callback's to keep.
	OnPingReceived func(ctx context.Context, payload []byte) bool

	// OnPongReceived, if not nil, is called for each Pong. What goes for
	// OnPingReceived goes for it.
	OnPongReceived func(ctx context.Context, payload []byte)
}

// DialOptions are the options of [Dial]. nil and the zero value are the
// defaults.
type DialOptions struct {
	// HTTPClient makes the handshake's request, with its transport, proxy, TLS
	// settings, cookies and redirects. Its Timeout bounds the handshake.
	// Default: http.DefaultClient.
	HTTPClient *http.Client

	// HTTPHeader is added to the request.
	HTTPHeader http.Header

	// Host overrides the request's Host header.
	Host string

	// Subprotocols are offered to the server, the preferred first.
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

	// OnPingReceived and OnPongReceived are as in AcceptOptions.
	OnPingReceived func(ctx context.Context, payload []byte) bool
	OnPongReceived func(ctx context.Context, payload []byte)
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
