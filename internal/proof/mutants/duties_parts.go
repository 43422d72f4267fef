package mutants

// partsDuties: what turn, alarm, keepalive, transport and the supervisor must not forget.
var partsDuties = []Duty{
	// The turn.
	{Mutant{"turn-denied", "a waiter that is handed the turn while it gives up does not hear of it", []Edit{{"internal/turn.Turn.Await", "return !t.removeLocked(w)", "t.removeLocked(w)\n\treturn false"}}}, By{"./internal/turn", "TestHandedWhileGivingUp"}},
	{Mutant{"turn-released-inside", "a waiter that is handed the turn while it gives up lets go of it without looking for what waits", []Edit{{"internal/turn.Turn.Await", "return !t.removeLocked(w)", "if !t.removeLocked(w) {\n\t\tgo t.Release()\n\t}\n\treturn false"}}}, By{"./internal/turn", "TestHandedWhileGivingUp"}},
	{Mutant{"turn-handed-in-silence", "a waiter is not told that it has the turn", []Edit{{"internal/turn.Turn.Release", "close(next.mine)", ""}}}, By{"./internal/turn", "TestTurn"}},
	{Mutant{"turn-never-free", "a turn whose last waiter has left is not free", []Edit{{"internal/turn.Turn.Release", "t.state.Store(free)", ""}}}, By{"./internal/turn", "TestLineHasGone"}},

	// The alarms.
	{Mutant{"alarm-overflows", "an alarm at the end of time rings at once", []Edit{{"internal/alarm.later", "if d > 0 && t > math.MaxInt64-int64(d) {", "if d < 0 && t > math.MaxInt64-int64(d) {"}}}, By{"./internal/alarm", "TestNever"}},
	{Mutant{"alarm-forgets-others", "the timer is not armed again for the alarms that are not due", []Edit{{"internal/alarm.Set.Take", "if next != 0 {", "if next != 0 && due == 0 {"}}}, By{"./internal/alarm", "TestOrder"}},
	{Mutant{"alarm-not-earlier", "an earlier alarm does not move the timer", []Edit{{"internal/alarm.Set.setLocked", "if s.armed == 0 || at < s.armed {", "if s.armed == 0 {"}}}, By{"./internal/alarm", "TestMoved"}},
	{Mutant{"alarm-later", "an alarm that may only come earlier comes later", []Edit{{"internal/alarm.Set.SetEarlier", "s.at[k] == 0 || at < max(s.at[k], -s.at[k]) {", "at != 0 {"}}}, By{"./internal/alarm", "TestAgainstMemory"}},
	{Mutant{"alarm-after-the-end", "alarms can be set after the end", []Edit{{"internal/alarm.Set.End", "s.armed = ended", ""}}}, By{"./internal/alarm", "TestEnd"}},

	// Keepalive.
	{Mutant{"taken-not-counted", "bytes that the peer takes are no sign of life", []Edit{{"internal/keepalive.State.Check", "if taken > p.taken {", "if taken < 0 {"}}}, By{"./internal/keepalive", "TestSlowTransferNeverDies"}},
	{Mutant{"pings-apart", "each connection is pinged at a moment of its own", []Edit{{"internal/keepalive.State.Together", "tick == 0 ||", "tick >= 0 ||"}}}, By{"./internal/keepalive", "TestTogether"}},
	{Mutant{"pong-looked-at", "a Pong costs a look of its own", []Edit{{"internal/keepalive.State.Check", "period-k.tick():", "period:"}}}, By{"./internal/keepalive", "TestTogether"}},
	{Mutant{"never-overflows", "a moment that is never is soon", []Edit{{"internal/keepalive.State.Together", "|| d > math.MaxInt64/2 {", "{"}}}, By{"./internal/keepalive", "TestTogether"}},
	{Mutant{"stop-under-lock", "a foreign context's stop function is called by whoever ends the connection", []Edit{{"internal/transport.interruption.watch", "go takeBack(); return true", "return takeBack()"}}}, By{".", "TestContextUnderLock"}},
	{Mutant{"sign-not-reset", "a sign of life after a Ping does not count", []Edit{{"internal/keepalive.State.Check", "p.asked, p.left = 0, 0", "p.left = 0"}}}, By{"./internal/keepalive", "TestCheck"}},
	{Mutant{"ping-left-when-asked", "a Ping has left when it was asked for", []Edit{{"internal/keepalive.State.PingLeft", "p.left = t", "p.left = p.asked"}}}, By{"./internal/keepalive", "TestCheck"}},
	{Mutant{"ping-left-behind-much", "a Ping has left though much is outstanding", []Edit{{"internal/keepalive.State.PingLeft", "if outstanding <= littleOutstanding {", "if outstanding >= 0 {"}}}, By{"./internal/keepalive", "TestCheck"}},
	{Mutant{"ping-answered-by-taking", "that the peer's system takes a Ping answers it", []Edit{{"internal/keepalive.State.PingLeft", "p.taken = taken + outstanding", "p.taken = taken"}}}, By{"./internal/keepalive", "TestTakenIsNoAnswer"}},
	{Mutant{"deaf-never-dead", "where neither side reads, nothing ends the connection", []Edit{{"internal/keepalive.State.Check", "(deaf || p.deaf) && !behind", "(deaf || p.deaf)"}}}, By{".", "TestBothBlockedIsDead"}},
	{Mutant{"deaf-left-is-dead", "a Pong that could not be heard counts against the peer", []Edit{{"internal/keepalive.State.Check", "p.deaf = deaf", ""}}}, By{"./internal/keepalive", "TestCheck"}},
	{Mutant{"deaf-is-dead", "silence that is ours counts against the peer", []Edit{{"internal/keepalive.State.Check", "(deaf || p.deaf) && !behind", "false"}}}, By{"./internal/keepalive", "TestHeardAgain"}},
	{Mutant{"pong-wakes-one", "a Pong wakes only the Ping with its number", []Edit{{"internal/keepalive.State.Answered", "w.number <= number {", "w.number == number {"}}}, By{"./internal/keepalive", "TestPongs"}},

	// The supervisor.
	{Mutant{"next-despite-wanting", "a reader goroutine starts though a call is about to read", []Edit{{"internal/supervisor.Supervisor.Next", "s.Wanting.Load() > 0, ", ""}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"next-despite-stalled", "a reader goroutine starts though the read-ahead is full", []Edit{{"internal/supervisor.Supervisor.Next", ", s.Stalled.Load() && !drops:", ":"}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"next-stalled-though-dropping", "a full read-ahead of what is dropped keeps everybody from reading", []Edit{{"internal/supervisor.Supervisor.Next", "s.Stalled.Load() && !drops:", "s.Stalled.Load():"}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"next-despite-expecting", "a call that waits for control frames is no reason to read at once", []Edit{{"internal/supervisor.Supervisor.Next", "case s.Expecting.Load() > 0:", "case s.Expecting.Load() < 0:"}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"away-despite-reads", "an application that has read since the last look is away", []Edit{{"internal/supervisor.Supervisor.Away", "case s.ReadSince.Load():", "case s.ReadSince.Load() && s.Stalled.Load():"}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"away-stays-scheduled", "a look that was made is still to come", []Edit{{"internal/supervisor.Supervisor.Away", "s.Scheduled.Store(false)", ""}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"taken-despite-wanting", "the reader goroutine takes the turn that a call is about to take", []Edit{{"internal/supervisor.Supervisor.TakeForReader", "s.Wanting.Load() > 0 || ", ""}}}, By{"./internal/supervisor", "TestSupervisorDecides"}},
	{Mutant{"reader-unseen", "nobody sees that the reader goroutine runs", []Edit{{"internal/supervisor.Supervisor.TakeForReader", "s.Running.Store(true)", ""}}}, By{".", "TestReaderStaysAway"}},
	{Mutant{"sweeper-sleeps", "the sweeper is not woken by the first that joins", []Edit{{"internal/supervisor.sweeper.join", "p.timer.Reset(ReaderDelay)", ""}}}, By{".", "TestSweeper"}},

	// The transport.
	{Mutant{"covered-but-not-seen", "a context that ended before the call does not interrupt it", []Edit{{"internal/transport.Conn.watchRead", "t.InterruptRead()\n\t\tdefault", "default"}}}, By{"./internal/transport", "TestEndedContexts"}},
	{Mutant{"write-under-ended", "a Write under a context that ended before waits for ever", []Edit{{"internal/transport.Conn.Write", "if ctx.Err() != nil {", "if ctx.Err() != nil && tail == nil && b == nil {"}}}, By{"./internal/transport", "TestEndedContexts"}},
	{Mutant{"settle-once", "a deadline is not set again if it was asked for meanwhile", []Edit{{"internal/transport.interruption.settle", "for i.past != i.asked {", "if i.past != i.asked {"}}}, By{"./internal/transport", "TestInterruptionSettles"}},
	{Mutant{"clear-does-not-wait", "who was interrupted goes on while the deadline is being set", []Edit{{"internal/transport.interruption.clear", "for i.busy {", "for i.busy && i.ended {"}}}, By{"./internal/transport", "TestInterruptionSettles"}},
	{Mutant{"clear-leaves-deadline", "the deadline of an interruption stays in the past", []Edit{{"internal/transport.interruption.clear", "i.settle(set)", ""}}}, By{"./internal/transport", "TestReadInterrupted"}},
	{Mutant{"foreign-deadline-ours", "a deadline that somebody else has set counts as an interruption", []Edit{{"internal/transport.interruption.clear", "ours := i.asked || i.past || i.busy", "ours := true"}}}, By{"./internal/transport", "TestForeignDeadline"}},
	{Mutant{"quiet-never-comes", "who waits for the deadline to be set does not hear of it", []Edit{{"internal/transport.interruption.settle", "close(i.quiet)", ""}}}, By{"./internal/transport", "TestNoInterruptionIsLost"}},
	{Mutant{"watch-keeps-old", "the context of the call before stays registered", []Edit{{"internal/transport.interruption.watch", "old()", "_ = old"}}}, By{".", "TestContextsAreLetGo"}},
	{Mutant{"end-keeps-watching", "the last context stays registered after the end", []Edit{{"internal/transport.interruption.end", "old()", "_ = old"}}}, By{".", "TestContextsAreLetGo"}},
	{Mutant{"direct-over-unsettled", "a record passes one that the goroutine has still to write", []Edit{{"internal/transport.Conn.trySecured", "if !canPoll || !s.settled() {", "if !canPoll {"}}}, By{"./internal/transport", "TestUnsettled"}},
	{Mutant{"record-before-room", "crypto/tls gets a record before the socket has room for it", []Edit{{"internal/transport.standIn.HasRoom", "s.raw.Control(func(fd uintptr) { ok = mayWrite(fd) })", "ok = true"}}}, By{"./internal/transport", "TestBeforeFirstRecord"}},
	{Mutant{"direct-past-waiting", "an attempt to write over TLS waits behind who waits for room", []Edit{{"internal/streamconn.Conn.Settled", "!c.room.settled()", "!c.room.settled() && c.writing"}}}, By{"./internal/transport", "TestWaitingForRoom"}},
	{Mutant{"room-unheard", "who waits for room does not tell that there is", []Edit{{"internal/streamconn.room.await", "r.came <- struct{}{}", ""}}}, By{"./internal/transport", "TestWaitingForRoom"}},
	{Mutant{"gone-unseen", "nobody sees that the peer has closed TCP", []Edit{{"internal/transport.peerClosed", "got < 0 || got&pollrdhup == 0", "got < 0 || got >= 0"}}}, By{"./internal/transport", "TestPeerClosed"}},
	{Mutant{"errors-mean-gone", "a socket that has something in its error queue is one that the peer has closed", []Edit{{"internal/transport.peerClosed", "got < 0 || got&pollrdhup == 0", "got <= 0"}}}, By{"./internal/transport", "TestErrorQueue"}},
	{Mutant{"gone-and-blocked", "a peer that has closed its half and takes nothing is alive for long", []Edit{{"internal/keepalive.State.Check", "gone && outstanding == 0 && ", "gone && "}}}, By{".", "TestGoneAndBlocked"}},
	{Mutant{"gone-for-ever", "a connection that the peer has closed waits for ever for an application that does not read", []Edit{{"internal/keepalive.State.Check", "outstanding == 0 && since/lastReads < period", "outstanding == 0"}}}, By{".", "TestSlowReaderOfTheGone"}},
	{Mutant{"failed-chunk-pooled", "what a stream was given when its Write failed is used again", []Edit{{"internal/streamconn.Conn.writeChunk", "if err == nil {", "if err == nil || err != nil {"}}}, By{"./internal/streamconn", "TestFailedWriteIsNotUsedAgain"}},
	{Mutant{"unsettled-write", "a Write returns before the goroutine has written all", []Edit{{"internal/transport.Conn.writeLeft", "return t.settle()", "return nil"}}}, By{"./internal/transport", "TestUnsettled"}},
	{Mutant{"taken-uncounted", "what a Write that waits has written is not counted", []Edit{{"internal/transport.Buffer.attempt", "b.taken.Add(int64(n))", ""}}}, By{"./internal/transport", "TestTaken"}},
	{Mutant{"small-buffer-pooled", "a buffer whose memory was replaced by less goes back to the pool", []Edit{{"internal/transport.Buffer.reset", "cap(b.B) >= BufferSize && cap(b.B) <= maxPooled", "cap(b.B) <= maxPooled"}}}, By{"./internal/transport", "TestPool"}},
	{Mutant{"last-buffer-pooled", "a buffer that was the last goes back to the pool as one", []Edit{{"internal/transport.Buffer.reset", "b.B, b.Last = b.B[:0], false", "b.B = b.B[:0]"}}}, By{"./internal/transport", "TestPool"}},
	{Mutant{"inbox-keeps-buffer", "an inbox that is empty keeps its buffer", []Edit{{"internal/transport.Inbox.detach", "in.r != in.w", "in.r != in.w || in.r >= 0"}}}, By{"./internal/transport", "TestInbox"}},
	{Mutant{"linger-needs-halves", "a net.Conn without halves is closed at once", []Edit{{"internal/transport.Conn.Linger", "if ok && half.CloseWrite() != nil {", "if !ok || half.CloseWrite() != nil {"}}}, By{"./internal/transport", "TestLingerInOnePiece"}},
	{Mutant{"linger-closes-whole", "lingering closes TCP before the peer has closed its half", []Edit{{"internal/transport.Conn.Linger", "if ok && half.CloseWrite() != nil {", "if ok && half.CloseWrite() == nil {"}}}, By{"./internal/transport", "TestLinger"}},
}
