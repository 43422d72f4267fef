package websocket

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/internal/handshake"
)

// A BufferPool is a pool of write buffers. A *sync.Pool is one. It has no effect.
type BufferPool interface {
	// Get returns a value, or nil.
	Get() interface{}
	// Put takes a value.
	Put(interface{})
}

// An Upgrader accepts WebSockets in HTTP handlers. The zero value is ready. It may be used by several goroutines at once.
type Upgrader struct {
	// HandshakeTimeout bounds the time for the answer to leave. 0: 10 s.
	HandshakeTimeout time.Duration

	// WriteBufferSize is how much a writer of NextWriter keeps before it sends a fragment. 0: 4096. ReadBufferSize
	// has no effect.
	ReadBufferSize, WriteBufferSize int

	// WriteBufferPool has no effect.
	WriteBufferPool BufferPool

	// Subprotocols are those that the server speaks, the preferred first. If nil, the Sec-WebSocket-Protocol of Upgrade's
	// header is sent.
	Subprotocols []string

	// Error, if not nil, writes the response to a request that is refused.
	Error func(w http.ResponseWriter, r *http.Request, status int, reason error)

	// CheckOrigin reports whether the request's Origin may connect. If nil, an Origin must have the request's host.
	CheckOrigin func(r *http.Request) bool

	// EnableCompression accepts permessage-deflate, without context takeover.
	EnableCompression bool

	// AutoControl has the connection answer Pings and the peer's Close by itself, even while nobody reads. Handlers then run in
	// a goroutine of the connection's own if nobody reads, and the close handler only tells of the Close. An error that a
	// handler returns ends reading at once, before messages that came earlier and were not read yet. It is an addition to
	// gorilla/websocket.
	AutoControl bool
}

// Upgrade accepts the WebSocket that the request asks for. responseHeader is sent with the answer. If the handshake fails,
// Upgrade answers the request, and returns a [HandshakeError].
func (u *Upgrader) Upgrade(w http.ResponseWriter, r *http.Request, responseHeader http.Header) (*Conn, error) {
	if status, reason := u.check(r, responseHeader); reason != "" {
		return nil, u.refuse(w, r, status, reason)
	}
	h := u.begin(w, r, responseHeader)
	var err error
	h.c.c, err = websocket.Accept(h.answer, r, &h.options)
	switch {
	case h.refusal != nil:
		return nil, h.refusal
	case err != nil:
		return nil, err
	}
	return h.c, nil
}

// An upgrade is a handshake under way. It is not on the stack of Upgrade: a handler often waits for messages afterwards, and its goroutine
// would keep 4 KiB more.
type upgrade struct {
	u       *Upgrader
	c       *Conn
	w       http.ResponseWriter
	answer  http.ResponseWriter // w, or one with a header
	header  http.Header         // what answer's was before
	options websocket.AcceptOptions
	refusal error // what Upgrade returns; nil: the core has not refused
}

// begin prepares the answer.
func (u *Upgrader) begin(w http.ResponseWriter, r *http.Request, responseHeader http.Header) *upgrade {
	h := &upgrade{u: u, w: w, answer: withHeader(w)}
	h.header = maps.Clone(h.answer.Header())
	u.addFields(h.answer.Header(), r, responseHeader)
	if u.HandshakeTimeout > 0 {
		http.NewResponseController(w).SetWriteDeadline(time.Now().Add(u.HandshakeTimeout)) // where it has one; Accept lifts it
	}
	c, onPing, onPong, mode := prepare(options{u.AutoControl, u.EnableCompression, u.WriteBufferSize})
	h.c = c
	h.options = websocket.AcceptOptions{
		InsecureSkipVerify: true, // the Origin was checked
		OnRefuse:           h.refuse,
		CompressionMode:    mode,
		ReadLimit:          -1,
		KeepAlive:          -1,
		CloseTimeout:       closeTimeout(u.AutoControl),
		Passive:            !u.AutoControl,
		AnyText:            true,
		OnPingReceived:     onPing,
		OnPongReceived:     onPong,
	}
	return h
}

// refuse answers a request that the core refuses.
func (h *upgrade) refuse(_ http.ResponseWriter, r *http.Request, status int, err error) {
	clear(h.answer.Header())
	maps.Copy(h.answer.Header(), h.header)
	reason := err.Error()
	if status == http.StatusNotImplemented {
		status, reason = http.StatusInternalServerError, "websocket: response does not implement http.Hijacker"
	}
	h.refusal = h.u.refuse(h.w, r, status, reason)
}

// check returns why a request is refused, and with which status.
func (u *Upgrader) check(r *http.Request, responseHeader http.Header) (status int, reason string) {
	const not = "websocket: the client is not using the websocket protocol: "
	switch {
	case r.ProtoMajor >= 2: // an extended CONNECT (RFC 8441), of which the core checks what belongs to it
	case !handshake.HasToken(r.Header["Connection"], "upgrade"):
		return http.StatusBadRequest, not + "'upgrade' token not found in 'Connection' header"
	case !handshake.HasToken(r.Header["Upgrade"], "websocket"):
		return http.StatusBadRequest, not + "'websocket' token not found in 'Upgrade' header"
	case r.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, not + "request method is not GET"
	}
	switch {
	case len(r.Header["Sec-Websocket-Version"]) != 1 || strings.TrimSpace(r.Header["Sec-Websocket-Version"][0]) != "13":
		return http.StatusBadRequest, "websocket: unsupported version: 13 not found in 'Sec-Websocket-Version' header"
	case responseHeader["Sec-Websocket-Extensions"] != nil:
		return http.StatusInternalServerError, "websocket: application specific 'Sec-WebSocket-Extensions' headers are unsupported"
	}
	allowed := u.CheckOrigin
	if allowed == nil {
		allowed = sameOrigin
	}
	if !allowed(r) {
		return http.StatusForbidden, "websocket: request origin not allowed by Upgrader.CheckOrigin"
	}
	if r.ProtoMajor >= 2 {
		return 0, "" // there is no key
	}
	if key, err := base64.StdEncoding.DecodeString(r.Header.Get("Sec-Websocket-Key")); err != nil || len(key) != 16 {
		return http.StatusBadRequest, "websocket: not a websocket handshake: 'Sec-WebSocket-Key' header must be Base64 encoded value of 16-byte in length"
	}
	return 0, ""
}

// sameOrigin reports whether the request has no Origin, or one with its own host.
func sameOrigin(r *http.Request) bool {
	origin := r.Header["Origin"]
	if len(origin) == 0 {
		return true
	}
	u, err := url.Parse(origin[0])
	return err == nil && handshake.EqualFold(u.Host, r.Host)
}

// refuse answers a request that is refused.
func (u *Upgrader) refuse(w http.ResponseWriter, r *http.Request, status int, reason string) error {
	err := HandshakeError{reason}
	handshake.EndRefused(w.Header(), r.ProtoMajor, r.Header)
	if u.Error != nil {
		u.Error(w, r, status, err)
	} else {
		w.Header().Set("Sec-Websocket-Version", "13")
		http.Error(w, http.StatusText(status), status)
	}
	return err
}

// addFields adds the application's fields to the answer, and the subprotocol, which the core takes from there.
func (u *Upgrader) addFields(h http.Header, r *http.Request, responseHeader http.Header) {
	h.Del("Sec-Websocket-Protocol")
	for name, values := range responseHeader {
		if name != "Sec-Websocket-Protocol" {
			h[name] = append(h[name], values...)
		}
	}
	if name := u.subprotocol(r, responseHeader); name != "" {
		h.Set("Sec-Websocket-Protocol", name)
	}
}

// subprotocol returns the first of the server's subprotocols that the client offers, or else the one in Upgrade's header. The
// core would also look at the offer's other lines, and would not mind the case.
func (u *Upgrader) subprotocol(r *http.Request, responseHeader http.Header) string {
	if u.Subprotocols == nil {
		return responseHeader.Get("Sec-Websocket-Protocol")
	}
	offered := Subprotocols(r)
	for _, name := range u.Subprotocols {
		if slices.Contains(offered, name) {
			return name
		}
	}
	return ""
}

// A hijacker is a ResponseWriter that can be hijacked and has a header; nothing can be written to it.
type hijacker struct {
	http.Hijacker
	header http.Header
}

func (h hijacker) Header() http.Header     { return h.header }
func (hijacker) WriteHeader(int)           {}
func (hijacker) Write([]byte) (int, error) { return 0, http.ErrNotSupported }

// withHeader returns w. If w can be hijacked but has no header, as some that tests make, it returns one with a header instead.
func withHeader(w http.ResponseWriter) (answer http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		return w
	}
	defer func() {
		if recover() != nil { // the method Header is that of an embedded nil
			answer = hijacker{h, http.Header{}}
		}
	}()
	if w.Header() == nil {
		return hijacker{h, http.Header{}}
	}
	return w
}

// Upgrade accepts the WebSocket that the request asks for, from any Origin. If the handshake fails, it does not answer the
// request.
//
// Deprecated: Use Upgrader.
func Upgrade(w http.ResponseWriter, r *http.Request, responseHeader http.Header, readBufSize, writeBufSize int) (*Conn, error) {
	u := Upgrader{
		ReadBufferSize:  readBufSize,
		WriteBufferSize: writeBufSize,
		Error:           func(http.ResponseWriter, *http.Request, int, error) {},
		CheckOrigin:     func(*http.Request) bool { return true },
	}
	return u.Upgrade(w, r, responseHeader)
}

// Subprotocols returns the subprotocols that the request offers.
func Subprotocols(r *http.Request) []string {
	list := strings.TrimSpace(r.Header.Get("Sec-Websocket-Protocol"))
	if list == "" {
		return nil
	}
	offered := strings.Split(list, ",")
	for i, name := range offered {
		offered[i] = strings.TrimSpace(name)
	}
	return offered
}

// IsWebSocketUpgrade reports whether the request asks for a WebSocket.
func IsWebSocketUpgrade(r *http.Request) bool { return websocket.IsWebSocketUpgrade(r) }
