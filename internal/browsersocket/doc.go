// Package browsersocket opens the WebSockets of a browser, or of another host of GOOS=js that has them
// (https://websockets.spec.whatwg.org). On other systems there are none, and Here is false.
package browsersocket

// Events are what a Socket tells. The functions must not block: the host waits for them.
type Events struct {
	// Message is called for each message, which it may keep.
	Message func(text bool, p []byte)
	// Closed is called once, when the connection has ended, if Dial has succeeded. clean says that both ends have sent a
	// Close frame; code is the peer's, or 1005 if it sent none.
	Closed func(code int, reason string, clean bool)
}
