// Package hijack switches a request to another protocol through whatever middleware has
// wrapped around net/http's ResponseWriter.
//
// Middleware learns the status of a response from WriteHeader. So a handler that
// switches protocols has to call WriteHeader(101) before it calls Hijack. What happens
// then depends on how far that call gets. If it reaches net/http, Hijack writes the
// header fields that are set by then, and nobody else may write an answer. Some
// wrappers only take a note of the status until the first Write, though; then Hijack writes
// nothing, and the handler has to write the answer to the connection itself. Nothing
// in net/http's documented API tells the two apart, so this package looks.
package hijack

import (
	"bufio"
	"bytes"
	"net/http"
	"reflect"
)

// Own reports whether w is net/http's own ResponseWriter for HTTP/1, not wrapped.
func Own(w http.ResponseWriter) bool { return isResponse(reflect.TypeOf(w)) }

// isResponse reports whether t is *http.response.
func isResponse(t reflect.Type) bool {
	return t != nil && t.Kind() == reflect.Pointer && t.Elem().Name() == "response" && t.Elem().PkgPath() == "net/http"
}

// unwrapper is what [http.ResponseController] looks for in a wrapper.
type unwrapper interface{ Unwrap() http.ResponseWriter }

// maxDepth is how many wrappers are looked through; one that leads back to itself has no
// end.
const maxDepth = 100

// Possible reports whether the Hijack method of [http.ResponseController] finds an
// [http.Hijacker] in w.
func Possible(w http.ResponseWriter) bool {
	for range maxDepth {
		if _, ok := w.(http.Hijacker); ok {
			return true
		}
		u, ok := w.(unwrapper)
		if !ok {
			return false
		}
		w = u.Unwrap()
	}
	return false
}

// SwitchProtocols calls WriteHeader(101) of w, so that all wrappers know. Where a wrapper
// does not pass it on but has an Unwrap method, the one behind it is called too. written
// reports whether net/http has been told, and so writes the header in Hijack. If net/http's
// ResponseWriter was not found in w, known is false.
func SwitchProtocols(w http.ResponseWriter) (written, known bool) {
	for range maxDepth {
		w.WriteHeader(http.StatusSwitchingProtocols)
		if written, known = wroteHeader(w); written || !known {
			break
		}
		u, ok := w.(unwrapper)
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	return written, known
}

var responseWriter = reflect.TypeFor[http.ResponseWriter]()

// wroteHeader looks for net/http's ResponseWriter in w: behind its Unwrap method, or in its
// fields. It reports whether WriteHeader has been called there.
func wroteHeader(w http.ResponseWriter) (wrote, known bool) {
	for range maxDepth {
		u, ok := w.(unwrapper)
		if !ok {
			break
		}
		w = u.Unwrap()
	}
	v := reflect.ValueOf(w)
	for range maxDepth {
		if !v.IsValid() {
			break
		}
		if isResponse(v.Type()) {
			field := v.Elem().FieldByName("wroteHeader")
			if field.Kind() != reflect.Bool {
				break // another version of net/http
			}
			return field.Bool(), true
		}
		v = wrapped(v)
	}
	return false, false
}

// wrapped returns the ResponseWriter that a struct, or a pointer to one, has in a field,
// or the zero Value.
func wrapped(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Pointer && !v.IsNil() {
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		return reflect.Value{}
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

// Wrote reports whether what w has written last has text in it. w is the Writer that
// Hijack returned: net/http's own, with which it writes the header and which it then
// resets, so that the bytes are still in its buffer. It is the second choice, for
// wrappers that SwitchProtocols can't look through: a Hijack method may return another
// Writer.
func Wrote(w *bufio.Writer, text string) bool {
	if w == nil {
		return false
	}
	buffer := w.AvailableBuffer()
	return bytes.Contains(buffer[:cap(buffer)], []byte(text))
}
