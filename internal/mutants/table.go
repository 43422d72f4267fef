package mutants

// Table is all mutants.
var Table = []Mutant{
	// Framing.
	{"accept-unmasked", "a server accepts frames that are not masked", []Edit{{"if l.fromClient && !h.masked {", "if l.fromClient && !h.masked && h.rsv2 {"}}},
	{"accept-masked", "a client accepts frames that are masked", []Edit{{"if !l.fromClient && h.masked {", "if !l.fromClient && h.masked && h.rsv2 {"}}},
	{"accept-rsv23", "RSV2 and RSV3 are ignored", []Edit{{"if h.rsv2 || h.rsv3 {", "if h.rsv2 && h.rsv3 {"}}},
	{"accept-rsv1", "RSV1 is ignored", []Edit{{"if h.rsv1 && !l.deflate {", "if h.rsv1 && !l.deflate && h.rsv2 {"},
		{"m.compressed = m.frame.rsv1", "m.compressed = m.frame.rsv1 && c.deflate != nil"}}},
	{"accept-reserved-opcode", "reserved opcodes are taken for something", []Edit{{"case opContinuation, opText, opBinary, opClose, opPing, opPong:\n\tdefault:",
		"case opContinuation, opText, opBinary, opClose, opPing, opPong, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15:\n\tdefault:"}}},
	{"accept-long-control", "control frames may have more than 125 bytes", []Edit{{"if h.length > maxControlPayload {", "if h.length > 2*maxControlPayload {"}}},
	{"accept-fragmented-control", "control frames may be fragmented", []Edit{{"if !h.fin {\n\t\t\treturn violation(StatusProtocolError, \"a control frame is fragmented\"",
		"if !h.fin && h.length > maxControlPayload {\n\t\t\treturn violation(StatusProtocolError, \"a control frame is fragmented\""}}},
	{"accept-long-length-16", "a 16-bit length need not be the shortest form", []Edit{{"if length < 126 {", "if length > 1<<16 {"}}},
	{"accept-long-length-64", "a 64-bit length need not be the shortest form", []Edit{{"if length <= 0xFFFF {", "if length == 0 {"}}},
	{"accept-stray-continuation", "a continuation frame may begin a message", []Edit{{"if !l.inMessage {", "if !l.inMessage && h.rsv1 {"}}},
	{"accept-nested-message", "a message may begin inside another", []Edit{{"if l.inMessage {\n\t\treturn violation", "if l.inMessage && h.rsv2 {\n\t\treturn violation"}}},
	{"length-off-by-one", "a length of 125 is sent in 16 bits", []Edit{{"case h.length < 126:\n\t\tb = append", "case h.length < 125:\n\t\tb = append"}}},
	{"length-65536", "a length of 65536 is sent in 16 bits", []Edit{{"case h.length <= 0xFFFF:", "case h.length <= 0x10000:"}}},
	{"mask-offset", "the masking key begins anew with each piece of a payload", []Edit{{"mask.Copy(dst, src[:len(dst)], in.frame.key, in.pos())", "mask.Copy(dst, src[:len(dst)], in.frame.key, 0)"}}},
	{"mask-offset-direct", "the masking key begins anew with each direct read", []Edit{{"mask.XORLarge(dst, in.frame.key, in.pos(), ", "mask.XORLarge(dst, in.frame.key, 0*in.pos(), "}}},
	{"no-mask", "a client does not mask control frames and small messages", []Edit{{"length: int64(length)}\n\tif c.client {", "length: int64(length)}\n\tif c.client && length > 64 {"}, {"if !c.client {\n\t\tb.b = append(b.b, payload...)", "if !c.client || len(payload) <= 64 {\n\t\tb.b = append(b.b, payload...)"}}},

	// Text.
	{"text-unchecked", "text is not checked", []Edit{{"in.checking = h.opcode == opText && !h.rsv1", "in.checking = false"}}},
	{"text-not-across-frames", "text is checked anew in each frame", []Edit{{"if h.opcode != opContinuation {\n\t\tin.checking = h.opcode == opText && !h.rsv1\n\t\tin.text.Reset()",
		"in.text.Reset()\n\t\tif h.opcode != opContinuation {\n\t\t\tin.checking = h.opcode == opText && !h.rsv1"}}},
	{"text-end-unchecked", "text may end in the middle of a character", []Edit{{"ok = in.text.Done()", "_ = in.text.Done()"}}},
	{"text-write-unchecked", "a Writer's text may be cut between the bytes of a character", []Edit{{"if w.isText {\n\t\tfor i := len(p) - 1;", "if w.isText && len(p) < 2 {\n\t\tfor i := len(p) - 1;"}}},

	// Limits.
	{"limit-unchecked", "the read limit is not checked", []Edit{{"if m.size > most {", "if m.size > most+1<<40 {"}}},
	{"limit-per-frame", "the read limit counts frames, not messages", []Edit{{"if m.size > most {", "if m.frame.length > most {"}}},
	{"empty-fragments-unbounded", "a message may have any number of empty fragments", []Edit{{"m.empty > maxEmptyFrames {", "m.empty > maxEmptyFrames<<18 {"}}},
	{"read-ahead-unbounded", "the read-ahead holds any number of bytes and frames", []Edit{
		{"return parsedLimit - (len(a.bytes) - a.r) - len(a.frames)*recordSize", "return 1 << 20"}}},
	{"queue-unbounded", "the queue has no limit", []Edit{{"if o.size+maxHeader+len(payload) > limit {", "if o.size+maxHeader+len(payload) > limit+1<<30 {"}}},

	// Closing.
	{"close-twice", "a Close that came is answered after our Close too", []Edit{
		{"sendClose: {closeSent, refuse},", "sendClose: {closeSent, emit},"},
		{"o.closing && !o.closeLeft ||", "o.closing && !o.closeLeft && c.state != closed ||"},
		{"recvClose: {closed, finish},", "recvClose: {closeSent, finish},"},
		{"c.both = c.out.closeGone\n", "c.both = c.out.closeGone\n\t\tc.out.closeLeft = false\n\t\tgo c.kick()\n\t\tdefer c.end(nil)\n"}}},
	{"echo-1000", "the echo has always the code 1000", []Edit{{"c.out.close.set(payload)", "c.out.close.set([]byte{3, 232})"}}},
	{"echo-empty", "the echo has no code", []Edit{{"c.out.close.set(payload)", "c.out.close.set(nil)"}}},
	{"no-echo", "a Close that came is not answered", []Edit{{"if !c.out.closing {\n\t\t\t// Section", "if !c.client {\n\t\t\t// Section"}}},
	{"data-after-close", "data leaves after our Close", []Edit{{"sendData: {closeSent, refuse},", "sendData: {closeSent, emit},"},
		{"if p != nil && (c.isStopped || c.out.closing) {", "if p != nil && c.ended {"},
		{"if c.isStopped {\n\t\treturn c.stoppedReason()\n\t}\n\tif !c.enqueueLocked(l, p, c.settings.queueLimit) {", "if c.ended {\n\t\treturn c.stoppedReason()\n\t}\n\tif !c.enqueueLocked(l, p, c.settings.queueLimit) {"}}},
	{"pong-after-close", "pongs leave after our Close", []Edit{
		{"if pong && c.state.step(sendData) == emit {", "if pong && c.state.step(sendData) != invalid {"},
		{"if op != opClose {\n\t\tc.mu.Lock()", "if op == opPong {\n\t\tc.mu.Lock()"}}},
	{"close-before-queue", "our Close overtakes the messages in the queue", []Edit{{"if o.queue != nil && !o.midMessage {\n\t\tif c.state", "if o.queue != nil && !o.midMessage && !o.closing {\n\t\tif c.state"}}},
	{"accept-close-codes", "any code is accepted in a Close", []Edit{{"if !e.Code.sendable() {", "if !e.Code.sendable() && e.Code == 0 {"}}},
	{"accept-close-one-byte", "a Close of one byte is taken for an empty one", []Edit{{"if len(p) == 0 {\n\t\treturn CloseError{", "if len(p) <= 1 {\n\t\treturn CloseError{"}}},
	{"accept-close-reason", "the reason of a Close may be no UTF-8", []Edit{{"if !utf8.ValidString(e.Reason) {", "if !utf8.ValidString(e.Reason) && e.Code == 0 {"}}},
	{"client-closes-first", "a client does not wait for the server to close TCP", []Edit{{"over := !c.client || c.eof", "over := true || c.eof"}}},
	{"server-waits", "a server does not close TCP after the closing handshake", []Edit{{"over := !c.client || c.eof", "over := c.eof"}}},
	{"violation-silent", "a breach of the protocol is not answered by a Close frame", []Edit{{"c.failing = true\n\tc.beginCloseLocked(code, reason)\n\tc.mu.Unlock()\n\tc.kick()", "c.failing = code > 0 && reason != \"\"\n\tc.mu.Unlock()\n\tc.end(err)"}}},
	{"violation-stays", "after a breach of the protocol TCP stays open", []Edit{{"failed := o.closeLeft && c.failing && c.state == closeSent", "failed := o.closeLeft && c.failing && c.state == closed"}}},
	{"close-code-1002", "every breach is answered with 1002", []Edit{{"code, reason = p.Code, p.Reason", "reason = p.Reason"}}},
	{"close-waits-forever", "Close has no time-out", []Edit{{"if due[alarmClose] {", "if due[alarmClose] && t < 0 && t > 0 {"}}},
	{"second-close-hangs", "a second Close takes the read turn for itself", []Edit{{
		"c.expect.Add(1) // the peer's Close\n", "c.expect.Add(1) // the peer's Close\n\tif c.expect.Load() > 2 {\n\t\tc.mu.Unlock()\n\t\tc.readTurn.await(context.Background(), nil)\n\t\tc.mu.Lock()\n\t}\n"}}},
	{"closenow-polite", "CloseNow waits for the closing handshake", []Edit{{"c.end(errClosedNow)", "c.Close(StatusNormalClosure, \"\")"}}},
	{"close-ignores-context", "CloseContext does not look at its context", []Edit{{"case <-ctx.Done():\n\t\t\terr = ctx.Err()", "case <-make(chan int):\n\t\t\terr = ctx.Err()"}}},
	{"half-close-counts", "the closing handshake is over with our Close half written", []Edit{{"c.both = c.out.closeGone\n", "c.both = true\n"}}},
	{"cause-overwritten", "a later reason replaces the first", []Edit{{"if c.cause == nil {\n\t\tc.cause = reason\n\t}", "if reason != nil {\n\t\tc.cause = reason\n\t}"}}},
	{"lost-is-eof", "a lost connection looks like the peer's Close", []Edit{{"return fmt.Errorf(\"websocket: the connection was lost: %w\", err)", "return fmt.Errorf(\"websocket: the connection is gone: %w\", err)"}}},

	// Pings.
	{"no-pong", "Pings are not answered", []Edit{{"c.out.hasPong = true", "c.out.hasPong = len(payload) > 200"}}},
	{"pong-payload", "a Pong has not the Ping's payload", []Edit{{"c.out.pong.set(payload)", "c.out.pong.set(payload[:len(payload)/2])"}}},
	{"pong-blocks", "who reads a Ping waits until the Pong has left", []Edit{{"c.mu.Unlock()\n\t\tc.kick()\n\t\treturn nil", "c.mu.Unlock()\n\t\tif c.awaitWrite(c.Context()) == nil {\n\t\t\tc.writeOut()\n\t\t}\n\t\treturn nil"}}},
	{"pong-unsolicited", "a Ping is answered twice", []Edit{{"o.pong.bytes())\n", "o.pong.bytes())\n\t\tc.appendFrame(b, finBit|lead(opPong), o.pong.bytes())\n"}}},
	{"ping-returns-at-once", "Ping does not wait for the Pong", []Edit{{"case <-p.answered:\n", "case <-func() chan struct{} { ch := make(chan struct{}); close(ch); return ch }():\n"}}},
	{"keepalive-never", "keepalive does not end the connection", []Edit{{"return false, ErrPingTimeout", "return false, nil"}}},
	{"keepalive-deaf", "keepalive gives up though the peer answers", []Edit{{"c.heard.Store(now())\n\t\t\t} else if !c.hearing.Load() {\n\t\t\t\tc.hearing.Store(true)\n\t\t\t}", "}"}, {"c.heard.Store(now())\n\tif op", "if op"},
		{"c.pinged = 0\n\tif len(payload) != pingPayload {", "if len(payload) != pingPayload {"}}},
	{"control-blocked-by-writer", "no Pong and no Ping leaves while a Writer's message is under way", []Edit{{"if o.hasPong || o.hasPing {", "if (o.hasPong || o.hasPing) && !o.midMessage {"},
		{"o.rest != nil || o.hasPong || o.hasPing ||", "o.rest != nil || (o.hasPong || o.hasPing) && !o.midMessage ||"}}},
	{"nobody-reads", "without a Read nothing is read", []Edit{{"c.readerUp = true\n\tc.mu.Unlock()\n\tgo c.readAhead()", "c.mu.Unlock()\n\tc.readTurn.release()"}}},
	{"patrol-looks-on", "the patrol starts no reader goroutine", []Edit{{"if c.away() {\n\t\t\t\tc.ensureReader()", "if c.away() && t == 0 {\n\t\t\t\tc.ensureReader()"}}},
	{"looks-once", "who has just come out of Read is not looked at again", []Edit{{"c.visited.Store(false)\n\t\tc.watchOver()", "c.visited.Store(false)"}}},

	// Reading.
	{"read-cancelled-loses", "a Read that gives up loses what it had", []Edit{{"m.resume, m.partial = true, slices.Clone(buf[base:])", "m.resume, m.partial = true, slices.Clone(buf[:0])"}}},
	{"read-ahead-swapped", "frames come out of the read-ahead in the wrong order", []Edit{{"in.message.frame = a.frames[0]\n", "if len(a.frames) > 1 && a.frames[0].fin && a.frames[1].fin && a.frames[0].opcode != 0 && a.frames[1].opcode != 0 {\n\t\t\ta.frames[0], a.frames[1] = a.frames[1], a.frames[0]\n\t\t}\n\t\tin.message.frame = a.frames[0]\n"}}},
	{"read-ahead-loses", "the read-ahead forgets a byte when it makes room", []Edit{{"a.bytes = append(a.bytes[:0], a.bytes[a.r:]...)", "a.bytes = append(a.bytes[:0], a.bytes[min(a.r+1, len(a.bytes)):]...)"}}},
	{"reader-keeps-message", "a message that was left in the middle is not skipped", []Edit{{"if m.resume {\n\t\t\treturn nil\n\t\t}", "if m.resume || m.size > 0 {\n\t\t\treturn nil\n\t\t}"}}},
	{"old-reader-reads-on", "a reader whose message was discarded reads the next", []Edit{{"if m.number != r.number {", "if m.number < r.number {"}}},
	{"buffer-compaction", "bytes are lost when the buffer is moved", []Edit{{"in.w = copy(in.buf.b, in.buf.b[in.r:in.w])", "in.w = copy(in.buf.b, in.buf.b[min(in.r+1, in.w):in.w])"}}},
	{"read-deaf-to-context", "Read does not look at its context while it waits", []Edit{{"if ctx == nil || c.ownContext(ctx) || ctx.Done() == nil {\n\t\treturn\n\t}\n\tc.mu.Lock()\n\tif !c.ended && !c.readWatch", "if ctx == nil || ctx.Done() != nil {\n\t\treturn\n\t}\n\tc.mu.Lock()\n\tif !c.ended && !c.readWatch"}}},

	// Writing.
	{"write-cancelled-cuts", "a Write that gives up leaves its frame unfinished", []Edit{{"if len(rest)+len(tail) > 0 {\n\t\to.rest", "if len(rest)+len(tail) > 0 && p == nil {\n\t\to.rest"}}},
	{"write-cancelled-twice", "a Write that gives up is finished from its start", []Edit{{"rest = b.b[n:]\n\t\ttail = p.tail", "rest = b.b[b.own:]\n\t\ttail = p.tail"}}},
	{"write-deaf-to-context", "a blocked Write does not look at its context", []Edit{{"if ctx == nil || !c.resumes || c.ownContext(ctx) {", "if ctx == nil || c.resumes || c.ownContext(ctx) {"}}},
	{"close-behind-write", "Close does not unblock a Write", []Edit{{"if c.resumes {\n\t\tc.pokeWriteLocked() // a", "if !c.resumes && c.local {\n\t\tc.pokeWriteLocked() // a"}}},
	{"lazy-never-flushed", "what waits in the queue for company waits for ever", []Edit{
		{"if due[alarmFlush] && c.out.lazy {", "if due[alarmFlush] && c.out.lazy && t == 0 {"},
		{"if c.lazy.Load() {\n\t\t\tc.flushLazy()", "if c.lazy.Load() && c.Context().Err() != nil {\n\t\t\tc.flushLazy()"}}},
	{"queue-not-kicked", "what came to the queue while somebody wrote is forgotten", []Edit{{"pending := c.pendingLocked() && c.writeErr == nil\n", "pending := c.pendingLocked() && c.writeErr == nil && c.out.closing\n"}}},
	{"queue-interleaves", "queued messages leave between a Writer's fragments", []Edit{
		{"if o.queue != nil && !o.midMessage {\n", "if o.queue != nil {\n"},
		{"o.queue != nil && !o.lazy && !o.midMessage)", "o.queue != nil && !o.lazy)"}}},
	{"writer-not-exclusive", "Write does not wait for an open Writer", []Edit{{"{ return c.writing.Load() }", "{ return c.writing.Load() && c.Context().Err() != nil }"}}},
	{"writer-piece-twice", "a Writer sends a piece again if its context ended in the middle", []Edit{{"if sent {\n\t\tw.buf.b = append(w.buf.b[:0], w.buf.b[n:]...)", "if sent && err == nil {\n\t\tw.buf.b = append(w.buf.b[:0], w.buf.b[n:]...)"}}},
	{"writer-first-opcode", "all fragments of a Writer have the message's opcode", []Edit{{"if sent {\n\t\tw.opcode = opContinuation", "if sent && fin {\n\t\tw.opcode = opContinuation"}}},
	{"drop-last-byte", "messages of 8193 bytes lose their last", []Edit{{"l := finBit | lead(op)\n\tswitch {\n\tcase c.deflate", "l := finBit | lead(op)\n\tif len(p) == 8193 {\n\t\tp = p[:8192]\n\t}\n\tswitch {\n\tcase c.deflate"}}},
	{"tail-unmasked", "the rest of a large message that was interrupted is not masked", []Edit{{"mask.XOR(b.b[start:], p.key, pos)\n", "_ = mask.XOR\n"}}},
}
