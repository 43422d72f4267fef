package http3

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// maxRequests is how often a request is sent that is rejected unseen each time. The second follows the first at once; firstPause is before
// the third, and each pause is about twice as long as the one before.
const (
	maxRequests = 10
	firstPause  = 10 * time.Millisecond
	maxPause    = time.Second
)

// maxInformational is how many responses with a status of 1xx may come before the answer.
const maxInformational = 5

// An unseen is the error of a request that the server has not processed. It "can be retried" (RFC 9114, section 5.2).
type unseen struct{ error }

func (u unseen) Unwrap() error { return u.error }

// request sends the request until the server processes it, and reads the response.
func (d *Dialer) request(ctx context.Context, req *http.Request) (*stream, *http.Response, error) {
	var before error
	for sent := 1; ; sent++ {
		s, resp, err := d.requestOnce(ctx, req)
		switch _, again := err.(unseen); {
		case again && sent == maxRequests:
			return nil, nil, fmt.Errorf("the server has not taken the request at %d attempts: %w", sent, err)
		case again:
			before = err
			err = pause(ctx, sent)
		case err == nil:
			return s, resp, nil
		}
		if err != nil {
			if before != nil {
				err = fmt.Errorf("%w (attempt %d; the server had not taken the request before: %v)", err, sent, before)
			}
			return nil, nil, err
		}
	}
}

// pause waits before the request that follows so many.
func pause(ctx context.Context, sent int) error {
	if sent == 1 {
		return ctx.Err()
	}
	d := min(firstPause<<(sent-2), maxPause)
	timer := time.NewTimer(d/2 + rand.N(d)) // not all clients of a server at once
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// requestOnce sends the request on the connection that is there or on a new one, and reads the response. The error is unseen if the
// server has not processed the request, and a new connection may help.
func (d *Dialer) requestOnce(ctx context.Context, req *http.Request) (*stream, *http.Response, error) {
	c, err := d.connect(ctx, req.URL)
	if err != nil {
		err = fmt.Errorf("no stream for HTTP/3: %w", err)
		if endedOrderly(err) { // it has just shut down
			err = unseen{err}
		}
		return nil, nil, err
	}
	str, err := c.http.OpenRequestStream(ctx)
	if err != nil {
		err = fmt.Errorf("no stream for HTTP/3: %w", err)
		if ctx.Err() == nil { // the connection has just ended, or the server wants no new streams on it
			c.retire()
			err = unseen{err}
		}
		c.release()
		return nil, nil, err
	}
	s := &stream{requestStream: str, local: c.quic.LocalAddr(), remote: c.quic.RemoteAddr(), onClose: c.release}
	resp, err := roundTrip(ctx, str, req)
	if err != nil {
		if _, ok := err.(unseen); ok {
			c.retire()
		}
		s.Close()
		return nil, nil, err
	}
	secured := c.quic.ConnectionState().TLS
	resp.Request, resp.TLS = req, &secured
	return s, resp, nil
}

// endedOrderly reports whether a connection has ended because one side has closed it without an error.
func endedOrderly(err error) bool {
	ended, ok := errors.AsType[*quic.ApplicationError](err)
	return ok && ended.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError)
}

// endedHere reports whether a connection has ended because this side has closed it without an error. But for Close, only quic-go does
// that to a connection in use: when the server's GOAWAY comes and there are no streams. A stream that is opened in that moment is nearly
// always behind the GOAWAY, so the server does not process its request (RFC 9114, section 5.2); if it does, it sees the connection end
// at once.
func endedHere(err error) bool {
	ended, ok := errors.AsType[*quic.ApplicationError](err)
	return ok && !ended.Remote && ended.ErrorCode == quic.ApplicationErrorCode(http3.ErrCodeNoError)
}

// rejected reports whether the server has "rejected the request without performing any application processing" (RFC 9114, section 8.1).
func rejected(err error) bool {
	reset, ok := errors.AsType[*quic.StreamError](err)
	return ok && reset.Remote && reset.ErrorCode == quic.StreamErrorCode(http3.ErrCodeRequestRejected)
}

// roundTrip sends the request and reads the response.
func roundTrip(ctx context.Context, str *http3.RequestStream, req *http.Request) (*http.Response, error) {
	stop := context.AfterFunc(ctx, func() {
		str.CancelWrite(requestCancelled)
		str.CancelRead(requestCancelled)
	})
	var resp *http.Response
	err := str.SendRequestHeader(req)
	processed := err == nil || !endedOrderly(err) // which was the end of the connection, before anything was written
	for n := 0; err == nil && n <= maxInformational; n++ {
		if resp, err = str.ReadResponse(); err == nil && resp.StatusCode >= http.StatusOK {
			break
		}
	}
	if !stop() {
		err = ctx.Err()
	}
	if err == nil {
		return resp, nil
	}
	err = fmt.Errorf("no answer to the handshake: %w", err)
	if !processed || rejected(err) || endedHere(err) {
		err = unseen{err}
	}
	return nil, err
}
