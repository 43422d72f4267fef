package hijack

import (
	"errors"
	"net/http"
	"reflect"
	"time"

	"github.com/closeonce/websocket/internal/handshake"
)

// This file is about the answer over HTTP/2, which net/http keeps as it was when it was told of the status.

// TellStream calls WriteHeader(200) of w, so that all wrappers know, with the answer's header fields, as SwitchProtocols does
// with 101. The error says what a wrapper has made of the answer, as far as net/http can be looked at. If that is not a response,
// the stream is reset.
func TellStream(w http.ResponseWriter, answer *handshake.Answer) error {
	inner := findStream(w)
	writeHeaders(w, http.StatusOK, answer.SetStream, func() bool { return !inner.known() || inner.status() != 0 })
	if inner.status() == 0 { // a wrapper keeps the status to itself, or nobody can tell
		answer.SetStream(Innermost(w).Header())
	}
	err := CheckStream(w, answer, false)
	if _, ok := err.(spoiled); ok {
		http.NewResponseController(Innermost(w)).SetWriteDeadline(time.Unix(1, 0))
	}
	return err
}

// CheckStream compares what net/http has been told, if that is known, with the answer. flushed says that it must have been told.
func CheckStream(w http.ResponseWriter, answer *handshake.Answer, flushed bool) error {
	inner := findStream(w)
	switch status := inner.status(); status {
	case 0:
		if flushed && inner.known() {
			return errors.New("a middleware's ResponseWriter has kept the status 200 to itself, although it was flushed")
		}
		return nil
	case http.StatusOK:
		if err := answer.CheckStream(inner.header()); err != nil {
			return spoiled{err}
		}
		return nil
	default:
		return replaced(http.StatusOK, status)
	}
}

// A streamResponse is the state of net/http's ResponseWriter for HTTP/2, or of that of golang.org/x/net/http2.
type streamResponse struct{ v reflect.Value } // a struct, or the zero Value

// findStream looks for net/http's ResponseWriter in w: behind its Unwrap methods, and in its fields.
func findStream(w http.ResponseWriter) streamResponse {
	v := reflect.ValueOf(Innermost(w))
	for range maxDepth {
		if !v.IsValid() {
			break
		}
		if state := streamState(v); state.IsValid() {
			return streamResponse{state}
		}
		v = wrapped(v)
	}
	return streamResponse{}
}

// streamState returns the state that v points to, if v is net/http's ResponseWriter for HTTP/2.
func streamState(v reflect.Value) reflect.Value {
	for range 3 { // from Go 1.27 on, a struct of net/http's is around it
		for v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct || v.NumField() != 1 {
			break
		}
		v = v.Field(0)
		if v.Kind() != reflect.Pointer || v.IsNil() || v.Type().Elem().Kind() != reflect.Struct {
			break
		}
		t := v.Type().Elem()
		if has(t, "wroteHeader", reflect.TypeFor[bool]()) && has(t, "status", reflect.TypeFor[int]()) && hasHeader(t) {
			return v.Elem()
		}
	}
	return reflect.Value{}
}

func has(t reflect.Type, name string, want reflect.Type) bool {
	f, ok := t.FieldByName(name)
	return ok && f.Type == want
}

// hasHeader reports whether a struct has the field for the header fields that are sent.
func hasHeader(t reflect.Type) bool {
	f, ok := t.FieldByName("snapHeader")
	return ok && f.Type.ConvertibleTo(reflect.TypeFor[map[string][]string]()) // it has a type of its own from Go 1.27 on
}

// known reports whether net/http's ResponseWriter was found.
func (s streamResponse) known() bool { return s.v.IsValid() }

// status returns the status that net/http has been told by WriteHeader, or 0.
func (s streamResponse) status() int {
	if !s.known() || !s.v.FieldByName("wroteHeader").Bool() {
		return 0
	}
	return int(s.v.FieldByName("status").Int())
}

// header returns a copy of the fields that net/http sends with the status.
func (s streamResponse) header() map[string][]string { return copied(s.v.FieldByName("snapHeader")) }

// copied returns a copy of header fields.
func copied(header reflect.Value) map[string][]string {
	h := map[string][]string{}
	for entry := header.MapRange(); entry.Next(); {
		name, values := entry.Key().String(), entry.Value()
		for i := range values.Len() {
			h[name] = append(h[name], values.Index(i).String())
		}
	}
	return h
}
