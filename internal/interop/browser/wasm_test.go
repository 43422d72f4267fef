package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/closeonce/websocket/internal/interop/wasm/wasmserver"
)

// wasmPage runs the program and keeps what it prints.
const wasmPage = `<!doctype html>
<title>test</title>
<link rel="icon" href="data:,">
<script src="/wasm_exec.js"></script>
<script>
	const lines = [];
	const log = console.log;
	console.log = (line) => { lines.push(line); log(line); };
	(async () => {
		const go = new Go();
		go.argv = ["check.wasm", location.href.replace("http", "ws").replace(/\/page$/, "")];
		const { instance } = await WebAssembly.instantiateStreaming(fetch("/check.wasm"), go.importObject);
		await go.run(instance);
	})().catch((err) => { lines.push("FAIL: " + err); globalThis.checksFailed = -1; });
</script>
`

// TestWasm: a Conn in WebAssembly keeps its promises in Chromium, over ws and wss.
func TestWasm(t *testing.T) {
	program, script, err := wasmserver.Build("../../..", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("secure=%v", secure), func(t *testing.T) {
			mux := http.NewServeMux()
			mux.Handle("/", wasmserver.New())
			mux.HandleFunc("/page", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, wasmPage) })
			mux.HandleFunc("/wasm_exec.js", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, script) })
			mux.HandleFunc("/check.wasm", func(w http.ResponseWriter, r *http.Request) { http.ServeFile(w, r, program) })
			s := httptest.NewUnstartedServer(mux)
			if secure {
				s.StartTLS()
			} else {
				s.Start()
			}
			defer s.Close()

			p := newPage(t, s.URL+"/page")
			defer p.close()
			p.waitFor("globalThis.checksFailed !== undefined", 4*patience)
			var lines []string
			p.run("lines", &lines)
			out := strings.Join(lines, "\n")
			if !strings.HasSuffix(out, " failed") || strings.Contains(out, "FAIL") {
				t.Error(out)
			}
		})
	}
}

// TestWasmExample: two pages of example/wasm hear each other, and say so when the server goes.
func TestWasmExample(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "wasm")
	build := exec.Command("go", "build", "-o", binary, "./example/wasm")
	build.Dir = "../../.."
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := startBinaryIn(t, build.Dir, binary, "127.0.0.1:0")
	a, b := newPage(t, c.url), newPage(t, c.url)
	const shows = `[...document.querySelectorAll("#lines li")].some((item) => item.textContent.includes(%q))`
	say := func(p *page, line string) {
		p.run(fmt.Sprintf(`(document.querySelector("input").value = %q, document.querySelector("form").requestSubmit())`, line), nil)
	}
	for _, p := range []*page{a, b} {
		p.waitFor(`!document.querySelector("button").disabled`, 2*patience)
	}
	say(a, "hello from a")
	a.wait(fmt.Sprintf(shows, "hello from a"))
	b.wait(fmt.Sprintf(shows, "hello from a"))
	say(b, "and b")
	a.wait(fmt.Sprintf(shows, "and b"))
	a.wantQuiet()
	c.stop()
	a.wait(fmt.Sprintf(shows, "StatusGoingAway"))
}
