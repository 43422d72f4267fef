package handshake

import (
	"crypto/sha1"
	"encoding/base64"
)

// keyGUID is appended to the key before hashing (RFC 6455, section 1.3).
const keyGUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// AppendAccept appends the Sec-WebSocket-Accept for a Sec-WebSocket-Key.
func AppendAccept(b []byte, key string) []byte {
	var challenge [64]byte
	sum := sha1.Sum(append(append(challenge[:0], key...), keyGUID...))
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

// Key writes a nonce as a Sec-WebSocket-Key.
func Key(nonce [16]byte) string { return base64.StdEncoding.EncodeToString(nonce[:]) }

// IsKey reports whether s is a Sec-WebSocket-Key: 16 bytes in base64.
func IsKey(s string) bool {
	if len(s) != 24 {
		return false
	}
	var key [18]byte
	n, err := base64.StdEncoding.Decode(key[:], []byte(s))
	return err == nil && n == 16
}
