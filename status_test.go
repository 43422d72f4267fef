package websocket

import (
	"errors"
	"fmt"
	"testing"
)

func TestStatusCodes(t *testing.T) {
	// The registry's numbers and the names that programs use.
	for _, tt := range []struct {
		code     StatusCode
		number   int
		name     string
		sendable bool
	}{
		{StatusNormalClosure, 1000, "StatusNormalClosure", true},
		{StatusGoingAway, 1001, "StatusGoingAway", true},
		{StatusProtocolError, 1002, "StatusProtocolError", true},
		{StatusUnsupportedData, 1003, "StatusUnsupportedData", true},
		{StatusNoStatusRcvd, 1005, "StatusNoStatusRcvd", false},
		{StatusAbnormalClosure, 1006, "StatusAbnormalClosure", false},
		{StatusInvalidFramePayloadData, 1007, "StatusInvalidFramePayloadData", true},
		{StatusPolicyViolation, 1008, "StatusPolicyViolation", true},
		{StatusMessageTooBig, 1009, "StatusMessageTooBig", true},
		{StatusMandatoryExtension, 1010, "StatusMandatoryExtension", true},
		{StatusInternalError, 1011, "StatusInternalError", true},
		{StatusServiceRestart, 1012, "StatusServiceRestart", true},
		{StatusTryAgainLater, 1013, "StatusTryAgainLater", true},
		{StatusBadGateway, 1014, "StatusBadGateway", true},
		{StatusTLSHandshake, 1015, "StatusTLSHandshake", false},
		{1004, 1004, "StatusCode(1004)", false},
		{1016, 1016, "StatusCode(1016)", false},
		{3000, 3000, "StatusCode(3000)", true},
		{4999, 4999, "StatusCode(4999)", true},
		{5000, 5000, "StatusCode(5000)", false},
		{0, 0, "StatusCode(0)", false},
		{-1, -1, "StatusCode(-1)", false},
	} {
		if int(tt.code) != tt.number || tt.code.String() != tt.name || tt.code.sendable() != tt.sendable {
			t.Errorf("%d is %v, sendable %t; want %d, %s, %t", int(tt.code), tt.code, tt.code.sendable(), tt.number, tt.name, tt.sendable)
		}
	}
}

func TestCloseStatus(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want StatusCode
	}{
		{nil, -1},
		{errors.New("no Close"), -1},
		{CloseError{Code: 1001}, 1001},
		{fmt.Errorf("wrapped: %w", CloseError{Code: 4000, Reason: "r"}), 4000},
		{errors.Join(errors.New("one"), CloseError{Code: StatusNoStatusRcvd}), StatusNoStatusRcvd},
		{ProtocolError{Code: StatusProtocolError}, -1}, // ours, not theirs
	} {
		if got := CloseStatus(tt.err); got != tt.want {
			t.Errorf("%v: %d, want %d", tt.err, got, tt.want)
		}
	}
}

func TestMessageTypeNames(t *testing.T) {
	for typ, want := range map[MessageType]string{1: "MessageText", 2: "MessageBinary", 0: "MessageType(0)", 9: "MessageType(9)"} {
		if typ.String() != want {
			t.Errorf("%d is %s, want %s", int(typ), typ, want)
		}
	}
	if MessageText != 1 || MessageBinary != 2 {
		t.Error("the numbers are those of the opcodes")
	}
}
