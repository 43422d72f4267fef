package mutants

// statsDuties: nothing is counted or told of twice, too early, or not at all.
var statsDuties = []Duty{
	{Mutant{"frames-uncounted", "data frames that came are not counted", []Edit{{"receiver.begin", "r.fresh.frames++", ""}}}, By{".", "TestStats"}},
	{Mutant{"counts-unpublished", "a Read that waits keeps what it has counted to itself", []Edit{{"Conn.receive", "c.publish()", ""}}}, By{".", "TestStatsWhileReading"}},
	{Mutant{"taken-back-counts", "a frame that was taken back counts as written", []Edit{{"sender.suspend", "s.count(f, -1)", ""}}}, By{".", "TestStatsTakenBackWhole"}},
	{Mutant{"dropped-uncounted", "messages that are dropped at the end are not counted", []Edit{{"sender.drop", "s.counters.add(messagesDropped, int64(s.queue.Messages))", ""}}}, By{".", "TestStatsQueued"}},
	{Mutant{"close-uncounted", "our Close frame is not counted", []Edit{{"sender.collect", "s.counters.add(framesWritten, 1)", ""}}}, By{".", "TestTraceMessages"}},
	{Mutant{"resumed-counts-twice", "a message that a Reader goes on with counts twice", []Edit{{"Conn.inflateRest", "counted: true, ", ""}}}, By{".", "TestStatsResumed"}},
	{Mutant{"saved-uncounted", "the size of a Writer's message is what was left of it by compression", []Edit{{"messageWriter.fragment", "payload, w.kept+size", "payload, len(payload)"}}}, By{".", "TestStatsOfBothEnds"}},
	{Mutant{"carry-forgets", "a count that outgrows 32 bits twice forgets the first time", []Edit{{"counters.carry", "c.carried[i] += sum", "c.carried[i] = sum"}}}, By{".", "TestCounters"}},
	{Mutant{"heartbeat-answers", "a Pong that answers nothing hides the one that answers", []Edit{{"internal/keepalive.State.Answered", "if len(payload) != PayloadSize {", "if len(payload) != PayloadSize || payload[0] < 128 {\n\t\tk.probe = nil"}}}, By{"./internal/keepalive", "TestHeartbeat"}},
	{Mutant{"closed-undropped", "Closed is told of what is still queued and will be dropped", []Edit{{"Conn.perform", "c.closing.hungUp = true", "c.closing.hungUp = true\n\t\t\tc.hooks.hungUp()"}}}, By{".", "TestClosedStats"}},
	{Mutant{"round-trip-zero", "a Pong that was fast was not measured", []Edit{{"internal/keepalive.Wait.roundTrip", "time.Microsecond), true", "0), true"}}}, By{"./internal/keepalive", "TestFastPong"}},
	{Mutant{"round-trip-from-asked", "the round trip has the time in it that the Ping waited behind others", []Edit{{"internal/keepalive.Wait.roundTrip", "max(w.Asked, w.written)", "w.Asked"}}}, By{".", "TestStatsRTTBehindOthers"}},

	{Mutant{"trace-simple-untold", "a frame that comes alone is not told of", []Edit{{"Conn.takeSimple", "c.hooks.frameRead(dataFrame, r.frame.opcode, 0, &r.frame)", ""}}}, By{".", "TestTraceAndStats"}},
	{Mutant{"trace-rest-untold", "frames that are written in pieces are not told of", []Edit{{"Conn.flushRest", "c.hooks.framesLeft(0)", ""}}}, By{".", "TestTraceSuspended"}},
	{Mutant{"trace-whole-untold", "of a batch that is given up, the frames that have left are not told of", []Edit{{"Conn.suspend", "c.hooks.framesSuspended(f != nil && !f.committed, left, ended)", "_ = left"}}}, By{".", "TestTraceLostBehind"}},
	{Mutant{"trace-taken-back", "a frame that was taken back is told of", []Edit{{"hooks.framesSuspended", "t.leaving = t.leaving[:n-1]", "_ = n"}}}, By{".", "TestStatsTakenBackWhole"}},
	{Mutant{"trace-closed-again", "the end is told of again and again", []Edit{{"hooks.hungUp", "h.trace.ended = true", "go h.trace.deliver()\n\t\th.trace.events = append(h.trace.events, closeNote{ended: true})"}}}, By{".", "TestTraceClose"}},
}
