package h2test

import (
	"encoding/binary"
	"io"
	"net"
	"sync"
	"time"
)

// The types of frames (RFC 9113, section 6), and flags.
const (
	FrameData     = 0
	FrameHeaders  = 1
	FrameReset    = 3
	FrameSettings = 4
	FrameGoAway   = 7

	EndStream  = 1
	endHeaders = 4
)

// A Frame is one of HTTP/2.
type Frame struct {
	Type, Flags byte
	Stream      uint32
	Payload     []byte
}

// Raw is a client that speaks HTTP/2 frame by frame, and may break its rules. It sends no WINDOW_UPDATE.
type Raw struct {
	nc net.Conn

	mu   sync.Mutex
	cond *sync.Cond
	came []Frame
	err  error
}

// NewRaw connects to a server of HTTP/2 without TLS.
func NewRaw(address string) (*Raw, error) {
	nc, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	r := &Raw{nc: nc}
	r.cond = sync.NewCond(&r.mu)
	nc.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(nc, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		return nil, err
	}
	go r.read()
	return r, r.Send(Frame{Type: FrameSettings})
}

func (r *Raw) read() {
	for {
		f, err := readFrame(r.nc)
		r.mu.Lock()
		r.came, r.err = append(r.came, f), err
		r.cond.Broadcast()
		r.mu.Unlock()
		if err != nil {
			return
		}
		if f.Type == FrameSettings && f.Flags == 0 {
			r.Send(Frame{Type: FrameSettings, Flags: 1})
		}
	}
}

func readFrame(nc net.Conn) (f Frame, err error) {
	var header [9]byte
	if _, err := io.ReadFull(nc, header[:]); err != nil {
		return f, err
	}
	f = Frame{Type: header[3], Flags: header[4], Stream: binary.BigEndian.Uint32(header[5:])}
	f.Payload = make([]byte, binary.BigEndian.Uint32(header[:])>>8)
	_, err = io.ReadFull(nc, f.Payload)
	return f, err
}

// Send sends a frame.
func (r *Raw) Send(f Frame) error {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(f.Payload))<<8|uint32(f.Type))
	b = append(b, f.Flags)
	b = binary.BigEndian.AppendUint32(b, f.Stream)
	_, err := r.nc.Write(append(b, f.Payload...))
	return err
}

// Headers sends a request's header fields, in pairs of name and value.
func (r *Raw) Headers(stream uint32, flags byte, fields ...string) error {
	var b []byte
	for i := 0; i < len(fields); i += 2 { // literals that are not indexed (RFC 7541, section 6.2.2)
		b = append(b, 0, byte(len(fields[i])))
		b = append(append(b, fields[i]...), byte(len(fields[i+1])))
		b = append(b, fields[i+1]...)
	}
	return r.Send(Frame{Type: FrameHeaders, Flags: flags | endHeaders, Stream: stream, Payload: b})
}

// Connect sends the request of a WebSocket.
func (r *Raw) Connect(stream uint32, flags byte, more ...string) error {
	return r.Headers(stream, flags, append([]string{":method", "CONNECT", ":protocol", "websocket", ":scheme", "http", ":path", "/", ":authority", "server.example", "sec-websocket-version", "13"}, more...)...)
}

// Want waits for a frame of a type on a stream, and forgets those before it. If there is none within ten seconds, or the
// connection ends, it returns an error.
func (r *Raw) Want(kind byte, stream uint32) (Frame, error) {
	timer := time.AfterFunc(10*time.Second, func() { r.nc.Close() })
	defer timer.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for {
		for i, f := range r.came {
			if f.Type == kind && f.Stream == stream && (r.err == nil || i < len(r.came)-1) {
				r.came = append(r.came[:i:i], r.came[i+1:]...)
				return f, nil
			}
		}
		if r.err != nil {
			return Frame{}, r.err
		}
		r.cond.Wait()
	}
}

// Close closes the connection.
func (r *Raw) Close() { r.nc.Close() }
