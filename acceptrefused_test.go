package websocket_test

import (
	"bufio"
	"context"
	"io"
	"log"
	"net/http"
	"strings"
	"testing"

	"github.com/closeonce/websocket"
	gorilla "github.com/closeonce/websocket/gorilla"
)

// TestRefusedEnds: something in between may take an Upgrade for granted, and let pass all that the client sends behind the request. If
// it is refused, nothing of that is answered as another request.
func TestRefusedEnds(t *testing.T) {
	accept := func(opts websocket.AcceptOptions) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { websocket.Accept(w, r, &opts) }
	}
	upgrade := func(u gorilla.Upgrader) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { u.Upgrade(w, r, nil) }
	}
	own := func(w http.ResponseWriter, _ *http.Request, status int, _ error) { w.WriteHeader(status) }
	for name, tt := range map[string]struct {
		request string
		handler http.HandlerFunc
	}{
		"origin":                {withField("Origin: https://other.example"), accept(websocket.AcceptOptions{})},
		"version":               {without("Version: 13", "Version: 777"), accept(websocket.AcceptOptions{})},
		"another Upgrade":       {without("Upgrade: websocket", "Upgrade: h2c"), accept(websocket.AcceptOptions{})},
		"Connection":            {without("Connection: Upgrade", "Connection: keep-alive"), accept(websocket.AcceptOptions{})},
		"method":                {without("GET", "HEAD"), accept(websocket.AcceptOptions{})},
		"key":                   {without("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: x"), accept(websocket.AcceptOptions{})},
		"body":                  {withField("Content-Length: 0"), accept(websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)})},
		"options":               {upgradeRequest, accept(websocket.AcceptOptions{CompressionMode: 9})},
		"options, OnRefuse":     {upgradeRequest, accept(websocket.AcceptOptions{CompressionMode: 9, OnRefuse: own})},
		"OnRefuse":              {withField("Origin: https://other.example"), accept(websocket.AcceptOptions{OnRefuse: own})},
		"a Connection set":      {upgradeRequest, connectionSet(accept(websocket.AcceptOptions{CheckOrigin: checkOrigin("", false)}), "keep-alive")},
		"close set elsewhere":   {withField("Origin: https://other.example"), connectionSet(accept(websocket.AcceptOptions{}), "Upgrade", "close")},
		"close in a list":       {withField("Origin: https://other.example"), connectionSet(accept(websocket.AcceptOptions{}), "keep-alive, close")},
		"Close set":             {withField("Origin: https://other.example"), connectionSet(accept(websocket.AcceptOptions{}), "Close")},
		"hidden":                {upgradeRequest, hide(accept(websocket.AcceptOptions{}))},
		"Handler":               {withField("Origin: https://other.example"), websocket.Handler(nil, func(context.Context, *websocket.Conn) {}).ServeHTTP},
		"Negotiate":             {withField("Origin: https://other.example"), negotiating(websocket.AcceptOptions{})},
		"Negotiate, options":    {upgradeRequest, negotiating(websocket.AcceptOptions{CompressionMode: 9})},
		"gorilla, origin":       {withField("Origin: https://other.example"), upgrade(gorilla.Upgrader{})},
		"gorilla, version":      {without("Version: 13", "Version: 777"), upgrade(gorilla.Upgrader{})},
		"gorilla, its core":     {withField("Content-Length: 0"), hide(upgrade(gorilla.Upgrader{}))},
		"gorilla, Error":        {without("Version: 13", "Version: 777"), upgrade(gorilla.Upgrader{Error: own})},
		"gorilla, other method": {without("GET", "HEAD"), upgrade(gorilla.Upgrader{})},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				served := 0
				p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if served++; served == 1 {
						tt.handler(w, r)
					}
				})}))
				p.SendRaw([]byte(tt.request + "GET /internal HTTP/1.1\r\nHost: h\r\n\r\n"))
				all, err := io.ReadAll(p.Conn)
				if err != nil || served != 1 || strings.Count(string(all), "HTTP/1.1") != 1 {
					t.Errorf("%d requests were served, the client got %q, %v", served, all, err)
				}
				resp, err := http.ReadResponse(bufio.NewReader(strings.NewReader(string(all))), nil)
				if err != nil || !resp.Close || resp.StatusCode < 400 {
					t.Errorf("the client got %q, %v", all, err)
				}
				if resp.StatusCode == http.StatusUpgradeRequired && !strings.Contains(string(all), "\r\nConnection: Upgrade\r\n") {
					t.Errorf("the client is not told to upgrade: %q", all)
				}
				p.Close()
			})
		})
	}
}

// TestNotAskedStays: a request that asks for no Upgrade is an ordinary one, and its refusal does not end the connection.
func TestNotAskedStays(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p := rawClient(t, serverInMemory(t, &http.Server{ErrorLog: log.New(io.Discard, "", 0), Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			websocket.Accept(w, r, nil)
		})}))
		for range 2 {
			p.SendRaw([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
			resp := p.ReadResponse()
			if resp.StatusCode != http.StatusUpgradeRequired || resp.Close || resp.Header.Get("Connection") != "Upgrade" {
				t.Errorf("the client got %s, %v", resp.Status, resp.Header)
			}
			io.Copy(io.Discard, resp.Body)
		}
		p.Close()
	})
}

// connectionSet is a middleware that sets a Connection of its own.
func connectionSet(h http.Handler, lines ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header()["Connection"] = lines
		h.ServeHTTP(w, r)
	}
}

// hide is a middleware from behind which nobody can take the connection over.
func hide(h http.Handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(struct{ http.ResponseWriter }{w}, r)
	}
}

// negotiating answers as a server would that has no Accept.
func negotiating(opts websocket.AcceptOptions) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h, _ := websocket.Negotiate(r, &opts)
		for name, values := range h.Header {
			w.Header()[name] = values
		}
		w.WriteHeader(h.Status)
	}
}
