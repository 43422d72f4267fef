package browser

import (
	"context"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
)

// enter opens the chat's page in a room, and gives a name as somebody does who
// has no mouse.
func enter(t *testing.T, c *chat, room, name string) *page {
	t.Helper()
	p := newPage(t, c.url+"/r/"+room)
	p.wait(`document.querySelector("#dialog").open`)
	p.typeLine(name)
	p.wantState("online")
	p.wait(fmt.Sprintf(`!document.querySelector("#dialog").open && document.querySelector("#me").textContent === %q`, name))
	return p
}

// say types text and sends it with Enter. The dialog has left the focus there.
func (p *page) say(text string) {
	p.t.Helper()
	p.typeLine(text)
	p.wait(`document.querySelector("#text").value === ""`)
}

// typeLine presses the keys of text and Enter, wherever the focus is.
func (p *page) typeLine(text string) {
	p.t.Helper()
	enter := chromedp.Func(func(ctx context.Context, tab *chromedp.Target) error {
		// The driver's own Enter types a line break even if the page handles the key.
		for _, e := range []input.DispatchKeyEventParams{
			{Type: input.DispatchKeyEventTypeKeyDown, Text: "\r"},
			{Type: input.DispatchKeyEventTypeKeyUp},
		} {
			e.Key, e.Code, e.WindowsVirtualKeyCode = "Enter", "Enter", 13
			if _, err := cdp.Call(ctx, tab, input.DispatchKeyEvent, e); err != nil {
				return err
			}
		}
		return nil
	})
	p.do(chromedp.KeyEvent(text), enter)
}

// wantLog waits until the log has exactly these remarks, "name: text" each.
func (p *page) wantLog(remarks ...string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll(".remark").length === %d && !document.querySelector(".pending")`, len(remarks)))
	var got []string
	p.run(`[...document.querySelectorAll(".remark")].map((e) =>
		e.querySelector(".name").textContent + ": " + e.querySelector(".text").textContent)`, &got)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", remarks) {
		p.t.Errorf("the log shows %q, want %q", got, remarks)
	}
}

// wantPeople waits until these are shown to be here.
func (p *page) wantPeople(names ...string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll("#people li").length === %d`, len(names)))
	var got []string
	p.run(`[...document.querySelectorAll("#people .name")].map((e) => e.textContent)`, &got)
	if fmt.Sprintf("%q", got) != fmt.Sprintf("%q", names) {
		p.t.Errorf("here are %q, want %q", got, names)
	}
}

func (p *page) wantState(state string) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.documentElement.dataset.state === %q`, state))
}

func TestTwoPagesChat(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	const name = "<b>Ada</b>"
	ada := enter(t, c, "lobby", name)
	bob := enter(t, c, "lobby", "Bob")
	ada.wantPeople(name, "Bob")
	bob.wantPeople("Bob", name)

	ada.say("Hello <img src=x onerror=console.error(1)>")
	bob.wantLog(name + ": Hello <img src=x onerror=console.error(1)>")
	bob.say("Grüß Gott 👋")
	both := []string{name + ": Hello <img src=x onerror=console.error(1)>", "Bob: Grüß Gott 👋"}
	ada.wantLog(both...)
	bob.wantLog(both...)

	// Who comes later reads what was said; who is elsewhere does not.
	eve := enter(t, c, "lobby", "Eve")
	eve.wantLog(both...)
	enter(t, c, "elsewhere", "Zoe").wantLog()

	for _, p := range []*page{ada, bob, eve} {
		p.wantQuiet()
	}
}

func TestReloadAndTabCloseAreSeenByTheOthers(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	ada, bob := enter(t, c, "lobby", "Ada"), enter(t, c, "lobby", "Bob")
	ada.wantPeople("Ada", "Bob")
	ada.say("before")

	bob.do(chromedp.Reload())
	bob.wantLog("Ada: before")
	bob.wantPeople("Bob", "Ada")
	ada.wait(`[...document.querySelectorAll(".note")].slice(-2).map((e) => e.textContent).join() === "Bob has left,Bob is here"`)
	bob.wantQuiet()

	bob.close()
	ada.wantPeople("Ada")
	ada.wantQuiet()
}

func TestServerStopIs1001AndThePageComesBack(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	ada := enter(t, c, "lobby", "Ada")
	ada.say("before")
	ada.wantLog("Ada: before")
	ada.run(fmt.Sprintf(`(() => {
		const ws = new WebSocket(%q);
		window.ending = %s;
		return new Promise((done) => ws.onopen = done);
	})()`, c.ws("/subscribe"), closed), nil)

	c.stop() // it waits until the process has ended
	var got closing
	ada.run("window.ending", &got)
	ada.wantClean(got, 1001)
	ada.wantState("offline")
	ada.say("meanwhile") // kept, and said when the connection is back

	again := startChat(t, c.addr())
	ada.do(chromedp.Click(chromedp.ID("retry")))
	ada.wantState("online")
	ada.wantLog("Ada: meanwhile") // the new process has no history
	enter(t, again, "lobby", "Bob").wantLog("Ada: meanwhile")
}

func TestThePageComesBackByItself(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	ada := enter(t, c, "lobby", "Ada")
	c.stop()
	ada.wantState("offline")
	startChat(t, c.addr())
	ada.wantState("online")
	ada.wantPeople("Ada")
}

// The page's connection.js, with a network that is down and a clock that does
// not wait.
func TestTheDelaysGrowAndAreJittered(t *testing.T) {
	c := startChat(t, "127.0.0.1:0")
	p := newPage(t, c.url+"/r/lobby")
	var delays []float64
	p.run(`(async () => {
		const { Connection } = await import("/page/connection.js");
		const delays = [];
		window.WebSocket = class {
			constructor() { queueMicrotask(() => this.onclose()); }
		};
		await new Promise((done) => {
			window.setTimeout = (next, delay) => delays.push(delay) < 50 ? next() : done();
			new Connection(() => "ws://nowhere/", { state() {} }).open();
		});
		return delays;
	})()`, &delays)
	longest, different := 500.0, map[float64]bool{}
	for i, delay := range delays {
		if delay < longest/2 || delay > longest {
			t.Errorf("delay %d is %v ms, want %v to %v", i, delay, longest/2, longest)
		}
		longest = min(2*longest, 30_000)
		different[delay] = true
	}
	if len(delays) != 50 || len(different) < 40 {
		t.Errorf("of %d delays %d are different: %v", len(delays), len(different), delays)
	}
	p.wantQuiet()
}
