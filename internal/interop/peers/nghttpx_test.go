package peers

import "os/exec"

const nghttpx = "/usr/sbin/nghttpx"

// nghttpxKind is for HTTP/2 at one end at least, so it is not one of proxyKinds.
//
// When its target ends a stream, nghttpx 1.52 ends the client's and resets it without waiting for the client, and then says nothing to the
// target: neither that the client has ended the stream nor a reset. A server that waits for that, as Node's does, waits until its
// time-out. So Node's server resets its streams itself then, as net/http's always does.
//
// When a client over HTTP/1.1 ends its half of the connection, nghttpx resets the stream to its target with INTERNAL_ERROR and drops what
// it has not forwarded. ws ends its half with its Close frame, which was lost in 6 of 12 runs on a busy machine. So Node's client ends it behind
// the server's.
var nghttpxKind = proxyKind{
	name: "nghttpx",
	command: func(config string) *exec.Cmd {
		return exec.Command(nghttpx, "--conf="+config)
	},
	up: "Created worker thread",
	front: map[version]string{
		h1:  ";no-tls",
		h2c: ";no-tls",
	},
	back: map[version]string{
		h2c: ";;proto=h2",
		h2:  ";;proto=h2;tls;sni=localhost",
	},
	config: `
frontend=HOST,PORTFRONT
backend=TO,PORTBACK
certificate-file=DIR/cert.pem
private-key-file=DIR/key.pem
cacert=DIR/cert.pem
workers=1
no-ocsp=yes
backend-keep-alive-timeout=600s
accesslog-file=/dev/null
`,
}
