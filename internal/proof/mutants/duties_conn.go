package mutants

// connDuties: the flags and the moments mirror closing and sender; alarms ring; calls wait.
var connDuties = []Duty{
	{Mutant{"stopped-never-comes", "calls that wait to write do not hear that no message is accepted any more", []Edit{{"Conn.unlock", "pass(&m.stopped, cl.stopped())", ""}}}, By{".", "TestCloseBesideWriter"}},
	{Mutant{"told-never-comes", "calls do not hear that the reason may be told", []Edit{{"Conn.unlock", "pass(&m.told, cl.told())", ""}}}, By{".", "TestServerKeepsTCP"}},
	{Mutant{"hung-up-never-comes", "Close does not hear that the connection has ended", []Edit{{"Conn.unlock", "pass(&m.hungUp, cl.hungUp)", ""}}}, By{".", "TestCloseMany"}},
	{Mutant{"moments-late", "a moment that had come before somebody waited never comes", []Edit{{"Conn.awaitable", "defer c.unlock()", "defer c.mu.Unlock()"}}}, By{".", "TestReadWhileLingering"}},
	{Mutant{"delivering-stale", "messages are delivered after the end", []Edit{{"closing.flags", "bit(delivering, c.delivers())", "bit(delivering, true)"}}}, By{".", "TestCloseRead"}},
	{Mutant{"dropping-stale", "what has come for nobody fills the read-ahead", []Edit{{"closing.flags", "bit(dropping, c.drops())", "bit(dropping, false)"}}}, By{".", "TestCloseReadStalled"}},
	{Mutant{"closed-by-us-stale", "Read does not see that we have closed", []Edit{{"closing.flags", "bit(closedByUs, c.closedByUs())", "bit(closedByUs, false)"}}}, By{".", "TestReadAgainAndAgain"}},
	{Mutant{"known-stale", "Read does not see that the reason is known", []Edit{{"closing.flags", "bit(known, c.cause != nil)", "bit(known, false)"}}}, By{".", "TestCloseUnblocks"}},
	{Mutant{"no-reads-stale", "the reader does not see that there is no reason to read", []Edit{{"closing.flags", "bit(noReads, !c.reads())", "bit(noReads, false)"}}}, By{".", "TestReasonBeforeContext"}},
	{Mutant{"deaf-stale", "Read does not see that nothing is parsed any more", []Edit{{"closing.flags", "bit(deaf, c.deaf())", "bit(deaf, false)"}}}, By{".", "TestReadAgainAndAgain"}},
	{Mutant{"ending-stale", "nobody sees that the last attempt is to be made", []Edit{{"closing.flags", "bit(ending, c.over && !c.handshakeDone && !c.ended)", "bit(ending, false)"}}}, By{".", "TestLastWordsOfWrite"}},
	{Mutant{"pending-stale", "nobody sees that something is to be written", []Edit{{"Conn.unlock", "bit(hasPending, s.pending(cl))", "bit(hasPending, false)"}}}, By{".", "TestPongsInOrder"}},
	{Mutant{"corked-stale", "what waits for company does not leave before the wait for bytes", []Edit{{"Conn.unlock", "bit(hasCorked, s.corked)", "bit(hasCorked, false)"}}}, By{".", "TestWaitUncorks"}},

	{Mutant{"cork-stays", "what waited for company is not let go when its time is up", []Edit{{"Conn.ring", "c.sender.corked = false", ""}}}, By{".", "TestCorkIsShort"}},
	{Mutant{"cork-unwritten", "what waited for company is not written when its time is up", []Edit{{"Conn.ring", "c.flushNow()", ""}}}, By{".", "TestCorkIsShort"}},
	{Mutant{"cork-without-alarm", "a message that waits for company sets no alarm", []Edit{{"Conn.enqueueCorked", "c.alarms.SetOnce(now(), alarmCork, corkDelay)", ""}}}, By{".", "TestCorkIsShort"}},
	{Mutant{"pong-cork-without-alarm", "a Pong that waits for company sets no alarm", []Edit{{"Conn.pong", "c.alarms.SetOnce(now(), alarmCork, corkDelay)", ""}}}, By{".", "TestPongBesideMessages"}},
	{Mutant{"keepalive-once", "the peer's signs of life are looked for only once", []Edit{{"Conn.checkAlive", "c.alarms.Set(t, alarmKeepAlive, again)", "_ = again"}}}, By{".", "TestKeepAlive"}},
	{Mutant{"keepalive-looks-on", "a silent peer is not pinged", []Edit{{"Conn.checkAlive", "c.sendPing(c.keepalive.Next(nil))", ""}}}, By{".", "TestKeepAlive"}},
	{Mutant{"keepalive-stalled", "a peer that our application does not read is dead", []Edit{{"Conn.checkAlive", "deaf := c.supervisor.Stalled.Load()", "deaf := false"}}}, By{".", "TestKeepAliveStalled"}},
	{Mutant{"ping-unwritten", "a Ping waits for somebody to write", []Edit{{"Conn.sendPing", "c.flushNow()", ""}}}, By{".", "TestPingAtOnce"}},
	{Mutant{"ping-unread", "nobody reads for a Ping that waits", []Edit{{"Conn.Ping", "c.rest()", ""}}}, By{".", "TestPingAtOnce"}},
	{Mutant{"ping-unexpected", "a Ping that waits is no reason to read", []Edit{{"Conn.Ping", "c.supervisor.Expecting.Add(1)\n\tdefer c.unexpect()", ""}}}, By{".", "TestPingAtOnce"}},
	{Mutant{"ping-reads-on", "after a Ping the reader goroutine of a passive connection stays", []Edit{{"Conn.unexpect", "c.transport.InterruptRead()", ""}}}, By{".", "TestPassivePing"}},
	{Mutant{"ping-deaf-to-the-end", "Ping does not hear of the end", []Edit{{"Conn.Ping", "told := c.awaitable().told", "told := make(chan struct{})"}}}, By{".", "TestServerKeepsTCP"}},
	{Mutant{"goexit-keeps-turn", "a callback that ends its goroutine keeps the read turn", []Edit{{"Conn.call", "c.releaseRead()", ""}}}, By{".", "TestCallbackPanics"}},
	{Mutant{"context-late", "a context that is asked for after the end never ends", []Edit{{"internal/lifetime.Context.listen", "if t.Past() {", "if t.Past() && l == nil {"}}}, By{".", "TestCloseNowAtOnce"}},
	{Mutant{"reason-too-patient", "a call waits for ever until our Close has left", []Edit{{"Conn.reason", "patience = timer.C", "patience = make(chan time.Time)"}}}, By{".", "TestReasonIsBounded"}},
}
