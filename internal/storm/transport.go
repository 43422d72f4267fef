package storm

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Transports are all kinds of net.Conn that a storm knows.
var Transports = []string{"tcp", "unix", "tls", "mux", "pieces", "zeros", "deadless"}

// ParseTransports reads a list of transports; "wrapped" is short for the last three.
func ParseTransports(list string) ([]string, error) {
	var all []string
	for name := range strings.SplitSeq(list, ",") {
		switch {
		case name == "wrapped":
			all = append(all, "pieces", "zeros", "deadless")
		case name != "" && strings.Contains(","+strings.Join(Transports, ",")+",", ","+name+","):
			all = append(all, name)
		default:
			return nil, fmt.Errorf("storm: no transport is called %q", name)
		}
	}
	return all, nil
}

// transports makes connected pairs of net.Conns.
type transports struct {
	tcp, unix *dock
	tls       *tls.Config

	mu        sync.Mutex
	near, far *mux // of the library's ends, and of the relay's
	streams   uint32
}

// A dock dials a listener of its own.
type dock struct {
	mu       sync.Mutex
	listener net.Listener
}

// pair returns both ends of a new connection.
func (d *dock) pair() (a, b net.Conn, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	address := d.listener.Addr()
	if a, err = net.Dial(address.Network(), address.String()); err != nil {
		return nil, nil, err
	}
	if b, err = d.listener.Accept(); err != nil {
		a.Close()
		return nil, nil, err
	}
	return a, b, nil
}

func newTransports(dir string) (*transports, error) {
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	t := &transports{tcp: &dock{listener: tcp}}
	unix, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err == nil {
		t.unix = &dock{listener: unix}
		t.tls, err = newTLS()
	}
	var a, b net.Conn
	if err == nil {
		a, b, err = t.tcp.pair()
	}
	if err != nil {
		t.close()
		return nil, err
	}
	t.near, t.far = newMux(a), newMux(b)
	return t, nil
}

func (t *transports) close() {
	for _, d := range []*dock{t.tcp, t.unix} {
		if d != nil {
			d.listener.Close()
		}
	}
	if t.near != nil {
		t.near.nc.Close()
		t.far.nc.Close()
	}
}

// newTLS makes a certificate.
func newTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "storm"}, DNSNames: []string{"storm"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{
		ServerName: "storm", RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
	}, nil
}

// pair returns a connection's end for the library and the one for the relay. buffer, if not 0, is the size of the
// kernel's buffers.
func (t *transports) pair(kind string, server bool, buffer int) (near, far net.Conn, err error) {
	if kind == "mux" {
		return t.muxed()
	}
	d := t.tcp
	if kind == "unix" {
		d = t.unix
	}
	if near, far, err = d.pair(); err != nil {
		return nil, nil, err
	}
	if buffer > 0 {
		for _, nc := range []net.Conn{near, far} {
			sized := nc.(interface {
				SetReadBuffer(int) error
				SetWriteBuffer(int) error
			})
			if err := errors.Join(sized.SetReadBuffer(buffer), sized.SetWriteBuffer(buffer)); err != nil {
				return nil, nil, err
			}
		}
	}
	switch kind {
	case "tls":
		return t.secure(near, far, server)
	case "pieces":
		near = &pieces{Conn: near}
	case "zeros":
		near = &zeros{Conn: near}
	case "deadless":
		near = &deadless{Conn: near}
	}
	return near, far, nil
}

// secure puts TLS on both ends.
func (t *transports) secure(near, far net.Conn, server bool) (net.Conn, net.Conn, error) {
	a, b := tls.Client(near, t.tls), tls.Server(far, t.tls)
	if server {
		a, b = tls.Server(near, t.tls), tls.Client(far, t.tls)
	}
	done := make(chan error, 1)
	go func() { done <- b.Handshake() }()
	err := errors.Join(a.Handshake(), <-done)
	return a, b, err
}

// muxed returns both ends of a new stream.
func (t *transports) muxed() (net.Conn, net.Conn, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.streams++
	near, err := t.near.open(t.streams)
	if err != nil {
		return nil, nil, err
	}
	far, ok := <-t.far.opened
	if !ok {
		return nil, nil, errMuxReset
	}
	return near, far, nil
}
