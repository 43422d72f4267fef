package http3_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/closeonce/websocket"
)

// TestSubprotocolFolding: the server's choice must be what was offered but for the case of ASCII letters. In Unicode the Kelvin sign is a k.
func TestSubprotocolFolding(t *testing.T) {
	s := serve(t, nil, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Sec-WebSocket-Protocol", r.URL.Query().Get("choice"))
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}))
	d := dialer(t)
	for choice, valid := range map[string]bool{"Ka": true, "ka": true, "%E2%84%AAa": false, "k": false} {
		c, _, err := d.Dial(soon(t), s.url+"?choice="+choice, &websocket.DialOptions{Subprotocols: []string{"ka"}})
		if _, refused := errors.AsType[*websocket.HandshakeError](err); refused == valid || valid && err != nil {
			t.Errorf("%s: %v", choice, err)
		}
		if err == nil {
			c.CloseNow()
		}
	}
}
