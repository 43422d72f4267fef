// Package tunnel leads requests of http URLs through HTTP proxies by CONNECT.
//
// An [http.Transport] asks a proxy to forward such a request, and uses CONNECT only for
// https. A proxy that forwards drops the Upgrade header field, since it is for one hop
// (RFC 9110, section 7.6.1), so a WebSocket can't be opened that way. RFC 6455, section
// 4.1, wants CONNECT: "If the user agent is configured to use a proxy ... the user agent
// SHOULD connect to that proxy and ask it to open a TCP connection".
package tunnel

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// A RoundTripper is an [http.Transport] that uses CONNECT for http URLs, too. All other
// requests, and those without an HTTP proxy, are the Transport's own.
type RoundTripper struct{ Transport *http.Transport }

// RoundTrip implements [http.RoundTripper].
func (t RoundTripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "http" || t.Transport.Proxy == nil {
		return t.Transport.RoundTrip(r)
	}
	proxy, err := t.Transport.Proxy(r)
	if err != nil || proxy == nil || proxy.Scheme != "http" && proxy.Scheme != "https" {
		return t.Transport.RoundTrip(r) // which knows what to do, or what is wrong
	}
	return through(r.Context(), t.Transport, proxy).RoundTrip(r)
}

// through returns a transport with the settings of base whose connection leads through
// the proxy, for one request. It keeps no connection for later requests, so that none is left behind: the
// transport is for one request, and what it costs is little beside a connection.
func through(request context.Context, base *http.Transport, proxy *url.URL) *http.Transport {
	t := base.Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = -1
	t.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		// A Transport goes on dialing when the request is cancelled, for the next one. There
		// is no next one here.
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer context.AfterFunc(request, cancel)()
		conn, err := connect(ctx, base, proxy, network, addr)
		if err != nil {
			return nil, &net.OpError{Op: "proxyconnect", Net: network, Err: err} // as net/http's own
		}
		return conn, nil
	}
	// Nothing but HTTP/1.1 without TLS is spoken in the tunnel.
	t.Protocols = new(http.Protocols)
	t.Protocols.SetHTTP1(true)
	return t
}

// connectTimeout bounds how long the proxy may take to answer; net/http has the same.
const connectTimeout = time.Minute

// connect dials the proxy and asks it for a tunnel to addr.
func connect(ctx context.Context, base *http.Transport, proxy *url.URL, network, addr string) (_ net.Conn, err error) {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := dialProxy(ctx, base, proxy, network)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	header := base.ProxyConnectHeader
	if base.GetProxyConnectHeader != nil {
		if header, err = base.GetProxyConnectHeader(ctx, proxy, addr); err != nil {
			return nil, err
		}
	}
	if header = header.Clone(); header == nil {
		header = http.Header{}
	}
	if proxy.User != nil {
		password, _ := proxy.User.Password()
		header.Set("Proxy-Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(proxy.User.Username()+":"+password)))
	}
	request := &http.Request{Method: http.MethodConnect, URL: &url.URL{Opaque: addr}, Host: addr, Header: header}
	response, err := ask(ctx, conn, request, maxHeader(base))
	if err != nil {
		return nil, err
	}
	if base.OnProxyConnectResponse != nil {
		if err := base.OnProxyConnectResponse(ctx, proxy, request, response); err != nil {
			return nil, err
		}
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the proxy answered %.64q", response.Status)
	}
	return conn, nil
}

func maxHeader(base *http.Transport) int64 {
	if base.MaxResponseHeaderBytes > 0 {
		return base.MaxResponseHeaderBytes
	}
	return 1 << 20
}

// ask sends a CONNECT request and reads the answer, as long as ctx lasts.
func ask(ctx context.Context, conn net.Conn, request *http.Request, maxHeader int64) (*http.Response, error) {
	type answer struct {
		response *http.Response
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		if err := request.Write(conn); err != nil {
			answered <- answer{nil, err}
			return
		}
		reader := bufio.NewReader(io.LimitReader(conn, maxHeader))
		response, err := http.ReadResponse(reader, request)
		if err == nil && response.StatusCode == http.StatusOK && reader.Buffered() > 0 {
			// An HTTP server does not speak first: these would be taken for its answer.
			err = errors.New("the proxy sent more than its answer")
		}
		answered <- answer{response, err}
	}()
	select {
	case a := <-answered:
		return a.response, a.err
	case <-ctx.Done():
		conn.Close() // which ends the goroutine
		return nil, ctx.Err()
	}
}

// dialProxy connects to the proxy as base would.
func dialProxy(ctx context.Context, base *http.Transport, proxy *url.URL, network string) (net.Conn, error) {
	port := proxy.Port()
	secure := proxy.Scheme == "https"
	if port == "" {
		port = map[bool]string{false: "80", true: "443"}[secure]
	}
	addr := net.JoinHostPort(proxy.Hostname(), port)
	if secure {
		if base.DialTLSContext != nil {
			return base.DialTLSContext(ctx, network, addr)
		}
		//lint:ignore SA1019 programs use it still
		if dial := base.DialTLS; dial != nil {
			return dial(network, addr)
		}
	}
	conn, err := dialPlain(ctx, base, network, addr)
	if err != nil || !secure {
		return conn, err
	}
	config := &tls.Config{}
	if base.TLSClientConfig != nil {
		config = base.TLSClientConfig.Clone()
	}
	if config.ServerName == "" {
		config.ServerName = proxy.Hostname()
	}
	config.NextProtos = nil // CONNECT is HTTP/1.1 here
	if base.TLSHandshakeTimeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, base.TLSHandshakeTimeout)
		defer cancel()
	}
	secured := tls.Client(conn, config)
	if err := secured.HandshakeContext(ctx); err != nil {
		conn.Close()
		return nil, err
	}
	return secured, nil
}

// dialPlain dials as base does without TLS.
func dialPlain(ctx context.Context, base *http.Transport, network, addr string) (net.Conn, error) {
	if base.DialContext != nil {
		return base.DialContext(ctx, network, addr)
	}
	//lint:ignore SA1019 programs use it still
	if dial := base.Dial; dial != nil {
		return dial(network, addr)
	}
	return new(net.Dialer).DialContext(ctx, network, addr)
}
