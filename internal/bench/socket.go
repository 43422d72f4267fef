package main

import (
	"bytes"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// wait is the error of a non-blocking call that would block. It is temporary, so that crypto/tls
// carries on after it.
type wait struct{}

func (wait) Error() string   { return "operation would block" }
func (wait) Timeout() bool   { return true }
func (wait) Temporary() bool { return true }

// socket is one non-blocking TCP socket, with TLS above it where the case asks for it.
type socket struct {
	fd  int
	tls *tls.Conn
}

// sources is the number of loopback addresses connections come from: one address has ports for some
// 28,000 connections to the same server only.
const sources = 100

// connect opens a connection to a port on 127.0.0.1. The number picks the source address.
func connect(port, number int) (*socket, error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("socket: %w", err)
	}
	const bindAddressNoPort = 24 // IP_BIND_ADDRESS_NO_PORT: the port is chosen by connect, per destination
	err = errors.Join(
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IP, bindAddressNoPort, 1),
		syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, byte(2 + number%sources)}}),
		syscall.Connect(fd, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
	)
	if err == nil {
		err = tune(fd)
	}
	if err != nil {
		syscall.Close(fd)
		return nil, fmt.Errorf("connecting: %w", err)
	}
	return &socket{fd: fd}, nil
}

// tune sets what every socket of the load generator has. A close sends RST, which leaves no TIME_WAIT
// behind on either side.
func tune(fd int) error {
	return errors.Join(
		syscall.SetNonblock(fd, true),
		syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1),
		syscall.SetsockoptLinger(fd, syscall.SOL_SOCKET, syscall.SO_LINGER, &syscall.Linger{Onoff: 1}),
	)
}

func (s *socket) close() { syscall.Close(s.fd) }

// read returns wait{} when nothing is there and io.EOF at the end.
func (s *socket) read(p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.Read(p)
	}
	return s.readRaw(p)
}

// write returns how much the socket took, and wait{} if that is not all.
func (s *socket) write(p []byte) (int, error) {
	if s.tls != nil {
		return s.tls.Write(p)
	}
	return s.writeRaw(p)
}

func (s *socket) readRaw(p []byte) (int, error) {
	n, err := syscall.Read(s.fd, p)
	switch {
	case err == syscall.EAGAIN:
		return 0, wait{}
	case err != nil:
		return 0, err
	case n == 0 && len(p) > 0:
		return 0, io.EOF
	}
	return n, nil
}

func (s *socket) writeRaw(p []byte) (int, error) {
	n, err := syscall.Write(s.fd, p)
	switch {
	case err == syscall.EAGAIN:
		return 0, wait{}
	case err != nil:
		return 0, err
	case n < len(p):
		return n, wait{}
	}
	return n, nil
}

// setupTimeout bounds what is done before anything is measured, per connection.
const setupTimeout = 20 * time.Second

// writeAll polls until all of p is written.
func (s *socket) writeAll(p []byte) error {
	for deadline := time.Now().Add(setupTimeout); ; {
		n, err := s.write(p)
		if err == nil {
			return nil
		}
		if err != (wait{}) {
			return err
		}
		p = p[n:]
		if time.Now().After(deadline) {
			return errors.New("writing: timeout")
		}
	}
}

// readSome polls until some bytes are there.
func (s *socket) readSome(p []byte) (int, error) {
	for deadline := time.Now().Add(setupTimeout); ; {
		n, err := s.read(p)
		if err == nil || !errors.Is(err, wait{}) {
			return n, err
		}
		if time.Now().After(deadline) {
			return 0, errors.New("reading: timeout")
		}
	}
}

// startTLS does the client's handshake of TLS; any certificate will do.
func (s *socket) startTLS() error {
	t := tls.Client(tlsTransport{s}, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	if err := t.Handshake(); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	s.tls = t
	return nil
}

// tlsTransport shows a socket to crypto/tls as a net.Conn.
type tlsTransport struct{ s *socket }

// Read polls while the handshake runs, whose state does not survive a would-block.
func (t tlsTransport) Read(p []byte) (int, error) {
	if t.s.tls != nil {
		return t.s.readRaw(p)
	}
	for deadline := time.Now().Add(setupTimeout); ; {
		n, err := t.s.readRaw(p)
		if err != (wait{}) {
			return n, err
		}
		if time.Now().After(deadline) {
			return 0, errors.New("timeout")
		}
	}
}

// Write polls until all is written: crypto/tls cannot go on in the middle of a record.
func (t tlsTransport) Write(p []byte) (int, error) {
	for written := 0; ; {
		n, err := t.s.writeRaw(p[written:])
		written += n
		if err != (wait{}) {
			return written, err
		}
	}
}

func (t tlsTransport) Close() error                     { return nil }
func (t tlsTransport) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (t tlsTransport) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (t tlsTransport) SetDeadline(time.Time) error      { return nil }
func (t tlsTransport) SetReadDeadline(time.Time) error  { return nil }
func (t tlsTransport) SetWriteDeadline(time.Time) error { return nil }

const (
	handshakeKey    = "dGhlIHNhbXBsZSBub25jZQ==" // the example of RFC 6455, section 1.3
	handshakeAccept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

	// The one offer all libraries with permessage-deflate can accept, and the one that leaves the context.
	deflateOffer  = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	takeoverOffer = "permessage-deflate"
)

// upgradeRequest is the opening handshake of the load generator as a client.
func upgradeRequest(o order) []byte {
	extensions := ""
	switch {
	case o.Takeover:
		extensions = "Sec-WebSocket-Extensions: " + takeoverOffer + "\r\n"
	case o.Deflate:
		extensions = "Sec-WebSocket-Extensions: " + deflateOffer + "\r\n"
	}
	return []byte("GET /echo HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + handshakeKey + "\r\n" + extensions + "\r\n")
}

// splitHead cuts an HTTP head off the front of p; ok is false until it is whole.
func splitHead(p []byte) (head string, rest []byte, ok bool) {
	before, after, ok := bytes.Cut(p, []byte("\r\n\r\n"))
	return string(before), after, ok
}

// checkUpgrade looks at the head of a server's answer.
func checkUpgrade(head string, deflate, takeover bool) error {
	extensions := headerValue(head, "Sec-WebSocket-Extensions")
	switch {
	case !strings.HasPrefix(head, "HTTP/1.1 101"):
		return fmt.Errorf("handshake refused: %.200s", head)
	case headerValue(head, "Sec-WebSocket-Accept") != handshakeAccept:
		return errors.New("handshake: wrong Sec-WebSocket-Accept")
	case deflate != strings.HasPrefix(extensions, "permessage-deflate"):
		return fmt.Errorf("handshake: permessage-deflate wanted: %t; answer: %q", deflate, extensions)
	case takeover && strings.Contains(extensions, "no_context_takeover"):
		return fmt.Errorf("handshake: context takeover wanted; answer: %q", extensions)
	}
	return nil
}

// headerValue finds a field in an HTTP head.
func headerValue(head, name string) string {
	for line := range strings.SplitSeq(head, "\r\n") {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.EqualFold(k, name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// upgrade does the opening handshake as a client and returns the bytes that came behind the answer.
func (s *socket) upgrade(o order) (rest []byte, err error) {
	if err := s.writeAll(upgradeRequest(o)); err != nil {
		return nil, err
	}
	head, rest, err := s.readHead()
	if err != nil {
		return nil, err
	}
	return rest, checkUpgrade(head, o.Deflate, o.Takeover)
}

// upgradeResponse is the load generator's answer to the handshake of a client under test. It accepts no
// extension.
func upgradeResponse(head string) []byte {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
	sum := sha1.Sum([]byte(headerValue(head, "Sec-WebSocket-Key") + guid))
	return []byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Accept: " + base64.StdEncoding.EncodeToString(sum[:]) + "\r\n\r\n")
}

// acceptFD accepts a connection and takes it away from Go's runtime.
func acceptFD(ln *net.TCPListener) (int, error) {
	if err := ln.SetDeadline(time.Now().Add(setupTimeout)); err != nil {
		return 0, err
	}
	c, err := ln.AcceptTCP()
	if err != nil {
		return 0, err
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		return 0, err
	}
	var fd int
	var dupErr error
	if err := raw.Control(func(f uintptr) { fd, dupErr = syscall.Dup(int(f)) }); err != nil {
		return 0, err
	}
	if dupErr != nil {
		return 0, dupErr
	}
	return fd, tune(fd)
}

func (s *socket) readHead() (head string, rest []byte, err error) {
	var got []byte
	chunk := make([]byte, 4096)
	for {
		n, err := s.readSome(chunk)
		if err != nil {
			return "", nil, fmt.Errorf("handshake: %w", err)
		}
		got = append(got, chunk[:n]...)
		if head, rest, ok := splitHead(got); ok {
			return head, rest, nil
		}
	}
}
