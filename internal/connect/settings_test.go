package connect_test

import (
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/testkit/h2test"
)

// TestSettings: this program does not import the package http2, so its servers do not say that they know extended CONNECT,
// unless the environment variable makes them.
func TestSettings(t *testing.T) {
	if want := os.Getenv("WEBSOCKET_WANT_SETTING"); want != "" {
		s := h2test.Start(http.NotFoundHandler(), false, nil)
		defer s.Close()
		got, err := h2test.Settings(s.Listener.Addr().String(), nil)
		if err != nil || (got[h2test.EnableConnect] == 1) != (want == "1") {
			t.Errorf("the settings are %v, %v; want %s", got, err, want)
		}
		return
	}
	for godebug, want := range map[string]string{"": "0", "http2xconnect=1": "1"} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestSettings$")
		for _, e := range os.Environ() {
			if !strings.HasPrefix(e, "GODEBUG=") {
				cmd.Env = append(cmd.Env, e)
			}
		}
		cmd.Env = append(cmd.Env, "WEBSOCKET_WANT_SETTING="+want, "GODEBUG="+godebug)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("with GODEBUG=%s: %v\n%s", godebug, err, out)
		}
	}
}
