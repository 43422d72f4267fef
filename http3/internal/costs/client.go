//go:build unix

package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/closeonce/websocket"
	ws3 "github.com/closeonce/websocket/http3"
)

// A client opens WebSockets that share a connection, where the version has that.
type client struct {
	dial  func(ctx context.Context) (*websocket.Conn, *http.Response, error)
	close func()
}

func newClient(v version, s *server) *client {
	config, url := &tls.Config{RootCAs: s.roots}, "wss://"+s.Address
	if v == h3 {
		d := &ws3.Dialer{TLSClientConfig: config}
		return &client{
			dial:  func(ctx context.Context) (*websocket.Conn, *http.Response, error) { return d.Dial(ctx, url, nil) },
			close: func() { d.Close() },
		}
	}
	t := &http.Transport{TLSClientConfig: config, Protocols: new(http.Protocols)}
	t.Protocols.SetHTTP1(v == h1)
	t.Protocols.SetHTTP2(v == h2)
	opts := &websocket.DialOptions{HTTPClient: &http.Client{Transport: t}}
	if v == h2 {
		opts.HTTP2 = websocket.HTTP2Only
	}
	return &client{
		dial: func(ctx context.Context) (*websocket.Conn, *http.Response, error) {
			return websocket.Dial(ctx, url, opts)
		},
		close: t.CloseIdleConnections,
	}
}

// open opens WebSockets, so many with each client.
func open(v version, s *server, n, perClient int) (conns []*websocket.Conn, closeAll func(), err error) {
	var clients []*client
	closeAll = func() {
		for _, c := range conns {
			c.CloseNow()
		}
		for _, c := range clients {
			c.close()
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for i := range n {
		if i%perClient == 0 {
			clients = append(clients, newClient(v, s))
		}
		c, resp, err := clients[len(clients)-1].dial(ctx)
		if err == nil && resp.ProtoMajor != map[version]int{h1: 1, h2: 2, h3: 3}[v] {
			err = fmt.Errorf("the server speaks %s", resp.Proto)
		}
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		conns = append(conns, c)
	}
	return conns, closeAll, nil
}

// figures are those of a load: round trips per second, and CPU time in microseconds for each.
type figures struct{ rate, server, client float64 }

func measure(v version, l load) (f figures, err error) {
	s, err := start(v)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	conns, closeAll, err := open(v, s, l.streams, l.streams)
	if err != nil {
		return f, err
	}
	defer closeAll()
	if _, err := play(conns, l.size, *span/5); err != nil { // warms up
		return f, err
	}
	client := used(askCPU)
	server, err := s.used(askCPU)
	if err != nil {
		return f, err
	}
	began := time.Now()
	n, err := play(conns, l.size, *span)
	took := time.Since(began)
	if err != nil {
		return f, err
	}
	clientAfter := used(askCPU)
	serverAfter, err := s.used(askCPU)
	if err != nil {
		return f, err
	}
	us := func(before, after usage) float64 {
		return float64((after.CPU - before.CPU).Nanoseconds()) / 1000 / float64(n)
	}
	return figures{float64(n) / took.Seconds(), us(server, serverAfter), us(client, clientAfter)}, nil
}

// play has each connection send messages and wait for their echo, and returns how many came.
func play(conns []*websocket.Conn, size int, d time.Duration) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), d+30*time.Second)
	defer cancel()
	var over atomic.Bool
	defer time.AfterFunc(d, func() { over.Store(true) }).Stop()
	var all sync.WaitGroup
	var echoed atomic.Int64
	errs := make(chan error, len(conns))
	for _, c := range conns {
		all.Go(func() {
			message, buf, n := bytes.Repeat([]byte{'x'}, size), []byte(nil), int64(0)
			for !over.Load() {
				err := c.Write(ctx, websocket.MessageBinary, message)
				if err == nil {
					_, buf, err = c.AppendRead(ctx, buf[:0])
				}
				if err != nil {
					errs <- err
					return
				}
				n++
			}
			echoed.Add(n)
		})
	}
	all.Wait()
	select {
	case err := <-errs:
		return 0, err
	default:
		return echoed.Load(), nil
	}
}

// memory returns what each of n WebSockets that wait takes, in KiB.
func memory(v version, n, perConnection int) (serverKiB, clientKiB float64, err error) {
	s, err := start(v)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	// What is made once must not count.
	first, closeFirst, err := open(v, s, 1, 1)
	if err != nil {
		return 0, 0, err
	}
	defer closeFirst()
	if _, err := play(first, 64, 10*time.Millisecond); err != nil {
		return 0, 0, err
	}
	client := used(askMemory)
	server, err := s.used(askMemory)
	if err != nil {
		return 0, 0, err
	}
	conns, closeAll, err := open(v, s, n, perConnection)
	if err != nil {
		return 0, 0, err
	}
	defer closeAll()
	if _, err := play(conns, 64, time.Millisecond); err != nil {
		return 0, 0, err
	}
	<-time.After(2 * time.Second) // so that all wait as they do for long
	clientAfter := used(askMemory)
	serverAfter, err := s.used(askMemory)
	if err != nil {
		return 0, 0, err
	}
	kib := func(before, after usage) float64 {
		return (float64(after.Memory) - float64(before.Memory)) / 1024 / float64(n)
	}
	return kib(server, serverAfter), kib(client, clientAfter), nil
}
