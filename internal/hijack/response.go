package hijack

import (
	"bufio"
	"net/http"
	"reflect"
	"sync"
)

// This file looks into net/http's ResponseWriter.

// Own reports whether w is net/http's own ResponseWriter for HTTP/1, not wrapped.
func Own(w http.ResponseWriter) bool { return isResponse(reflect.TypeOf(w)) }

// isResponse reports whether t is *http.response.
func isResponse(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().Name() == "response" && t.Elem().PkgPath() == "net/http"
}

// A response is net/http's own ResponseWriter.
type response struct{ v reflect.Value } // a pointer, or the zero Value

// find looks for net/http's ResponseWriter in w: behind its Unwrap methods, and in its fields.
func find(w http.ResponseWriter) response {
	for layer := range layers(w) {
		w = layer
	}
	v := reflect.ValueOf(w)
	for range maxDepth {
		if !v.IsValid() {
			break
		}
		if isResponse(v.Type()) {
			if v.IsNil() || !fieldsOf(v.Type().Elem()).ok {
				break // another version of net/http
			}
			return response{v.Elem()}
		}
		v = wrapped(v)
	}
	return response{}
}

// known reports whether net/http's ResponseWriter was found.
func (r response) known() bool { return r.v.IsValid() }

// status returns the status that net/http has been told by WriteHeader, or 0.
func (r response) status() int {
	if !r.known() {
		return 0
	}
	f := fieldsOf(r.v.Type())
	if !r.v.Field(f.wroteHeader).Bool() {
		return 0
	}
	return int(r.v.Field(f.status).Int())
}

// takenOver reports whether the connection was taken over: Hijack takes the body's buffer away.
func (r response) takenOver() bool {
	if !r.known() {
		return false
	}
	f := fieldsOf(r.v.Type())
	return f.body != nil && r.v.FieldByIndex(f.body).IsNil()
}

// header returns a copy of the fields that net/http sends with status 101, as they were when
// it was told of it.
func (r response) header() map[string][]string {
	h := copied(r.v.FieldByIndex(fieldsOf(r.v.Type()).header))
	delete(h, "Content-Length") // which it leaves out, if they are spelled so
	delete(h, "Transfer-Encoding")
	return h
}

// writer returns the ResponseWriter itself, or w if it is out of reach.
func (r response) writer(w http.ResponseWriter) http.ResponseWriter {
	if r.known() && r.v.Addr().CanInterface() {
		return r.v.Addr().Interface().(http.ResponseWriter)
	}
	return w
}

// fields are where net/http's ResponseWriter keeps what is needed of it.
type fields struct {
	ok                  bool
	wroteHeader, status int
	header              []int
	body                []int // nil: there is no such field, and nobody can tell whether the connection was taken over
}

// fieldsOf returns the fields of net/http's ResponseWriter. There is one type of that name.
func fieldsOf(t reflect.Type) *fields {
	found.once.Do(func() {
		wrote, ok1 := t.FieldByName("wroteHeader")
		status, ok2 := t.FieldByName("status")
		cw, ok3 := t.FieldByName("cw")
		if !ok1 || !ok2 || !ok3 || wrote.Type.Kind() != reflect.Bool || status.Type.Kind() != reflect.Int || cw.Type.Kind() != reflect.Struct {
			return
		}
		header, ok := cw.Type.FieldByName("header")
		if !ok || header.Type != reflect.TypeFor[http.Header]() {
			return
		}
		found.fields = fields{true, wrote.Index[0], status.Index[0], append(cw.Index, header.Index...), nil}
		if body, ok := t.FieldByName("w"); ok && body.Type == reflect.TypeFor[*bufio.Writer]() {
			found.body = body.Index
		}
	})
	return &found.fields
}

var found struct {
	once sync.Once
	fields
}

var responseWriter = reflect.TypeFor[http.ResponseWriter]()

// wrapped returns the ResponseWriter that a struct, or a pointer to one, has in a field,
// or the zero Value. If it has a mutex, as that of http.TimeoutHandler, others use the
// ResponseWriter at the same time, and looking into that would be a race.
func wrapped(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
	}
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
