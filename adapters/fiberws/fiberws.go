// Package fiberws accepts WebSockets in an application of github.com/gofiber/fiber/v3.
package fiberws

import (
	"net/http"

	"github.com/closeonce/websocket"
	"github.com/closeonce/websocket/adapters/fasthttpws"
	"github.com/closeonce/websocket/adapters/internal/parent"
	"github.com/gofiber/fiber/v3"
)

// Upgrade accepts a WebSocket as [websocket.Accept] does. When the handler has returned nil, fiber sends the answer and runs
// serve in a goroutine of its own; see [fasthttpws.Upgrade] for what holds of it. serve must not use ctx, nor anything that
// belongs to it: copy what it needs, such as ctx.Params, before.
//
// [websocket.Conn.Context] has the values of ctx.Locals and of ctx.Context(), as they are when Upgrade is called, and does not end
// with them. A context that was given to ctx.SetContext, and is derived from ctx itself, is left out (the Locals are not), because ctx
// will be another request's; OnRefuse and CheckOrigin see it.
//
// If the handshake is refused, the error is a [*fiber.Error] with the status, for the handler to return: the application's
// ErrorHandler then writes the response. The header fields that belong to the status are set already. With opts.OnRefuse, which
// writes the response itself, Upgrade returns nil.
//
// A second Upgrade of the same request changes nothing. Its error is a *fiber.Error with the status 101 of the first's answer, so
// that fiber's default ErrorHandler leaves that status as it is. An ErrorHandler of the application's own has to do so, too. Nor may
// a handler return another error when Upgrade has returned nil: serve would run, and the client see that error.
func Upgrade(ctx fiber.Ctx, opts *websocket.AcceptOptions, serve func(c *websocket.Conn)) error {
	status := 0
	refusing := websocket.AcceptOptions{}
	if opts != nil {
		refusing = *opts
	}
	if refusing.OnRefuse == nil {
		refusing.OnRefuse = func(_ http.ResponseWriter, _ *http.Request, s int, _ error) { status = s }
	}
	rc := ctx.RequestCtx()
	if rc.Hijacked() {
		status = http.StatusSwitchingProtocols
	}
	rc.SetUserValue(parent.Key{}, ctx.Context())
	defer rc.RemoveUserValue(parent.Key{})
	switch err := fasthttpws.Upgrade(rc, &refusing, serve); {
	case err == nil || status == 0:
		return nil
	default:
		return fiber.NewError(status, err.Error())
	}
}
