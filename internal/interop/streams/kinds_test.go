package streams

import (
	"context"
	"io"
	"net"
	"net/netip"
	"testing"

	"github.com/hashicorp/yamux"
	"github.com/xtaci/smux"
	"golang.zx2c4.com/wireguard/tun"
	"golang.zx2c4.com/wireguard/tun/netstack"
)

// A kind of net.Conn that is not a socket.
type kind struct {
	name string
	// open returns both ends of a new one.
	open func(t *testing.T) (dialled, accepted net.Conn)
	// server makes the server's end one that net/http can hijack, where it can't; see hijack_test.go. secured says
	// that there is TLS between the two.
	server func(nc net.Conn, secured bool) net.Conn
}

var kinds = []kind{
	{name: "yamux", open: yamuxStream, server: temporaryBelowTLS},
	// Not version 2 of its protocol: its Write counts bytes once they are sent, so on a busy machine the peer's window update may come first,
	// and v1.5.58 fails the stream with "peer consumed more than sent".
	{name: "smux", open: smuxStream},
	{name: "ssh direct-tcpip", open: sshDirect, server: copied},
	{name: "ssh forwarded-tcpip", open: sshForwarded, server: copied},
	{name: "netstack", open: netstackConn},
	{name: "named pipe", open: func(t *testing.T) (net.Conn, net.Conn) { return namedPipe(t, false) }},
	{name: "named pipe of messages", open: func(t *testing.T) (net.Conn, net.Conn) { return namedPipe(t, true) }},
}

// tcpPair is what the multiplexers and SSH run over.
func tcpPair(t *testing.T) (dialled, accepted net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	dialled, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	accepted, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	for _, nc := range []net.Conn{dialled, accepted} { // so that a write blocks before megabytes
		nc.(*net.TCPConn).SetReadBuffer(256 << 10)
		nc.(*net.TCPConn).SetWriteBuffer(256 << 10)
	}
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}

// must returns v, if err allows.
func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func yamuxStream(t *testing.T) (dialled, accepted net.Conn) {
	a, b := tcpPair(t)
	config := yamux.DefaultConfig()
	config.LogOutput = io.Discard
	client, server := must(yamux.Client(a, config))(t), must(yamux.Server(b, config))(t)
	t.Cleanup(func() { client.Close(); server.Close() })
	dialled = must(client.Open())(t)
	return dialled, must(server.Accept())(t)
}

func smuxStream(t *testing.T) (dialled, accepted net.Conn) {
	a, b := tcpPair(t)
	config := smux.DefaultConfig()
	config.MaxReceiveBuffer = 1 << 20
	client, server := must(smux.Client(a, config))(t), must(smux.Server(b, config))(t)
	t.Cleanup(func() { client.Close(); server.Close() })
	dialled = must(client.OpenStream())(t)
	return dialled, must(server.AcceptStream())(t)
}

// netstackConn is a TCP connection between two network stacks that are joined by their devices.
func netstackConn(t *testing.T) (dialled, accepted net.Conn) {
	const mtu = 16 << 10 // few packets: a test has to be fast
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")}
	devices, nets := [2]tun.Device{}, [2]*netstack.Net{}
	for i, addr := range addrs {
		var err error
		if devices[i], nets[i], err = netstack.CreateNetTUN([]netip.Addr{addr}, nil, mtu); err != nil {
			t.Fatal(err)
		}
	}
	for i, from := range devices {
		to := devices[1-i]
		go func() {
			packet, size := [][]byte{make([]byte, mtu)}, []int{0}
			for {
				if _, err := from.Read(packet, size, 0); err != nil {
					return
				}
				to.Write([][]byte{packet[0][:size[0]]}, 0)
			}
		}()
	}
	ln := must(nets[1].ListenTCPAddrPort(netip.AddrPortFrom(addrs[1], 80)))(t)
	defer ln.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	dialled = must(nets[0].DialContextTCPAddrPort(ctx, netip.AddrPortFrom(addrs[1], 80)))(t)
	accepted = must(ln.Accept())(t)
	t.Cleanup(func() { dialled.Close(); accepted.Close() })
	return dialled, accepted
}
