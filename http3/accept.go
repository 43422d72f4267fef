package http3

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"

	"github.com/closeonce/websocket"
	"github.com/quic-go/quic-go/http3"
)

var (
	errNotStreamer = errors.New("websocket: the handshake was refused with 501: the stream can't be taken over from quic-go: the ResponseWriter is not quic-go's, or a middleware hides it (it needs an Unwrap method)")
	errAnswered    = errors.New("websocket: Accept was called for a request that has been answered already, by another Accept or by a write to the ResponseWriter")
)

// A serverFault is the error of a handshake that failed because of the server and not the client.
type serverFault struct{ error }

func (f serverFault) Unwrap() error { return f.error }

// Accept accepts a WebSocket over HTTP/3 (RFC 9220), in a handler of quic-go's [http3.Server]. All else is as with
// [websocket.Accept], to which it leaves requests of other versions of HTTP, so that one handler may serve them all: it checks the
// request and its Origin, writes the response if it refuses, and over HTTP/3 the handler may return before the connection ends (over
// HTTP/2 it must not).
//
// Middleware learns of the answer by WriteHeader(200). A wrapper's WriteHeader must not change that status or the handshake's own
// fields. If it does, Accept returns an error that names what was changed, and the client gets the wrapper's own status, or its
// stream is reset. quic-go sends the header fields as they are when WriteHeader has returned, not as they were when it was called.
//
// If a wrapper without an Unwrap method hides the stream, Accept refuses with 501, and the error wraps [http.ErrNotSupported].
//
// The option EndOnShutdown is ignored.
func Accept(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions) (*websocket.Conn, error) {
	if r.ProtoMajor != 3 {
		return websocket.Accept(w, r, opts)
	}
	all := layers(w)
	if find(all).answered() { // not even a refusal may be written
		return nil, serverFault{errAnswered}
	}
	request := r
	if r.Method == http.MethodConnect && r.Proto != "HTTP/3.0" { // Proto is the :protocol
		request = r.Clone(r.Context())
		request.Header[":protocol"] = []string{r.Proto}
		request.Proto = "HTTP/3.0"
		request.ContentLength = -1
	}
	answer, err := websocket.Negotiate(request, opts)
	if err == nil {
		err = preset(w, answer)
	}
	if err != nil {
		maps.Copy(w.Header(), answer.Header)
		err = refuse(w, r, opts, answer.Status, err)
		if answer.Status == http.StatusInternalServerError { // which no request of a client's gets
			err = serverFault{err}
		}
		return nil, err
	}
	streamer := streamerOf(all)
	if streamer == nil {
		err = refuse(w, r, opts, http.StatusNotImplemented, errNotStreamer)
		return nil, serverFault{fmt.Errorf("%w: %w", err, http.ErrNotSupported)}
	}
	taken, err := send(all, streamer, answer.Header)
	if err != nil {
		return nil, err
	}
	s := &stream{requestStream: taken}
	s.local, _ = r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	s.remote, _ = r.Context().Value(http3.RemoteAddrContextKey).(net.Addr)
	return newServerConn(s, answer.Conn)
}

// newServerConn makes the Conn when the answer has been sent. An error that only the options can have caused is a serverFault.
func newServerConn(s *stream, opts websocket.ConnOptions) (*websocket.Conn, error) {
	c, err := websocket.NewConn(s, &opts)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, net.ErrClosed): // a ServerGroup was shut down; NewConn closes the stream, with 1001
		return nil, err
	}
	s.Close()
	return nil, serverFault{err}
}

// preset adds to the answer the subprotocol that the handler has set on w, if it has none.
func preset(w http.ResponseWriter, answer *websocket.Handshake) error {
	if answer.Conn.Subprotocol != "" {
		return nil
	}
	chosen, err := presetSubprotocol(w.Header())
	if err != nil {
		answer.Status, answer.Header = http.StatusInternalServerError, nil
		deleteAnswer(w.Header()) // no client could read the error with them
		return err
	}
	if chosen != "" {
		answer.Conn.Subprotocol = chosen
		answer.Header["Sec-WebSocket-Protocol"] = []string{chosen}
	}
	return nil
}

// refuse answers a request that is refused, and returns why.
func refuse(w http.ResponseWriter, r *http.Request, opts *websocket.AcceptOptions, status int, err error) error {
	clean(w.Header())
	if opts != nil && opts.OnRefuse != nil {
		opts.OnRefuse(w, r, status, err)
	} else {
		http.Error(w, err.Error(), status)
	}
	return err
}
