package websocket

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/closeonce/websocket/internal/deflate"
	"github.com/closeonce/websocket/internal/handshake"
)

// AcceptOptions are the options of [Accept] and [Handler]. nil and the zero
// value are the defaults.
type AcceptOptions struct {
	// Subprotocols are the subprotocols that the server speaks, the preferred
	// first. The first of them that the client offers is chosen; the comparison
	// ignores case. If there is none, a Sec-WebSocket-Protocol header field that the
	// handler has set on its ResponseWriter is sent. Empty names are ignored. A name may
	// have any printable ASCII characters except commas and spaces, although RFC 6455
	// requires a token.
	Subprotocols []string

	// InsecureSkipVerify accepts requests from any Origin: pages of any site may
	// then connect, with the user's cookies. Prefer OriginPatterns.
	InsecureSkipVerify bool

	// OriginPatterns lists the hosts whose pages may connect besides the one the
	// request was sent to. A pattern is one of [path.Match], for the lower-cased
	// host (with its port, if any); or for scheme://host if it has "://". It may also be
	// the host itself, as in "[::1]:3000". The ports 80 of http and 443 of https may
	// be written or left out, in the patterns and in the request. "null" is the Origin
	// of sandboxed pages and local files; the patterns "null" and "*" match it.
	//
	// A pattern that is malformed, or that can never match because it has a slash, space,
	// user or fragment, makes Accept refuse every request with 500. If CheckOrigin or
	// InsecureSkipVerify is set, the patterns are ignored.
	//
	// Requests with no Origin or an empty one are accepted; no browser sends those.
	OriginPatterns []string

	// CheckOrigin, if not nil, decides whether the request's Origin may connect. It
	// replaces the comparison with the host, OriginPatterns and InsecureSkipVerify. It is
	// also called for requests without an Origin header field, which come from programs
	// other than browsers. If it returns false, the handshake is refused with 403.
	CheckOrigin func(r *http.Request) bool

	// OnRefuse, if not nil, writes the response to a request that is refused. Without it
	// the response is the text of err. status is the HTTP status for the refusal;
	// OnRefuse may write another one. Header fields that belong to the status, such as
	// Sec-WebSocket-Version with 426, have been set on w. When OnRefuse has returned,
	// Accept returns an error that wraps err.
	OnRefuse func(w http.ResponseWriter, r *http.Request, status int, err error)

	// CompressionMode says whether permessage-deflate (RFC 7692) is accepted.
	// Default: CompressionDisabled.
	CompressionMode CompressionMode

	// CompressionThreshold is the size in bytes of the smallest message that is
	// compressed. Default: 512, or 128 with context takeover. Negative: 0. A Writer's message
	// of several fragments is compressed whatever its size, unless it is math.MaxInt.
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

	// CloseTimeout bounds the closing handshake, whichever side began it, see [Conn.Close]. Default: 5 s. Negative: Close and
	// CloseContext send the frame, return nil and do not wait for the handshake, which then takes at most a second in the background.
	CloseTimeout time.Duration

	// KeepAlive is the time without a sign of life after which the peer is sent a
	// Ping; behind messages that Read takes it may be up to a third of a second more.
	// Signs of life are bytes received from the peer, and bytes that the peer's
	// system acknowledges. If our system does not report these, bytes that the net.Conn
	// takes while the Ping waits behind them count instead. If there is no sign of life
	// for the same time after the Ping has left, the connection ends with ErrPingTimeout.
	// A slow transfer does not end the connection. An application that leaves the read-ahead
	// full can't see a Pong: then it ends only if the peer takes nothing for that time while a
	// Ping waits to leave. (For a peer that has closed TCP see the package's documentation.) Each
	// connection's own time is shorter by up to a quarter, at random, so that the Pings of many
	// that began together spread. Those that are due within a 128th of that time leave together,
	// which saves CPU. Default: 30 s. Negative: off.
	KeepAlive time.Duration

	// CloseOnCancel makes a context that ends a call also end the connection, as in
	// github.com/coder/websocket. It applies to Read, AppendRead, Messages, Reader, Write,
	// WritePrepared, Writer, Ping, and the methods of a message's reader and writer. The call returns the context's error.
	// The connection ends as by [Conn.CloseNow], without a closing handshake: the peer sees the end of the stream, which
	// browsers report as 1006. All other blocked calls, and all later ones, return an error that wraps [net.ErrClosed], and
	// not the context's error.
	//
	// It also applies if the context was done before the call, and to the context of
	// [Conn.CloseRead]. It does not apply to [Conn.CloseContext] and to the deadlines of
	// [NetConn]. Default: false, the connection stays open until it is closed.
	CloseOnCancel bool

	// EndOnShutdown ends the context that [Handler] gives to its function when
	// [http.Server.Shutdown] is called; [context.Cause] then returns
	// [http.ErrServerClosed]. Server.Close does not end it. The connection stays open: the
	// function can still write to it, with another context such as c.Context(), and close it
	// with a status code of its choice. If the function just returns, the connection is
	// closed with 1001 (StatusGoingAway).
	//
	// Shutdown does not wait for WebSockets, except over HTTP/2. To let the Close frames leave
	// before the program exits, use [ServerGroup] and call the group's Shutdown after the server's: it
	// ends these functions' contexts too, and waits for their connections. Without EndOnShutdown it closes them
	// itself. Do not combine EndOnShutdown with CloseOnCancel: a call under the function's
	// context would then end the connection without a Close frame.
	//
	// [Accept] ignores this option. Default: false, WebSockets live on after Shutdown.
	EndOnShutdown bool

	// Passive leaves to the application what a connection otherwise does by itself. First, it reads only in calls that
	// read: OnPingReceived and OnPongReceived run in these calls, in order with the messages, nothing is read ahead, and
	// while nobody reads, Pings are not answered, and the connection's end is not noticed. ([Conn.Close] and [Conn.Ping] read
	// while they wait, and [Conn.CloseRead] from then on.) Second, the peer's Close is not answered: Read returns the
	// CloseError, and the application answers by [Conn.Close] or [Conn.CloseWrite] within CloseTimeout, with the code of its
	// choice. Once the peer's Close was read, Write fails; only messages that it accepted before leave, ahead of the answer. After
	// CloseTimeout the connection ends without an answer. KeepAlive is off. Default: false.
	Passive bool

	// AnyText allows text messages that are not UTF-8, which RFC 6455, section 8.1 forbids, in both directions. It is for peers
	// that can't be changed. [NewPreparedMessage] and [Group.Broadcast] take UTF-8 only. Default: false.
	AnyText bool

	// OnPingReceived, if not nil, is called for each Ping. If it returns false, no Pong
	// is sent. ctx is that of [Conn.Context]. The callback may keep the payload.
	//
	// It runs in the goroutine that reads frames, which is that of a Read or the
	// connection's own. It must return soon and must not wait for the connection. If it
	// panics, the panic is recovered: the connection is closed with 1011
	// (StatusInternalError), and calls return an error that says so, with the stack.
	// runtime.Goexit has the same effect.
	OnPingReceived func(ctx context.Context, payload []byte) bool

	// OnPongReceived, if not nil, is called for each Pong, including those that answer the
	// connection's own Pings. It runs as OnPingReceived does.
	OnPongReceived func(ctx context.Context, payload []byte)

	// Trace, if not nil, has functions that are called for what happens on the
	// connection. It must not be changed afterwards. Default: nil, which costs nothing.
	Trace *Trace
}

// DialOptions are the options of [Dial]. nil and the zero value are the
// defaults.
//
// In a browser (GOOS=js) the browser makes the handshake and watches over the connection. Of HTTPClient only the Timeout is
// used there. HTTPHeader (but for Sec-WebSocket-Protocol) and Host make Dial return an error that wraps
// [errors.ErrUnsupported]. HTTP2, CompressionMode, CompressionThreshold, CompressionTuning, KeepAlive, Passive and AnyText have
// no effect, and OnPingReceived and OnPongReceived are not called. All other options are the same.
type DialOptions struct {
	// HTTPClient makes the handshake's request, with its transport, proxy, TLS
	// settings, cookies and redirects. Its Timeout bounds the handshake.
	// Default: http.DefaultClient.
	//
	// If its Transport is an *http.Transport (as the default is), a ws URL goes through
	// an HTTP or HTTPS proxy by CONNECT, as a wss URL does; see [Dial]. Any other
	// RoundTripper must do that itself.
	HTTPClient *http.Client

	// HTTPHeader is added to the request. The fields of the handshake itself (Connection, Upgrade, Sec-WebSocket-Key, -Version
	// and -Extensions) and those of a body (Content-Length, Transfer-Encoding, Trailer) are left out. The subprotocols of its
	// Sec-WebSocket-Protocol are offered after the option Subprotocols, and its Host is used if the option Host is empty. Names
	// are sent as they are spelled here, except those of fields that net/http adds itself, such as User-Agent and Cookie.
	HTTPHeader http.Header

	// Host overrides the request's Host header.
	Host string

	// HTTP2 says whether the WebSocket is opened over HTTP/2 (RFC 8441). Default: HTTP2Off.
	HTTP2 HTTP2Mode

	// Subprotocols are offered to the server, the preferred first. Empty names are
	// ignored. A name must not have commas, spaces, control characters or
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

	// CloseOnCancel, Passive, AnyText, OnPingReceived, OnPongReceived and Trace are as in AcceptOptions.
	CloseOnCancel  bool
	Passive        bool
	AnyText        bool
	OnPingReceived func(ctx context.Context, payload []byte) bool
	OnPongReceived func(ctx context.Context, payload []byte)
	Trace          *Trace
}

// A Trace is a set of functions that a connection calls when something happens on it. Any of them may be nil. It is an option
// of [Accept], [Handler], [Dial] and [NewConn]. Several connections may share one Trace: each function gets its connection as c.
//
// The functions must return soon, and must not wait for the connection: a call of Read, Write, Ping or Close could wait for
// the very goroutine that it blocks. [Conn.Stats], [Conn.TryWrite] and [Conn.CloseNow] do not wait. No lock is held.
// Functions for different directions, or for different connections, may run at the same time.
//
//   - FrameRead, MessageRead and PingAnswered run in the goroutine that reads frames, a Read's or the connection's own, one
//     at a time, in the order in which the frames came.
//   - FrameWritten runs in the goroutine that writes frames, a Write's or the connection's own, one at a time, in the order
//     in which the frames left.
//   - HandshakeDone, MessageWritten and Slow run in the goroutine of the call that they are about. For what a Group
//     broadcasts, MessageWritten and Slow run in a goroutine that delivers: the group's, or the connection's own, or one
//     that broadcasts or writes.
//   - StateChanged and Closed run in a goroutine of their own, one at a time and in order. Closed comes last.
//
// If a function panics, the connection is closed with 1011 (StatusInternalError), see AcceptOptions.OnPingReceived. If a
// function calls runtime.Goexit, the connection is closed, too; in FrameWritten, MessageWritten, Slow and StateChanged, it
// is closed without a Close frame.
type Trace struct {
	// HandshakeDone is called when the handshake is done, before Accept, Dial or NewConn returns c, and before all others.
	HandshakeDone func(c *Conn, h HandshakeInfo)

	// FrameRead is called for each received frame, control frames included, when its header has arrived. The payload of a
	// data frame may still be missing. It is not called for frames whose header breaks the protocol, or that come after the peer's Close.
	FrameRead func(c *Conn, f FrameInfo)

	// FrameWritten is called for each frame, when the net.Conn has taken all of it. TLS, and a net.Conn that is not a socket, is
	// written by a goroutine if it may have to wait. When a call gives up then, what the goroutine was given, at most 16 KiB,
	// counts as taken, for Flush and Stats as well.
	FrameWritten func(c *Conn, f FrameInfo)

	// MessageRead is called for each message that the application has read to its end, or skipped, just before the call that
	// reads it returns: also behind the connection's end, if it was not the application that closed it.
	MessageRead func(c *Conn, m MessageInfo)

	// MessageWritten is called for each message that Write, TryWrite, WritePrepared, TryWritePrepared or a Writer's Close
	// has accepted: it was sent, or waits to be sent. For what a Group broadcasts it is called when the write that the
	// message is in has ended, or is left to the background, and so never for one that is dropped.
	MessageWritten func(c *Conn, m MessageInfo)

	// StateChanged is called when the state of the closing handshake changes.
	StateChanged func(c *Conn, from, to CloseState)

	// PingAnswered is called when the Pong to a Ping of the connection's own, or of a call of Ping that still waits, has come, with
	// the time between the two.
	PingAnswered func(c *Conn, rtt time.Duration)

	// Slow is called when a message does not fit into the queue, because the peer reads more slowly than the application
	// writes: TryWrite returns ErrQueueFull, or Write waits for room. It is not called for a Write that waits for the kernel
	// itself, with nothing before it. For a Group it is called as Group.OnSlow is. queued is how many bytes are in the queue.
	Slow func(c *Conn, queued int)

	// Closed is called once, when the connection has ended. The net.Conn is closed, or is being closed in the background.
	// reason is the error that calls return from now on.
	Closed func(c *Conn, reason error, s Stats)
}

// HTTP2Mode says whether [Dial] opens a WebSocket over HTTP/2. The server must allow that (RFC 8441); one of this library does
// with the package [github.com/closeonce/websocket/http2].
//
// WebSockets to the same server then share one HTTP/2 connection, with each other and with the HTTPClient's other requests,
// up to the number that the server allows. The HTTPClient's Transport must be an *http.Transport. For wss it must speak HTTP/2
// over TLS, as [http.DefaultTransport] does. For ws, its Protocols must have UnencryptedHTTP2 and not HTTP1, and there must be
// no HTTP proxy.
//
// A WebSocket costs the client some 512 KiB of memory, or 28 KiB if a net/http server has 16384 as HTTP2Config.MaxReadFrameSize.
type HTTP2Mode int

const (
	// HTTP2Off opens WebSockets over HTTP/1.1 alone.
	HTTP2Off HTTP2Mode = iota
	// HTTP2Try uses HTTP/1.1 if the Transport does not speak HTTP/2, or the server does not allow WebSockets over it. Nothing was
	// sent then, but a server of HTTP/1.1 alone costs each Dial another TLS connection. It also does so if the server demands it with
	// the error code HTTP_1_1_REQUIRED (RFC 9113, section 7). Any other refusal over HTTP/2 is returned.
	HTTP2Try
	// HTTP2Only makes Dial return an error that wraps [errors.ErrUnsupported] in these cases.
	HTTP2Only
)

// CompressionMode says whether and how messages are compressed.
type CompressionMode int

const (
	// CompressionDisabled sends and accepts nothing compressed.
	CompressionDisabled CompressionMode = iota
	// CompressionContextTakeover lets a message refer to earlier ones. It compresses
	// best, and keeps a window in memory for each direction.
	CompressionContextTakeover
	// CompressionNoContextTakeover compresses each message independently. It keeps
	// nothing in memory between messages.
	CompressionNoContextTakeover
)

// CompressionTuning refines a CompressionMode that is not CompressionDisabled.
// The zero value is the default.
type CompressionTuning struct {
	// ServerWindowBits and ClientWindowBits bound the windows that the server and
	// the client compress with, 8 to 15. A window of n bits has 2 to the power of n
	// bytes. With context takeover, each end keeps both windows for as long as the
	// connection lives, as far as they are filled: up to 64 KiB with the default of
	// 15, 8 KiB with 12. If a peer can't be asked for a smaller window, it is asked
	// not to use takeover in that direction.
	ServerWindowBits, ClientWindowBits int

	// ServerNoContextTakeover and ClientNoContextTakeover switch context takeover
	// off for what the server and the client sends, if CompressionMode is
	// CompressionContextTakeover.
	ServerNoContextTakeover, ClientNoContextTakeover bool

	// OmitClientWindowBits makes Dial offer no client_max_window_bits: a server then
	// can't ask for a smaller window of ours, and may not answer with that parameter.
	// It is for servers that refuse, or do not understand, an offer that has it.
	// Dial still obeys ClientWindowBits. Accept ignores OmitClientWindowBits.
	OmitClientWindowBits bool

	// Effort is how hard this end tries to make what it sends short: 0 is the
	// default, -1 (or less) the least effort and 3 the most. The least spends little
	// on small messages and is no different from 4 KiB on. From 1 KiB on 1 comes to
	// within 1 % of the size that zlib's default level gives, 2 and 3 below it. With
	// context takeover a positive effort costs some 40 µs more for each message,
	// however small, since the window is indexed anew. A connection owns as much
	// memory with any effort; while a message is being compressed a positive one
	// borrows 192 KiB.
	//
	// Measured on messages of JSON, CPU and size as multiples of the default's:
	//
	//	                       256 B         4 KiB        64 KiB
	//	                     CPU  size     CPU  size     CPU  size
	//	-1  no takeover     0.18  1.32    1.00  1.00    1.00  1.00
	//	    takeover        0.71  1.05    1.00  1.00    1.00  1.00
	//	 1  no takeover     1.5   0.99    2.3   0.93    3.8   0.84
	//	    takeover       36     0.83    4.2   0.83    4.0   0.82
	//	 2  no takeover     1.5   0.99    2.7   0.92    6.7   0.82
	//	    takeover       39     0.82    6.2   0.81    7.5   0.79
	//	 3  no takeover     1.5   0.99    2.8   0.92   12     0.80
	//	    takeover       42     0.80    9.5   0.79   14     0.77
	Effort int
}

// The bounds of a window's size, as the exponent of 2 (RFC 7692, section 7.1.2).
const (
	minWindowBits = handshake.MinWindowBits
	maxWindowBits = handshake.MaxWindowBits
)

// wish checks the options for permessage-deflate, and returns what this end wants.
func (t CompressionTuning) wish(mode CompressionMode) (p handshake.Params, err error) {
	p = handshake.Params{
		ServerNoTakeover: t.ServerNoContextTakeover || mode == CompressionNoContextTakeover,
		ClientNoTakeover: t.ClientNoContextTakeover || mode == CompressionNoContextTakeover,
		ServerBits:       orDefault(t.ServerWindowBits, maxWindowBits, -1),
		ClientBits:       orDefault(t.ClientWindowBits, maxWindowBits, -1),

		ClientBitsOffered: !t.OmitClientWindowBits,
	}
	if t.Effort > int(deflate.MostEffort) {
		return p, fmt.Errorf("websocket: the option CompressionTuning.Effort is %d; the maximum is %d", t.Effort, deflate.MostEffort)
	}
	p.Effort = deflate.Effort(orDefault(t.Effort, 0, int(deflate.LeastEffort)))
	if mode != CompressionContextTakeover && mode != CompressionNoContextTakeover {
		return p, fmt.Errorf("websocket: the option CompressionMode is %d; use CompressionDisabled, CompressionContextTakeover or CompressionNoContextTakeover", int(mode))
	}
	for _, bits := range []int{p.ServerBits, p.ClientBits} {
		if bits < minWindowBits || bits > maxWindowBits {
			return p, fmt.Errorf("websocket: a window of CompressionTuning has %d bits; it must have 8 to 15", bits)
		}
	}
	return p, nil
}

// orDefault returns the value of an option: def for zero, off for a negative one.
func orDefault[T ~int | ~int64](v, def, off T) T {
	switch {
	case v == 0:
		return def
	case v < 0:
		return off
	}
	return v
}

// The defaults of the options.
const (
	defaultCloseTimeout = 5 * time.Second
	defaultKeepAlive    = 30 * time.Second
	defaultReadLimit    = 1 << 20
	defaultQueueLimit   = 256 << 10
)
