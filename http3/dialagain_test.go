package http3_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// reset ends a request's stream without an answer.
func reset(w http.ResponseWriter, code http3.ErrCode) {
	if s, err := w.(http3.HTTPStreamer).HTTPStream(); err == nil {
		s.CancelRead(quic.StreamErrorCode(code))
		s.CancelWrite(quic.StreamErrorCode(code))
	}
}

// resets serves WebSockets, but resets the first n requests. The counter has how many came.
func resets(t *testing.T, n int32, code http3.ErrCode) (*site, *atomic.Int32) {
	var came atomic.Int32
	return serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1) <= n && r.URL.Path != "/kept" {
			reset(w, code)
			return
		}
		accept(nil, echo).ServeHTTP(w, r)
	})), &came
}

// TestRejectedUnseen: a request that the server rejects unseen is sent again over another connection, and the WebSockets on the one
// before go on.
func TestRejectedUnseen(t *testing.T) {
	s, came := resets(t, 4, http3.ErrCodeRequestRejected)
	d := dialer(t)
	kept := dial(t, d, s.url+"/kept", nil)
	for _, c := range []*websocket.Conn{dial(t, d, s.url, nil), dial(t, d, s.url, nil), kept} {
		if err := bounce(c, "x"); err != nil {
			t.Error(err)
		}
	}
	if n, opened := came.Load(), s.opened.Load(); n != 6 || opened != 4 {
		t.Errorf("%d requests over %d connections, want 6 over 4", n, opened)
	}
}

// TestRejectedAlways: a server that rejects each request gets ten, and the error has its reason. The connections do not stay.
func TestRejectedAlways(t *testing.T) {
	s, came := resets(t, 1000, http3.ErrCodeRequestRejected)
	d := dialer(t)
	ended := make(chan struct{}, 20)
	d.DialQUIC = func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		q, err := quic.DialAddr(ctx, addr, tlsConfig, config)
		if err == nil {
			context.AfterFunc(q.Context(), func() { ended <- struct{}{} })
		}
		return q, err
	}
	_, _, err := d.Dial(soon(t), s.url, nil)
	if err == nil || !strings.Contains(err.Error(), "H3_REQUEST_REJECTED") || came.Load() != 10 {
		t.Fatalf("%d requests; Dial gave %v", came.Load(), err)
	}
	for range 10 {
		select {
		case <-ended:
		case <-time.After(5 * time.Second):
			t.Fatal("a connection is kept to which no request is sent")
		}
	}
}

// TestRejectedUntilDone: the context ends the attempts, too, and the error has both reasons.
func TestRejectedUntilDone(t *testing.T) {
	s, came := resets(t, 1000, http3.ErrCodeRequestRejected)
	ctx, cancel := context.WithTimeout(bg, 700*time.Millisecond)
	defer cancel()
	_, _, err := dialer(t).Dial(ctx, s.url, nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "H3_REQUEST_REJECTED") || came.Load() >= 10 {
		t.Errorf("%d requests; Dial gave %v", came.Load(), err)
	}
}

// TestResetOtherwise: a request that the server may have processed is sent once.
func TestResetOtherwise(t *testing.T) {
	for _, code := range []http3.ErrCode{http3.ErrCodeNoError, http3.ErrCodeRequestCanceled, http3.ErrCodeInternalError} {
		s, came := resets(t, 1000, code)
		if _, _, err := dialer(t).Dial(soon(t), s.url, nil); err == nil || came.Load() != 1 {
			t.Errorf("%v: %d requests; Dial gave %v", code, came.Load(), err)
		}
	}
}

// moving returns a Dialer that connects to the address which is stored.
func moving(t *testing.T) (*ws3.Dialer, *atomic.Value) {
	var address atomic.Value
	d := dialer(t)
	d.DialQUIC = func(ctx context.Context, _ string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		return quic.DialAddr(ctx, address.Load().(string), tlsConfig, config)
	}
	return d, &address
}

// TestShutdownLosesNoDial: Dials while a server shuts down come to the next one. With an idle connection, it ends at the same moment.
func TestShutdownLosesNoDial(t *testing.T) {
	for round := range 20 {
		before, after := serve(t, nil, accept(nil, echo)), serve(t, nil, accept(nil, echo))
		d, address := moving(t)
		address.Store(before.addr.String())
		c := dial(t, d, before.url, nil)
		if round%2 == 0 {
			c.Close(websocket.StatusNormalClosure, "")
		}
		address.Store(after.addr.String())
		shut, cancel := context.WithCancel(bg)
		go before.server.Shutdown(shut)
		for begun := time.Now(); time.Since(begun) < 5*time.Millisecond; {
			next, _, err := d.Dial(soon(t), before.url, nil)
			if err != nil {
				t.Errorf("round %d: %v", round, err)
				break
			}
			next.CloseNow()
		}
		c.CloseNow()
		cancel()
	}
}

// TestEndedHere: a connection that quic-go closes when the server's GOAWAY comes, in the moment in which a Dial sends its request, is
// not the end of that Dial.
func TestEndedHere(t *testing.T) {
	came := make(chan struct{}, 10)
	var first atomic.Bool
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !first.Swap(true) {
			came <- struct{}{}
			<-r.Context().Done()
			return
		}
		accept(nil, echo).ServeHTTP(w, r)
	}))
	d := dialer(t)
	d.DialQUIC = func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		q, err := quic.DialAddr(ctx, addr, tlsConfig, config)
		if err == nil && !first.Load() {
			go func() {
				<-came
				q.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "")
			}()
		}
		return q, err
	}
	if err := bounce(dial(t, d, s.url, nil), "over another connection"); err != nil {
		t.Error(err)
	}
	if n := s.opened.Load(); n != 2 {
		t.Errorf("there were %d connections", n)
	}
}

// TestEndedBeforeRequest: a connection that the server ends without an error before a request is sent was none, and one that it ends
// with an error is.
func TestEndedBeforeRequest(t *testing.T) {
	for code, want := range map[http3.ErrCode]int32{http3.ErrCodeNoError: 2, http3.ErrCodeInternalError: 1} {
		tlsConfig, _ := certificate()
		ln, err := quic.ListenAddr("127.0.0.1:0", tlsConfig, nil)
		if err != nil {
			t.Fatal(err)
		}
		server := &http3.Server{Handler: accept(nil, echo)}
		var opened atomic.Int32
		go func() {
			for {
				q, err := ln.Accept(bg)
				if err != nil {
					return
				}
				if opened.Add(1) == 1 {
					q.CloseWithError(quic.ApplicationErrorCode(code), "")
					continue
				}
				go server.ServeQUICConn(q)
			}
		}()
		c, _, err := dialer(t).Dial(soon(t), "wss://"+ln.Addr().String(), nil)
		if again := want > 1; (err == nil) != again || opened.Load() != want {
			t.Errorf("%v: %d connections; Dial gave %v", code, opened.Load(), err)
		}
		if err == nil {
			if err := bounce(c, "x"); err != nil {
				t.Error(err)
			}
			c.CloseNow()
		}
		server.Close()
		ln.Close()
	}
}

// A held is a DialQUIC that waits until it is let go, whatever its context does.
type held struct {
	calls atomic.Int32
	begun chan context.Context
	free  chan struct{}
	conns chan *quic.Conn
	err   error
}

func holds(d *ws3.Dialer) *held {
	h := &held{begun: make(chan context.Context, 10), free: make(chan struct{}), conns: make(chan *quic.Conn, 10)}
	d.DialQUIC = func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
		h.calls.Add(1)
		h.begun <- ctx
		<-h.free
		if h.err != nil {
			return nil, h.err
		}
		q, err := quic.DialAddr(bg, addr, tlsConfig, config)
		h.conns <- q
		return q, err
	}
	return h
}

// dials calls Dial n times at once.
func dials(ctx context.Context, d *ws3.Dialer, url string, n int) chan error {
	results := make(chan error, n)
	for range n {
		go func() {
			c, _, err := d.Dial(ctx, url, nil)
			if err == nil {
				err = bounce(c, "x")
				c.CloseNow()
			}
			results <- err
		}()
	}
	return results
}

// TestFirstGivesUp: a connection that is being opened serves those who wait for it, also when the Dial that began is cancelled.
func TestFirstGivesUp(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	h := holds(d)
	ctx, cancel := context.WithCancel(bg)
	first := dials(ctx, d, s.url, 1)
	begun := <-h.begun
	others := dials(soon(t), d, s.url, 20)
	for deadline := time.Now().Add(10 * time.Second); ws3.Waiting(d) < 21 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	cancel()
	if err := <-first; !errors.Is(err, context.Canceled) {
		t.Errorf("the first Dial gave %v", err)
	}
	if begun.Err() != nil {
		t.Errorf("DialQUIC's context is %v", begun.Err())
	}
	close(h.free)
	for range 20 {
		if err := <-others; err != nil {
			t.Error(err)
		}
	}
	if n := h.calls.Load(); n != 1 {
		t.Errorf("%d connections were opened", n)
	}
}

// TestAllGiveUp: when nobody waits any more, the connection is given up, and the next Dial opens another.
func TestAllGiveUp(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	h := holds(d)
	ctx, cancel := context.WithCancel(bg)
	given := dials(ctx, d, s.url, 2)
	begun := <-h.begun
	cancel()
	for range 2 {
		if err := <-given; !errors.Is(err, context.Canceled) {
			t.Errorf("Dial gave %v", err)
		}
	}
	select {
	case <-begun.Done():
	case <-time.After(5 * time.Second):
		t.Error("DialQUIC's context goes on")
	}
	next := dials(soon(t), d, s.url, 1)
	<-h.begun
	close(h.free)
	if err := <-next; err != nil {
		t.Error(err)
	}
	a, b := <-h.conns, <-h.conns
	select { // the one that came too late
	case <-a.Context().Done():
	case <-b.Context().Done():
	case <-time.After(5 * time.Second):
		t.Error("a connection that nobody waits for is kept")
	}
}

// TestFailureShared: Dials that wait for a connection which can't be opened fail with it, and do not try one after the other.
func TestFailureShared(t *testing.T) {
	d := dialer(t)
	h := holds(d)
	h.err = errors.New("unreachable")
	results := dials(soon(t), d, "wss://127.0.0.1:1/", 20)
	for deadline := time.Now().Add(10 * time.Second); ws3.Waiting(d) < 20 && time.Now().Before(deadline); {
		<-time.After(time.Millisecond)
	}
	close(h.free)
	for range 20 {
		if err := <-results; !errors.Is(err, h.err) {
			t.Errorf("Dial gave %v", err)
		}
	}
	if n := h.calls.Load(); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
}

// TestCloseWhileDialling: Close ends the Dials that wait, at once, and the connection that comes then.
func TestCloseWhileDialling(t *testing.T) {
	s := serve(t, nil, accept(nil, echo))
	d := dialer(t)
	h := holds(d)
	results := dials(bg, d, s.url, 2)
	begun := <-h.begun
	d.Close()
	for range 2 {
		if err := <-results; !errors.Is(err, net.ErrClosed) {
			t.Errorf("Dial gave %v", err)
		}
	}
	<-begun.Done()
	close(h.free)
	select {
	case <-(<-h.conns).Context().Done():
	case <-time.After(5 * time.Second):
		t.Error("the connection is kept")
	}
}

// TestDialersCrowd: Dials that succeed, are cancelled or rejected, and a Close, all at once. No call stays, and nothing is left.
func TestDialersCrowd(t *testing.T) {
	var came atomic.Int32
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if came.Add(1)%5 == 0 {
			reset(w, http3.ErrCodeRequestRejected)
			return
		}
		accept(nil, echo).ServeHTTP(w, r)
	}))
	for round := range 5 {
		d := dialer(t)
		var conns atomic.Int32
		d.DialQUIC = func(ctx context.Context, addr string, tlsConfig *tls.Config, config *quic.Config) (*quic.Conn, error) {
			q, err := quic.DialAddr(ctx, addr, tlsConfig, config)
			if err == nil {
				conns.Add(1)
				context.AfterFunc(q.Context(), func() { conns.Add(-1) })
			}
			return q, err
		}
		const n = 40
		results := make(chan error, n)
		for i := range n {
			go func() {
				ctx, cancel := context.WithTimeout(bg, time.Duration(1+i*i)*time.Millisecond)
				defer cancel()
				c, _, err := d.Dial(ctx, s.url, nil)
				if err == nil {
					bounce(c, "x")
					c.CloseNow()
				}
				results <- err
			}()
		}
		worked := 0
		for i := range n {
			if err := <-results; err == nil {
				worked++
			}
			if i == n*(round+1)/6 {
				go d.Close()
			}
		}
		t.Logf("round %d: %d of %d Dials worked", round, worked, n)
		d.Close()
		for deadline := time.Now().Add(10 * time.Second); conns.Load() > 0; <-time.After(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("%d connections are left", conns.Load())
			}
		}
	}
}

// TestDialQUICFails: a DialQUIC that panics, or returns nothing, is an error of Dial. It runs in a goroutine of the Dialer's, where a
// panic would end the process.
func TestDialQUICFails(t *testing.T) {
	for want, dial := range map[string]func() *quic.Conn{
		"DialQUIC panicked: a bug": func() *quic.Conn { panic("a bug") },
		"returned no connection":   func() *quic.Conn { return nil },
	} {
		d := dialer(t)
		d.DialQUIC = func(context.Context, string, *tls.Config, *quic.Config) (*quic.Conn, error) { return dial(), nil }
		if _, _, err := d.Dial(soon(t), "wss://127.0.0.1:1/", nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Dial: %v, want %q", err, want)
		}
	}
}
