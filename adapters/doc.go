// Package adapters has nothing of its own. The packages below it accept WebSockets in servers that are not net/http's:
// [github.com/closeonce/websocket/adapters/fasthttpws] in github.com/valyala/fasthttp and
// [github.com/closeonce/websocket/adapters/fiberws] in github.com/gofiber/fiber/v3.
//
// They are a module of their own, because they need those servers. They are little code over [websocket.Negotiate] and
// [websocket.NewConn], and so also an example for other servers.
package adapters

import _ "github.com/closeonce/websocket" // for the links above
