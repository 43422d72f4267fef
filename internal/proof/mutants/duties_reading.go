package mutants

// readingDuties: somebody reads, steps aside and looks again; nothing that came is lost.
var readingDuties = []Duty{
	// Who reads.
	{Mutant{"release-unrested", "who lets go of the read turn does not see to it that somebody reads", []Edit{{"Conn.releaseRead", "c.rest()", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"give-up-unrested", "a Read that gives up does not see to it that somebody reads", []Edit{{"Conn.awaitRead", "c.rest()", ""}}}, By{".", "TestGiveUpBehindReader"}},
	{Mutant{"rest-unscheduled", "nobody looks whether the application comes back", []Edit{{"Conn.rest", "c.schedule()", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"rest-starts-nobody", "no reader goroutine starts though a call waits for control frames", []Edit{{"Conn.rest", "c.startReader()", ""}}}, By{".", "TestCloseAtOnce"}},
	{Mutant{"look-once", "a look that wants another is the last", []Edit{{"background.Look", "c.schedule()", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"left-turn-kept", "the reader goroutine's turn is not given back when a call came in between", []Edit{{"Conn.startReader", "case left:\n\t\tc.releaseRead()", "case left:"}}}, By{".", "TestReaderGivesBack"}},
	{Mutant{"reader-keeps-turn", "the reader goroutine ends with the read turn", []Edit{{"background.ReadAhead", "c.releaseRead()", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"reader-runs-on", "the reader goroutine counts as running when it has ended", []Edit{{"background.ReadAhead", "c.supervisor.Running.Store(false)", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"reader-leaves-pongs", "the reader goroutine ends without writing the Pongs that are due", []Edit{{"background.ReadAhead", "c.flushNow()", ""}}}, By{".", "TestPongOfCancelledRead"}},
	{Mutant{"reader-stays", "the reader goroutine does not look whether a call wants to read", []Edit{{"Conn.mayWait", "case ctx == nil && (c.supervisor.Wanting.Load() > 0 ||", "case ctx == nil && (c.supervisor.Wanting.Load() < 0 ||"}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"reader-uninterrupted", "a call does not ask the reader goroutine to step aside", []Edit{{"Conn.awaitRead", "c.transport.InterruptRead()", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"wanting-stays", "a call that has the read turn wants it still", []Edit{{"Conn.awaitRead", "s.Wanting.Add(-1)", ""}}}, By{".", "TestReadBehindReader"}},
	{Mutant{"read-leaves-pongs", "a Read returns without writing the Pongs that are due", []Edit{{"Conn.leaveRead", "c.flushNow()", ""}}}, By{".", "TestPongOfCancelledRead"}},
	{Mutant{"wait-leaves-pongs", "who waits for bytes does not write the Pongs that are due", []Edit{{"Conn.receive", "c.flushNow()", ""}}}, By{".", "TestWaitUncorks"}},
	{Mutant{"read-since-unnoted", "the application's Reads are not noted", []Edit{{"Conn.leaveRead", "c.supervisor.ReadSince.Store(true)", ""}}}, By{".", "TestReaderStaysAway"}},
	{Mutant{"interrupted-unlooked", "a Read that was interrupted does not look again why", []Edit{{"Conn.receive", "quiet = false", ""}}}, By{".", "TestReadCancelled"}},
	{Mutant{"closed-reads-on", "Read takes the turn again and again after our Close", []Edit{{"Conn.takeRead", "if c.has(closedByUs) || c.has(deaf)", "if c.has(deaf)"}}}, By{".", "TestReadAgainAndAgain"}},
	{Mutant{"deaf-reads-on", "Read takes the turn again and again after the peer's Close", []Edit{{"Conn.takeRead", "|| c.has(deaf) && c.supervisor.Unread.Load() == 0 {", "{"}}}, By{".", "TestReadAgainAndAgain"}},
	{Mutant{"unread-stale-at-close", "what is unread is not noted before the peer's Close is known", []Edit{{"Conn.closeReceived", "c.noteUnread()", ""}}}, By{".", "TestUnreadBeforeClose"}},
	{Mutant{"stalled-stays", "a read-ahead that has room again counts as full", []Edit{{"Conn.releaseRead", "s.Stalled.Store(false)", ""}}}, By{".", "TestReadAheadBounded"}},
	{Mutant{"over-keeps-ahead", "behind the peer's Close the reader goroutine steps aside for ever", []Edit{{"Conn.readOneAhead", "if drops {", "if drops && !r.parsingDone {"}}}, By{".", "TestCrossingWithUnread"}},
	{Mutant{"skip-keeps-checking", "the rest of a text message that was skipped is missing in its check", []Edit{{"receiver.skipBuffered", "r.checking = false", ""}}}, By{".", "TestSkippedText"}},
	{Mutant{"drop-keeps-stalled", "a read-ahead that was dropped counts as full", []Edit{{"Conn.dropUnread", "c.supervisor.Stalled.Store(false)", ""}}}, By{".", "TestCloseDrops"}},
	{Mutant{"drop-unexpected", "a message that came before CloseRead is dropped in silence", []Edit{{"Conn.dropUnread", "c.unexpected()", ""}}}, By{".", "TestCloseDrops"}},
	{Mutant{"drop-keeps-message", "a message that is dropped stays open", []Edit{{"receiver.dropAhead", "if r.message.open {", "if r.message.open && r.limit.Load() == 0 {"}}}, By{".", "TestCloseDrops"}},

	// What came.
	{Mutant{"size-overflows", "the sizes of a message's frames add up to less than nothing", []Edit{{"receiver.enter", "m.size += min(frame.length, math.MaxInt64-m.size)", "m.size += min(frame.length, math.MaxInt64)"}}}, By{".", "TestLimitOverflow"}},
	{Mutant{"inflate-limit-overflows", "the bound of a compressed message's size overflows", []Edit{{"maxInflateInput", "if limit > math.MaxInt64/16 {", "if limit < 0 {"}}}, By{".", "TestCompressedWithoutLimit"}},
	{Mutant{"length-trusted", "memory of the length that the peer announces is allocated at once", []Edit{{"gathering.room", "case int64(have+buffered) < left:", "case left < 0:"}}}, By{".", "TestReadMemory"}},
	{Mutant{"piece-lost", "a message in pieces loses one", []Edit{{"gathering.piece", "g.last.Next = next", "_ = next.Next"}}}, By{".", "TestReadInPieces"}},
	{Mutant{"poured-lost", "what was poured into pieces is lost", []Edit{{"gathering.pour", "g.came(n)", ""}}}, By{".", "TestReadInPieces"}},
	{Mutant{"held-lost", "what a Read that gave up had is lost when the next has the rest", []Edit{{"gathering.join", "g.buf = append(g.buf, held...)", ""}}}, By{".", "TestReadCancelled"}},
	{Mutant{"held-lost-to-reader", "what a Read that gave up had is not given to a Reader", []Edit{{"messageReader.read", "if n := m.takeHeld(p); n > 0 {", "if n := m.takeHeld(nil); n > 0 {"}}}, By{".", "TestReaderBehindRead"}},
	{Mutant{"piece-let-go", "a Read that gives up loses the memory that it had borrowed", []Edit{{"gathering.hold", "g.takePieces(nil) // one may be empty still", ""}}}, By{".", "TestPolledRead"}},
	{Mutant{"hold-forgets-to-resume", "a Read behind one that gave up begins with the next message", []Edit{{"gathering.hold", "g.m.resume = true", ""}}}, By{".", "TestReadCancelled"}},
	{Mutant{"reader-forgets-to-resume", "a Reader that gives up loses the message that a Read has begun", []Edit{{"Conn.Reader", "if err == nil {\n\t\tm.resume = false", "if err != errOver {\n\t\tm.resume = false"}}}, By{".", "TestReaderBehindRead"}},
	{Mutant{"inflated-held-lost", "what a Read that gave up had inflated is lost", []Edit{{"Conn.readInflated", "work = append(buf, work...)", "work = append(buf, work[:0]...)"}}}, By{".", "TestReaderBehindRead"}},
}
