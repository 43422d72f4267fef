package moving

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"

	ours "github.com/closeonce/websocket"
	oursjson "github.com/closeonce/websocket/wsjson"
	coder "github.com/coder/websocket"
	coderjson "github.com/coder/websocket/wsjson"
)

// A conn is a connection of either library. The numbers are message types and status codes.
type conn interface {
	Read(ctx context.Context) (int, []byte, error)
	Reader(ctx context.Context) (int, io.Reader, error)
	Write(ctx context.Context, typ int, p []byte) error
	Writer(ctx context.Context, typ int) (io.WriteCloser, error)
	Close(code int, reason string) error
	CloseNow() error
	CloseRead(ctx context.Context) context.Context
	Ping(ctx context.Context) error
	SetReadLimit(n int64)
	Subprotocol() string

	NetConn(ctx context.Context, typ int) net.Conn
	ReadJSON(ctx context.Context, v any) error
	WriteJSON(ctx context.Context, v any) error
}

// The message types.
const (
	text = 1
	blob = 2
)

// options are what AcceptOptions and DialOptions of both libraries have. nil is nil.
type options struct {
	Subprotocols         []string
	CompressionMode      int
	CompressionThreshold int
	OnPingReceived       func(ctx context.Context, payload []byte) bool
	OnPongReceived       func(ctx context.Context, payload []byte)

	InsecureSkipVerify bool
	OriginPatterns     []string

	HTTPClient *http.Client
	HTTPHeader http.Header
	Host       string
}

// The compression modes.
const (
	takeover   = 1
	noTakeover = 2
)

// A library is what is compared.
type library struct {
	name        string
	accept      func(w http.ResponseWriter, r *http.Request, o *options) (conn, error)
	dial        func(ctx context.Context, u string, o *options) (conn, *http.Response, error)
	zero        func() conn
	closeStatus func(err error) int
	closeError  func(err error) (code int, reason string, ok bool)
	newError    func(code int, reason string) error
	tooBig      error
	codeName    func(code int) string
	typeName    func(typ int) string
}

// native is what the connections of both libraries have in common.
type native[M, S ~int] interface {
	Read(ctx context.Context) (M, []byte, error)
	Reader(ctx context.Context) (M, io.Reader, error)
	Write(ctx context.Context, typ M, p []byte) error
	Writer(ctx context.Context, typ M) (io.WriteCloser, error)
	Close(code S, reason string) error
	CloseNow() error
	CloseRead(ctx context.Context) context.Context
	Ping(ctx context.Context) error
	SetReadLimit(n int64)
	Subprotocol() string
}

// adapted makes a conn of a connection.
type adapted[M, S ~int, C native[M, S]] struct {
	c         C
	netConn   func(ctx context.Context, c C, typ M) net.Conn
	readJSON  func(ctx context.Context, c C, v any) error
	writeJSON func(ctx context.Context, c C, v any) error
}

func (a adapted[M, S, C]) Read(ctx context.Context) (int, []byte, error) {
	typ, p, err := a.c.Read(ctx)
	return int(typ), p, err
}

func (a adapted[M, S, C]) Reader(ctx context.Context) (int, io.Reader, error) {
	typ, r, err := a.c.Reader(ctx)
	return int(typ), r, err
}

func (a adapted[M, S, C]) Write(ctx context.Context, typ int, p []byte) error {
	return a.c.Write(ctx, M(typ), p)
}

func (a adapted[M, S, C]) Writer(ctx context.Context, typ int) (io.WriteCloser, error) {
	return a.c.Writer(ctx, M(typ))
}

func (a adapted[M, S, C]) Close(code int, reason string) error { return a.c.Close(S(code), reason) }
func (a adapted[M, S, C]) CloseNow() error                     { return a.c.CloseNow() }
func (a adapted[M, S, C]) Ping(ctx context.Context) error      { return a.c.Ping(ctx) }
func (a adapted[M, S, C]) SetReadLimit(n int64)                { a.c.SetReadLimit(n) }
func (a adapted[M, S, C]) Subprotocol() string                 { return a.c.Subprotocol() }

func (a adapted[M, S, C]) CloseRead(ctx context.Context) context.Context { return a.c.CloseRead(ctx) }

func (a adapted[M, S, C]) NetConn(ctx context.Context, typ int) net.Conn {
	return a.netConn(ctx, a.c, M(typ))
}

func (a adapted[M, S, C]) ReadJSON(ctx context.Context, v any) error { return a.readJSON(ctx, a.c, v) }
func (a adapted[M, S, C]) WriteJSON(ctx context.Context, v any) error {
	return a.writeJSON(ctx, a.c, v)
}

func coderConn(c *coder.Conn) conn {
	if c == nil {
		return nil
	}
	return adapted[coder.MessageType, coder.StatusCode, *coder.Conn]{c, coder.NetConn, coderjson.Read, coderjson.Write}
}

func oursConn(c *ours.Conn) conn {
	if c == nil {
		return nil
	}
	return adapted[ours.MessageType, ours.StatusCode, *ours.Conn]{c, ours.NetConn, oursjson.Read, oursjson.Write}
}

var coderLibrary = library{
	name: "coder",
	accept: func(w http.ResponseWriter, r *http.Request, o *options) (conn, error) {
		var opts *coder.AcceptOptions
		if o != nil {
			opts = &coder.AcceptOptions{
				Subprotocols: o.Subprotocols, InsecureSkipVerify: o.InsecureSkipVerify, OriginPatterns: o.OriginPatterns,
				CompressionMode: coder.CompressionMode(o.CompressionMode), CompressionThreshold: o.CompressionThreshold,
				OnPingReceived: o.OnPingReceived, OnPongReceived: o.OnPongReceived,
			}
		}
		c, err := coder.Accept(w, r, opts)
		return coderConn(c), err
	},
	dial: func(ctx context.Context, u string, o *options) (conn, *http.Response, error) {
		var opts *coder.DialOptions
		if o != nil {
			opts = &coder.DialOptions{
				HTTPClient: o.HTTPClient, HTTPHeader: o.HTTPHeader, Host: o.Host, Subprotocols: o.Subprotocols,
				CompressionMode: coder.CompressionMode(o.CompressionMode), CompressionThreshold: o.CompressionThreshold,
				OnPingReceived: o.OnPingReceived, OnPongReceived: o.OnPongReceived,
			}
		}
		c, resp, err := coder.Dial(ctx, u, opts)
		return coderConn(c), resp, err
	},
	zero:        func() conn { return coderConn(new(coder.Conn)) },
	closeStatus: func(err error) int { return int(coder.CloseStatus(err)) },
	closeError: func(err error) (int, string, bool) {
		var e coder.CloseError
		ok := errors.As(err, &e)
		return int(e.Code), e.Reason, ok
	},
	newError: func(code int, reason string) error {
		return coder.CloseError{Code: coder.StatusCode(code), Reason: reason}
	},
	tooBig:   coder.ErrMessageTooBig,
	codeName: func(code int) string { return coder.StatusCode(code).String() },
	typeName: func(typ int) string { return coder.MessageType(typ).String() },
}

var oursLibrary = library{
	name: "ours",
	accept: func(w http.ResponseWriter, r *http.Request, o *options) (conn, error) {
		var opts *ours.AcceptOptions
		if o != nil {
			opts = &ours.AcceptOptions{
				Subprotocols: o.Subprotocols, InsecureSkipVerify: o.InsecureSkipVerify, OriginPatterns: o.OriginPatterns,
				CompressionMode: ours.CompressionMode(o.CompressionMode), CompressionThreshold: o.CompressionThreshold,
				OnPingReceived: o.OnPingReceived, OnPongReceived: o.OnPongReceived,
			}
		}
		c, err := ours.Accept(w, r, opts)
		return oursConn(c), err
	},
	dial: func(ctx context.Context, u string, o *options) (conn, *http.Response, error) {
		var opts *ours.DialOptions
		if o != nil {
			opts = &ours.DialOptions{
				HTTPClient: o.HTTPClient, HTTPHeader: o.HTTPHeader, Host: o.Host, Subprotocols: o.Subprotocols,
				CompressionMode: ours.CompressionMode(o.CompressionMode), CompressionThreshold: o.CompressionThreshold,
				OnPingReceived: o.OnPingReceived, OnPongReceived: o.OnPongReceived,
			}
		}
		c, resp, err := ours.Dial(ctx, u, opts)
		return oursConn(c), resp, err
	},
	zero:        func() conn { return oursConn(new(ours.Conn)) },
	closeStatus: func(err error) int { return int(ours.CloseStatus(err)) },
	closeError: func(err error) (int, string, bool) {
		var e ours.CloseError
		ok := errors.As(err, &e)
		return int(e.Code), e.Reason, ok
	},
	newError: func(code int, reason string) error {
		return ours.CloseError{Code: ours.StatusCode(code), Reason: reason}
	},
	tooBig:   ours.ErrMessageTooBig,
	codeName: func(code int) string { return ours.StatusCode(code).String() },
	typeName: func(typ int) string { return ours.MessageType(typ).String() },
}
