package websocket

import (
	"errors"
	"fmt"
)

// A StatusCode says in a Close frame why a connection is closed
// (RFC 6455, section 7.4). Codes 3000 to 3999 are registered with IANA, 4000 to
// 4999 are for applications.
type StatusCode int

// The status codes of RFC 6455, section 7.4.1, and of IANA's registry.
// StatusNoStatusRcvd, StatusAbnormalClosure and StatusTLSHandshake never stand
// in a frame.
const (
	StatusNormalClosure           StatusCode = 1000
	StatusGoingAway               StatusCode = 1001
	StatusProtocolError           StatusCode = 1002
	StatusUnsupportedData         StatusCode = 1003
	StatusNoStatusRcvd            StatusCode = 1005
	StatusAbnormalClosure         StatusCode = 1006
	StatusInvalidFramePayloadData StatusCode = 1007
	StatusPolicyViolation         StatusCode = 1008
	StatusMessageTooBig           StatusCode = 1009
	StatusMandatoryExtension      StatusCode = 1010
	StatusInternalError           StatusCode = 1011
	StatusServiceRestart          StatusCode = 1012
	StatusTryAgainLater           StatusCode = 1013
	StatusBadGateway              StatusCode = 1014
	StatusTLSHandshake            StatusCode = 1015
)

var statusNames = map[StatusCode]string{
	StatusNormalClosure:           "StatusNormalClosure",
	StatusGoingAway:               "StatusGoingAway",
	StatusProtocolError:           "StatusProtocolError",
	StatusUnsupportedData:         "StatusUnsupportedData",
	StatusNoStatusRcvd:            "StatusNoStatusRcvd",
	StatusAbnormalClosure:         "StatusAbnormalClosure",
	StatusInvalidFramePayloadData: "StatusInvalidFramePayloadData",
	StatusPolicyViolation:         "StatusPolicyViolation",
	StatusMessageTooBig:           "StatusMessageTooBig",
	StatusMandatoryExtension:      "StatusMandatoryExtension",
	StatusInternalError:           "StatusInternalError",
	StatusServiceRestart:          "StatusServiceRestart",
	StatusTryAgainLater:           "StatusTryAgainLater",
	StatusBadGateway:              "StatusBadGateway",
	StatusTLSHandshake:            "StatusTLSHandshake",
}

// String returns the constant's name, or StatusCode(n) for a code without one.
func (c StatusCode) String() string {
	if name, ok := statusNames[c]; ok {
		return name
	}
	return fmt.Sprintf("StatusCode(%d)", int(c))
}

// sendable reports whether the code may stand in a Close frame. Section 7.4.2:
// 0-999 are not used, 1000-2999 are reserved for the protocol, 3000-4999 are
// free. Of the protocol's, only those that are assigned and not "MUST NOT be
// set as a status code in a Close control frame" (1005, 1006, 1015).
func (c StatusCode) sendable() bool {
	switch {
	case c < 1000, c == 1004, c == StatusNoStatusRcvd, c == StatusAbnormalClosure:
		return false
	case c <= StatusBadGateway:
		return true
	}
	return 3000 <= c && c <= 4999
}

// CloseStatus returns the status code of the peer's Close frame if err comes
// from it, and -1 otherwise, nil included.
func CloseStatus(err error) StatusCode {
	var e CloseError
	if errors.As(err, &e) {
		return e.Code
	}
	return -1
}
