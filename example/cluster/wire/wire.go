// Package wire has what goes over the WebSocket: one JSON object in each text message.
package wire

// A Request is what a client asks for.
type Request struct {
	Type string `json:"type"` // "say"
	Text string `json:"text"`
	Tag  string `json:"tag"` // a name for the remark that is used once. What has no receipt is said again under the same tag
}

// A Remark is what somebody said, as it is stored in the stream.
type Remark struct {
	From string `json:"from"`
	Text string `json:"text"`
	Tag  string `json:"tag"`
	At   int64  `json:"at"` // milliseconds since 1970
}

// An Event is what a client is told. Its type says which fields it has.
type Event struct {
	Type string `json:"type"`

	// "welcome": all that was said before has come, what is said from now on comes when it is said. So whatever the client
	// has said and not got back was not said: it is to be said again.
	Node  string   `json:"node,omitempty"`  // the name of the node
	Nodes []string `json:"nodes,omitempty"` // the URLs of all nodes

	// "said" is a remark. Seq is its sequence number in the stream: a client that comes back says which one it had last.
	// In a room the numbers rise; the ones between belong to other rooms.
	Seq  uint64  `json:"seq,omitempty"`
	Said *Remark `json:"said,omitempty"`

	// "here" says who is in the room: some of the names, by node.
	Count int                 `json:"count,omitempty"`
	Here  map[string][]string `json:"here,omitempty"`
}
