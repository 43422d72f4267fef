// Package hijack switches a request to another protocol through whatever middleware has
// wrapped around net/http's ResponseWriter.
//
// Middleware learns the status of a response from WriteHeader. So a handler that
// switches protocols has to call WriteHeader(101) before it calls Hijack. What happens
// then depends on how far that call gets. If it reaches net/http, Hijack writes the
// header fields that are set by then, and nobody else may write an answer. Some
// wrappers only take a note of the status until the first Write, though; then Hijack writes
// nothing, and the handler has to write the answer to the connection itself. And a wrapper
// may have changed the fields or the status on the way. Nothing in net/http's documented API
// tells these apart, so this package looks.
package hijack

import (
	"bufio"
	"errors"
	"fmt"
	"iter"
	"net"
	"net/http"
	"slices"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
)

// unwrapper is what [http.ResponseController] looks for in a wrapper.
type unwrapper interface{ Unwrap() http.ResponseWriter }

// maxDepth is how many wrappers are looked through; one that leads back to itself has no
// end.
const maxDepth = 100

// layers yields w and what is behind it, as far as there are Unwrap methods.
func layers(w http.ResponseWriter) iter.Seq[http.ResponseWriter] {
	return func(yield func(http.ResponseWriter) bool) {
		for range maxDepth {
			if w == nil || !yield(w) { // an Unwrap method may have nothing to return
				return
			}
			u, ok := w.(unwrapper)
			if !ok {
				return
			}
			w = u.Unwrap()
		}
	}
}

// Possible reports whether the Hijack method of [http.ResponseController] finds an
// [http.Hijacker] in w.
func Possible(w http.ResponseWriter) bool {
	for layer := range layers(w) {
		if _, ok := layer.(http.Hijacker); ok {
			return true
		}
	}
	return false
}

// Innermost returns the last of w and what is behind it.
func Innermost(w http.ResponseWriter) http.ResponseWriter {
	for layer := range layers(w) {
		w = layer
	}
	return w
}

// Answered reports whether a response has been begun, or the connection taken over, as far
// as net/http knows and can be looked at.
func Answered(w http.ResponseWriter) bool {
	r := find(w)
	return r.status() != 0 || r.takenOver() || findStream(w).status() != 0
}

// SwitchProtocols takes the connection over, after all wrappers of w have been told of the
// status 101. The fields h are to be sent with the answer by the caller; they are nil if
// net/http has sent it, which may take as long as timeout.
//
// If a wrapper has made something else of the answer, err says so, and there has been another
// response if possible.
func SwitchProtocols(w http.ResponseWriter, r *http.Request, answer *handshake.Answer, timeout time.Duration) (nc net.Conn, rw *bufio.ReadWriter, h http.Header, err error) {
	inner := find(w)
	h = writeHeaders(w, http.StatusSwitchingProtocols, answer.Set, func() bool { return !inner.known() || inner.status() != 0 })
	told := find(w)
	sent := told.status() != 0
	if sent {
		if err := told.check(answer); err != nil {
			if told.status() == http.StatusSwitchingProtocols { // any other is a response
				fail(w, r, told, err, timeout)
			}
			return nil, nil, nil, err
		}
	}
	rc := http.NewResponseController(w)
	rc.SetWriteDeadline(time.Now().Add(timeout)) // net/http takes it back in Hijack, after it has written the answer
	nc, rw, err = rc.Hijack()
	if err != nil {
		return nil, nil, nil, notTaken(w, r, told, err, timeout)
	}
	switch {
	case sent:
	case !told.known():
		sent, err = checkWritten(rw.Writer, answer)
	case told.status() != 0: // a wrapper has kept the status until now
		sent, err = true, told.check(answer)
	}
	if err != nil {
		nc.Close()
		return nil, nil, nil, err
	}
	if sent {
		h = nil
	}
	return nc, rw, h, nil
}

// notTaken sees to the response when Hijack has failed, and returns why it has.
func notTaken(w http.ResponseWriter, r *http.Request, told response, err error, timeout time.Duration) error {
	http.NewResponseController(w).SetWriteDeadline(time.Time{})
	if told.status() != http.StatusSwitchingProtocols || errors.Is(err, http.ErrHijacked) {
		for layer := range layers(w) { // a refusal has not these fields
			handshake.DeleteAnswer(layer.Header())
		}
		return err
	}
	// No refusal can be written any more, so the error is not the one that asks for it.
	err = fmt.Errorf("the Hijack method of a middleware's ResponseWriter has failed behind its WriteHeader: %v", err)
	fail(w, r, told, err, timeout)
	return err
}

// checkWritten looks whether net/http has sent the answer, and compares it, by what it has written.
func checkWritten(w *bufio.Writer, answer *handshake.Answer) (sent bool, err error) {
	switch status, err := answer.CheckText(buffer(w)); {
	case err != nil:
		return true, spoiled{err}
	case status == 0:
		return false, nil
	case status != http.StatusSwitchingProtocols:
		return true, replaced(http.StatusSwitchingProtocols, status)
	}
	return true, nil
}

// check compares what net/http has been told with the answer.
func (r response) check(answer *handshake.Answer) error {
	if status := r.status(); status != http.StatusSwitchingProtocols {
		return replaced(http.StatusSwitchingProtocols, status)
	}
	if err := answer.Check(r.header()); err != nil {
		return spoiled{err}
	}
	return nil
}

// replaced is the error of a status that is another one.
func replaced(want, status int) error {
	return fmt.Errorf("the WriteHeader method of a middleware's ResponseWriter has replaced the status %d by %d", want, status)
}

// spoiled is the error of an answer that a wrapper has changed.
type spoiled struct{ why error }

func (s spoiled) Error() string {
	return fmt.Sprintf("the WriteHeader method of a middleware's ResponseWriter has changed the answer, which has %v; it must leave these fields alone", s.why)
}

// writeHeaders calls WriteHeader of w, so that all wrappers know. Where a wrapper does
// not pass it on, so that net/http is not told, but has an Unwrap method, the one behind it is
// called too, with the header fields of the first. set makes the answer's fields. It returns the
// header fields of the last that was called.
func writeHeaders(w http.ResponseWriter, status int, set func(h map[string][]string), told func() bool) http.Header {
	// A wrapper may have header fields of its own, which it adds to those behind it.
	for layer := range layers(w) {
		handshake.DeleteAnswer(layer.Header())
	}
	var h http.Header
	for layer := range layers(w) {
		outer := h
		h = layer.Header()
		carry(h, outer)
		set(h)
		layer.WriteHeader(status)
		if told() {
			break
		}
	}
	return h
}

// fail answers with 500 in place of an answer that net/http has been told of. It would
// send that in Hijack: a deadline in the past keeps it from doing so. TLS does not survive
// that; then the connection is just closed, as it is where a deadline can't be set or has no
// effect, behind the spoiled answer.
func fail(w http.ResponseWriter, r *http.Request, told response, err error, timeout time.Duration) {
	below := http.NewResponseController(told.writer(w)) // a wrapper need not have deadlines
	below.SetWriteDeadline(time.Unix(1, 0))
	nc, _, hijackErr := http.NewResponseController(w).Hijack()
	if hijackErr != nil && !errors.Is(hijackErr, http.ErrHijacked) {
		nc, _, hijackErr = below.Hijack()
	}
	if hijackErr != nil {
		below.SetWriteDeadline(time.Time{})
		return
	}
	if r.Context().Err() != nil { // net/http ends it when it can't write
		nc.SetWriteDeadline(time.Now().Add(timeout))
		fmt.Fprintf(nc, "HTTP/1.1 500 Internal Server Error\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"+
			"X-Content-Type-Options: nosniff\r\nContent-Length: %d\r\n\r\n%v\n", len(err.Error())+1, err)
	}
	nc.Close()
}

// carry adds to the header fields of a ResponseWriter those of the wrapper around it.
func carry(inner, outer http.Header) {
	for name, values := range outer {
		switch {
		case inner[name] == nil:
			inner[name] = slices.Clone(values)
		case name == "Set-Cookie": // each is for itself
			for _, value := range values {
				if !slices.Contains(inner[name], value) {
					inner[name] = append(inner[name], value)
				}
			}
		}
	}
}

// buffer returns what w has written last. w is the Writer that Hijack returned: net/http's
// own, with which it writes the header and which it then resets, so that the bytes are still
// in its buffer, before older ones. It is the second choice, for wrappers that find can't look
// through: a Hijack method may return another Writer.
func buffer(w *bufio.Writer) []byte {
	if w == nil {
		return nil
	}
	b := w.AvailableBuffer()
	return b[:cap(b)]
}
