package streams

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

var hostKey = sync.OnceValue(func() ssh.Signer {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		panic(err)
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		panic(err)
	}
	return signer
})

// sshPair returns a client, and the server's end of its connection.
func sshPair(t *testing.T) (*ssh.Client, *ssh.ServerConn, <-chan ssh.NewChannel, <-chan *ssh.Request) {
	t.Helper()
	a, b := tcpPair(t)
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(hostKey())
	type result struct {
		client *ssh.Client
		err    error
	}
	shaken := make(chan result, 1)
	go func() {
		conn, channels, requests, err := ssh.NewClientConn(a, "", &ssh.ClientConfig{User: "somebody", HostKeyCallback: ssh.FixedHostKey(hostKey().PublicKey())})
		shaken <- result{ssh.NewClient(conn, channels, requests), err}
	}()
	server, channels, requests, err := ssh.NewServerConn(b, config)
	if err != nil {
		t.Fatal(err)
	}
	client := <-shaken
	if client.err != nil {
		t.Fatal(client.err)
	}
	t.Cleanup(func() { client.client.Close(); server.Close() })
	return client.client, server, channels, requests
}

// A channel of SSH as a net.Conn, as servers make one. Like the one of ssh.Client it has no deadlines.
type channelConn struct {
	ssh.Channel
	of ssh.Conn
}

func (c channelConn) LocalAddr() net.Addr              { return c.of.LocalAddr() }
func (c channelConn) RemoteAddr() net.Addr             { return c.of.RemoteAddr() }
func (c channelConn) SetDeadline(time.Time) error      { return errNoDeadlines }
func (c channelConn) SetReadDeadline(time.Time) error  { return errNoDeadlines }
func (c channelConn) SetWriteDeadline(time.Time) error { return errNoDeadlines }

var errNoDeadlines = errors.New("a channel has no deadlines")

// sshDirect is what ssh.Client.Dial returns: the client asks the server for a connection.
func sshDirect(t *testing.T) (dialled, accepted net.Conn) {
	client, server, channels, requests := sshPair(t)
	go ssh.DiscardRequests(requests)
	taken := make(chan net.Conn, 1)
	go func() {
		defer close(taken)
		for asked := range channels {
			if channel, requests, err := asked.Accept(); err == nil {
				go ssh.DiscardRequests(requests)
				taken <- channelConn{channel, server}
				return
			}
		}
	}()
	dialled = must(client.Dial("tcp", "example.com:80"))(t)
	return dialled, <-taken
}

// sshForwarded is what the listener of ssh.Client.Listen returns: the server has a connection for the client.
func sshForwarded(t *testing.T) (dialled, accepted net.Conn) {
	client, server, _, requests := sshPair(t)
	go func() {
		for request := range requests {
			request.Reply(request.Type == "tcpip-forward", nil)
		}
	}()
	ln := must(client.Listen("tcp", "127.0.0.1:80"))(t)
	taken := make(chan net.Conn, 1)
	go func() {
		defer close(taken)
		payload := ssh.Marshal(struct {
			Addr       string
			Port       uint32
			OriginAddr string
			OriginPort uint32
		}{"127.0.0.1", 80, "127.0.0.1", 12345})
		if channel, requests, err := server.OpenChannel("forwarded-tcpip", payload); err == nil {
			go ssh.DiscardRequests(requests)
			taken <- channelConn{channel, server}
		}
	}()
	accepted = must(ln.Accept())(t)
	return <-taken, accepted
}
