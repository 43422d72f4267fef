package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// A firefox has one page, which fetches scripts from the test's server, runs
// them, and posts what they return: so it needs no driver.
type firefox struct {
	version string
	scripts chan string
	results chan []byte
	exited  chan struct{}                // closed when the process is gone
	ws      atomic.Pointer[http.Handler] // at /ws, the present test's
	end     func()
}

// theFirefox is the one that all tests share. Its error says why there is none.
var theFirefox = sync.OnceValues(startFirefox)

// firefoxUp is whether runTests has one to stop.
var firefoxUp atomic.Pointer[firefox]

// needFirefox skips the test where Firefox is not installed. FIREFOX names the
// program, or is skip.
func needFirefox(t *testing.T) *firefox {
	t.Helper()
	if _, err := findFirefox(); err != nil {
		t.Skip(err)
	}
	f, err := theFirefox()
	if err != nil {
		t.Fatal(err)
	}
	t.Log(f.version)
	return f
}

func findFirefox() (string, error) {
	names := []string{"firefox-esr", "firefox"}
	if name := os.Getenv("FIREFOX"); name == "skip" {
		return "", fmt.Errorf("FIREFOX=skip: not tested against Firefox")
	} else if name != "" {
		names = []string{name}
	}
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("there is no Firefox to test against, of %v: on Debian, apt-get install firefox-esr", names)
}

// firefoxPage is the page. It must not be kept by the browser: a script may
// reload it.
const firefoxPage = `<!doctype html><title>test</title><link rel="icon" href="data:,"><script>
(async () => {
	for (;;) {
		const script = await (await fetch("/script")).text();
		let result;
		try {
			result = { value: (await (0, eval)(script)) ?? null };
		} catch (e) {
			result = { error: String(e) };
		}
		await fetch("/result", { method: "POST", body: JSON.stringify(result) });
	}
})();
</script>`

// Nothing of this browser is to ask for anything beyond this machine, or to wait
// for somebody to answer its questions.
const firefoxSettings = `
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.cache.disk.enable", false);
user_pref("browser.region.network.url", "");
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.topsites.contile.enabled", false);
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("extensions.getAddons.cache.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.unified", false);
`

func startFirefox() (*firefox, error) {
	path, err := findFirefox()
	if err != nil {
		return nil, err
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("%s --version: %w", path, err)
	}
	profile := filepath.Join(scratch, "firefox")
	if err := os.Mkdir(profile, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(profile, "user.js"), []byte(firefoxSettings), 0o600); err != nil {
		return nil, err
	}
	f := &firefox{version: strings.TrimSpace(string(version)), scripts: make(chan string), results: make(chan []byte), exited: make(chan struct{})}
	server := httptest.NewServer(f)
	browser := exec.Command(path, "--headless", "--no-remote", "--profile", profile, server.URL)
	browser.Env = append(os.Environ(), "HOME="+profile, "MOZ_CRASHREPORTER_DISABLE=1")
	ownGroup(browser)
	if err := browser.Start(); err != nil {
		server.Close()
		return nil, err
	}
	go func() {
		browser.Wait()
		close(f.exited)
	}()
	f.end = func() {
		killGroup(browser)
		<-f.exited
		server.CloseClientConnections()
		server.Close()
	}
	firefoxUp.Store(f)
	return f, nil
}

// stopFirefox ends the browser if there is one.
func stopFirefox() {
	if f := firefoxUp.Load(); f != nil {
		f.end()
	}
}

func (f *firefox) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/":
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, firefoxPage)
	case "/script":
		w.Header().Set("Cache-Control", "no-store")
		select {
		case script := <-f.scripts:
			io.WriteString(w, script)
		case <-r.Context().Done():
		}
	case "/result":
		b, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		select {
		case f.results <- b:
		case <-r.Context().Done():
		}
	case "/ws":
		(*f.ws.Load()).ServeHTTP(w, r)
	default:
		http.NotFound(w, r)
	}
}

// send hands the page a script.
func (f *firefox) send(t *testing.T, script string) {
	t.Helper()
	select {
	case f.scripts <- script:
	case <-f.exited:
		t.Fatal("Firefox is gone")
	case <-time.After(firefoxPatience):
		t.Fatal("Firefox does not fetch a script")
	}
}

// firefoxPatience is longer than the first start of a browser takes on a busy
// machine.
const firefoxPatience = 2 * time.Minute

// run runs JavaScript in the page, waits for its promise, if it is one, and
// decodes its value into v. WebSockets at /ws go to the handler.
func (f *firefox) run(t *testing.T, ws http.Handler, script string, v any) {
	t.Helper()
	f.ws.Store(&ws)
	f.send(t, script)
	var b []byte
	select {
	case b = <-f.results:
	case <-f.exited:
		t.Fatal("Firefox is gone")
	case <-time.After(firefoxPatience):
		t.Fatalf("Firefox has no result of\n%s", script)
	}
	var result struct {
		Value json.RawMessage
		Error string
	}
	err := json.Unmarshal(b, &result)
	if err == nil && result.Error != "" {
		err = fmt.Errorf("the page: %s", result.Error)
	}
	if err == nil && v != nil {
		err = json.Unmarshal(result.Value, v)
	}
	if err != nil {
		t.Fatalf("%v\n%.1000s\n%s", err, b, script)
	}
}

// bounded is the context of one connection's part in a test.
func bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, firefoxPatience)
}
