package websocket_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/wsjson"
)

// This file is the promise that programs written for github.com/coder/websocket v1.8.15 compile when they change their
// import path, and that those written for this package go on compiling. It is checked by the compiler.

// What programs know from there: every identifier, with its signature.
var (
	_ error = websocket.ErrMessageTooBig

	_ func(context.Context, *websocket.Conn, websocket.MessageType) net.Conn                         = websocket.NetConn
	_ func(http.ResponseWriter, *http.Request, *websocket.AcceptOptions) (*websocket.Conn, error)    = websocket.Accept
	_ func(context.Context, string, *websocket.DialOptions) (*websocket.Conn, *http.Response, error) = websocket.Dial
	_ func(error) websocket.StatusCode                                                               = websocket.CloseStatus
	_ func(*websocket.Conn, websocket.StatusCode, string) error                                      = (*websocket.Conn).Close
	_ func(*websocket.Conn) error                                                                    = (*websocket.Conn).CloseNow
	_ func(*websocket.Conn, context.Context) context.Context                                         = (*websocket.Conn).CloseRead
	_ func(*websocket.Conn, context.Context) error                                                   = (*websocket.Conn).Ping
	_ func(*websocket.Conn, context.Context) (websocket.MessageType, []byte, error)                  = (*websocket.Conn).Read
	_ func(*websocket.Conn, context.Context) (websocket.MessageType, io.Reader, error)               = (*websocket.Conn).Reader
	_ func(*websocket.Conn, int64)                                                                   = (*websocket.Conn).SetReadLimit
	_ func(*websocket.Conn) string                                                                   = (*websocket.Conn).Subprotocol
	_ func(*websocket.Conn, context.Context, websocket.MessageType, []byte) error                    = (*websocket.Conn).Write
	_ func(*websocket.Conn, context.Context, websocket.MessageType) (io.WriteCloser, error)          = (*websocket.Conn).Writer
	_ func(websocket.CompressionMode) int                                                            = func(m websocket.CompressionMode) int { return int(m) }
	_ func(websocket.MessageType) string                                                             = websocket.MessageType.String
	_ func(websocket.StatusCode) string                                                              = websocket.StatusCode.String
	_ func(context.Context, *websocket.Conn, any) error                                              = wsjson.Read
	_ func(context.Context, *websocket.Conn, any) error                                              = wsjson.Write
	_ error                                                                                          = websocket.CloseError{Code: websocket.StatusNormalClosure, Reason: ""}
	_ [3]websocket.CompressionMode                                                                   = [...]websocket.CompressionMode{websocket.CompressionDisabled, websocket.CompressionContextTakeover, websocket.CompressionNoContextTakeover}
	_ [2]websocket.MessageType                                                                       = [...]websocket.MessageType{websocket.MessageText, websocket.MessageBinary}
)

var _ = websocket.AcceptOptions{
	Subprotocols:         []string{},
	InsecureSkipVerify:   false,
	OriginPatterns:       []string{},
	CompressionMode:      websocket.CompressionDisabled,
	CompressionThreshold: 0,
	OnPingReceived:       func(ctx context.Context, payload []byte) bool { return true },
	OnPongReceived:       func(ctx context.Context, payload []byte) {},
}

var _ = websocket.DialOptions{
	HTTPClient:           http.DefaultClient,
	HTTPHeader:           http.Header{},
	Host:                 "",
	Subprotocols:         []string{},
	CompressionMode:      websocket.CompressionDisabled,
	CompressionThreshold: 0,
	OnPingReceived:       func(ctx context.Context, payload []byte) bool { return true },
	OnPongReceived:       func(ctx context.Context, payload []byte) {},
}

// The numbers are those of the RFC and of IANA's registry: two equal keys would not compile.
var _ = map[websocket.StatusCode]bool{
	websocket.StatusNormalClosure: true, websocket.StatusGoingAway: true, websocket.StatusProtocolError: true,
	websocket.StatusUnsupportedData: true, websocket.StatusNoStatusRcvd: true, websocket.StatusAbnormalClosure: true,
	websocket.StatusInvalidFramePayloadData: true, websocket.StatusPolicyViolation: true, websocket.StatusMessageTooBig: true,
	websocket.StatusMandatoryExtension: true, websocket.StatusInternalError: true, websocket.StatusServiceRestart: true,
	websocket.StatusTryAgainLater: true, websocket.StatusBadGateway: true, websocket.StatusTLSHandshake: true,
}

// What programs miss there.
var (
	_ error = websocket.ErrQueueFull
	_ error = websocket.ErrPingTimeout
	_ error = websocket.ProtocolError{Code: websocket.StatusProtocolError, Reason: ""}
	_ error = &websocket.HandshakeError{Response: &http.Response{}}

	_ func(*http.Request) bool                                                               = websocket.IsWebSocketUpgrade
	_ func(*http.Request) []string                                                           = websocket.Subprotocols
	_ func(*websocket.AcceptOptions, func(context.Context, *websocket.Conn)) http.Handler    = websocket.Handler
	_ func(io.ReadWriteCloser, *websocket.ConnOptions) (*websocket.Conn, error)              = websocket.NewConn
	_ func(*http.Request, *websocket.AcceptOptions) (*websocket.Handshake, error)            = websocket.Negotiate
	_ func(string) string                                                                    = websocket.AcceptKey
	_ func(websocket.CompressionMode, websocket.CompressionTuning) (string, error)           = websocket.OfferDeflate
	_ func([]string, websocket.CompressionMode, websocket.CompressionTuning) (string, error) = websocket.AnswerDeflate
	_                                                                                        = websocket.DialOptions{HTTP2: websocket.HTTP2Off}
	_                                                                                        = [...]websocket.HTTP2Mode{websocket.HTTP2Off, websocket.HTTP2Try, websocket.HTTP2Only}
	_                                                                                        = websocket.Handshake{Status: int(0), Header: http.Header(nil), Conn: websocket.ConnOptions{}}
	_                                                                                        = websocket.ConnOptions{Client: false, Passive: false, AnyText: false, Context: context.Background(), Early: []byte(nil), Subprotocol: "", Extensions: "", Offered: ""}
	_ func(*websocket.Conn, context.Context, []byte) (websocket.MessageType, []byte, error)  = (*websocket.Conn).AppendRead
	_ func(*websocket.Conn, context.Context) iter.Seq2[websocket.Message, error]             = (*websocket.Conn).Messages
	_ func(*websocket.Conn, context.Context, websocket.StatusCode, string) error             = (*websocket.Conn).CloseContext
	_ func(*websocket.Conn, websocket.StatusCode, string) error                              = (*websocket.Conn).CloseWrite
	_ func(*websocket.Conn, int)                                                             = (*websocket.Conn).SetCompressionThreshold
	_ func(*websocket.Conn) context.Context                                                  = (*websocket.Conn).Context
	_ func(*websocket.Conn, websocket.MessageType, []byte) error                             = (*websocket.Conn).TryWrite
	_ func(*websocket.Conn) net.Conn                                                         = (*websocket.Conn).NetConn
	_ func(*websocket.Conn, []byte) error                                                    = (*websocket.Conn).SendPing
	_ func(*websocket.Conn, []byte) error                                                    = (*websocket.Conn).SendPong
	_ func(*websocket.Conn, context.Context) error                                           = (*websocket.Conn).Flush
	_ func(*websocket.Conn) net.Addr                                                         = (*websocket.Conn).LocalAddr
	_ func(*websocket.Conn) net.Addr                                                         = (*websocket.Conn).RemoteAddr
	_ func(*websocket.Conn) websocket.Stats                                                  = (*websocket.Conn).Stats
	_                                                                                        = websocket.Message{Type: websocket.MessageText, Data: []byte{}}
	_                                                                                        = websocket.AcceptOptions{EndOnShutdown: false, ReadLimit: int64(0), QueueLimit: int(0), CloseTimeout: time.Duration(0), KeepAlive: time.Duration(0), CloseOnCancel: false, Passive: false, AnyText: false, Trace: (*websocket.Trace)(nil)}
	_                                                                                        = websocket.DialOptions{ReadLimit: int64(0), QueueLimit: int(0), CloseTimeout: time.Duration(0), KeepAlive: time.Duration(0), CloseOnCancel: false, Passive: false, AnyText: false, Trace: (*websocket.Trace)(nil)}
)

// TestErrorsAreDistinct: errors.Is tells them apart.
func TestErrorsAreDistinct(t *testing.T) {
	all := []error{websocket.ErrMessageTooBig, websocket.ErrQueueFull, websocket.ErrPingTimeout, net.ErrClosed, io.EOF, io.ErrUnexpectedEOF}
	for i, a := range all {
		for j, b := range all {
			if errors.Is(a, b) != (i == j) {
				t.Errorf("errors.Is(%v, %v)", a, b)
			}
		}
	}
}
