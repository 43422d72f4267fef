package websocket

import "errors"

// errBrokenPipe is what the kernel says of a write to a peer that is gone.
var errBrokenPipe = errors.New("broken pipe")
