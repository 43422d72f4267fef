package peers

import (
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/interop/wasm/wasmserver"
)

// TestWasm: a Conn in WebAssembly keeps its promises in Node.js, with the WebSockets of the package ws and with those that Node.js
// has itself, over TCP and TLS.
func TestWasm(t *testing.T) {
	program, script, err := wasmserver.Build("../../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own := exec.Command(node, "--experimental-websocket", "-e", "if (typeof WebSocket === 'undefined') process.exit(1)").Run() == nil
	for _, sockets := range []string{"ws", "host"} {
		if sockets == "host" && !own {
			t.Log("this Node.js has no WebSockets")
			continue
		}
		for _, secure := range []bool{false, true} {
			s := httptest.NewUnstartedServer(wasmserver.New())
			if secure {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()
			args := []string{"node/wasm.mjs", script, program, sockets, "ws" + strings.TrimPrefix(s.URL, "http")}
			if sockets == "host" {
				args = append([]string{"--experimental-websocket"}, args...)
			}
			cmd := exec.Command(node, args...)
			cmd.Env = append(os.Environ(), "NODE_TLS_REJECT_UNAUTHORIZED=0", "NODE_NO_WARNINGS=1")
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(strings.TrimSpace(string(out)), " failed") || strings.Contains(string(out), "FAIL") {
				t.Errorf("%s, TLS %v: %v\n%s", sockets, secure, err, out)
			}
		}
	}
}
