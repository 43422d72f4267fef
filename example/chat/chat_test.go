package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/closeonce/websocket"
)

// A chatServer is the chat on a loopback address.
type chatServer struct {
	*httptest.Server
	hub  *hub
	stop context.CancelFunc
}

// newChatServer starts a server whose connections have small kernel buffers, so
// that a client who does not read is found out soon.
func newChatServer(t *testing.T) *chatServer {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	s := &chatServer{hub: newHub(ctx), stop: stop}
	s.Server = httptest.NewUnstartedServer(s.hub.handler())
	s.Listener = smallBuffers{s.Listener}
	s.Start()
	t.Cleanup(func() {
		stop()
		s.Close()
		s.hub.wait()
	})
	return s
}

type smallBuffers struct{ net.Listener }

func (l smallBuffers) Accept() (net.Conn, error) {
	nc, err := l.Listener.Accept()
	if err == nil {
		nc.(*net.TCPConn).SetWriteBuffer(64 << 10)
	}
	return nc, err
}

// A guest is a client in a room.
type guest struct {
	t  *testing.T
	c  *websocket.Conn
	ID int
}

// event has the fields of all events.
type event struct {
	Type    string
	You     person
	Here    []person
	History []remark
	From    person
	ID      int
	Name    string
	Text    string
	Tag     string
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func dial(t *testing.T, s *chatServer, path string) *websocket.Conn {
	t.Helper()
	dialer := &net.Dialer{}
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		nc, err := dialer.DialContext(ctx, network, addr)
		if err == nil {
			nc.(*net.TCPConn).SetReadBuffer(64 << 10)
		}
		return nc, err
	}}}
	c, _, err := websocket.Dial(testContext(t), s.URL+path, &websocket.DialOptions{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	return c
}

// enter lets a guest into a room and returns the welcome.
func enter(t *testing.T, s *chatServer, room, name string) (*guest, event) {
	t.Helper()
	g := &guest{t: t, c: dial(t, s, "/r/"+url.PathEscape(room)+"/ws?name="+url.QueryEscape(name))}
	e := g.want("welcome")
	g.ID = e.You.ID
	return g, e
}

// next reads the next event.
func (g *guest) next() (e event) {
	g.t.Helper()
	_, p, err := g.c.Read(testContext(g.t))
	if err != nil {
		g.t.Fatal(err)
	}
	if err := json.Unmarshal(p, &e); err != nil {
		g.t.Fatal(err)
	}
	return e
}

// want reads the next event, which must be of type typ.
func (g *guest) want(typ string) event {
	g.t.Helper()
	e := g.next()
	if e.Type != typ {
		g.t.Fatalf("want %q, got %+v", typ, e)
	}
	return e
}

func (g *guest) send(q request) {
	g.t.Helper()
	p, err := json.Marshal(q)
	if err != nil {
		g.t.Fatal(err)
	}
	if err := g.c.Write(testContext(g.t), websocket.MessageText, p); err != nil {
		g.t.Fatal(err)
	}
}

func (g *guest) say(text string) { g.t.Helper(); g.send(request{Type: "say", Text: text}) }

// wantClose reads until the connection is closed, which must be with code.
func wantClose(t *testing.T, c *websocket.Conn, code websocket.StatusCode) {
	t.Helper()
	for {
		if _, _, err := c.Read(testContext(t)); err != nil {
			if websocket.CloseStatus(err) != code {
				t.Errorf("want Close %d, got %v", code, err)
			}
			return
		}
	}
}

func TestEverybodyHearsTheSameInTheSameOrder(t *testing.T) {
	s := newChatServer(t)
	ada, welcome := enter(t, s, "lobby", "Ada")
	if len(welcome.Here) != 1 || welcome.You.Name != "Ada" || welcome.History == nil {
		t.Errorf("Ada's welcome is %+v", welcome)
	}
	bob, welcome := enter(t, s, "lobby", "Bob")
	if len(welcome.Here) != 2 || welcome.Here[0].Name != "Ada" || welcome.Here[1].Name != "Bob" {
		t.Errorf("Bob sees %+v", welcome.Here)
	}
	if e := ada.want("join"); e.ID != bob.ID || e.Name != "Bob" {
		t.Errorf("Ada sees %+v", e)
	}
	other, _ := enter(t, s, "other", "Eve")

	const each = 50
	for i := range each {
		ada.say(fmt.Sprint("a", i))
		bob.say(fmt.Sprint("b", i))
	}
	next := map[int]int{}
	for range 2 * each {
		a, b := ada.want("say"), bob.want("say")
		if a.Text != b.Text || a.From != b.From {
			t.Fatalf("Ada hears %+v, Bob %+v", a, b)
		}
		if want := fmt.Sprint(strings.ToLower(a.From.Name[:1]), next[a.From.ID]); a.Text != want {
			t.Fatalf("heard %q, want %q", a.Text, want)
		}
		next[a.From.ID]++
	}

	bob.send(request{Type: "rename", Name: "Robert"})
	if e := ada.want("rename"); e.ID != bob.ID || e.Name != "Robert" {
		t.Errorf("Ada sees %+v", e)
	}
	bob.want("rename")
	bob.c.Close(websocket.StatusNormalClosure, "")
	if e := ada.want("leave"); e.ID != bob.ID || e.Name != "Robert" {
		t.Errorf("Ada sees %+v", e)
	}
	// Nothing of it went to the other room: its first event is its own.
	other.say("alone")
	if e := other.want("say"); e.Text != "alone" {
		t.Errorf("the other room hears %+v", e)
	}
}

func TestHistoryIsTheLastHundred(t *testing.T) {
	s := newChatServer(t)
	ada, _ := enter(t, s, "lobby", "Ada")
	for i := range historySize + 7 {
		ada.say(fmt.Sprint(i))
		ada.want("say")
	}
	ada.c.Close(websocket.StatusNormalClosure, "")

	_, welcome := enter(t, s, "lobby", "Bob")
	if len(welcome.History) != historySize {
		t.Fatalf("the history has %d remarks", len(welcome.History))
	}
	for i, r := range welcome.History {
		if r.Text != fmt.Sprint(i+7) || r.From.Name != "Ada" || r.At == 0 {
			t.Fatalf("remark %d is %+v", i, r)
		}
	}
}

func TestWhatIsSaidTwiceWithOneTagIsHeardOnce(t *testing.T) {
	s := newChatServer(t)
	ada, _ := enter(t, s, "lobby", "Ada")
	bob, _ := enter(t, s, "lobby", "Bob")
	ada.want("join")

	ada.send(request{Type: "say", Text: "once", Tag: "x"})
	ada.send(request{Type: "say", Text: "once", Tag: "x"})
	ada.say("next")
	for i := range 2 {
		if e := ada.want("say"); e.Text != "once" || e.Tag != "x" {
			t.Errorf("receipt %d is %+v", i, e)
		}
	}
	if e := bob.want("say"); e.Text != "once" {
		t.Errorf("Bob hears %+v", e)
	}
	if e := bob.want("say"); e.Text != "next" {
		t.Errorf("Bob hears %+v", e)
	}
}

func TestNamesAndTextsAreCleanedAndBounded(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain", "Ada", "Ada"},
		{"markup is text", "<b>&amp;</b>", "<b>&amp;</b>"},
		{"space", "  Ada \t\n Lovelace ", "Ada Lovelace"},
		{"can't be seen", "A\x00\u202eda\x7f", "Ada"},
		{"emoji joined", "👩\u200d💻", "👩\u200d💻"},
		{"too long", strings.Repeat("é", maxName+1), strings.Repeat("é", maxName)},
		{"nothing", " \n\u200b", ""},
	} {
		if got := cleanName(c.in); got != c.want {
			t.Errorf("%s: cleanName(%q) = %q, want %q", c.name, c.in, got, c.want)
		}
	}
	if got := clean(" one\n two ", maxText); got != "one\n two" {
		t.Errorf("clean makes %q of two lines", got)
	}
	if got := clean(" one\n two ", 5); got != "one" {
		t.Errorf("clean makes %q of two lines of which one fits", got)
	}

	s := newChatServer(t)
	ada, welcome := enter(t, s, "lobby", " \x00 ")
	if want := fmt.Sprint("Guest ", ada.ID); welcome.You.Name != want {
		t.Errorf("without a name one is %q, want %q", welcome.You.Name, want)
	}
	ada.say(" \n ") // nothing: not heard
	ada.send(request{Type: "rename", Name: "\x07"})
	ada.say("<i>" + strings.Repeat("x", maxText))
	if e := ada.want("say"); len(e.Text) != maxText || !strings.HasPrefix(e.Text, "<i>x") {
		t.Errorf("heard %d bytes: %.20q", len(e.Text), e.Text)
	}
}

func TestTheLargestWelcomeFitsTheQueue(t *testing.T) {
	// Four bytes for each rune is the most that encoding makes of what clean lets
	// through: it escapes ASCII in two.
	wide := func(n int) string { return clean(strings.Repeat("🚀", n+1), n) }
	said := remark{From: person{math.MaxInt, wide(maxName)}, Text: wide(maxText), Tag: wide(maxTag), At: 1 << 50}
	w := welcome{Type: "welcome", You: said.From}
	for range historySize {
		w.History = append(w.History, said)
	}
	for range maxMembers {
		w.Here = append(w.Here, said.From)
	}
	if n := len(encode(w)); n > queueLimit-1024 {
		t.Errorf("the largest welcome has %d bytes, the queue holds %d", n, queueLimit)
	}
	for c := rune(0); c < 0x3000; c++ {
		text := clean("x"+string(c)+"x", 3)
		if n := len(encode(text)) - len(`"xx"`); n > 4 {
			t.Errorf("%U takes %d bytes", c, n)
		}
	}
}

func TestTheSlowAreDroppedAndTheOthersServed(t *testing.T) {
	s := newChatServer(t)
	ada, _ := enter(t, s, "lobby", "Ada")
	slow, _ := enter(t, s, "lobby", "Slow")
	ada.want("join")

	// Slow does not read. Ada hears all she says, until Slow is dropped.
	text := strings.Repeat("x", maxText)
	said, dropped := 0, false
	for ; !dropped; said++ {
		if said == 100_000 {
			t.Fatal("a client that does not read is kept")
		}
		ada.say(text)
		e := ada.next()
		if e.Type == "leave" {
			if dropped = true; e.ID != slow.ID {
				t.Errorf("%+v has left", e)
			}
			e = ada.next()
		}
		if e.Type != "say" {
			t.Fatalf("want \"say\", got %+v", e)
		}
	}
	if said < 100 {
		t.Errorf("dropped after %d messages: the queue holds more", said)
	}
	wantClose(t, slow.c, websocket.StatusTryAgainLater)
	ada.say("still here")
	ada.want("say")
}

func TestEveryClientGets1001WhenTheServerStops(t *testing.T) {
	s := newChatServer(t)
	ada, _ := enter(t, s, "lobby", "")
	bob, _ := enter(t, s, "lobby", "")
	ada.want("join")
	eve, _ := enter(t, s, "other", "")
	all := []*websocket.Conn{ada.c, bob.c, eve.c, subscribe(t, s), subscribe(t, s)}
	s.stop()
	for _, c := range all { // at once: not the leaving of the others before
		if _, p, err := c.Read(testContext(t)); websocket.CloseStatus(err) != websocket.StatusGoingAway {
			t.Errorf("want Close 1001, got %q, %v", p, err)
		}
	}
	s.hub.wait()
	wantClose(t, dial(t, s, "/subscribe"), websocket.StatusGoingAway)
}

func TestServeReturnsWhenAllHaveBeenClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- serve(ctx, ln) }()
	c, _, err := websocket.Dial(testContext(t), "ws://"+ln.Addr().String()+"/r/lobby/ws", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	stop()
	wantClose(t, c, websocket.StatusGoingAway)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestBadMessagesCloseTheConnection(t *testing.T) {
	s := newChatServer(t)
	for _, c := range []struct {
		name string
		p    string
		code websocket.StatusCode
	}{
		{"no JSON", "hello", websocket.StatusInvalidFramePayloadData},
		{"JSON of another kind", `{"type":1}`, websocket.StatusInvalidFramePayloadData},
		{"too large", `"` + strings.Repeat("x", readLimit) + `"`, websocket.StatusMessageTooBig},
	} {
		g, _ := enter(t, s, "lobby", c.name)
		if err := g.c.Write(testContext(t), websocket.MessageText, []byte(c.p)); err != nil {
			t.Fatal(err)
		}
		wantClose(t, g.c, c.code)
	}
}

func TestPeopleInARoomAreBounded(t *testing.T) {
	s := newChatServer(t)
	var before, last *guest
	for range maxMembers {
		before = last
		last, _ = enter(t, s, "lobby", "")
	}
	before.want("join")
	wantClose(t, dial(t, s, "/r/lobby/ws"), websocket.StatusTryAgainLater)
	last.c.Close(websocket.StatusNormalClosure, "")
	before.want("leave") // the server has seen it too
	if _, welcome := enter(t, s, "lobby", ""); len(welcome.Here) != maxMembers {
		t.Errorf("%d people are here", len(welcome.Here))
	}
}

func TestRoomsAreBounded(t *testing.T) {
	h := newHub(context.Background())
	room := func(i int) (*room, error) {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.room(fmt.Sprint("room", i))
	}
	for i := range maxRooms {
		r, err := room(i)
		if err != nil {
			t.Fatal(err)
		}
		if i != 7 && i != 8 {
			r.members[1] = &member{}
		}
	}
	room(7) // so that 8 is the one that has been empty for longest
	if _, err := room(maxRooms); err != nil || len(h.rooms) != maxRooms || h.rooms["room8"] != nil || h.rooms["room7"] == nil {
		t.Errorf("an empty room did not make place: %v, %d rooms", err, len(h.rooms))
	}
	h.rooms["room7"].members[1] = &member{}
	h.rooms[fmt.Sprint("room", maxRooms)].members[1] = &member{}
	if _, err := room(maxRooms + 1); err != errFull {
		t.Errorf("one room too many: %v", err)
	}
}

func TestPages(t *testing.T) {
	s := newChatServer(t)
	for _, c := range []struct {
		path, contains string
		status         int
	}{
		{"/", "<!doctype html>", 200}, // through the redirect
		{"/r/lobby", "<!doctype html>", 200},
		{"/r/Stra%C3%9Fe_7", "<!doctype html>", 200},
		{"/r/a%2Fb", "at most 40", 404},
		{"/r/" + strings.Repeat("x", 41), "at most 40", 404},
		{"/favicon.ico", "<svg", 200},
		{"/page/chat.js", "import", 200},
		{"/page/connection.js", "WebSocket", 200},
		{"/page/chat.css", "color-scheme", 200},
		{"/r/a%20b/ws", "not found", 404},
		{"/r/lobby/ws", "Upgrade", 426},
		{"/subscribe", "Upgrade", 426},
		{"/publish", "", 405},
	} {
		resp, err := s.Client().Get(s.URL + c.path)
		if err != nil {
			t.Fatal(err)
		}
		body := readAll(t, resp)
		if resp.StatusCode != c.status || !strings.Contains(body, c.contains) {
			t.Errorf("GET %s: %d %.80q, want %d and %q", c.path, resp.StatusCode, body, c.status, c.contains)
		}
		if c.status == 200 && !strings.HasPrefix(resp.Header.Get("Content-Security-Policy"), "default-src 'self'") {
			t.Errorf("GET %s: the Content-Security-Policy is %q", c.path, resp.Header.Get("Content-Security-Policy"))
		}
	}
}
