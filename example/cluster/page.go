package main

import (
	"embed"
	"net/http"
)

//go:embed page
var pageFS embed.FS

// files serves what the pages load: /page/page.css and the like.
var files = http.FileServerFS(pageFS)

func page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.ServeFileFS(w, r, pageFS, "page/"+name) }
}
