//go:build unix

package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/closeonce/websocket"
	_ "github.com/closeonce/websocket/http2"
	ws3 "github.com/closeonce/websocket/http3"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// A version of HTTP, over TLS.
type version string

const (
	h1 version = "HTTP/1.1"
	h2 version = "HTTP/2"
	h3 version = "HTTP/3"
)

var versions = []version{h1, h2, h3}

// hello is what a server says first.
type hello struct {
	Address     string
	Certificate []byte
}

// usage is what a process has used: one of the two, as was asked.
type usage struct {
	CPU    time.Duration
	Memory uint64 // heap and stacks, after a collection
}

// The lines that ask for it.
const (
	askCPU    = "CPU"
	askMemory = "memory"
)

// serve is the server's process. It ends with its standard input.
func serve(v version, frame string) {
	config, _ := selfsigned.Pair("127.0.0.1")
	h := hello{Certificate: config.Certificates[0].Certificate[0]}
	var err error
	if *maxFrame, err = strconv.Atoi(frame); err != nil {
		log.Fatal(err)
	}
	if h.Address, err = listen(v, config); err != nil {
		log.Fatal(err)
	}
	out := json.NewEncoder(os.Stdout)
	out.Encode(h)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		out.Encode(used(lines.Text()))
	}
}

// listen starts the server. That of HTTP/2 is configured as the documentation of package http2 says.
func listen(v version, config *tls.Config) (string, error) {
	if v == h3 {
		pc, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			return "", err
		}
		s := &http3.Server{
			TLSConfig:  http3.ConfigureTLSConfig(config),
			QUICConfig: &quic.Config{MaxIncomingStreams: 1000},
			Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if c, err := ws3.Accept(w, r, nil); err == nil {
					go echo(context.Background(), c)
				}
			}),
		}
		go func() { log.Fatal(s.Serve(pc)) }()
		return pc.LocalAddr().String(), nil
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	s := &http.Server{
		Handler:   websocket.Handler(nil, echo),
		TLSConfig: config,
		Protocols: new(http.Protocols),
		HTTP2: &http.HTTP2Config{MaxConcurrentStreams: 1000, MaxReadFrameSize: *maxFrame,
			MaxReceiveBufferPerStream: 64 << 10, MaxReceiveBufferPerConnection: 2 << 20},
	}
	s.Protocols.SetHTTP1(v == h1)
	s.Protocols.SetHTTP2(v == h2)
	go func() { log.Fatal(s.ServeTLS(ln, "", "")) }()
	return ln.Addr().String(), nil
}

func echo(ctx context.Context, c *websocket.Conn) {
	defer c.CloseNow()
	var buf []byte
	for {
		typ, p, err := c.AppendRead(ctx, buf[:0])
		if err != nil || c.Write(ctx, typ, p) != nil {
			return
		}
		buf = p
	}
}

// used returns what this process has used.
func used(ask string) usage {
	if ask == askMemory {
		runtime.GC()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return usage{Memory: m.HeapAlloc + m.StackInuse}
	}
	var r syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &r)
	return usage{CPU: time.Duration(r.Utime.Nano() + r.Stime.Nano())}
}

// A server is the process, seen from the client's.
type server struct {
	hello
	roots *x509.CertPool
	in    io.WriteCloser
	out   *json.Decoder
	cmd   *exec.Cmd
}

func start(v version) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self, "serve", string(v), strconv.Itoa(*maxFrame)), roots: x509.NewCertPool()}
	s.cmd.Stderr = os.Stderr
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	s.out = json.NewDecoder(out)
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	if err := s.out.Decode(&s.hello); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	certificate, err := x509.ParseCertificate(s.Certificate)
	if err != nil {
		return nil, errors.Join(err, s.stop())
	}
	s.roots.AddCert(certificate)
	return s, nil
}

// used asks the server what it has used.
func (s *server) used(ask string) (u usage, err error) {
	if _, err = io.WriteString(s.in, ask+"\n"); err == nil {
		err = s.out.Decode(&u)
	}
	return u, err
}

func (s *server) stop() error {
	s.in.Close()
	return s.cmd.Wait()
}
