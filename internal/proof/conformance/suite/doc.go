// Package suite holds the conformance cases for RFC 6455 (WebSocket) and
// RFC 7692 (permessage-deflate), and the two runners that play them: RunServer
// against a server, Driver against a client.
//
// The suite shares no code with the library it was written for: frames,
// handshakes and DEFLATE are read and written here by the suite's own hand, so
// that a mistake of the library cannot hide behind the same mistake here.
//
// A case is data: the frames to send, in which pieces and after which events,
// and what the endpoint may answer. Endpoints under test echo every message.
// What an endpoint did is judged into one of four verdicts: strict, non-strict,
// failed, and not negotiated for the cases of an extension it declined.
package suite
