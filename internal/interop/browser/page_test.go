package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// patience is how long anything may take. Nothing comes near it unless it hangs.
const patience = 30 * time.Second

// A page is a tab of the browser, with a profile of its own.
type page struct {
	t     *testing.T
	ctx   context.Context
	close context.CancelFunc // closes the tab

	mu         sync.Mutex
	complaints []string                 // errors and warnings of the console
	fences     map[string]chan struct{} // closed when the console says so
}

// newPage opens a tab and loads url.
func newPage(t *testing.T, url string) *page {
	t.Helper()
	p := &page{t: t, fences: make(map[string]chan struct{})}
	p.ctx, p.close = chromedp.NewContext(chromium, chromedp.WithNewBrowserContext(), chromedp.WithListener(p.listen))
	t.Cleanup(p.close)
	// The browser reports every frame otherwise, with its payload.
	quiet := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		_, err := cdp.Call(ctx, tab, network.Disable, cdp.Empty{})
		return err
	})
	if err := chromedp.Do(p.ctx, quiet); err != nil { // this context's end is the tab's
		t.Fatal(err)
	}
	p.do(chromedp.Navigate(url))
	return p
}

// listen gets what the browser says about the tab, in order.
func (p *page) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *runtime.EventConsoleAPICalled:
		var said []string
		for _, arg := range e.Args {
			said = append(said, strings.Trim(string(arg.Value), `"`))
		}
		text := strings.Join(said, " ")
		if fence := p.fences[text]; fence != nil {
			close(fence)
			return
		}
		switch e.Type {
		case runtime.ConsoleAPICalledTypeError, runtime.ConsoleAPICalledTypeWarning, runtime.ConsoleAPICalledTypeAssert:
			p.complaints = append(p.complaints, fmt.Sprintf("console.%s: %s", e.Type, text))
		}
	case *runtime.EventExceptionThrown:
		p.complaints = append(p.complaints, fmt.Sprintf("exception: %s", e.ExceptionDetails.Text))
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			p.complaints = append(p.complaints, fmt.Sprintf("%s: %s", e.Entry.Level, e.Entry.Text))
		}
	}
}

// console returns the errors and warnings that the page's console shows by now.
func (p *page) console() []string {
	p.t.Helper()
	fence, text := make(chan struct{}), fmt.Sprintf("fence %d", time.Now().UnixNano())
	p.mu.Lock()
	p.fences[text] = fence
	p.mu.Unlock()
	p.run(fmt.Sprintf("console.log(%q)", text), nil)
	select {
	case <-fence:
	case <-time.After(patience):
		p.t.Fatal("the console is not heard")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.complaints
}

// wantQuiet fails the test if the console shows an error or a warning.
func (p *page) wantQuiet() {
	p.t.Helper()
	if complaints := p.console(); len(complaints) > 0 {
		p.t.Errorf("the console shows:\n%s", strings.Join(complaints, "\n"))
	}
}

func (p *page) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// run runs JavaScript in the page, waits for its promise, if it is one, and
// decodes its value into v, if that is not nil.
func (p *page) run(script string, v any) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	script = fmt.Sprintf("(async () => JSON.stringify((await (%s)) ?? null))()", script)
	result, err := chromedp.Run(ctx, chromedp.Evaluate[string](script, chromedp.EvalAwaitPromise))
	if err == nil && v != nil {
		err = json.Unmarshal([]byte(result), v)
	}
	if err != nil {
		p.t.Fatalf("%v\n%s", err, script)
	}
}

// wait waits for a JavaScript expression to be true.
func (p *page) wait(expression string) {
	p.t.Helper()
	p.waitFor(expression, patience)
}

func (p *page) waitFor(expression string, d time.Duration) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, d)
	defer cancel()
	if _, err := chromedp.Run(ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingInterval(10*time.Millisecond), chromedp.WithPollingTimeout(d))); err != nil {
		p.t.Fatalf("waiting for %s: %v", expression, err)
	}
}

// closing is what a page sees of a WebSocket's end.
type closing struct {
	Code     int
	Reason   string
	WasClean bool
	Errors   int // error events before it
}

// closed is JavaScript for a promise of the closing of the WebSocket ws.
const closed = `new Promise((done) => {
	let errors = 0;
	ws.addEventListener("error", () => errors++);
	ws.addEventListener("close", ({ code, reason, wasClean }) => done({ code, reason, wasClean, errors }));
})`

// wantClean says how c differs from a clean closing with one of the codes.
func (p *page) wantClean(c closing, codes ...int) {
	p.t.Helper()
	for _, code := range codes {
		if c.Code == code && c.WasClean && c.Errors == 0 {
			return
		}
	}
	p.t.Errorf("the page saw %+v, want a clean close with %v", c, codes)
}
