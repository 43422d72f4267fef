// Package handshake has the pure parts of the WebSocket opening handshake (RFC 6455,
// section 4, and RFC 7692, section 5): tokens, keys, the
// Sec-WebSocket-Extensions header field, and the negotiation of permessage-deflate.
//
// It reads header field lines and writes header field values; it does no I/O, keeps no
// time and shares nothing. Accept and Dial call it.
package handshake
