package peers

import (
	"os/exec"
	"syscall"
)

const haproxy = "/usr/sbin/haproxy"

var haproxyKind = proxyKind{
	name: "haproxy",
	command: func(config string) *exec.Cmd {
		// With a master and a worker, as Debian runs it: that is what can reload.
		return exec.Command(haproxy, "-W", "-db", "-f", config)
	},
	up:        "Loading success",
	reload:    syscall.SIGUSR2,
	reloading: "Reloading HAProxy",
	front: map[version]string{
		h2c: "proto h2",
		h2:  "ssl crt DIR/pair.pem alpn h2",
	},
	back: map[version]string{
		h2c: "proto h2 ws h2",
		h2:  "ssl verify required ca-file DIR/cert.pem alpn h2 ws h2",
	},
	config: `
global
	maxconn 100
	hard-stop-after DRAIN
defaults
	mode http
	timeout connect 10s
	timeout client 10s
	timeout server 10s
	timeout tunnel SILENCE
frontend in
	bind ADDR FRONT
	default_backend out
backend out
	server target TARGET BACK
`,
}
