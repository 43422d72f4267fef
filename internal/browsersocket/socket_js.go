package browsersocket

import (
	"context"
	"errors"
	"fmt"
	"syscall/js"
)

// Here reports whether the host may have WebSockets.
const Here = true

// A Socket is a WebSocket of the host.
type Socket struct {
	Subprotocol, Extensions string // what was agreed on

	ws        js.Value
	listeners []listener
}

type listener struct {
	event string
	f     js.Func
}

// errFailed is all that a page may know.
var errFailed = errors.New("the browser could not open the WebSocket; it does not tell programs why, but its console may")

// Dial opens a WebSocket. If ctx ends first, the WebSocket is closed and the error is ctx's.
func Dial(ctx context.Context, url string, subprotocols []string, e Events) (*Socket, error) {
	class := js.Global().Get("WebSocket")
	if class.IsUndefined() {
		return nil, errors.New("there is no WebSocket class; Node.js has it since version 22")
	}
	s := new(Socket)
	opened, failed := make(chan struct{}), make(chan struct{})
	open := false // only the host's callbacks use it, one at a time
	names := make([]any, len(subprotocols))
	for i, p := range subprotocols {
		names[i] = p
	}
	if err := catch(func() { s.ws = class.New(url, names) }); err != nil {
		return nil, err
	}
	s.ws.Set("binaryType", "arraybuffer")
	s.listen("open", func(js.Value) {
		open = true
		s.Subprotocol, s.Extensions = s.ws.Get("protocol").String(), s.ws.Get("extensions").String()
		close(opened)
	})
	s.listen("message", func(event js.Value) { e.Message(payload(event.Get("data"))) })
	ended := func(event js.Value) {
		switch {
		case !open:
			close(failed)
		case event.Get("type").String() == "error":
			return // a close event follows; after a failed handshake Node.js 20 has none
		default:
			e.Closed(event.Get("code").Int(), event.Get("reason").String(), event.Get("wasClean").Bool())
		}
		s.release()
	}
	s.listen("error", ended)
	s.listen("close", ended)
	select {
	case <-opened:
		return s, nil
	case <-failed:
		return nil, errFailed
	case <-ctx.Done():
		s.Close(0, "")
		return nil, ctx.Err()
	}
}

// payload returns the payload of a message event.
func payload(data js.Value) (text bool, p []byte) {
	if data.Type() == js.TypeString {
		return true, []byte(data.String())
	}
	array := js.Global().Get("Uint8Array").New(data)
	p = make([]byte, array.Length())
	js.CopyBytesToGo(p, array)
	return false, p
}

func (s *Socket) listen(event string, f func(event js.Value)) {
	callback := js.FuncOf(func(_ js.Value, args []js.Value) any {
		f(args[0])
		return nil
	})
	s.listeners = append(s.listeners, listener{event, callback})
	s.ws.Call("addEventListener", event, callback)
}

// release takes the listeners back.
func (s *Socket) release() {
	for _, l := range s.listeners {
		s.ws.Call("removeEventListener", l.event, l.f)
		l.f.Release()
	}
	s.listeners = nil
}

// Send hands a message to the host, which sends it in the background.
func (s *Socket) Send(text bool, p []byte) error {
	if text {
		return catch(func() { s.ws.Call("send", string(p)) })
	}
	array := js.Global().Get("Uint8Array").New(len(p))
	js.CopyBytesToJS(array, p)
	return catch(func() { s.ws.Call("send", array) })
}

// Buffered returns how many bytes the host has not sent yet.
func (s *Socket) Buffered() int { return s.ws.Get("bufferedAmount").Int() }

// Close begins the closing handshake with a status code that a page may send, or without one if code is 0.
func (s *Socket) Close(code int, reason string) {
	if code == 0 {
		s.ws.Call("close")
		return
	}
	if catch(func() { s.ws.Call("close", code, reason) }) != nil {
		s.ws.Call("close")
	}
}

// Location returns the URL of the page, or "" where there is none.
func Location() string {
	if location := js.Global().Get("location"); !location.IsUndefined() {
		return location.Get("href").String()
	}
	return ""
}

// catch returns what f throws.
func catch(f func()) (err error) {
	defer func() {
		switch v := recover().(type) {
		case nil:
		case js.Error:
			err = fmt.Errorf("%s: %s", v.Get("name").String(), v.Get("message").String())
		default:
			panic(v)
		}
	}()
	f()
	return nil
}
