package main

import (
	"embed"
	"net/http"
)

//go:embed page
var pageFS embed.FS

// files serves what the page loads: /page/chat.css and the like.
var files = secured(http.FileServerFS(pageFS))

// page is a room's page. Which room it is the page reads from its URL.
func (h *hub) page(w http.ResponseWriter, r *http.Request) {
	if !roomName.MatchString(r.PathValue("room")) {
		http.Error(w, "A room's name has at most 40 letters, digits, - and _.", http.StatusNotFound)
		return
	}
	secured(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeFileFS(w, r, pageFS, "page/chat.html")
	})).ServeHTTP(w, r)
}

// secured forbids the page everything that does not come from here.
func secured(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-cache")
		next.ServeHTTP(w, r)
	})
}
