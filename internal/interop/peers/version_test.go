package peers

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/closeonce/websocket"
	_ "github.com/closeonce/websocket/http2"
	"github.com/closeonce/websocket/internal/testkit/selfsigned"
)

// A version of HTTP, as one end of a connection speaks it.
type version string

const (
	h1  version = ""    // HTTP/1.1 without TLS
	h2c version = "h2c" // HTTP/2 without TLS
	h2  version = "h2"  // HTTP/2 over TLS
)

func (v version) String() string {
	if v == h1 {
		return "h1"
	}
	return string(v)
}

func (v version) scheme() string {
	if v == h2 {
		return "wss://"
	}
	return "ws://"
}

func (v version) protocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(v == h1)
	p.SetHTTP2(v == h2)
	p.SetUnencryptedHTTP2(v == h2c)
	return p
}

// client is what Dial has to use.
func (v version) client() *http.Client {
	_, config := certificate()
	return &http.Client{Transport: &http.Transport{Protocols: v.protocols(), TLSClientConfig: config.Clone()}}
}

func (v version) option() websocket.HTTP2Mode {
	if v == h1 {
		return websocket.HTTP2Off
	}
	return websocket.HTTP2Only
}

// serve starts a server that speaks nothing else, and returns its address.
func (v version) serve(t *testing.T, h http.Handler, configure func(*http.Server)) string {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.Protocols = v.protocols()
	if configure != nil {
		configure(s.Config)
	}
	if v == h2 {
		s.EnableHTTP2 = true
		s.TLS, _ = certificate()
		s.TLS = s.TLS.Clone()
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// files name a certificate and its key, for another process.
type files struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
}

// files returns those for TLS, or nil.
func (v version) files() *files {
	if v != h2 {
		return nil
	}
	return certificateFiles()
}

// certificate returns the TLS configurations of servers at 127.0.0.1 and of their clients.
var certificate = sync.OnceValues(func() (server, client *tls.Config) { return selfsigned.Pair("127.0.0.1", "localhost") })

// pems returns the certificate and its key by names of files, and both in one.
var pems = sync.OnceValue(func() map[string][]byte {
	config, _ := certificate()
	pair := config.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		panic(err)
	}
	files := map[string][]byte{
		"cert.pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}),
		"key.pem":  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}),
	}
	files["pair.pem"] = append(append([]byte{}, files["cert.pem"]...), files["key.pem"]...)
	return files
})

// scratch is a directory that goes when the tests are through.
var scratch string

var certificateFiles = sync.OnceValue(func() *files {
	f := &files{filepath.Join(scratch, "cert.pem"), filepath.Join(scratch, "key.pem")}
	for name, content := range pems() {
		if err := os.WriteFile(filepath.Join(scratch, name), content, 0o600); err != nil {
			panic(err)
		}
	}
	return f
})
