package mutants

// writingDuties: what is pending leaves, in its order and once; the turn comes back.
var writingDuties = []Duty{
	// What is pending.
	{Mutant{"compressed-taken-back", "a compressed message that has moved the window does not leave", []Edit{{"Conn.writeCompressed", "smaller && c.deflate.out.Takeover()", "smaller && !smaller"}}}, By{".", "TestGiveUpCompressed"}},
	{Mutant{"compressed-must-leave", "a compressed message leaves though its context has ended, without need", []Edit{{"Conn.writeCompressed", "smaller && c.deflate.out.Takeover()", "smaller"}}}, By{".", "TestGiveUpCompressed"}},
	{Mutant{"pongs-at-one", "only the newest of several Pings is answered", []Edit{{"sender.addPong", "if p.count == maxPongs {", "if p.count == 1 {\n\t\tp.b, p.count = p.b[:0], 0\n\t}\n\tif p.count == maxPongs {"}}}, By{".", "TestPongsInOrder"}},
	{Mutant{"pongs-unbounded", "any number of Pongs waits", []Edit{{"sender.addPong", "if p.count == maxPongs {", "if p.count < 0 {"}}}, By{".", "TestPongsCoalesce"}},
	{Mutant{"pongs-behind-queue", "Pongs leave behind what is queued", []Edit{{"sender.collectQueue", "control.B = append(control.B, queue.B...)", "control.B = slices.Concat(queue.B, control.B)"}}}, By{".", "TestPongBeforeAnswer"}},
	{Mutant{"pongs-behind-data", "a message does not bring the Pongs with it that are pending", []Edit{{"sender.collect", "if s.pongsWait() || s.ping != 0 {", "if (s.pongsWait() || s.ping != 0) && f == nil {"}}}, By{".", "TestPongBeforeAnswer"}},
	{Mutant{"rest-dropped", "what is left of a batch of the writer goroutine's is dropped", []Edit{{"sender.suspend", "left, tail = b.buf.B[n:], b.buf.Tail", "left, tail = b.buf.B[:0], b.buf.Tail"}}}, By{".", "TestQueueHasRoomAgain"}},
	{Mutant{"rest-keeps-room", "what is left of a batch keeps its room in the queue for ever", []Edit{{"Conn.flushRest", "queued: r.queued}", "queued: 0}"}}}, By{".", "TestQueueHasRoomAgain"}},
	{Mutant{"sent-keeps-room", "what has left the queue keeps its room", []Edit{{"sender.wrote", "s.size = max(s.size-queued, 0)", ""}}}, By{".", "TestQueueHasRoomAgain"}},
	{Mutant{"refused-keeps-room", "what is refused of the queue keeps its room", []Edit{{"sender.add", "s.size -= reserved", ""}}}, By{".", "TestQueueHasRoomAgain"}},
	{Mutant{"reserved-too-late", "a compressor's window moves before there is room in the queue", []Edit{{"Conn.tryWriteCompressed", "reserved := !stopped && c.sender.reserve(room)", "reserved := !stopped && room > 0"},
		{"Conn.tryWriteCompressed", "c.enqueue(first, p, size, room)", "c.enqueue(first, p, size, 0)"}}}, By{".", "TestTryWriteReserves"}},
	{Mutant{"mid-message-stays", "a first fragment that was taken back counts as sent", []Edit{{"sender.suspend", "s.midMessage = f.first.opcode() == opContinuation", ""}}}, By{".", "TestWriterTakenBack"}},
	{Mutant{"mid-message-ends", "a message that could not be ended counts as ended", []Edit{{"messageWriter.finish", "c.sender.writer = noWriter", "c.sender.midMessage = false\n\tc.sender.writer = noWriter"}}}, By{".", "TestWriterEndedHalfway"}},
	{Mutant{"mid-message-left", "a later fragment that was taken back ends the message", []Edit{{"sender.suspend", "s.midMessage = f.first.opcode() == opContinuation", "s.midMessage = false"}}}, By{".", "TestWriterTakenBack"}},
	{Mutant{"taken-back-leaves", "a Write that gives up before its first byte is sent all the same", []Edit{{"sender.suspend", "case n <= b.own && !f.mustSend && !f.committed:", "case n < b.own && !f.mustSend && !f.committed:"}}}, By{".", "TestGiveUpBeforeFirstByte"}},
	{Mutant{"window-taken-back", "a compressed message that moved the window is taken back", []Edit{{"sender.suspend", "case n <= b.own && !f.mustSend && !f.committed:", "case n <= b.own && !f.committed:"}}}, By{".", "TestCompressedTakenBack"}},

	// Who writes.
	{Mutant{"try-write-waits", "a message of TryWrite waits for somebody to write", []Edit{{"Conn.TryWrite", "c.flushNow()", ""}}}, By{".", "TestTryWrite"}},
	{Mutant{"flush-starts-nobody", "where one can't try to write, nobody does", []Edit{{"Conn.flushNow", "c.wakeWriter()", ""}}}, By{".", "TestTryWrite"}},
	{Mutant{"flush-keeps-turn", "an attempt to write keeps the write turn", []Edit{{"Conn.flushNow", "c.leaveWrite()", ""}}}, By{".", "TestTryWrite"}},
	{Mutant{"leave-looks-on", "who lets go of the write turn starts no writer goroutine", []Edit{{"Conn.leaveWrite", "c.wakeWriter()", ""}}}, By{".", "TestGiveUpHandedTheWriteTurn"}},
	{Mutant{"leave-forgets-the-end", "who lets go of the write turn does not look whether the last attempt is to be made", []Edit{{"Conn.leaveWrite", "if c.has(hasPending | ending) {", "if c.has(hasPending) {"}}}, By{".", "TestLastWordsOfWrite"}},
	{Mutant{"writer-keeps-turn", "the writer goroutine ends with the write turn", []Edit{{"Conn.writeOut", "c.leaveWrite()", ""}}}, By{".", "TestTryWrite"}},
	{Mutant{"open-writer-keeps-turn", "a Write that finds a Writer open keeps the write turn", []Edit{{"Conn.tryTakeWrite", "c.leaveWrite()", ""}}}, By{".", "TestWriter"}},
	{Mutant{"line-keeps-turn", "a Write that was handed the turn while a Writer is open keeps it", []Edit{{"Conn.takeWrite", "c.leaveWrite()", ""}}}, By{".", "TestWriter"}},
	{Mutant{"fragment-keeps-turn", "a fragment that the compressor keeps has the write turn for ever", []Edit{{"messageWriter.fragment", "c.leaveWrite() // the compressor", "_ = c // the compressor"}}}, By{".", "TestDeflateWrite"}},
	{Mutant{"writer-not-gone", "who waits for a Writer does not hear that it is closed", []Edit{{"messageWriter.finish", "close(m.writerClosed)", ""}}}, By{".", "TestWriter"}},
	{Mutant{"writer-unfinished", "a message whose Writer was closed too late is not ended", []Edit{{"messageWriter.close", "w.fragment(w.c.Context(), payload[:w.whole(payload)], true)", ""}}}, By{".", "TestGiveUpWriterBeforeLastFragment"}},
	{Mutant{"writer-unfinished-for-others", "nothing passes a message that was ended in the background", []Edit{{"messageWriter.close", "true)\n\t\t\tw.finish()", "true)"}}}, By{".", "TestGiveUpWriterBeforeLastFragment"}},
	{Mutant{"writer-keeps-window", "a compressed message that nothing has left of stays in the compressor", []Edit{{"messageWriter.close", "w.c.deflate.out.Abandon()", ""}}}, By{".", "TestWriterAbandoned"}},
	{Mutant{"write-goes-on", "a Write that was interrupted does not look why", []Edit{{"Conn.sendRest", "if err := c.mayGoOn(ctx, p); err != nil {", "if err := c.mayGoOn(nil, untilGone); err != nil && err != errOver {"}}}, By{".", "TestCloseUnblocks"}},
	{Mutant{"last-words-too-early", "where one can't try to write, the last attempt fails at once", []Edit{{"Conn.lastWords", "if due && p == tryOnce && !c.transport.Tries() {", "if due && p == tryOnce && !c.transport.Tries() && p == untilGone {"}}}, By{".", "TestLastWordsOfWrite"}},
	{Mutant{"last-words-unspoken", "the last attempt writes nothing", []Edit{{"Conn.lastWords", "due := !c.closing.noWrites && c.sender.waits(&c.closing)", "due := false"}}}, By{".", "TestLastWordsOfWrite"}},
	{Mutant{"ping-never-left", "nobody hears when a Ping has left", []Edit{{"Conn.wrote", "if b.ping != 0 {", "if b.ping != 0 && b.queued < 0 {"}}}, By{".", "TestKeepAlive"}},
}
