package websocket

import (
	"context"
	"net"
	"net/http"
	"slices"
)

// This file is how the members of a Group are closed, and how the WebSockets of an http.Server hear of its shutdown.

// Shutdown closes all members with 1001 (StatusGoingAway), at once, and refuses new ones. It waits for their closing handshakes until
// ctx is done, and then ends those that are left as [Conn.CloseNow] does. closed is how many members have completed the handshake. See
// [Group.Close].
func (g *Group) Shutdown(ctx context.Context) (closed int, err error) {
	return g.Close(ctx, StatusGoingAway, "the server is shutting down")
}

// Close closes all members at once, with code and reason, as [Conn.Close] does. What was broadcast before is sent first, unless it
// waits behind the open message of a member's Writer.
// From then on Add refuses new members with the same code and reason.
//
// It waits for the closing handshakes, each at most as long as the connection's close timeout. When ctx is done, it ends
// those connections that are left as [Conn.CloseNow] does, which gives a Close frame that has not left one more attempt,
// and returns the context's error. closed is how many of those who were members in the beginning completed the handshake.
// Close and Shutdown may be called again, and by several goroutines: each waits, and returns the same number, unless the
// context of another is done first. The first code and reason are kept.
func (g *Group) Close(ctx context.Context, code StatusCode, reason string) (closed int, err error) {
	g.init()
	code, reason, misuse := checkClose(code, reason)
	if ctx == nil {
		ctx, misuse = context.Background(), errNilContext
	}
	members, closed := g.sayGoodbye(&parting{code, reason})
	for _, m := range members {
		select {
		case <-m.conn.awaitable().hungUp:
		case <-ctx.Done():
			if hungUp, _ := m.conn.outcome(); !hungUp {
				err = ctx.Err()
				m.part(g.parting())
				m.conn.end((*closing).abandon, errClosedNow)
			}
		}
	}
	for _, m := range members {
		if hungUp, result := m.conn.outcome(); hungUp && result == nil {
			closed++
		}
	}
	g.mu.Lock()
	g.leaving, g.well = nil, closed
	g.mu.Unlock()
	if misuse != nil {
		err = misuse
	}
	return closed, err
}

func (g *Group) parting() *parting {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.shut
}

// sayGoodbye lets nobody join any more and begins to close all members. It returns those that are to be waited for, and how
// many have completed the handshake besides.
func (g *Group) sayGoodbye(bye *parting) (leaving []*member, well int) {
	g.mu.Lock()
	if g.shut == nil {
		g.shut, g.leaving = bye, slices.Clone(g.members)
	}
	bye, leaving, well = g.shut, g.leaving, g.well
	g.mu.Unlock()
	for _, m := range leaving {
		g.mu.Lock()
		farewell := m.farewell
		g.mu.Unlock()
		if farewell != nil {
			farewell()
		} else {
			m.part(bye)
		}
	}
	return leaving, well
}

// part begins to close the member.
func (m *member) part(bye *parting) {
	m.conn.pull()
	m.conn.closeFor(errClosed{"the group was closed"}, bye.code, bye.reason)
}

// serverGroup is the key of the context's value that has the server's Group.
type serverGroup struct{}

// ServerGroup makes all WebSockets that the server accepts members of a group, which it returns, so that the server's
// Shutdown includes them: they are closed with 1001 (StatusGoingAway) when that begins, and those that come meanwhile when
// they are accepted. http.Server.Shutdown does not wait for connections that were taken over from it (over HTTP/2 it
// does); the group's Shutdown does:
//
//	group := websocket.ServerGroup(server)
//	go server.Serve(listener)
//	...
//	err := server.Shutdown(ctx)
//	closed, groupErr := group.Shutdown(ctx)
//
// It holds for [Accept] and [Handler], and for [NewConn] with the request's context. With the option EndOnShutdown the function that
// Handler runs is told instead, by the group's Shutdown and Close too: its context ends with [http.ErrServerClosed], whatever code
// Close was given, and it says good-bye itself. If it has not when the context of the group's Shutdown is done, its connection is closed
// as the others are. The group waits for connections, not for functions to return.
//
// ServerGroup sets the server's BaseContext to a function that calls the one before. Call it once, before Serve,
// and after the server's BaseContext is set, if it is. The group's options may be set after that, before the first connection comes.
func ServerGroup(server *http.Server) *Group {
	g := new(Group)
	base := server.BaseContext
	server.BaseContext = func(l net.Listener) context.Context {
		ctx := context.Background()
		if base != nil {
			ctx = base(l)
		}
		return context.WithValue(ctx, serverGroup{}, g)
	}
	server.RegisterOnShutdown(func() { g.sayGoodbye(&parting{StatusGoingAway, "the server is shutting down"}) })
	return g
}

// groupOf returns the group of the server that ctx comes from, or nil.
func groupOf(ctx context.Context) *Group {
	g, _ := ctx.Value(serverGroup{}).(*Group)
	return g
}

// joined returns c as a member of the group of the server that accepted it, if there is one. The group says farewell rather than
// close the connection, if farewell is not nil.
func joined(ctx context.Context, c *Conn, farewell func()) (*Conn, error) {
	if g := groupOf(ctx); g != nil {
		if err := g.add(c, farewell); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// join makes c a member of the server's group, if there is one. See joined.
func join(r *http.Request, c *Conn, farewell func()) (*Conn, error) {
	_, err := joined(r.Context(), c, farewell)
	if err == nil {
		return c, nil
	}
	if r.ProtoMajor >= 2 {
		c.Close(StatusGoingAway, "") // it is being closed; the handler must not return before
	}
	return nil, err
}
