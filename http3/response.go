package http3

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// This file sends an answer through the wrappers that middleware puts around quic-go's ResponseWriter, and looks into that: nothing
// that it has by name tells whether a response has been begun, and with which status.

// layers returns w and what is behind it, as far as there are Unwrap methods.
func layers(w http.ResponseWriter) (all []http.ResponseWriter) {
	for w != nil && len(all) < 100 { // a chain may lead back to itself
		all = append(all, w)
		u, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return all
}

// streamerOf returns the first of the layers that gives out the stream, or nil.
func streamerOf(all []http.ResponseWriter) http3.HTTPStreamer {
	for _, layer := range all {
		if s, ok := layer.(http3.HTTPStreamer); ok {
			return s
		}
	}
	return nil
}

// send sends the answer, so that all layers know, and takes the stream over. A misuse is a serverFault.
func send(all []http.ResponseWriter, streamer http3.HTTPStreamer, answer http.Header) (*http3.Stream, error) {
	told := find(all)
	tell(all, told, answer)
	inner := all[len(all)-1]
	if !told.known() || !told.sent() {
		complete(inner.Header(), answer)
	}
	if !told.known() {
		inner.WriteHeader(http.StatusOK) // which has an effect if a layer has kept the status to itself
	} else if err := told.check(answer); err != nil {
		if s := told.status(); s == 0 || s == http.StatusOK { // any other is a response
			abort(inner, streamer)
		}
		return nil, serverFault{fmt.Errorf("websocket: the WriteHeader method of a middleware's ResponseWriter %w", err)}
	}
	http.NewResponseController(inner).SetWriteDeadline(time.Time{}) // those that were set are the request's
	s, err := streamer.HTTPStream()
	if err != nil {
		return nil, fmt.Errorf("websocket: the answer was not sent: %w", err)
	}
	s.SetDeadline(time.Time{})
	return s, nil
}

// abort sees to it that the client gets no answer: another one can't be sent.
func abort(inner http.ResponseWriter, streamer http3.HTTPStreamer) {
	// With a deadline that has passed, quic-go resets the stream when the handler returns, and sends nothing before.
	if http.NewResponseController(inner).SetWriteDeadline(time.Unix(1, 0)) == nil {
		return
	}
	if s, err := streamer.HTTPStream(); err == nil {
		s.CancelRead(quic.StreamErrorCode(http3.ErrCodeInternalError))
		s.CancelWrite(quic.StreamErrorCode(http3.ErrCodeInternalError))
	}
}

// tell calls WriteHeader of the first layer, so that all know. Where a layer does not pass it on, the one behind it is called too, with
// the header fields of the first.
func tell(all []http.ResponseWriter, told response, answer http.Header) {
	for _, layer := range all { // one may have header fields of its own, which it adds to those behind it
		deleteAnswer(layer.Header())
	}
	var outer http.Header
	for i, layer := range all {
		h := layer.Header()
		carry(h, outer)
		setAnswer(h, answer)
		var behind, before http.Header
		if i+1 < len(all) {
			behind = all[i+1].Header()
			before = maps.Clone(behind)
		}
		layer.WriteHeader(http.StatusOK)
		if !told.known() || told.status() != 0 {
			return
		}
		if outer = h; !maps.EqualFunc(before, behind, slices.Equal) {
			outer = nil // it has handed down what it wants to be sent
		}
	}
}

// A response is quic-go's own ResponseWriter, or another version's, of which nothing is known.
type response struct{ v reflect.Value } // a struct, or the zero Value

// find looks for quic-go's ResponseWriter: it is the last layer, or in a field of that.
func find(all []http.ResponseWriter) response {
	v := reflect.ValueOf(all[len(all)-1])
	for range 100 {
		if v.Kind() == reflect.Pointer && !v.IsNil() {
			v = v.Elem()
		}
		if v.Kind() != reflect.Struct {
			break
		}
		if t := v.Type(); t.Name() == "responseWriter" && t.PkgPath() == reflect.TypeFor[http3.Server]().PkgPath() {
			if fieldsOf(t) == nil {
				break
			}
			return response{v}
		}
		v = wrapped(v)
	}
	return response{}
}

var responseWriter = reflect.TypeFor[http.ResponseWriter]()

// wrapped returns the ResponseWriter that a struct has in a field, or the zero Value. If the struct has a mutex, as that of
// http.TimeoutHandler, others use the ResponseWriter at the same time, and looking into that would be a race.
func wrapped(v reflect.Value) reflect.Value {
	for i := range v.NumField() {
		if t := v.Type().Field(i).Type; t == reflect.TypeFor[sync.Mutex]() || t == reflect.TypeFor[sync.RWMutex]() {
			return reflect.Value{}
		}
	}
	for i := range v.NumField() {
		field := v.Field(i)
		switch field.Kind() {
		case reflect.Interface:
			field = field.Elem()
		case reflect.Struct: // embedded, as a wrapper's common part often is
			if inner := wrapped(field); v.Type().Field(i).Anonymous && inner.IsValid() {
				return inner
			}
			continue
		}
		if field.IsValid() && field.Type().Implements(responseWriter) {
			return field
		}
	}
	return reflect.Value{}
}

// fields are where quic-go's ResponseWriter keeps what is needed of it.
type fields struct{ status, told, sent, taken, header int }

var found struct {
	once sync.Once
	*fields
}

// fieldsOf returns the fields of quic-go's ResponseWriter, or nil if this version has others. There is one type of that name.
func fieldsOf(t reflect.Type) *fields {
	found.once.Do(func() {
		var f fields
		for name, want := range map[string]struct {
			reflect.Type
			index *int
		}{
			"status":         {reflect.TypeFor[int](), &f.status},
			"headerComplete": {reflect.TypeFor[bool](), &f.told},
			"headerWritten":  {reflect.TypeFor[bool](), &f.sent},
			"hijacked":       {reflect.TypeFor[bool](), &f.taken},
			"header":         {reflect.TypeFor[http.Header](), &f.header},
		} {
			field, ok := t.FieldByName(name)
			if !ok || field.Type != want.Type || len(field.Index) != 1 {
				return
			}
			*want.index = field.Index[0]
		}
		found.fields = &f
	})
	return found.fields
}

// known reports whether quic-go's ResponseWriter was found.
func (r response) known() bool { return r.v.IsValid() }

// status returns the response's status, or 0 if there is none yet but informational ones.
func (r response) status() int {
	if !r.known() || !r.v.Field(found.told).Bool() {
		return 0
	}
	return int(r.v.Field(found.status).Int())
}

// sent reports whether the header is on its way. Until then, quic-go sends the fields that will be there.
func (r response) sent() bool { return r.v.Field(found.sent).Bool() }

// answered reports whether a response has been begun, or the stream taken over, as far as that is known.
func (r response) answered() bool {
	return r.known() && (r.status() != 0 || r.v.Field(found.taken).Bool())
}

// header returns a copy of the response's header fields.
func (r response) header() http.Header {
	h := http.Header{}
	for entry := r.v.Field(found.header).MapRange(); entry.Next(); {
		name, values := entry.Key().String(), entry.Value()
		h[name] = []string{}
		for i := range values.Len() {
			h[name] = append(h[name], values.Index(i).String())
		}
	}
	return h
}

// check compares what quic-go has been told with the answer.
func (r response) check(answer http.Header) error {
	switch status := r.status(); {
	case status == 0:
		return errors.New("has kept the status 200 to itself")
	case status != http.StatusOK:
		return fmt.Errorf("has replaced the status 200 by %d", status)
	case r.sent(): // with fields that may have been others
		return nil
	}
	if err := check(r.header(), answer); err != nil {
		return fmt.Errorf("has changed the answer, which has %w; it must leave these fields alone", err)
	}
	return nil
}
