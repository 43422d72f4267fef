package websocket

import "context"

// control deals with a control frame that came. Replies are left for the
// writer, but for what takes no waiting: whoever reads never waits for a write.
func (c *Conn) control(ctx context.Context, op opcode, payload []byte) error {
	c.heard.Store(now())
	if op != opClose {
		c.mu.Lock()
		action := c.state.step(recvData)
		c.mu.Unlock()
		if action != deliver {
			return nil
		}
	}
	switch op {
	case opPing:
		// RFC 6455, section 5.5.2: "Upon receipt of a Ping frame, an endpoint MUST
		// send a Pong frame in response, unless it already received a Close frame."
		if c.settings.onPing != nil && !c.settings.onPing(c.Context(), append([]byte(nil), payload...)) {
			return nil
		}
		// Section 5.5.3: "If an endpoint receives a Ping frame and has not yet
		// sent Pong frame(s) in response to previous Ping frame(s), the endpoint
		// MAY elect to send a Pong frame for only the most recently processed".
		c.mu.Lock()
		if c.out.pong == nil {
			c.out.pong = new(controlPayload)
		}
		c.out.pong.set(payload)
		c.out.hasPong = true
		c.urgent.Store(true)
		c.mu.Unlock()
		c.kick()
		return nil
	case opPong:
		c.ponged(payload)
		if c.settings.onPong != nil {
			c.settings.onPong(c.Context(), append([]byte(nil), payload...))
		}
		return nil
	}

	said, err := parseClose(payload)
	if err != nil {
		c.violated(err)
		return c.awaitEnd(ctx)
	}
	c.in.over = true
	c.mu.Lock()
	action := c.state.step(recvClose)
	c.calm.Store(false)
	switch action {
	case echo:
		if c.cause == nil {
			c.cause = said
		}
		c.stopLocked()
		if !c.out.closing {
			// Section 5.5.1: "When sending a Close frame in response, the endpoint
			// typically echos the status code it received."
			c.out.closing = true
			c.urgent.Store(true)
			c.out.close = new(controlPayload)
			c.out.close.set(payload)
		}
		c.expect.Add(1) // the end of TCP; for as long as the connection lives
	case finish:
		// Both have said it; but of ours only a half may have left yet.
		c.both = c.out.closeGone
		c.expect.Add(1)
	}
	over := c.both
	c.mu.Unlock()
	switch {
	case action == echo:
		c.answerClose()
	case over:
		c.finish()
	}
	return c.drain(ctx)
}

// answerClose makes our answer to the peer's Close leave: here and now if nobody is
// writing and the kernel takes it, which spares a goroutine for most connections'
// end.
func (c *Conn) answerClose() {
	if c.raw != nil && c.writeTurn.try() {
		c.depart(nobody, nil, false)
		c.leaveWrite() // which leaves to the writer goroutine what the kernel did not take
	} else {
		if c.resumes {
			c.pokeWrite() // a blocked Write lets go of its turn
		}
		c.kick()
	}
	c.mu.Lock()
	c.boundCloseLocked()
	c.mu.Unlock()
}

// drain reads on after the peer's Close, and drops what comes: a second Close
// and anything else after the first is ignored. It returns when the connection
// has ended, or before with the reason not to wait.
func (c *Conn) drain(ctx context.Context) error {
	in := &c.in
	in.frame, in.left = header{}, 0
	for {
		in.r = in.w
		in.letGo()
		if err := c.fill(ctx); err != nil {
			return err
		}
	}
}

// awaitEnd waits for our Close frame to leave, so that a CloseNow right behind
// the error does not overtake it. The alarm for the close bounds it.
func (c *Conn) awaitEnd(ctx context.Context) error {
	if ctx == nil {
		<-c.done()
		return c.err()
	}
	select {
	case <-c.done():
		return c.err()
	case <-ctx.Done():
		return c.gaveUp(ctx)
	}
}
