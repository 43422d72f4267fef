package mutants

// groupsDuties: what is broadcast comes, in order, once, and is counted; who is slow is found; who joins or leaves is not
// forgotten.
var groupsDuties = []Duty{
	// What waits in the backlog.
	{Mutant{"write-overtakes", "a Write does not stay behind what was broadcast before", []Edit{{"Conn.write", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"try-write-overtakes", "a TryWrite does not stay behind what was broadcast before", []Edit{{"Conn.TryWrite", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"prepared-overtakes", "a WritePrepared does not stay behind what was broadcast before", []Edit{{"Conn.WritePrepared", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"try-prepared-overtakes", "a TryWritePrepared does not stay behind what was broadcast before", []Edit{{"Conn.TryWritePrepared", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"writer-overtakes", "a Writer does not stay behind what was broadcast before", []Edit{{"Conn.Writer", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"close-overtakes", "what was broadcast before Close is not sent", []Edit{{"Conn.CloseContext", "if c.has(subscribed) {", "if false {"}}}, By{".", "TestGroupOrder"}},
	{Mutant{"turn-overtakes", "a Write that has waited for its turn overtakes the backlog", []Edit{{"Conn.takeWrite", "return c.clearBacklog(ctx)", "return nil"}}}, By{".", "TestPreparedBehindStall"}},
	{Mutant{"pull-flushes-not", "what a member takes is not written", []Edit{{"Conn.pull", "c.flushNow()", ""}}}, By{".", "TestGroup"}},
	{Mutant{"prepared-flushes-not", "what TryWritePrepared leaves is not written", []Edit{{"Conn.TryWritePrepared", "c.flushNow()", ""}}}, By{".", "TestPreparedMessage"}},
	{Mutant{"prepared-starts-nobody", "what WritePrepared leaves in the backlog is written by nobody", []Edit{{"sender.pending", "s.dataLeaves(c) && !s.corked", "s.queue != nil && !s.midMessage && !s.corked"}}}, By{".", "TestTryWritePreparedLimits"}},
	{Mutant{"backlog-last-words", "the last attempt forgets the backlog", []Edit{{"sender.waits", "s.dataLeaves(c)", "s.queue != nil && !s.midMessage"}}}, By{".", "TestGroupLastWords"}},
	{Mutant{"backlog-some-last-words", "the last attempt is for one batch of the backlog", []Edit{{"backlog.collect", "> transport.BufferSize && !large && !c.over", "> transport.BufferSize && !large"}}}, By{".", "TestGroupLastWords"}},
	{Mutant{"close-before-backlog", "our Close leaves before the backlog", []Edit{{"sender.collect", "!s.backlogLeaves(c) && ", ""}}}, By{".", "TestGroupCloseBehindBacklog"}},
	{Mutant{"backlog-inside-message", "the backlog leaves inside a fragmented message", []Edit{{"sender.backlogLeaves", "s.backlog.waits() && !s.midMessage", "s.backlog.waits()"}}}, By{".", "TestGroupWhileWriterIsOpen"}},
	{Mutant{"backlog-inside-compressor", "the backlog leaves while the compressor is inside a message", []Edit{{"Conn.holdBacklog", "c.sender.writer = writerCompresses", ""}}}, By{".", "TestGroupWhileWriterIsOpen"}},
	{Mutant{"held-backlog-lost", "our Close leaves before what waits for a message in the compressor", []Edit{{"sender.backlogLeaves", "(s.writer != writerCompresses || c.stopped())", "s.writer != writerCompresses"}}}, By{".", "TestGroupCloseBehindHeldBacklog"}},
	{Mutant{"queue-behind-compressor", "the queue waits, too, while the compressor is inside a message", []Edit{{"sender.collect", "if s.queue != nil && !s.midMessage {", "if s.queue != nil && !s.midMessage && s.writer != writerCompresses {"}}}, By{".", "TestDeflateWriterBehindQueue"}},
	{Mutant{"shared-tail-lost", "what is left of a large shared frame is dropped", []Edit{{"sender.suspend", "tail = b.buf.Tail[n-len(b.buf.B):]", "tail = nil"}}}, By{".", "TestPreparedMessage"}},
	{Mutant{"shared-rest-lost", "the large frame behind what is left of a batch is dropped", []Edit{{"sender.suspend", "left, tail = b.buf.B[n:], b.buf.Tail", "left = b.buf.B[n:]"}}}, By{".", "TestPreparedCut"}},
	{Mutant{"backlog-not-recorded", "what leaves the backlog compressed is not in the compressor's window", []Edit{{"account.encode", "z.Record(g.message.payload())", "_ = z"}}}, By{".", "TestGroupCompressed"}},
	{Mutant{"prepared-not-recorded", "a prepared message that leaves compressed is not in the compressor's window", []Edit{{"Conn.writePrepared", "c.deflate.out.Record(m.payload())", ""}}}, By{".", "TestPreparedCompressed"}},
	{Mutant{"reference-takes-no-room", "a reference takes no room in the queue", []Edit{{"backlog.add", "a.size += a.cost(g.form)", ""}}}, By{".", "TestTryWritePreparedLimits"}},
	{Mutant{"reference-keeps-room", "a reference that has left keeps its room", []Edit{{"backlog.collect", "out.queued += n", ""}}}, By{".", "TestTryWritePreparedLimits"}},
	{Mutant{"dropped-keeps-room", "a message that a policy drops keeps its room", []Edit{{"backlog.forget", "a.size -= a.cost(g.form)", ""}}}, By{".", "TestGroupPolicies"}},
	{Mutant{"one-size-too-large", "a large message does not fit though nothing waits", []Edit{{"account.fits", " || size == 0", ""}}}, By{".", "TestTryWritePreparedLimits"}},
	{Mutant{"dropped-in-vain", "a policy drops what waits though that makes no room", []Edit{{"backlog.admit", " && a.fits(a.cost(f), a.size-t.size)", ""}}}, By{".", "TestDropOldestInVain"}},
	{Mutant{"dropped-counts-twice", "a policy counts on the room of what it has dropped already", []Edit{{"topic.less", "t.size -= size", ""}}}, By{".", "TestDropOldestInVain"}},
	{Mutant{"oldest-sought-anew", "the search for a group's oldest message begins at the front each time", []Edit{{"waiting.firstOf", "t.searched = list[i].number", ""}}}, By{".", "TestBacklogMovesLittle"}},
	{Mutant{"room-made-each-time", "each message that comes moves all that wait together", []Edit{{"waiting.push", "l.empty >= (len(l.list)+3)/4", "l.empty > 0"}}}, By{".", "TestBacklogMovesLittle"}},
	{Mutant{"empty-never-used", "what messages that were dropped leave empty is not used again", []Edit{{"waiting.push", "l.empty >= (len(l.list)+3)/4", "false"}}}, By{".", "TestBacklogMovesLittle"}},
	{Mutant{"empty-in-front", "the next to leave is a segment that a policy has emptied", []Edit{{"waiting.remove", "for l.first < len(l.list) && l.list[l.first].empty() {", "if l.first < len(l.list) && l.list[l.first].empty() {"}}}, By{".", "TestBacklogMovesLittle"}},

	// What is counted.
	{Mutant{"unsent-uncounted", "what waits for a member that ends is not counted", []Edit{{"backlog.abandon", "g.topic.rules.unsent.Add(1)", ""}}}, By{".", "TestGroupUnsent"}},
	{Mutant{"untaken-uncounted", "what a member has not taken when it ends is not counted", []Edit{{"topic.skip", "t.rules.unsent.Add(uint64(n))", ""}}}, By{".", "TestGroupUntaken"}},
	{Mutant{"cast-untold", "a Trace is not told of what a group has sent", []Edit{{"Conn.flush", "c.tellCasts()", ""}}}, By{".", "TestTraceGroup"}},
	{Mutant{"cast-untold-when-cut", "a Trace is not told of what has left in part, and is lost then", []Edit{{"Conn.suspend", "c.tellCasts()", ""}}}, By{".", "TestTraceGroupCut"}},
	{Mutant{"closed-before-uncounted", "who has closed before Shutdown waits is not counted", []Edit{{"Group.sayGoodbye", "bye, leaving, well = g.shut, g.leaving, g.well", "bye, leaving, well = g.shut, slices.Clone(g.members), 0"}}}, By{".", "TestServerGroup"}},
	{Mutant{"policy-uncounted", "what a policy drops is not counted", []Edit{{"topic.drop", "t.rules.dropped.Add(1)", ""}}}, By{".", "TestGroupPolicies"}},

	// Who is slow.
	{Mutant{"no-room-made", "a burst beyond the limit is dropped though the member reads", []Edit{{"Conn.takePosted", "!c.makeRoom() || tries > manyTries", "tries > 0"}}}, By{".", "TestGroupBurstBeyondLimit"}},
	{Mutant{"slow-untold", "nobody hears that a member is slow", []Edit{{"Conn.takePosted", "at.lags.of.lags()", ""}}}, By{".", "TestGroupPolicies"}},
	{Mutant{"slow-goexit", "the group's goroutine ends with OnSlow's", []Edit{{"Group.deliver", "go g.deliver()", ""}}}, By{".", "TestOnSlow"}},
	{Mutant{"slow-starts-nobody", "OnSlow is called by nobody", []Edit{{"member.lags", "go g.deliver()", ""}}}, By{".", "TestSlowOutsideARound"}},
	{Mutant{"grace-endless", "nobody looks when a grace ends", []Edit{{"Group.watch", "g.armLocked(g.grace)", ""}}}, By{".", "TestGroupPolicies"}},
	{Mutant{"grace-looks-once", "a grace that has not ended is not looked at again", []Edit{{"Group.endGrace", "g.armLocked(wait)", "_ = wait"}}}, By{".", "TestGroupGraces"}},
	{Mutant{"grace-once", "a member has one grace in its life", []Edit{{"Group.endGrace", "m.listed = false", "_ = m"}}}, By{".", "TestGroupGrace"}},
	{Mutant{"grace-goes-on", "a member that has caught up is still full", []Edit{{"account.full", "t.fullSince = 0", ""}}}, By{".", "TestGroupGrace"}},
	{Mutant{"grace-of-another", "a member is closed for how slow it was before it left and joined again", []Edit{{"member.close", "c.sender.backlog.topicOf(&g.rules) != &m.topic", "c.sender.backlog.topicOf(&g.rules) == nil"}}}, By{".", "TestGroupGraceOfAnother"}},
	{Mutant{"slow-behind-backlog", "the Close of a slow member waits behind the group's messages", []Edit{{"member.close", "c.sender.backlog.dropAll(&m.topic, &c.sender.account)", ""}}}, By{".", "TestGroupPolicies"}},

	// Rounds, joining and leaving.
	{Mutant{"round-unbounded", "nobody helps when broadcasts come too fast", []Edit{{"Group.BroadcastPrepared", "g.help()", ""}}}, By{".", "TestGroupBacklogIsBounded"}},
	{Mutant{"end-leaves-no-group", "a connection that has ended stays in its groups", []Edit{{"Conn.leaveGroups", "t.of.left()", ""}}}, By{".", "TestGroupLeaves"}},
	{Mutant{"remove-forgets", "what was broadcast before Remove is not sent", []Edit{{"Group.Remove", "c.pull()", ""}}}, By{".", "TestGroup"}},
	{Mutant{"late-not-refused", "who joins after Shutdown is not closed", []Edit{{"Group.add", "c.closeFor(errShut, shut.code, shut.reason)", ""}}}, By{".", "TestGroupShutdown"}},
	{Mutant{"shutdown-cuts-nobody", "Shutdown leaves those who do not answer", []Edit{{"Group.Close", "m.conn.end(errClosedNow)", ""}}}, By{".", "TestGroupShutdown"}},
	{Mutant{"shutdown-cuts-in-silence", "who has not said good-bye is cut without a Close", []Edit{{"Group.Close", "m.part(g.parting())", ""}}}, By{".", "TestServerGroupWithoutGoodbye"}},
	{Mutant{"farewell-late", "who says good-bye is a member before the group knows it", []Edit{{"Group.list", "if farewell != nil {", "if farewell != nil && m.index >= 0 {"}}}, By{".", "TestServerGroupTells"}},
	{Mutant{"shutdown-tells-nobody", "who says good-bye is not told by the group", []Edit{{"Group.sayGoodbye", "farewell()\n", "\n"}}}, By{".", "TestServerGroupTells"}},
	{Mutant{"server-shutdown-unheard", "the server's shutdown closes nobody", []Edit{{"ServerGroup", "g.sayGoodbye(&parting{StatusGoingAway, \"the server is shutting down\"})", ""}}}, By{".", "TestServerGroup"}},
}
