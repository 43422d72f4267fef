package mutants

// Table is the faults that break what the protocol or the documentation promises.
// The conformance suite has to find those that an echo shows, and the simulation
// most of the others.
var Table = []Mutant{
	// Framing.
	{"accept-unmasked", "a server accepts frames that are not masked", []Edit{{"header.check", "if l.fromClient && !h.masked {", "if l.fromClient && !h.masked && h.rsv2 {"}}},
	{"accept-masked", "a client accepts frames that are masked", []Edit{{"header.check", "if !l.fromClient && h.masked {", "if !l.fromClient && h.masked && h.rsv2 {"}}},
	{"accept-rsv23", "RSV2 and RSV3 are ignored", []Edit{{"header.check", "if h.rsv2 || h.rsv3 {", "if h.rsv2 && h.rsv3 {"}}},
	{"accept-rsv1", "RSV1 is ignored", []Edit{{"header.check", "if h.rsv1 && !l.deflate {", "if h.rsv1 && !l.deflate && h.rsv2 {"},
		{"receiver.next", "r.frame = h\n", "h.rsv1 = h.rsv1 && deflate\n\tr.frame = h\n"}}},
	{"accept-reserved-opcode", "reserved opcodes are taken for something", []Edit{{"header.check", "if h.opcode > opPong || h.opcode > opBinary && !h.opcode.control() {", "if h.opcode > 15 {"}}},
	{"accept-long-control", "control frames may have more than 125 bytes", []Edit{{"header.check", "if h.length > maxControlPayload {", "if h.length > 2*maxControlPayload {"}}},
	{"accept-fragmented-control", "control frames may be fragmented", []Edit{{"header.check", "if !h.fin {", "if !h.fin && h.length > maxControlPayload {"}}},
	{"accept-long-length-16", "a 16-bit length need not be the shortest form", []Edit{{"parseHeader", "if length < 126 {", "if length > 1<<16 {"}}},
	{"accept-long-length-64", "a 64-bit length need not be the shortest form", []Edit{{"parseHeader", "if length <= 0xFFFF {", "if length == 0 {"}}},
	{"accept-stray-continuation", "a continuation frame may begin a message", []Edit{{"header.check", "if !l.inMessage {", "if !l.inMessage && h.rsv1 {"}}},
	{"accept-nested-message", "a message may begin inside another", []Edit{{"header.check", "if l.inMessage {", "if l.inMessage && h.rsv2 {"}}},
	{"length-off-by-one", "a length of 125 is sent in 16 bits", []Edit{{"appendLength", "case length < 126:", "case length < 125:"}}},
	{"length-65536", "a length of 65536 is sent in 16 bits", []Edit{{"appendLength", "case length <= 0xFFFF:", "case length <= 0x10000:"}}},
	{"mask-offset", "the masking key begins anew with each piece of a payload", []Edit{{"receiver.take", "mask.Copy(dst, src[:len(dst)], r.frame.key, pos)", "mask.Copy(dst, src[:len(dst)], r.frame.key, 0)"}}},
	{"mask-offset-direct", "the masking key begins anew with each direct read", []Edit{{"receiver.take", "mask.XORLarge(dst, r.frame.key, pos, ", "mask.XORLarge(dst, r.frame.key, 0*pos, "}}},
	{"no-mask", "a client does not mask control frames and small messages", []Edit{{"account.appendFrame", "if !a.client {", "if !a.client || len(payload) <= 64 {"}}},

	// Text.
	{"text-unchecked", "text is not checked", []Edit{{"receiver.begin", "r.checking = h.opcode == opText && !h.rsv1 && !r.anyText", "r.checking = false"}}},
	{"text-not-across-frames", "text is checked anew in each frame", []Edit{{"receiver.begin", "if h.opcode != opContinuation {\n\t\tr.checking = h.opcode == opText && !h.rsv1 && !r.anyText\n\t\tr.text.Reset()",
		"r.text.Reset()\n\tif h.opcode != opContinuation {\n\t\tr.checking = h.opcode == opText && !h.rsv1 && !r.anyText"}}},
	{"text-end-unchecked", "text may end in the middle of a character", []Edit{{"receiver.checkText", "ok = r.text.Done()", "_ = r.text.Done()"}}},
	{"text-write-unchecked", "a Writer's text may be cut between the bytes of a character", []Edit{{"messageWriter.whole", "if w.isText {", "if w.isText && len(p) < 2 {"}}},

	// Limits.
	{"limit-unchecked", "the read limit is not checked", []Edit{{"receiver.enter", "if m.size > most {", "if m.size > most+1<<40 {"}}},
	{"limit-per-frame", "the read limit counts frames, not messages", []Edit{{"receiver.enter", "if m.size > most {", "if m.frame.length > most {"}}},
	{"empty-fragments-unbounded", "a message may have any number of empty fragments", []Edit{{"receiver.enter", "if m.empty++; m.empty > maxEmptyFrames {", "if m.empty = 1; m.empty > maxEmptyFrames {"}}},
	{"read-ahead-unbounded", "the read-ahead holds any number of bytes and frames", []Edit{{"readAhead.left", "return parsedLimit - (len(a.bytes) - a.r) - len(a.frames)*recordSize", "return 1 << 20"}}},
	{"queue-unbounded", "the queue has no limit", []Edit{{"sender.add", "if len(payload) > limit-s.size-maxHeader {", "if len(payload) > 1<<30-s.size {"}}},

	// Closing.
	{"close-twice", "a Close that came is answered after our Close too", []Edit{
		{"closeTable", "sendClose: {closeSent, refuse},", "sendClose: {closeSent, emit},"},
		{"closeTable", "recvClose: {closed, finish},", "recvClose: {closeSent, echo},"},
		{"closing.received", "if c.ours == none { // S", "if c.ours != leaving { // S"}}},
	{"echo-1000", "the echo has always the code 1000", []Edit{{"closing.received", "c.payload = payload", "c.payload = \"\\x03\\xe8\""}}},
	{"echo-empty", "the echo has no code", []Edit{{"closing.received", "c.payload = payload", "c.payload = \"\""}}},
	{"no-echo", "a client does not answer a Close that came", []Edit{{"closing.received", "if c.payload = payload; !c.passive {", "if c.payload = payload; !c.server {\n\t\t\tc.ours = written\n\t\t\treturn bound | keepReading\n\t\t}\n\t\tif !c.passive {"}}},
	{"data-after-close", "data leaves after our Close", []Edit{{"closeTable", "sendData: {closeSent, refuse},", "sendData: {closeSent, emit},"},
		{"closing.stopped", "return c.state != open || c.ours != none ||", "return c.state != open && c.state != closeSent ||"}}},
	{"pong-after-close", "pongs leave after our Close", []Edit{
		{"closeTable", "recvData: {closeSent, ignore},", "recvData: {closeSent, deliver},"},
		{"sender.collectControl", "if !c.mayLeave(sendData) {", "if !c.mayLeave(sendData) && c.state != closeSent {"}}},
	{"close-before-queue", "our Close overtakes the messages in the queue", []Edit{{"sender.collect", "if s.queue != nil && !s.midMessage {", "if s.queue != nil && !s.midMessage && c.ours != due {"}}},
	{"accept-close-codes", "any code is accepted in a Close", []Edit{{"parseClose", "if !e.Code.sendable() {", "if !e.Code.sendable() && e.Code == 0 {"}}},
	{"accept-close-one-byte", "a Close of one byte is taken for an empty one", []Edit{{"parseClose", "if len(p) == 0 {", "if len(p) <= 1 {"}}},
	{"accept-close-reason", "the reason of a Close may be no UTF-8", []Edit{{"parseClose", "if !utf8.ValidString(e.Reason) {", "if !utf8.ValidString(e.Reason) && e.Code == 0 {"}}},
	{"client-closes-first", "a client does not wait for the server to close TCP", []Edit{{"closing.complete", "if c.server || c.eof {", "if true || c.server || c.eof {"}}},
	{"server-waits", "a server does not close TCP after the closing handshake", []Edit{{"closing.complete", "if c.server || c.eof {", "if c.eof {"},
		{"closing.last", "return c.server && c.ours == leaving && c.state == closed", "return false"}}},
	{"violation-silent", "a breach of the protocol is not answered by a Close frame", []Edit{{"closing.fail", "c.ours, c.payload = due, payload", "return c.end(cause)"}}},
	{"violation-stays", "after a breach of the protocol TCP stays open", []Edit{{"closing.wrote", "case !c.over && c.by == violation:", "case !c.over && c.by == violation && c.state == open:"}}},
	{"close-code-1002", "every breach is answered with 1002", []Edit{{"Conn.fail", "code, reason = err.Code, err.Reason", "reason = err.Reason"}}},
	{"close-waits-forever", "Close has no time-out", []Edit{{"Conn.ring", "if due.Has(alarmClose) {", "if due.Has(alarmClose) && t == 0 {"}}},
	{"second-close-hangs", "a second Close takes the read turn for itself", []Edit{{"Conn.CloseContext", "code, reason, misuse := checkClose(code, reason)\n",
		"code, reason, misuse := checkClose(code, reason)\n\tif c.has(closedByUs) {\n\t\tc.supervisor.Turn.Await(nil, nil)\n\t}\n"}}},
	{"closenow-polite", "CloseNow waits for the closing handshake", []Edit{{"Conn.CloseNow", "c.end((*closing).abandon, errClosedNow)", "c.Close(StatusNormalClosure, \"\")"}}},
	{"close-ignores-context", "CloseContext does not look at its context", []Edit{{"Conn.CloseContext", "case <-ctx.Done():", "case <-make(chan int):"}}},
	{"half-close-counts", "the closing handshake is over with our Close half written", []Edit{{"closing.received", "case action == finish && c.ours == written:", "case action == finish:"}}},
	{"cause-overwritten", "a later reason replaces the first", []Edit{{"closing.end", "cmp.Or(c.cause, reason), reason", "reason, reason"}}},
	{"lost-is-eof", "a lost connection looks like the end of a stream", []Edit{{"endOfStream.Unwrap", "return io.ErrUnexpectedEOF", "return io.EOF"}}},

	// Pings.
	{"no-pong", "Pings are not answered", []Edit{{"Conn.control", "if answer {", "if answer && len(payload) > 200 {"}}},
	{"pong-payload", "a Pong has not the Ping's payload", []Edit{{"Conn.control", "c.pong(payload)", "c.pong(payload[:len(payload)/2])"}}},
	{"pong-blocks", "who reads a Ping waits until the Pong has left", []Edit{{"Conn.pong", "c.unlock()\n", "c.unlock()\n\tif c.awaitWrite(c.Context()) == nil {\n\t\tc.writeOut()\n\t}\n"}}},
	{"pong-unsolicited", "a Ping is answered twice", []Edit{{"sender.collectControl", "s.appendFrame(b, finBit|firstByte(opPong), p[1:n])\n", "s.appendFrame(b, finBit|firstByte(opPong), p[1:n])\n\t\ts.appendFrame(b, finBit|firstByte(opPong), p[1:n])\n"}}},
	{"ping-returns-at-once", "Ping does not wait for the Pong", []Edit{{"Conn.Ping", "case <-w.Answered:\n\t\treturn nil\n\tcase <-ctx", "case <-passed:\n\t\treturn nil\n\tcase <-ctx"}}},
	{"keepalive-never", "keepalive does not end the connection", []Edit{{"Conn.checkAlive", "c.end((*closing).end, ErrPingTimeout)\n\t\treturn\n", "again = 1 << 42 // more than an hour\n"}}},
	{"keepalive-deaf", "keepalive gives up though the peer answers", []Edit{{"internal/keepalive.State.Came", "k.hearing.Store(true)", "k.hearing.Store(false)"},
		{"internal/keepalive.State.Heard", "k.heard.Store(t)", "_ = t"},
		{"internal/keepalive.State.Answered", "k.probe = nil\n", ""}}},
	{"control-blocked-by-writer", "no Pong and no Ping leaves while a Writer's message is under way", []Edit{{"sender.collect", "if s.pongsWait() || s.ping != 0 {", "if (s.pongsWait() || s.ping != 0) && !s.midMessage {"},
		{"sender.pending", "s.ping != 0 || s.pongsWait() && !s.corked ||", "(s.ping != 0 || s.pongsWait() && !s.corked) && !s.midMessage ||"}}},
	{"nobody-reads", "without a Read nothing is read", []Edit{{"Conn.startReader", "c.supervisor.StartReader()", "c.supervisor.Running.Store(false)\n\t\tc.supervisor.Turn.Release()"}}},
	{"patrol-looks-on", "the look at the application starts no reader goroutine", []Edit{{"background.Look", "if away {", "if away && t == 0 {"}}},
	{"looks-once", "who has just come out of Read is not looked at again", []Edit{{"internal/supervisor.Supervisor.Away", "return false, s.Scheduled.CompareAndSwap(false, true)", "return false, false"}}},

	// Reading.
	{"read-cancelled-loses", "a Read that gives up loses what it had", []Edit{{"gathering.hold", "g.buf[min(g.base, len(g.buf)):]...", "g.buf[:0]..."}}},
	{"read-ahead-swapped", "frames come out of the read-ahead in the wrong order", []Edit{{"readAhead.pop", "first := a.frames[0]\n", "if len(a.frames) > 1 && a.frames[0].fin && a.frames[1].fin && a.frames[0].opcode != 0 && a.frames[1].opcode != 0 {\n\t\ta.frames[0], a.frames[1] = a.frames[1], a.frames[0]\n\t}\n\tfirst := a.frames[0]\n"}}},
	{"read-ahead-loses", "the read-ahead forgets a byte when it makes room", []Edit{{"readAhead.room", "a.bytes = append(a.bytes[:0], a.bytes[a.r:]...)", "a.bytes = append(a.bytes[:0], a.bytes[min(a.r+1, len(a.bytes)):]...)"}}},
	{"reader-keeps-message", "a message that was left in the middle is not skipped", []Edit{{"Conn.beginMessage", "if m.resume {", "if m.resume || m.size > 0 {"}}},
	{"old-reader-reads-on", "a reader whose message was discarded reads the next", []Edit{{"messageReader.read", "if m.number != r.number {", "if m.number < r.number {"}}},
	{"buffer-compaction", "bytes are lost when the buffer is moved", []Edit{{"internal/transport.Inbox.Room", "copy(in.buf.B, in.buf.B[in.r:in.w])", "copy(in.buf.B, in.buf.B[min(in.r+1, in.w):in.w])"}}},
	{"read-deaf-to-context", "Read does not look at its context while it waits", []Edit{{"internal/transport.Conn.Read", "t.watchRead(ctx)", ""}}},

	// Writing.
	{"write-cancelled-cuts", "a Write that gives up leaves its frame unfinished", []Edit{{"sender.suspend", "if whole = len(left)+len(tail) == 0; !whole {", "if whole = len(left)+len(tail) == 0; !whole && f == nil {"}}},
	{"write-cancelled-twice", "a Write that gives up is finished from its start", []Edit{{"sender.suspend", "left, tail = b.buf.B[n:], f.tail", "left, tail = b.buf.B[b.own:], f.tail"}}},
	{"write-deaf-to-context", "a blocked Write does not look at its context", []Edit{{"internal/transport.Conn.Write", "i.watch(ctx, t.InterruptWrite)", "_ = i"}}},
	{"close-behind-write", "Close does not unblock a Write", []Edit{{"closing.begin", "return bound | interruptWrite | interruptRead |", "return bound | interruptRead |"}}},
	{"lazy-never-flushed", "what waits in the queue for company waits for ever", []Edit{
		{"Conn.ring", "if due.Has(alarmCork) {", "if due.Has(alarmCork) && t == 0 {"},
		{"Conn.receive", "if c.has(hasPending | hasCorked) {", "if c.has(hasPending) {"}}},
	{"queue-not-kicked", "what came to the queue while somebody wrote is forgotten", []Edit{{"Conn.leaveWrite", "if c.has(hasPending | ending) {", "if c.has(ending) {"}}},
	{"queue-interleaves", "queued messages leave between a Writer's fragments", []Edit{
		{"sender.collect", "if s.queue != nil && !s.midMessage {", "if s.queue != nil {"},
		{"sender.dataLeaves", "s.queue != nil && !s.midMessage", "s.queue != nil"}}},
	{"writer-not-exclusive", "Write does not wait for an open Writer", []Edit{{"Conn.unlock", "bit(writerIsOpen, s.writer != noWriter)", "bit(writerIsOpen, s.writer != noWriter && cl.over)"}}},
	{"writer-piece-twice", "a Writer sends a piece again if its context ended in the middle", []Edit{{"messageWriter.flush", "if sent {", "if sent && err == nil {"}}},
	{"writer-first-opcode", "all fragments of a Writer have the message's opcode", []Edit{{"messageWriter.fragment", "if sent {", "if sent && fin {"}}},
	{"drop-last-byte", "messages of 8193 bytes lose their last", []Edit{{"Conn.write", "first := finBit | firstByte(op)\n", "first := finBit | firstByte(op)\n\tif len(p) == 8193 {\n\t\tp = p[:8192]\n\t}\n"}}},
	{"tail-unmasked", "the rest of a large message that was interrupted is not masked", []Edit{{"Conn.sendMasked", "mask.XOR(b.B[start:], f.key, pos)\n", "_ = mask.XOR\n"}}},
}
