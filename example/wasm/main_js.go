package main

import (
	"context"
	"syscall/js"
	"time"
)

// main runs in the page. It shows what comes, and says what is typed.
func main() {
	document := js.Global().Get("document")
	lines, form, input := document.Call("getElementById", "lines"), document.Call("querySelector", "form"), document.Call("querySelector", "input")
	show := func(line string) {
		item := document.Call("createElement", "li")
		item.Set("textContent", line)
		lines.Call("append", item)
		item.Call("scrollIntoView")
	}

	said := make(chan string, 16)
	form.Call("addEventListener", "submit", js.FuncOf(func(_ js.Value, args []js.Value) any {
		args[0].Call("preventDefault")
		select {
		case said <- input.Get("value").String():
			input.Set("value", "")
		default: // a callback must not wait: the page would freeze
		}
		return nil
	}))

	document.Call("querySelector", "button").Set("disabled", false)

	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		begun := time.Now()
		show("(" + talk(context.Background(), "/ws", said, show).Error() + ")")
		if time.Since(begun) > time.Minute {
			wait = time.Second
		}
		<-time.After(wait)
	}
}
