// Package deflate is a DEFLATE codec (RFC 1951) made for WebSocket messages
// compressed as RFC 7692, permessage-deflate, has it.
//
// A general codec is built for long streams: it holds hundreds of kilobytes per
// stream and sets up tables that a message of 200 bytes never pays back. Here a
// connection owns nothing but its window and a small table of what is in it, and
// that only with context takeover; everything else lives in a pool and is taken
// while a message is being worked on.
//
// [Compressor] turns messages into their compressed form without the last four
// octets 00 00 ff ff (RFC 7692, section 7.2.1). [Decompressor] goes the other way
// (section 7.2.2), in one piece or in any pieces, and counts what it produces, so
// that a small frame that would become a huge message costs no more than the
// limit. Each is used by one goroutine at a time.
//
// The package does no I/O, starts no goroutine and knows no clock.
package deflate
