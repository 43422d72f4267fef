package fasthttpws

import (
	"net/http"
	"slices"
	"strings"

	"github.com/valyala/fasthttp"
)

// fasthttp's default, which it also reports if nobody has set the field.
const defaultContentType = "text/plain; charset=utf-8"

// headerOf returns a copy of the fields that were set on a response.
func headerOf(h *fasthttp.ResponseHeader) http.Header {
	header := http.Header{}
	for key, value := range h.All() {
		if name := string(key); name != "Content-Type" || string(value) != defaultContentType {
			header[name] = append(header[name], string(value))
		}
	}
	return header
}

// setHeader makes the fields of a response, which were before, those of after. Those that stay are left alone, except lists:
// fasthttp moves other fields when it deletes one.
func setHeader(h *fasthttp.ResponseHeader, before, after http.Header) {
	stays := func(name string) bool {
		values := after[name]
		return len(values) == 1 && slices.Equal(values, before[name])
	}
	for _, header := range []http.Header{before, after} {
		for name := range header {
			if stays(name) {
				continue
			}
			if name != http.CanonicalHeaderKey(name) {
				h.DisableNormalizing() // Del would look for another spelling. fasthttp has no way back
			}
			h.Del(name)
		}
	}
	for name, values := range after {
		if stays(name) {
			continue
		}
		if name == "Connection" { // of several lines fasthttp heeds the last
			values = []string{strings.Join(values, ", ")}
		}
		for _, value := range values {
			h.Add(name, value)
		}
	}
}

// sameName reports whether two names are of the same field.
func sameName(a, b string) bool { return http.CanonicalHeaderKey(a) == http.CanonicalHeaderKey(b) }
