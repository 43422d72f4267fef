package websocket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

var (
	closeStateNames  = [numCloseStates]string{"open", "closeSent", "closeReceived", "closed"}
	closeEventNames  = [numCloseEvents]string{"sendClose", "recvClose", "sendData", "sendQueued", "recvData", "disconnect"}
	closeActionNames = []string{"invalid", "emit", "refuse", "deliver", "echo", "finish", "ignore", "abort", "nothing"}
)

// TestCloseTable is the machine once more, cell by cell. The first column is where an event finds it.
func TestCloseTable(t *testing.T) {
	want := `
		open           sendClose  closeSent      emit
		open           recvClose  closeReceived  echo
		open           sendData   open           emit
		open           sendQueued open          emit
		open           recvData   open           deliver
		open           disconnect closed         abort
		closeSent      sendClose  closeSent      refuse
		closeSent      recvClose  closed         finish
		closeSent      sendData   closeSent      refuse
		closeSent      sendQueued closeSent     refuse
		closeSent      recvData   closeSent      ignore
		closeSent      disconnect closed         abort
		closeReceived  sendClose  closed         emit
		closeReceived  recvClose  closeReceived  ignore
		closeReceived  sendData   closeReceived  refuse
		closeReceived  sendQueued closeReceived emit
		closeReceived  recvData   closeReceived  ignore
		closeReceived  disconnect closed         abort
		closed         sendClose  closed         refuse
		closed         recvClose  closed         ignore
		closed         sendData   closed         refuse
		closed         sendQueued closed        refuse
		closed         recvData   closed         ignore
		closed         disconnect closed         nothing`
	rows := strings.Split(strings.TrimSpace(want), "\n")
	if len(rows) != int(numCloseStates)*int(numCloseEvents) {
		t.Fatalf("%d rows for %d states and %d events", len(rows), numCloseStates, numCloseEvents)
	}
	for state := range numCloseStates {
		for event := range numCloseEvents {
			if closeTable[state][event].action == invalid {
				t.Errorf("the cell for %s in %s was forgotten", closeEventNames[event], closeStateNames[state])
			}
			s := state
			action := s.step(event)
			got := strings.Join([]string{closeStateNames[state], closeEventNames[event], closeStateNames[s], closeActionNames[action]}, " ")
			row := strings.Join(strings.Fields(rows[int(state)*int(numCloseEvents)+int(event)]), " ")
			if got != row {
				t.Errorf("got  %s\nwant %s", got, row)
			}
		}
	}
}

// TestAllCloseSequences walks through every sequence of seven events, and so through every shorter one.
func TestAllCloseSequences(t *testing.T) {
	const length = 7
	sequences := 0
	var path [length]closeEvent
	var walk func(s closeState, done, sent, received, failed int)
	walk = func(s closeState, done, sent, received, failed int) {
		if done == length {
			sequences++
			return
		}
		for e := range numCloseEvents {
			path[done] = e
			next := s
			action := next.step(e)
			broken := func(rule string) {
				t.Fatalf("%s: after %v in %s came %s: %s, %s", rule, path[:done], closeStateNames[s], closeEventNames[e], closeActionNames[action], closeStateNames[next])
			}
			sent, received, failed := sent, received, failed
			switch action {
			case emit:
				switch {
				case e != sendClose && e != sendData && e != sendQueued:
					broken("only what is sent leaves")
				case sent > 0:
					broken("nothing leaves after our Close")
				case e == sendData && received > 0:
					broken("only what was accepted before, and the echo, leave after theirs")
				case failed > 0:
					broken("nothing leaves after the end")
				case e == sendClose:
					sent++
				}
			case refuse:
				if e != sendClose && e != sendData && e != sendQueued {
					broken("only what is sent can be refused")
				}
				if next != s {
					broken("what was refused moves nothing")
				}
			case deliver:
				if e != recvData || sent+received+failed > 0 {
					broken("data is delivered only while open")
				}
			case echo, finish:
				if e != recvClose || received+failed > 0 || (action == echo) != (sent == 0) {
					broken("their first Close is echoed, unless it is the answer to ours")
				}
				received++
			case ignore:
				if e != recvClose && e != recvData || next != s {
					broken("what is ignored came in, and moves nothing")
				}
			case abort:
				if e != disconnect || s == closed {
					broken("what fails ends the connection, once")
				}
				failed++
			case nothing:
				if e != disconnect || s != closed {
					broken("only the end of what has ended is nothing")
				}
			default:
				broken("every cell says what to do")
			}
			if s == closed && next != closed {
				broken("closed is final")
			}
			// The state is no more and no less than what happened.
			want := open
			switch {
			case failed > 0 || sent > 0 && received > 0:
				want = closed
			case sent > 0:
				want = closeSent
			case received > 0:
				want = closeReceived
			}
			if next != want {
				broken("the state should be " + closeStateNames[want])
			}
			walk(next, done+1, sent, received, failed)
		}
	}
	walk(open, 0, 0, 0, 0)
	if sequences != 279936 {
		t.Errorf("%d sequences, want 6^7", sequences)
	}
}

// closeCodeMayBeSent is section 7.4 once more, from its text and IANA's registry.
func closeCodeMayBeSent(code int) bool {
	assigned := map[int]bool{1000: true, 1001: true, 1002: true, 1003: true, 1007: true, 1008: true,
		1009: true, 1010: true, 1011: true, 1012: true, 1013: true, 1014: true}
	return assigned[code] || code/1000 == 3 || code/1000 == 4
}

func TestAllCloseCodes(t *testing.T) {
	for code := range 1 << 16 {
		payload := binary.BigEndian.AppendUint16(nil, uint16(code))
		got, err := parseClose(payload)
		if closeCodeMayBeSent(code) {
			if err != nil || got != (CloseError{Code: StatusCode(code)}) {
				t.Fatalf("%d: %v, %v", code, got, err)
			}
		} else {
			var p ProtocolError
			if !errors.As(err, &p) || p.Code != StatusProtocolError || !strings.Contains(p.Reason, fmt.Sprint(code)) {
				t.Fatalf("%d came and was answered by %v", code, err)
			}
			if got != (CloseError{}) {
				t.Fatalf("%d: %v besides the error", code, got)
			}
		}

		sent, _, err := checkClose(StatusCode(code), "")
		mayBeGiven := closeCodeMayBeSent(code) || code == 1005
		if (err == nil) != mayBeGiven {
			t.Fatalf("%d to be sent: %v", code, err)
		}
		if err == nil && sent != StatusCode(code) || err != nil && sent != StatusInternalError {
			t.Fatalf("%d was sent as %d", code, sent)
		}
	}
	for _, code := range []StatusCode{-1, -1000, 1<<16 + 1000, math.MinInt + 1000} {
		if sent, _, err := checkClose(code, ""); err == nil || sent != StatusInternalError {
			t.Errorf("%d was sent as %d, %v", code, sent, err)
		}
	}
}

func TestParseClose(t *testing.T) {
	full := strings.Repeat("r", 123)
	for _, tt := range []struct {
		name    string
		payload string
		want    CloseError
		refused StatusCode // the code it is answered with, if it is illegal
	}{
		{"empty", "", CloseError{Code: StatusNoStatusRcvd}, 0},
		{"a code only", "\x03\xe8", CloseError{Code: 1000}, 0},
		{"a code and a reason", "\x03\xe9going", CloseError{1001, "going"}, 0},
		{"the longest reason", "\x0f\xa0" + full, CloseError{4000, full}, 0},
		{"a reason that is not ASCII", "\x03\xe8schön 🎉", CloseError{1000, "schön 🎉"}, 0},
		{"a reason with a NUL", "\x03\xe8a\x00b", CloseError{1000, "a\x00b"}, 0},
		{"one byte", "\x03", CloseError{}, 1002},
		{"one byte of zero", "\x00", CloseError{}, 1002},
		{"code 0", "\x00\x00", CloseError{}, 1002},
		{"code 999", "\x03\xe7", CloseError{}, 1002},
		{"code 1004", "\x03\xec", CloseError{}, 1002},
		{"code 1005, which is only for reports", "\x03\xed", CloseError{}, 1002},
		{"code 1006, which is only for reports", "\x03\xee", CloseError{}, 1002},
		{"code 1015, which is only for reports", "\x03\xf7", CloseError{}, 1002},
		{"code 1016, not assigned", "\x03\xf8", CloseError{}, 1002},
		{"code 2999", "\x0b\xb7", CloseError{}, 1002},
		{"code 3000", "\x0b\xb8", CloseError{Code: 3000}, 0},
		{"code 4999", "\x13\x87", CloseError{Code: 4999}, 0},
		{"code 5000", "\x13\x88", CloseError{}, 1002},
		{"code 65535", "\xff\xff", CloseError{}, 1002},
		{"a reason that is not UTF-8", "\x03\xe8\xff", CloseError{}, 1007},
		{"a reason cut inside a character", "\x03\xe8ok\xe2\x82", CloseError{}, 1007},
		{"a surrogate in the reason", "\x03\xe8\xed\xa0\x80", CloseError{}, 1007},
		{"a bad code and a bad reason", "\x00\x01\xff", CloseError{}, 1002},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseClose([]byte(tt.payload))
			var p ProtocolError
			if errors.As(err, &p) != (tt.refused != 0) || p.Code != tt.refused || got != tt.want {
				t.Fatalf("%v, %v; want %v, refused with %d", got, err, tt.want, tt.refused)
			}
			if err == nil && string(appendClose(nil, got.Code, got.Reason)) != tt.payload {
				t.Errorf("appended it is %q", appendClose(nil, got.Code, got.Reason))
			}
		})
	}
}

func TestCheckClose(t *testing.T) {
	ascii := strings.Repeat("a", 123)
	for _, tt := range []struct {
		name       string
		code       StatusCode
		reason     string
		wantCode   StatusCode
		wantReason string
		wrong      string
	}{
		{"a code and a reason", 1000, "bye", 1000, "bye", ""},
		{"no code", StatusNoStatusRcvd, "", StatusNoStatusRcvd, "", ""},
		{"the longest reason", 4999, ascii, 4999, ascii, ""},
		{"no code, but a reason", StatusNoStatusRcvd, "bye", 1011, "", "status code 1005"},
		{"zero", 0, "", 1011, "", "status code 0"},
		{"a code for reports", StatusAbnormalClosure, "lost", 1011, "", "status code 1006"},
		{"not UTF-8", 1000, "\xff", 1000, "", "not UTF-8"},
		{"not UTF-8 and too long", 1000, ascii + "\xff", 1000, "", "not UTF-8"},
		{"a byte too long", 1000, ascii + "a", 1000, ascii, "124 bytes"},
		{"cut before a character, not in it", 1000, ascii[:122] + "é", 1000, ascii[:122], "124 bytes"},
		{"cut before a character of four bytes", 1000, ascii[:120] + "🎉🎉", 1000, ascii[:120], "128 bytes"},
		{"cut behind a character", 1000, ascii[:119] + "🎉🎉", 1000, ascii[:119] + "🎉", "127 bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			code, reason, err := checkClose(tt.code, tt.reason)
			if code != tt.wantCode || reason != tt.wantReason {
				t.Errorf("%d %q, want %d %q", code, reason, tt.wantCode, tt.wantReason)
			}
			if tt.wrong == "" {
				if err != nil {
					t.Error(err)
				}
			} else if err == nil || !strings.Contains(err.Error(), tt.wrong) || !strings.HasPrefix(err.Error(), "websocket: ") {
				t.Errorf("it says %v, want something of %q", err, tt.wrong)
			}
		})
	}
}

func TestCloseErrorSaysWhatThePeerSaid(t *testing.T) {
	got := CloseError{Code: StatusGoingAway, Reason: "restart"}.Error()
	if want := `websocket: received close frame: status = StatusGoingAway and reason = "restart"`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if (CloseError{Code: 4000}) != (CloseError{4000, ""}) {
		t.Error("CloseErrors are values and compare as such")
	}
}

// FuzzClosePayload: what is taken may be sent, and is sent back as it came.
func FuzzClosePayload(f *testing.F) {
	for _, seed := range []string{"", "\x03", "\x03\xe8", "\x03\xe9bye", "\x03\xe8\xff", "\x13\x88", "\x0f\xa0" + strings.Repeat("é", 61)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		if len(payload) > maxControlPayload {
			return
		}
		got, err := parseClose(payload)
		if err != nil {
			var p ProtocolError
			if !errors.As(err, &p) || p.Code != StatusProtocolError && p.Code != StatusInvalidFramePayloadData {
				t.Fatalf("%T: %v", err, err)
			}
			return
		}
		if !utf8.ValidString(got.Reason) {
			t.Fatalf("%q is not UTF-8", got.Reason)
		}
		code, reason, err := checkClose(got.Code, got.Reason)
		if code != got.Code || reason != got.Reason || err != nil {
			t.Fatalf("%v came, but %v %q would be sent: %v", got, code, reason, err)
		}
		if again := appendClose(nil, code, reason); string(again) != string(payload) {
			t.Fatalf("%q became %q", payload, again)
		}
	})
}
